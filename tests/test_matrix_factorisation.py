"""Factors without biases: one objective, three solvers, the start of the lecture."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from rslib.metrics import rmse
from rslib.models import MatrixFactorisation
from rslib.ratings import Ratings

FACTORS = "user_factors_", "item_factors_"
KINDS = [dict(weighted=weighted, centred=centred, reg_user=0.3, reg_item=0.1)
         for weighted in (False, True) for centred in (False, True)]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(
    name for name in ("weighted", "centred") if kind[name]) or "plain")


def half_gradient(model, train):
    """Half the gradient of the docstring's J in float64, rating by rating."""
    p, q = (getattr(model, name).astype(np.float64) for name in FACTORS)
    to_p, to_q = np.zeros_like(p), np.zeros_like(q)
    for u, i, value in zip(train.users, train.items, model.in_units(train).values, strict=True):
        error = value - p[u] @ q[i]
        to_p[u] -= error * q[i]
        to_q[i] -= error * p[u]
    n_u, n_i = (np.bincount(ids, minlength=n)[:, None] if model.weighted else 1
                for ids, n in ((train.users, train.n_users), (train.items, train.n_items)))
    return to_p + model.reg_user * n_u * p, to_q + model.reg_item * n_i * q


def somewhere(train, kind, **options):
    """A fitted model whose factors were then thrown at random."""
    model = MatrixFactorisation(3, "als", n_epochs=1, **kind, **options).fit(train)
    rng = np.random.default_rng(3)
    for name in FACTORS:
        setattr(model, name, rng.normal(0, 0.6, getattr(model, name).shape))
    return model


@each_kind
def test_the_gradient_agrees_with_differences_of_the_objective(kind, train):
    model, rng = somewhere(train, kind), np.random.default_rng(5)
    for name, gradient in zip(FACTORS, half_gradient(model, train), strict=True):
        array = getattr(model, name)
        for place in rng.integers(0, array.shape, (5, 2)):
            ends = []
            for step in (1e-4, -2e-4):
                array[tuple(place)] += step
                ends.append(model.objective(train) / model.unit_ ** 2)
            array[tuple(place)] += 1e-4
            slope = (ends[0] - ends[1]) / 2e-4
            assert slope == pytest.approx(2 * gradient[tuple(place)], rel=1e-4, abs=1e-3)


def one_epoch_from(model, train, solver, learning_rate):
    """How far one epoch of ``solver`` moves the factors from where ``model`` stands."""
    other = replace(model, solver=solver, learning_rate=learning_rate, n_epochs=1)
    other._start = lambda *_: other.__dict__.update(
        {name: getattr(model, name).astype(np.float32) for name in FACTORS})
    before = [getattr(model, name).astype(np.float32) for name in FACTORS]
    other.fit(train)
    return [getattr(other, name) - old for name, old in zip(FACTORS, before, strict=True)]


@each_kind
@pytest.mark.parametrize("solver", ["gd", "sgd"])
def test_an_epoch_moves_along_minus_half_the_gradient(solver, kind, train):
    """For "gd" at any step; for "sgd" at one so small that no rating notices the others."""
    model = somewhere(train, kind)
    for moved, gradient in zip(one_epoch_from(model, train, solver, 1e-4),
                               half_gradient(model, train), strict=True):
        np.testing.assert_allclose(moved / 1e-4, -gradient, atol=0.02 * abs(gradient).max())


@each_kind
@pytest.mark.parametrize("solver", ["gd", "als"])
def test_the_objective_never_rises(solver, kind, train):
    curve = []
    MatrixFactorisation(4, solver, n_epochs=40, learning_rate=1.0, **kind).fit(
        train, on_epoch=lambda _, model: curve.append(model.objective(train)))
    assert all(later <= earlier * (1 + 1e-6) for earlier, later in pairwise(curve))
    assert curve[-1] < 0.995 * curve[0]


@each_kind
def test_als_leaves_the_items_at_their_minimum(kind, train):
    model = MatrixFactorisation(3, "als", n_epochs=2, **kind).fit(train)
    of_users, of_items = half_gradient(model, train)
    assert abs(of_items).max() < 2e-3 < 0.1 < abs(of_users).max()


def test_als_and_gd_settle_where_the_whole_gradient_vanishes(train):
    for solver, n_epochs in (("als", 300), ("gd", 3000)):
        model = MatrixFactorisation(2, solver, reg_user=0.05, reg_item=0.05, n_epochs=n_epochs)
        parts = half_gradient(model.fit(train), train)
        assert max(abs(part).max() for part in parts) < 0.05
        model.user_factors_ *= 1.02
        assert max(abs(part).max() for part in half_gradient(model, train)) > 0.2


@each_kind
def test_all_solvers_reach_the_same_depth(kind, train):
    model = MatrixFactorisation(2, **kind)
    ends = [replace(model, solver=solver, **options).fit(train).objective(train)
            for solver, options in (("als", dict(n_epochs=500)), ("gd", dict(n_epochs=2000)),
                                    ("sgd", dict(n_epochs=400, learning_rate=0.03, decay=0.98)))]
    assert ends[1] == pytest.approx(ends[0], rel=0.002)
    assert ends[2] == pytest.approx(ends[0], rel=0.01)


@pytest.mark.parametrize("solver", ["gd", "sgd", "als"])
def test_planted_factors_come_back(solver):
    """Up to a turn of the axes: what is compared is the products, on pairs never rated too."""
    rng = np.random.default_rng(0)
    stars = 3.5 + rng.normal(0, 0.9, (400, 2)) @ rng.normal(0, 0.9, (2, 150))
    users, items = np.nonzero(rng.random(stars.shape) < 0.4)
    values = stars[users, items] + rng.normal(0, 0.3, len(users))
    train = Ratings(users, items, values=values)
    model = MatrixFactorisation(2, solver, reg_user=0.005, reg_item=0.005, centred=True,
                                n_epochs=400 if solver == "gd" else 100).fit(train)
    assert rmse(model.score(np.arange(400)).ravel(), stars.ravel()) < 0.1   # of 0.3 in a rating


@pytest.mark.parametrize("centred", [False, True])
def test_the_start_is_the_truncated_svd_of_the_filled_matrix(centred, train):
    model = MatrixFactorisation(5, "gd", centred=centred, learning_rate=1e-12, n_epochs=1)
    model.fit(train)
    filled = np.zeros((train.n_users, train.n_items))
    filled[train.users, train.items] = model.in_units(train).values
    left, lengths, right = np.linalg.svd(filled)
    best = (left[:, :5] * lengths[:5]) @ right[:5]
    np.testing.assert_allclose(model.user_factors_ @ model.item_factors_.T, best, atol=1e-4)
    for name in FACTORS:        # the two sides share the singular values
        np.testing.assert_allclose((getattr(model, name) ** 2).sum(0), lengths[:5], rtol=1e-4)


def test_folding_in_is_the_ridge_regression_of_the_newcomer(train):
    model = MatrixFactorisation(3, "als", reg_user=0.3, weighted=True, n_epochs=5).fit(train)
    mine = train[train.users == 4]
    newcomer = Ratings(np.zeros(len(mine), int), mine.items, values=mine.values, n_items=80)
    q = model.item_factors_[mine.items].astype(float)
    by_hand = np.linalg.solve(q.T @ q + 0.3 * len(mine) * np.eye(3),
                              q.T @ model.in_units(mine).values)
    np.testing.assert_allclose(model.fold_in(newcomer).user_factors_[0], by_hand, rtol=1e-3)


def test_penalties_pull_towards_zero_stars_or_towards_the_mean(train):
    """With a huge lambda nothing is learned: what is left is c."""
    for centred in (False, True):
        model = MatrixFactorisation(2, "als", reg_user=1e4, reg_item=1e4, centred=centred,
                                    start="random", n_epochs=3).fit(train)
        np.testing.assert_allclose(model.in_stars(model._products(train)),
                                   model.global_mean_ * centred, atol=1e-3)


@pytest.mark.parametrize("solver", ["gd", "sgd", "als"])
def test_more_factors_than_the_world_has_rows_and_a_pair_rated_twice(solver):
    twice = Ratings(np.array([0, 0, 1]), np.array([0, 0, 1]), values=np.array([2.0, 4.0, 5.0]),
                    n_users=3, n_items=3)
    model = MatrixFactorisation(7, solver, reg_user=0.01, reg_item=0.01, n_epochs=300).fit(twice)
    assert model.user_factors_.shape == (3, 7) and not model.user_factors_[2].any()
    np.testing.assert_allclose(model.predict(twice.pairs), [3, 3, 5], atol=0.1)


@pytest.mark.parametrize("wrong, words", [
    (dict(n_factors=0), "n_factors must be at least 1"), (dict(start="zero"), "start must be"),
    (dict(solver="newton"), "solver must be")])
def test_what_makes_no_sense_is_refused(wrong, words, train):
    with pytest.raises(ValueError, match=words):
        MatrixFactorisation(**wrong).fit(train)


def test_als_without_a_penalty_says_that_a_row_is_singular():
    few = Ratings(np.array([0, 1]), np.array([0, 1]), values=np.array([2.0, 4.0]))
    with pytest.raises(np.linalg.LinAlgError):
        MatrixFactorisation(2, "als", reg_user=0, reg_item=0, start="random").fit(few)
