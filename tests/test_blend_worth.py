"""Selection, the worth of a member, diversity: each against the slow way."""

from dataclasses import dataclass

import numpy as np
import pytest
from test_blend import planted

from rslib.blend import (
    Average,
    Ridge,
    cross_fit,
    diversity,
    greedy,
    leave_one_out,
    two_member_optimum,
)
from rslib.metrics import rmse

NAMES = ["a", "b", "c", "d"]


@dataclass
class Slow(Ridge):
    """A ridge that nobody knows the moments of."""


def cross_fitted(columns, predictions, targets, users):
    return rmse(cross_fit(Ridge(), predictions[:, columns], targets, users), targets)


def test_greedy_adds_the_member_that_helps_most_at_every_step():
    predictions, targets, users, _ = planted(1000)
    path, chosen = greedy(Ridge(), predictions, targets, users, NAMES), []
    for step in path:
        left = [at for at in range(4) if at not in chosen]
        errors = [cross_fitted([*chosen, at], predictions, targets, users) for at in left]
        assert step.name == NAMES[left[int(np.argmin(errors))]]
        assert step.rmse == pytest.approx(min(errors), rel=1e-9)
        chosen.append(NAMES.index(step.name))
    assert [step.name for step in path[:2]] == ["a", "c"] and len(path) == 4
    assert path[0].rmse > 1.005 * path[1].rmse


@pytest.mark.parametrize("ridge", [{}, {"reg": 60.0}, {"toward": "zero"}])
def test_moments_and_cross_fits_select_alike(ridge):
    predictions, targets, users, _ = planted(600, seed=3)
    given = predictions, targets, users, NAMES
    for fast, slow in zip(greedy(Ridge(**ridge), *given), greedy(Slow(**ridge), *given),
                          strict=True):
        assert fast.name == slow.name and fast.rmse == pytest.approx(slow.rmse, rel=1e-9)
    fast, slow = leave_one_out(Ridge(**ridge), *given), leave_one_out(Slow(**ridge), *given)
    assert list(fast) == NAMES and fast == pytest.approx(slow, abs=1e-9)


def test_greedy_stops_where_it_is_told():
    predictions, targets, users, _ = planted(600)
    whole = greedy(Ridge(), predictions, targets, users, NAMES)
    assert greedy(Ridge(), predictions, targets, users, NAMES, n_steps=2) == whole[:2]


def test_a_member_is_worth_what_the_blend_loses_without_it():
    predictions, targets, users, _ = planted(1000)
    worth = leave_one_out(Ridge(), predictions, targets, users, NAMES)
    whole = cross_fitted([0, 1, 2, 3], predictions, targets, users)
    assert worth["a"] == pytest.approx(
        cross_fitted([1, 2, 3], predictions, targets, users) - whole, abs=1e-9)
    assert worth["a"] > worth["c"] > 5 * abs(worth["b"])


def test_a_copy_of_a_member_makes_both_worthless():
    predictions, targets, users, _ = planted(1000)
    twice = np.column_stack([predictions, predictions[:, 0] + 1e-6 * users])
    worth = leave_one_out(Ridge(reg=0.1), twice, targets, users, [*NAMES, "copy of a"])
    alone = leave_one_out(Ridge(reg=0.1), predictions, targets, users, NAMES)
    assert abs(worth["a"]) < 0.01 * alone["a"] and abs(worth["copy of a"]) < 0.01 * alone["a"]


def test_diversity_is_the_correlation_of_errors():
    predictions, targets, *_ = planted(500)
    table, errors = diversity(predictions, targets), targets[:, None] - predictions
    assert table.shape == (4, 4)
    assert table[0, 2] == pytest.approx(np.corrcoef(errors[:, 0], errors[:, 2])[0, 1])
    np.testing.assert_allclose(diversity(predictions[:, :1], targets), [[1]])


@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.6, 0.95])
def test_the_best_blend_of_two_is_that_of_a_search(correlation):
    a, b = 0.9, 1.3
    share, variance = two_member_optimum(a, b, correlation)
    shares = np.linspace(-3, 3, 60_001)
    searched = (shares ** 2 * a + (1 - shares) ** 2 * b
                + 2 * shares * (1 - shares) * correlation * np.sqrt(a * b))
    assert share == pytest.approx(shares[np.argmin(searched)], abs=1e-4)
    assert variance == pytest.approx(searched.min(), rel=1e-7)
    assert (share > 1) == (correlation > np.sqrt(a / b))    # the worse is turned against


def test_the_identity_holds_on_real_columns():
    """Least squares on two members with shares and an intercept leaves the variance it says."""
    predictions, targets, *_ = planted(2000)
    errors = targets[:, None] - predictions[:, :2]
    share, variance = two_member_optimum(*errors.var(axis=0),
                                         diversity(predictions[:, :2], targets)[0, 1])
    blend = errors @ [share, 1 - share]
    assert blend.var() == pytest.approx(variance, rel=1e-9)
    for other in (share - 0.01, share + 0.01):
        assert (errors @ [other, 1 - other]).var() > variance


@pytest.mark.parametrize("given, said", [((0, 1, 0), "variances must be above 0"),
                                         ((1, 1, 1.1), "within"), ((1, 1, 1), "err alike")])
def test_two_members_out_of_their_domain_are_refused(given, said):
    with pytest.raises(ValueError, match=said):
        two_member_optimum(*given)


def test_bad_input_gets_one_line():
    predictions, targets, users, _ = planted(60)
    with pytest.raises(ValueError, match="3 different names for 4 members"):
        greedy(Ridge(), predictions, targets, users, ["a", "b", "c", "c"])
    with pytest.raises(ValueError, match="at least two members"):
        leave_one_out(Average(), predictions[:, :1], targets, users, ["a"])
    with pytest.raises(ValueError, match="row 0 of column 1 is nan"):
        diversity(predictions * [1, np.nan, 1, 1], targets)
    with pytest.raises(ValueError, match="member 1 has the same error"):
        diversity(np.column_stack([predictions[:, 0], targets]), targets)
    with pytest.raises(ValueError, match="member 1 predicts 2 for every pair"):
        greedy(Ridge(), np.where(np.arange(4) == 1, 2, predictions), targets, users, NAMES)
