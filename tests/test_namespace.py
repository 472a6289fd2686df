"""Array code runs on a pretend CuPy (see `strict`) and agrees with the CPU to rounding."""

import importlib
import inspect
import sys
from dataclasses import replace

import numpy as np
import pytest
import strict
from strict import close, device
from test_kernels import SHAPES, extras, problem
from test_models import VARIANTS, cannot_fold_in, is_sgd

from rslib import backend, kernels, metrics
from rslib.kernels.states import BaselineState, SharedSteps
from rslib.models import RBM, Mean, Neighbours, Popularity
from rslib.ratings import Pairs, Ratings


@pytest.fixture
def on_device(cupy, train):
    return train.to("gpu")


@pytest.mark.parametrize("wrong", [
    lambda x: np.sum(x), lambda x: np.asarray(x), lambda x: np.bincount(x), lambda x: np.sqrt(x),
    lambda x: x + np.ones(3), lambda x: np.ones(3) * x, lambda x: x[np.array([0])],
    lambda x: x.__setitem__(0, np.ones(())), lambda x: list(x), lambda x: np.add.at(x, 0, 1),
    lambda x: np.array([1, 2])[x], lambda x: sys.modules["cupy"].maximum(x, np.ones(3))])
def test_the_guard_refuses_what_belongs_to_the_host(wrong, cupy):
    with pytest.raises(TypeError):
        wrong(cupy.asarray(np.array([0, 1, 2])))


def test_the_guard_refuses_ids_out_of_range_and_calls_off_the_list(cupy):
    three = cupy.asarray(np.arange(3))
    with pytest.raises(IndexError):
        three[cupy.asarray(np.array([3]))]
    with pytest.raises(AttributeError):
        cupy.add.at(three, 0, 1)
    with pytest.raises(AttributeError):
        three.tolist()
    with pytest.raises(TypeError):
        cupy.argsort(three, stable=True)
    with pytest.raises(ValueError):
        cupy.linalg.solve(cupy.zeros((4, 2, 2)), cupy.zeros((4, 2)))


def test_the_list_is_true_of_the_real_cupy():
    real = pytest.importorskip("cupy", reason="CuPy is not installed, so the list is not checked")
    for name, keywords in strict.FUNCTIONS.items():
        function = getattr(real, name)
        if not isinstance(function, real.ufunc):
            assert keywords <= inspect.signature(function).parameters.keys()
    for name in strict.LINALG:
        assert "(..., M, M)" in getattr(real.linalg, name).__doc__      # takes batches
    assert all(hasattr(real, name) for name in strict.NUMBERS)
    for name, module in strict.pretend_cupyx().items():
        for function in vars(module).keys() & {"posv", "check_availability"}:
            assert hasattr(importlib.import_module(name), function)
    assert hasattr(real.cuda.Device, "mem_info")
    own = vars(strict.ndarray).keys() - {"__getattr__", "__weakref__"}
    for name in {*strict.METHODS, *strict.ATTRIBUTES, *own}:
        assert hasattr(real.ndarray, name)


@pytest.mark.parametrize("kind", ["plain", "weighted", "implicit", "gibbs"])
@pytest.mark.parametrize("lengths", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("dtype, atol", [(np.float32, 2e-4), (np.float64, 1e-12)])
def test_regressions(kind, lengths, dtype, atol, cupy):
    inputs = problem(lengths, dtype=dtype)
    options = extras(kind, inputs)
    ours = kernels.ridge_rows(*device(cupy, inputs), **device(cupy, options))
    close(ours, kernels.ridge_rows_batched(*inputs, **options), atol)


@pytest.mark.parametrize("with_factors", [False, True])
def test_predict_pairs(with_factors, cupy, monkeypatch):
    rng = np.random.default_rng(0)
    p, q = (rng.normal(size=(n, 3)).astype(np.float32) for n in (7, 5))
    inputs = (rng.integers(0, 7, 50), rng.integers(0, 5, 50), 3.5, p[:, 0], q[:, 0])
    inputs += (p, q) if with_factors else ()
    monkeypatch.setattr(kernels.predict, "BLOCK", 8)
    close(kernels.predict_pairs(*device(cupy, inputs)), kernels.predict_pairs(*inputs))


def test_backend(cupy):
    rng = np.random.default_rng(0)
    ids, values = rng.integers(0, 9, 200), rng.normal(size=200).astype(np.float32)
    d_ids, d_values = device(cupy, (ids, values))
    close(backend.sum_by(d_ids, d_values, 12), backend.sum_by(ids, values, 12))
    for ours, theirs in zip(backend.group_by(d_ids, 12), backend.group_by(ids, 12), strict=True):
        close(ours, theirs)
    x = rng.normal(size=(6, 20, 3))
    gram, rhs = x.swapaxes(1, 2) @ x, rng.normal(size=(6, 3))
    close(backend.solve_spd(*device(cupy, (gram, rhs))), backend.solve_spd(gram, rhs))
    backend.synchronize(d_ids)


def test_metrics(cupy):
    rng = np.random.default_rng(0)
    values, guess, other = rng.uniform(0, 6, (3, 90))
    users = rng.integers(0, 12, 90)
    d_values, d_guess, d_other, d_users = device(cupy, (values, guess, other, users))
    close(metrics.clip(d_guess, (1, 5)), metrics.clip(guess, (1, 5)))
    for metric in (metrics.rmse, metrics.mae):
        assert metric(d_guess, d_values) == pytest.approx(metric(guess, values), rel=1e-12)
        assert metric(d_guess, d_values, users=d_users) == pytest.approx(
            metric(guess, values, users=users), rel=1e-12)
    assert str(metrics.paired_bootstrap(d_guess, d_other, d_values, d_users, n_resamples=50)) == \
        str(metrics.paired_bootstrap(guess, other, values, users, n_resamples=50))
    assert metrics.standard_error(d_guess, d_values, d_users, n_resamples=50) == pytest.approx(
        metrics.standard_error(guess, values, users, n_resamples=50))


EXACT = [model for model in VARIANTS if not is_sgd(model)]
each_exact = pytest.mark.parametrize(
    "model", EXACT, ids=[f"{at}-{type(model).__name__}" for at, model in enumerate(EXACT)])


@each_exact
def test_models_follow_the_data(model, train, on_device, cupy, tmp_path):
    ours, theirs = replace(model).fit(on_device), replace(model).fit(train)
    pairs = on_device.pairs
    close(ours.predict(pairs), theirs.predict(train.pairs), 1e-3)
    if not isinstance(model, Mean | Neighbours | Popularity | RBM):     # they minimise nothing
        assert ours.objective(on_device) == pytest.approx(theirs.objective(train), rel=1e-4)
    close(ours.score(cupy.asarray(np.arange(3))), theirs.score(np.arange(3)), 1e-3)
    if not cannot_fold_in(model):
        close(ours.fold_in(on_device).predict(pairs), theirs.fold_in(train).predict(train.pairs),
              1e-3)
    assert ours.n_parameters == theirs.n_parameters
    for name in ours._learned:
        array = getattr(ours, name)
        assert isinstance(array, float | int | strict.ndarray), f"{name} left the device"
    ours.save(tmp_path / "model.npz")
    again = type(model).load(tmp_path / "model.npz")
    np.testing.assert_allclose(again.predict(train.pairs), ours.predict(pairs).get(), rtol=1e-6,
                               atol=1e-6)       # that of a sum of stars in float32


@each_exact
def test_a_mixture_of_devices_is_an_error(model, train, on_device):
    for fitted, asked in ((on_device, train), (train, on_device)):
        model = replace(model).fit(fitted)
        with pytest.raises(TypeError, match="move them together"):
            model.predict(asked.pairs)


def test_columns_of_different_devices_are_an_error(train, on_device):
    with pytest.raises(TypeError, match="move them together"):
        Ratings(on_device.users, on_device.items, values=train.values)


@pytest.mark.parametrize("user", [-1, 120])
def test_an_epoch_over_unknown_users_is_an_error(user, train, on_device):
    for ratings in (train.by_user, on_device.by_user, kernels.deal_blocks(train, n_blocks=3)):
        with pytest.raises(ValueError, match=rf"users must lie in 0\.\.119, found {user}"):
            kernels.sgd_epoch(kernels.rules.baseline, ratings, np.array([user]), (), ())


def test_an_epoch_over_different_devices_is_an_error(train, on_device):
    for ratings, bias in ((train, on_device.values), (on_device, train.values)):
        with pytest.raises(TypeError, match="move them together"):
            kernels.sgd_epoch(kernels.rules.baseline, ratings.by_user, np.arange(3),
                              BaselineState(bias, bias), SharedSteps(3.5, 0.1, bias, bias))


def test_ratings_go_there_and_back(train, on_device):
    back = on_device.to("cpu")
    for name in ("users", "items", "days", "values"):
        assert isinstance(getattr(on_device, name), strict.ndarray)
        assert np.array_equal(getattr(back, name), getattr(train, name))
    assert on_device.scale == train.scale
    some = on_device[on_device.values > 3]
    assert isinstance(some.values, strict.ndarray) and len(some) == (train.values > 3).sum()
    for side in ("by_user", "by_item"):
        for ours, theirs in zip(getattr(on_device, side), getattr(train, side), strict=True):
            close(ours, theirs)


def test_ids_are_checked_at_the_door(cupy):
    with pytest.raises(ValueError, match=r"must lie in 0\.\.2, found -1"):
        Pairs(*device(cupy, (np.array([-1]), np.array([0]))), n_users=3)
    with pytest.raises(ValueError, match="row 1 is nan"):
        Ratings(*device(cupy, (np.array([0, 0]), np.array([0, 1]))),
                values=cupy.asarray(np.array([1, np.nan])))
