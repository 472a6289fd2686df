"""Settings chosen on probe: a fixed budget, nothing seen of quiz and test, and nothing mixed up."""

from dataclasses import replace

import numpy as np
import pytest
from toy import toy

from rslib import models, runs, splits
from rslib.runs import tune
from rslib.runs.rungs import RUNGS
from rslib.runs.settings import OWN, own_params
from rslib.runs.steady import steady


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("RSLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(tune, "TUNED", {"baseline-ridge": ("REG_ITEM", "REG_USER"),
                                        "mf-sgd": ("REG",)})
    return tmp_path / "runs"


@pytest.fixture(scope="module")
def noise():
    """Ratings that know nothing of users and items: the heavier the penalty, the better."""
    ratings = toy("noise")
    values = np.random.default_rng(5).integers(1, 6, len(ratings)).astype(np.float32)
    return splits.netflix(replace(ratings, values=values))


@pytest.mark.parametrize("rung, parameters", tune.TUNED.items())
def test_what_is_looked_for_is_a_parameter_of_the_rung(rung, parameters):
    assert set(parameters) <= set(OWN[rung].reads.values())


def test_noise_asks_for_heavier_penalties(noise):
    parameters, choices = tune.choose(noise)
    assert all(each.chosen > each.default for each in choices)
    assert all(each.chosen_rmse < each.default_rmse and each.fits <= 5 for each in choices)
    assert parameters["01"] == parameters["02"] == parameters["05"] == parameters["12"]
    assert parameters["08"] == {"REG": choices[-1].chosen}


def test_what_was_chosen_scores_what_it_says(noise):
    parameters, choices = tune.choose(noise)
    model = models.BiasedMF(**own_params("mf-sgd", parameters))
    assert runs.record("mf-sgd", model, noise).probe_rmse == pytest.approx(choices[-1].chosen_rmse)


def test_quiz_and_test_are_not_looked_at(noise):
    blind = replace(noise, quiz=None, test=None)
    assert tune.choose(blind) == tune.choose(noise)


def test_of_many_ratings_users_are_drawn(noise, monkeypatch):
    few = tune._few_users(noise, len(noise.final) // 2)
    users = set(few.final.users)
    assert 0.3 < len(few.final) / len(noise.final) < 0.7
    assert set(few.train.users) == users and len(few.final) == np.isin(
        noise.final.users, list(users)).sum()
    assert tune._few_users(noise, 10**9) is noise


def test_a_step_that_diverges_is_not_chosen():
    def score(value):
        return np.inf if value < 1 else value

    assert tune._descend(score, 1.0) == {1.0: 1.0, 0.5: np.inf, 2.0: 2.0}
    assert list(tune._descend(lambda value: value, 8.0)) == [8.0, 4.0, 2.0]


def test_what_is_remembered_is_the_rung_until_it_is_forgotten(noise):
    parameters, choices = tune.choose(noise)
    default = runs.record("mf-sgd", models.BiasedMF(), noise)
    tune.remember(noise, parameters, choices)
    assert runs.read("noise") == []
    chosen = runs.record("mf-sgd", models.BiasedMF(**own_params("mf-sgd", parameters)), noise)
    assert runs.read("noise") == [chosen]
    tune.forget(noise)
    assert runs.read("noise") == [default]
    tune.forget(noise)


def test_what_another_search_found_is_looked_for_again(noise, monkeypatch):
    tune.remember(noise, {"08": {"REG": 0.5}}, [])
    assert tune.remembered(noise) == ({"08": {"REG": 0.5}}, [])
    monkeypatch.setattr(tune, "TUNED", {"mf-sgd": ("REG",)})
    assert tune.remembered(noise) is None


def test_without_days_the_rungs_of_time_are_left_out(monkeypatch):
    monkeypatch.setattr(tune, "TUNED", {"time-svdpp": ("REG",), "baseline-ridge": ("REG_USER",)})
    _, choices = tune.choose(splits.netflix(replace(toy(), days=None)))
    assert [each.rung for each in choices] == ["baseline-ridge"] and "time-svdpp" in RUNGS


@pytest.fixture(scope="module")
def counts():
    """How often each user played each item: most a few times, some thousands of times."""
    rng = np.random.default_rng(1)
    ratings = toy("counts")
    often = rng.normal(1, 1, 40)[ratings.users] + rng.normal(0, 1, 60)[ratings.items]
    values = np.round(np.exp(often + rng.normal(0, 1.5, len(ratings)))).clip(1, 6000)
    return splits.netflix(replace(ratings, values=values.astype(np.float32)))


def test_first_steps_are_halved_until_no_fit_runs_away(counts, monkeypatch):
    monkeypatch.setattr(tune, "TUNED", {})
    with pytest.raises(FloatingPointError):
        models.TemporalAsymmetricSVD().fit(counts.final)
    parameters, choices = tune.choose(counts)
    halved = models.TemporalAsymmetricSVD().learning_rate / parameters["14"]["FACTORS_RATE"]
    assert halved == 1 / parameters["18"]["STEP"] and np.log2(halved) in range(1, 8)
    for rung in OWN:
        getattr(models, OWN[rung].model)(**own_params(rung, parameters)).fit(counts.final)
    assert all(each.default_rmse is None for each in choices)
    scores = {each.rung: each.chosen_rmse for each in choices}
    assert np.isfinite(scores["temporal-asymmetric-svd"])


def test_steps_that_hold_stay(noise):
    seen = []
    assert steady(["global-mean", "mf-sgd", "svdpp"], noise, seen.append) == {}
    assert seen == ["mf-sgd", "svdpp"]
