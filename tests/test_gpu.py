"""The contract on a real device; without one, `test_namespace` and the simulator stand in."""

from dataclasses import replace

import numpy as np
import pytest
from test_kernels import RULES, SHAPES, extras, problem
from test_models import each_model, is_sgd
from worlds import planted_world

from rslib import kernels
from rslib.backend import asnumpy, gpu_available
from rslib.kernels.states import in_type
from rslib.metrics import rmse
from rslib.models import BiasedMF

pytestmark = [pytest.mark.gpu,
              pytest.mark.skipif(not gpu_available(), reason="no usable CUDA device with CuPy")]


@pytest.fixture(scope="module")
def large():
    """Ratings enough for twenty warps."""
    return planted_world(n_users=1000, n_items=500, density=0.1, seed=1)[0]


def to_gpu(values):
    import cupy
    return [cupy.asarray(value) for value in values]


@pytest.mark.parametrize("kind", ["plain", "weighted", "implicit", "gibbs"])
@pytest.mark.parametrize("lengths", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("dtype, atol", [(np.float32, 1e-3), (np.float64, 1e-11)])
@pytest.mark.parametrize("k", [1, 5, 33])
def test_regressions_agree_to_rounding(kind, lengths, dtype, atol, k):
    inputs = problem(lengths, k, dtype=dtype)
    options = extras(kind, inputs)
    on_gpu = dict(zip(options, to_gpu(options.values()), strict=True))
    ours = kernels.ridge_rows(*to_gpu(inputs), **on_gpu)
    slow = kernels.ridge_rows_slow(*inputs, **options)
    assert type(ours).__module__.startswith("cupy") and ours.dtype == dtype
    np.testing.assert_allclose(ours.get(), slow, rtol=0, atol=atol * abs(slow).max(initial=1))


def moved(values):
    """Named tuples of arrays and numbers, the arrays on the device."""
    return type(values)(*(moved(value) if isinstance(value, tuple) else to_gpu([value])[0]
                          if isinstance(value, np.ndarray) else value for value in values))


@pytest.mark.parametrize("dtype, rtol", [(np.float32, 1e-4), (np.float64, 1e-11)])
@pytest.mark.parametrize("rule, start", RULES, ids=[rule.__name__ for rule, _ in RULES])
def test_one_warp_equals_the_slow_twin(rule, start, dtype, rtol, train):
    users = np.random.default_rng(2).permutation(train.n_users)[:20]    # too few for two warps
    state, steps = start(train)
    steps = in_type(steps, dtype)
    slow = type(state)(*(array.astype(dtype) for array in state))
    fast, on_gpu = moved(slow), moved(steps)
    squares = kernels.sgd_epoch(rule, train.to("gpu").by_user, users, fast, on_gpu)
    assert squares == pytest.approx(
        kernels.sgd_epoch_slow(rule, train.by_user, users, slow, steps), rel=rtol)
    for ours, theirs in zip(fast, slow, strict=True):
        np.testing.assert_allclose(ours.get(), theirs, rtol=rtol, atol=rtol)


@each_model
def test_models_live_where_their_data_lives_and_agree(model, large):
    on_gpu = large.to("gpu")
    ours, theirs = replace(model).fit(on_gpu), replace(model).fit(large)
    for name in ours._learned:
        array = getattr(ours, name)
        assert isinstance(array, float) or type(array).__module__.startswith("cupy")
    if is_sgd(model):       # warps meet, so only as good, not the same
        assert ours.objective(on_gpu) == pytest.approx(theirs.objective(large), rel=0.01)
    else:
        np.testing.assert_allclose(ours.predict(on_gpu.pairs).get(), theirs.predict(large.pairs),
                                   atol=5e-3)


def test_warps_that_meet_at_every_item_do_not_make_the_steps_diverge():
    """More warps than items: most steps are taken from factors that another warp has moved."""
    ratings = planted_world(n_users=4000, n_items=20, density=0.9, seed=2)[0]
    model = BiasedMF(2, "sgd", reg=0.02, n_epochs=30)
    ours, theirs = replace(model).fit(ratings.to("gpu")), replace(model).fit(ratings)
    scores = [rmse(asnumpy(fitted.predict(on.pairs)), ratings.values)
              for fitted, on in ((ours, ratings.to("gpu")), (theirs, ratings))]
    assert scores[0] < scores[1] * 1.02


def test_a_mixture_of_devices_is_an_error(train):
    model = BiasedMF(2, "als", n_epochs=1).fit(train.to("gpu"))
    with pytest.raises(TypeError, match="move them together"):
        model.predict(train.pairs)
    with pytest.raises(TypeError, match="move them together"):
        BiasedMF(2, "als", n_epochs=1).fit(train).predict(train.to("gpu").pairs)


def test_nothing_moves_to_the_host_and_back(train):
    """Columns come back as they left; CuPy itself refuses to convert in silence."""
    back = train.to("gpu").to("cpu")
    for name in ("users", "items", "days", "values"):
        assert np.array_equal(getattr(back, name), getattr(train, name))
