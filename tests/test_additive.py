"""Models that are sums of parts: their terms, what a fit owns, and how a new one is added."""

import inspect
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import test_models as contract
import test_namespace
import weekdays
from weekdays import Weekdays
from worlds import planted_world

from rslib import kernels, models, runs, splits
from rslib.metrics import rmse
from rslib.models.additive import Additive
from rslib.ratings import Info
from rslib.runs.rungs import RUNGS, Rung

SUMS = [model for model in contract.VARIANTS if isinstance(model, Additive)]
each_sum = pytest.mark.parametrize("model", SUMS, ids=[
    f"{at}-{type(model).__name__}" for at, model in enumerate(SUMS)])
BY_STEPS = [models.Baseline("sgd", n_epochs=2), models.BiasedMF(3, n_epochs=2),
            models.SVDpp(3, n_epochs=2), models.AsymmetricSVD(3, n_epochs=2),
            models.GlobalWeights(n_epochs=2), models.Integrated(3, n_epochs=2),
            models.TimeSVDpp(n_factors=3, n_epochs=2), models.TemporalWeights(n_epochs=2),
            models.TemporalAsymmetricSVD(n_factors=3, n_epochs=2),
            models.TemporalIntegrated(n_factors=3, n_epochs=2)]
each_by_steps = pytest.mark.parametrize("model", BY_STEPS, ids=lambda model: type(model).__name__)


@each_sum
def test_the_terms_sum_to_the_prediction(model, train):
    fitted = replace(model).fit(train)
    terms = fitted.terms(train.pairs)
    assert next(iter(terms)) == "mean" and all(value.shape == (len(train),)
                                               for value in terms.values())
    np.testing.assert_allclose(sum(terms.values()), fitted.predict(train.pairs), atol=2e-6)
    with pytest.raises(TypeError, match=r"pass ratings\.pairs"):
        fitted.terms(train)


def test_the_terms_of_time_svdpp_are_those_of_its_equation_in_its_order(train):
    model = models.TimeSVDpp(n_factors=2, n_epochs=1, frequency=True).fit(train)
    assert list(model.terms(train.pairs)) == [
        "mean", "calendar", "user_bias", "drift", "day_bias", "item_bias", "item_bins",
        "frequency", "factors"]


@each_by_steps
def test_an_attribute_bound_to_something_else_does_not_stop_the_learning(model, train):
    def bind(epoch, fitted):
        if epoch == 1:
            fitted.learn({name: np.zeros_like(fitted.learned(name)) for part in fitted.parts()
                          for name in part.lends if name != "calendar_bias_"})      # it stays
    few = train[train.users < 40]
    ours, theirs = replace(model).fit(few), replace(model).fit(few, on_epoch=bind)
    np.testing.assert_array_equal(ours.predict(few.pairs), theirs.predict(few.pairs))


@each_by_steps
def test_in_slow_motion_a_fit_is_the_same_to_rounding(model, train):
    few = train[train.users < 12]
    quick = replace(model).fit(few).predict(few.pairs)
    with kernels.slow_motion():
        slow = replace(model).fit(few).predict(few.pairs)
    np.testing.assert_allclose(quick, slow, atol=2e-4)


# a model that is not there yet, as CONTRIBUTING says it is written

CONTRACT = [test for name, test in inspect.getmembers(contract, inspect.isfunction)
            if name.startswith("test_") and "model" in inspect.signature(test).parameters
            and "words" not in inspect.signature(test).parameters]


def test_it_takes_one_short_file():
    assert len(Path(weekdays.__file__).read_text().splitlines()) <= 60


@pytest.mark.parametrize("test", CONTRACT, ids=lambda test: test.__name__)
def test_it_keeps_the_contract(test, train, tmp_path):
    given = {"model": Weekdays(), "train": train, "tmp_path": tmp_path}
    test(**{name: given[name] for name in inspect.signature(test).parameters})


def test_it_follows_the_data_to_the_device(train, cupy, tmp_path):
    on_device = train.to("gpu")
    test_namespace.test_models_follow_the_data(Weekdays(), train, on_device, cupy, tmp_path)
    test_namespace.test_a_mixture_of_devices_is_an_error(Weekdays(), train, on_device)


def test_the_gradient_of_its_objective_vanishes(train):
    model, rng = Weekdays().fit(train), np.random.default_rng(0)
    for name in ("user_bias_", "item_bias_", "weekday_bias_"):
        array = model.learned(name)
        for _ in range(3):
            place = tuple(rng.integers(0, array.shape))
            kept, ends = array[place], []
            for shift in (0.05, -0.05, 0.15, 0.05):
                array[place] = kept + shift
                ends.append(model.objective(train))
            array[place] = kept
            assert abs(ends[0] - ends[1]) / 0.1 < 0.02 < 0.5 < abs(ends[2] - ends[3]) / 0.1


def test_it_finds_a_planted_week_and_becomes_a_rung(tmp_path, monkeypatch):
    world, _ = planted_world(n_users=200, noise=0.3, n_factors=1)
    rng = np.random.default_rng(0)
    week = rng.normal(0, 1, (200, 7))
    world = replace(world, values=world.values + week[world.users, world.days % 7], info=Info(
        "weeks", np.arange(200), np.arange(80), scale=(-5.0, 10.0)))
    model = Weekdays(reg_weekday=0.1).fit(world)
    seen = np.bincount(world.users * 7 + world.days % 7, minlength=1400).reshape(200, 7) > 0
    assert np.corrcoef(model.weekday_bias_[seen], week[seen])[0, 1] > 0.8
    assert rmse(model.predict(world.pairs), world.values) < 0.8 * rmse(
        models.Baseline().fit(world).predict(world.pairs), world.values)
    monkeypatch.setenv("RSLIB_RUNS", str(tmp_path))
    monkeypatch.setitem(RUNGS, "weekdays", Rung("Weekdays", None, None, "01"))
    record = runs.record("weekdays", Weekdays(), splits.netflix(world, seed=0))
    assert record.params == asdict(Weekdays()) and record.model == "Weekdays"
