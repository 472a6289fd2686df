"""Many models compared on the same users: no more false claims than promised, none missed."""

import numpy as np
import pytest
from strict import device
from test_metrics import two_models
from test_rankings import problem, ranked

from rslib import metrics
from rslib.plots import Table

OPTIONS = {"n_resamples": 400}


def equal_models(seed, n_models=4, n_users=80):
    """Figures of each user by models that are equally good, and agree in part."""
    rng = np.random.default_rng(seed)
    users = rng.normal(0, 1, n_users)
    return {f"model {at}": users + rng.normal(0, 1, n_users) for at in range(n_models)}


def slow_holm(p_values, level):
    """Step down as Holm says: which hypotheses are rejected."""
    rejected, left = [False] * len(p_values), len(p_values)
    for at in sorted(range(len(p_values)), key=lambda at: p_values[at]):
        if p_values[at] > level / left:
            break
        rejected[at], left = True, left - 1
    return rejected


def test_holm_by_hand():
    corrected = metrics.holm([0.01, 0.04, 0.03, 0.9])
    np.testing.assert_allclose(corrected, [0.04, 0.09, 0.09, 0.9], rtol=1e-12)
    assert metrics.holm([0.4, 0.6]).tolist() == [0.8, 0.8] and not metrics.holm([]).size
    assert metrics.holm([0.6, 0.7]).tolist() == [1, 1]


def test_holm_equals_its_slow_twin():
    rng = np.random.default_rng(0)
    for _ in range(200):
        p_values = rng.random(rng.integers(1, 9)) ** 4
        for level in (0.01, 0.05, 0.2):
            assert (metrics.holm(p_values) <= level).tolist() == slow_holm(p_values, level)


def false_claims(reference, corrected, n_families=200):
    """In how many families of equal models a difference is claimed."""
    families = (metrics.compare_means(equal_models(seed), reference=reference, seed=seed,
                                      **OPTIONS) for seed in range(n_families))
    return sum(any(row["resolved"] if corrected else row["difference"].resolved
                   for row in rows if row["difference"] is not None) for rows in families)


@pytest.mark.parametrize("reference", ["model 0", None])
def test_equal_models_are_told_apart_in_about_5_of_100_families(reference):
    """Of 200, 10 are expected, with a deviation of 3; the best is picked from the same users."""
    assert 2 <= false_claims(reference, corrected=True) <= 19


def test_uncorrected_intervals_against_the_best_claim_far_too_much():
    assert false_claims(None, corrected=False) > 30


def test_a_planted_difference_is_found_and_the_equal_ones_are_not():
    found = equal_models(1, n_users=400)
    found["better"] = found["model 0"] + np.random.default_rng(9).normal(0.5, 1, 400)
    rows = metrics.compare_means(found, reference="model 0", **OPTIONS)
    resolved = {row["model"]: row["resolved"] for row in rows}
    assert resolved == {"better": True, "model 0": None, "model 1": False, "model 2": False,
                        "model 3": False}
    assert rows[0]["model"] == "better" and rows[0]["effect"] == pytest.approx(0.5, abs=0.1)
    against_best = metrics.compare_means(found, **OPTIONS)
    assert [row["resolved"] for row in against_best] == [None, True, True, True, True]
    assert all(row["difference"].high < 0 and row["effect"] < 0 for row in against_best[1:])


def rmse_models():
    good, plain, values, users = two_models(0.05)
    return {"plain": plain, "good": good, "same": plain.copy()}, values, users


def test_errors_are_compared_as_the_paired_bootstrap_does():
    predictions, values, users = rmse_models()
    rows = {row["model"]: row for row in metrics.compare(predictions, values, users,
                                                         reference="plain")}
    assert list(rows) == ["good", "plain", "same"]          # best first, equal ones as given
    for name, row in rows.items():
        assert row["rmse"] == pytest.approx(metrics.rmse(predictions[name], values), rel=1e-12)
    two = metrics.paired_bootstrap(predictions["good"], predictions["plain"], values, users)
    for end in ("difference", "low", "high"):
        assert getattr(rows["good"]["difference"], end) == pytest.approx(getattr(two, end))
    assert rows["good"]["resolved"] and rows["good"]["effect"] < 0
    assert rows["good"]["p_holm"] == 2 * rows["good"]["p"] == 4 / 2001


@pytest.mark.parametrize("shrunk", [0, 2e-14])
def test_models_that_say_the_same_but_for_rounding_tie(shrunk):
    predictions, values, users = rmse_models()
    predictions["same"] = values + (predictions["plain"] - values) * (1 - shrunk)
    order = ["good", "plain", "same"] if not shrunk else ["good", "same", "plain"]
    rows = metrics.compare(predictions, values, users, reference="plain")
    assert [row["model"] for row in rows] == order
    same = next(row for row in rows if row["model"] == "same")
    assert same == {"model": "same", "rmse": same["rmse"], "effect": 0.0, "p": 1.0, "p_holm": 1.0,
                    "difference": metrics.Interval(0.0, 0.0, 0.0), "resolved": False}


def test_the_effect_is_the_mean_over_the_deviation_of_the_differences():
    figures = equal_models(0, n_models=2, n_users=300)
    first, second = figures.values()
    row = next(row for row in metrics.compare_means(figures, reference="model 1")
               if row["model"] == "model 0")
    gaps = first - second
    assert row["effect"] == pytest.approx(gaps.mean() / gaps.std(), rel=0.05)


def test_the_best_is_corrected_for_every_pair():
    figures = equal_models(3)
    best, *others = metrics.compare_means(figures, **OPTIONS)
    named = metrics.compare_means(figures, reference=best["model"], **OPTIONS)[1:]
    assert [row["p"] for row in named] == [row["p"] for row in others]
    assert all(one["p_holm"] <= other["p_holm"] for one, other in zip(named, others, strict=True))


def test_same_seed_same_rows_other_seed_others():
    rows = [metrics.compare_means(equal_models(0), seed=seed, **OPTIONS) for seed in (0, 0, 1)]
    assert rows[0] == rows[1] != rows[2]


def test_rows_are_a_table():
    table = str(Table(metrics.compare(*rmse_models())))
    heading, good, *_ = table.splitlines()
    assert heading.split() == ["model", "rmse", "difference", "effect", "p", "p_holm", "resolved"]
    assert good.split()[2:] == ["–"] * 5


def test_rankings_are_compared_by_user():
    scores, known, held_out = problem(n_users=200)
    rankings = {"noise": ranked(scores, known, held_out, k=9),
                "leak": ranked(scores + 3 * held_out, known, held_out, k=9)}
    rows = metrics.compare_rankings(rankings, "recall", 5, **OPTIONS)
    assert [row["model"] for row in rows] == ["leak", "noise"] and rows[1]["resolved"]
    assert rows[0]["mean"] == pytest.approx(rankings["leak"].recall(5).mean())
    with pytest.raises(ValueError, match=r"figure must be one of .*recall.*, not 'coverage'"):
        metrics.compare_rankings(rankings, "coverage")
    rankings["other"] = ranked(scores, known, held_out & (scores > 2), k=9)
    with pytest.raises(ValueError, match="other was ranked for other users or held-out items"):
        metrics.compare_rankings(rankings)


def test_what_can_not_be_compared_is_refused():
    predictions, values, users = rmse_models()
    with pytest.raises(ValueError, match="at least two models to compare, not 1"):
        metrics.compare({"one": values}, values, users)
    with pytest.raises(ValueError, match="'none' is none of plain, good, same"):
        metrics.compare(predictions, values, users, reference="none")
    with pytest.raises(ValueError, match=r"100 resamples can't resolve one of 3 .*at least 120"):
        metrics.compare(predictions, values, users, n_resamples=100)
    with pytest.raises(ValueError, match="need the same number"):
        metrics.compare(predictions, values, users[1:])
    with pytest.raises(ValueError, match="wrong holds a number that is not finite"):
        metrics.compare(predictions | {"wrong": values * np.nan}, values, users)
    for wrong in ({"a": np.ones(3), "b": np.ones(4)}, {"a": np.ones((3, 2)), "b": np.ones((3, 2))}):
        with pytest.raises(ValueError, match="need one a user"):
            metrics.compare_means(wrong)
    with pytest.raises(ValueError, match="at least two models to compare, not 0"):
        metrics.compare_rankings({})
    for alone in ({"a": [0.1], "b": [0.2]}, {"a": [], "b": []}):
        with pytest.raises(ValueError, match="users: a comparison resamples users, at least two"):
            metrics.compare_means({name: np.array(each) for name, each in alone.items()})
    with pytest.raises(ValueError, match="1 users: a comparison resamples users"):
        metrics.compare(predictions, values, np.zeros(len(values), int))


def test_predictions_on_a_device_give_the_same_rows(cupy):
    predictions, values, users = rmse_models()
    moved = dict(zip(predictions, device(cupy, tuple(predictions.values())), strict=True))
    theirs = metrics.compare(moved, *device(cupy, (values, users)), **OPTIONS)
    assert theirs == metrics.compare(predictions, values, users, **OPTIONS)
