"""Models of preferences in closed form: who has what, and what else they would have."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from test_models import VARIANTS
from worlds import planted_world

from rslib.blend import Chain
from rslib.kernels import filled
from rslib.models import BPR, EASE, Baseline, ImplicitALS, Popularity, ease
from rslib.ratings import Ratings


def liked_world(n_users=60, n_items=40, seed=0):
    """Return who has what in a world of two tastes, with counts."""
    rng = np.random.default_rng(seed)
    taste = rng.normal(0, 1, (n_users, 2)) @ rng.normal(0, 1, (2, n_items))
    has = taste + rng.normal(0, 0.5, taste.shape) > 0.8
    has[3] = has[:, 5] = False              # a user without items, and an item that nobody has
    users, items = np.nonzero(has)
    counts = rng.poisson(2, len(users)) + 1.0
    return Ratings(users, items, values=counts, n_users=n_users, n_items=n_items)


@pytest.fixture(scope="module")
def likes():
    return liked_world()


def dense(ratings, values=None):
    x = np.zeros((ratings.n_users, ratings.n_items))
    x[ratings.users, ratings.items] = ratings.values if values is None else values
    return x


# implicit alternating least squares

ALS = ImplicitALS(5, alpha=0.7, alpha0=0.2, reg=0.03, nu=0.6, n_epochs=4)
WAYS = [ALS, replace(ALS, nu=0.0, alpha0=1.0), replace(ALS, nu=1.0, alpha=0.0)]
each_way = pytest.mark.parametrize("model", WAYS, ids=["between", "Hu", "Rendle"])


def confidences(model, ratings):
    """Confidence and preference of every pair."""
    has = dense(ratings, 1.0)
    return np.where(has, 1 + model.alpha * dense(ratings), model.alpha0), has


def penalties(model, ratings):
    has = dense(ratings, 1.0)
    n_users, n_items = has.shape
    return (model.reg * (has.sum(1) + model.alpha0 * n_items) ** model.nu,
            model.reg * (has.sum(0) + model.alpha0 * n_users) ** model.nu)


def solved_slowly(model, factors, confidence, has, penalty):
    """One regression after another over all pairs, those that are not there included."""
    return np.array([np.linalg.solve(factors.T @ (c[:, None] * factors) + ridge * np.eye(
        factors.shape[1]), factors.T @ (c * p))
        for c, p, ridge in zip(confidence, has, penalty, strict=True)])


@each_way
def test_als_equals_a_slow_dense_twin(model, likes):
    (c, has), (of_users, of_items) = confidences(model, likes), penalties(model, likes)
    start = np.random.default_rng(model.seed).normal(
        0, model.init_std / 5 ** 0.5, (likes.n_items, 5))
    q = start * (has.sum(0) > 0)[:, None]
    for _ in range(model.n_epochs):
        p = solved_slowly(model, q, c, has, of_users)
        q = solved_slowly(model, p, c.T, has.T, of_items)
    fitted = replace(model).fit(likes)
    np.testing.assert_allclose(fitted.score(np.arange(likes.n_users)), p @ q.T, atol=2e-4)
    assert not fitted.user_factors_[3].any() and not fitted.item_factors_[5].any()


@each_way
def test_the_objective_of_als_counts_every_pair(model, likes):
    fitted = replace(model).fit(likes)
    p, q = np.float64(fitted.user_factors_), np.float64(fitted.item_factors_)
    (c, has), (of_users, of_items) = confidences(model, likes), penalties(model, likes)
    expected = ((c * (has - p @ q.T) ** 2).sum() + of_users @ (p ** 2).sum(1)
                + of_items @ (q ** 2).sum(1))
    assert fitted.objective(likes) == pytest.approx(expected, rel=1e-6)


@each_way
def test_no_half_of_a_sweep_raises_the_objective(model, likes):
    curve = []

    def on_epoch(epoch, fitted):
        curve.append(fitted.objective(likes))
        curve.append(fitted.fold_in(likes).objective(likes))    # the next half: users anew
    replace(model, n_epochs=8).fit(likes, on_epoch=on_epoch)
    assert all(later <= earlier * (1 + 1e-6) for earlier, later in pairwise(curve))
    assert curve[-1] < 0.98 * curve[0]


@each_way
def test_the_gradient_of_als_by_finite_differences(model, likes):
    """At a random place it is that of the docstring; at the fit, that of the items vanishes."""
    fitted, rng = replace(model).fit(likes), np.random.default_rng(3)
    (c, has), (of_users, of_items) = confidences(model, likes), penalties(model, likes)
    left = c * (fitted.score(np.arange(likes.n_users)) - has)
    to_items = left.T @ fitted.user_factors_ + of_items[:, None] * fitted.item_factors_
    assert abs(to_items).max() < 1e-3
    p, q = (rng.normal(0, 0.5, table.shape) for table in (fitted.user_factors_,
                                                          fitted.item_factors_))
    fitted.user_factors_, fitted.item_factors_ = p, q
    left = c * (p @ q.T - has)
    for table, slope in ((p, left @ q + of_users[:, None] * p),
                         (q, left.T @ p + of_items[:, None] * q)):
        place, ends = tuple(rng.integers(0, table.shape)), []
        for step in (1e-4, -2e-4):
            table[place] += step
            ends.append(fitted.objective(likes))
        table[place] += 1e-4
        assert (ends[0] - ends[1]) / 2e-4 == pytest.approx(2 * slope[place], rel=1e-5)


def test_conjugate_gradients_reach_the_same_depth(likes):
    solved, stepped = (replace(ALS, solver=solver, n_epochs=20).fit(likes).objective(likes)
                       for solver in ("cholesky", "cg"))
    assert stepped == pytest.approx(solved, rel=0.01)      # maybe in another valley


@pytest.mark.parametrize("solver", ["cholesky", "cg"])
def test_whoever_is_folded_in_gets_the_exact_minimum(solver, likes):
    model = replace(ALS, solver=solver).fit(likes)
    folded = model.fold_in(likes[likes.users == 7])
    (c, has), (of_users, _) = confidences(model, likes), penalties(model, likes)
    expected = solved_slowly(model, np.float64(model.item_factors_), c, has, of_users)
    np.testing.assert_allclose(folded.user_factors_[7], expected[7], atol=1e-4)
    assert not folded.user_factors_[:7].any()


def test_counts_below_zero_are_refused_where_they_are_read(likes):
    sad = likes.with_values(-likes.values)
    with pytest.raises(ValueError, match=r"a value of -\d+ has a confidence of -.*below that of a "
                                         r"pair that is not there \(0\.2\)"):
        replace(ALS).fit(sad)
    with pytest.raises(ValueError, match="values are counts"):
        replace(ALS).fit(likes).fold_in(sad)
    unread = replace(ALS, alpha=0.0)
    assert np.array_equal(replace(unread).fit(sad).item_factors_,
                          replace(unread).fit(likes).item_factors_)


# EASE

def constrained_slowly(x, reg):
    """The weights of all other items on each, one ridge regression after another."""
    weights = np.zeros((x.shape[1], x.shape[1]))
    for item in range(x.shape[1]):
        others = np.arange(x.shape[1]) != item
        rest = x[:, others]
        weights[others, item] = np.linalg.solve(
            rest.T @ rest + reg * np.eye(rest.shape[1]), rest.T @ x[:, item])
    return weights


@pytest.mark.parametrize("binary", [True, False])
def test_ease_equals_a_regression_per_item(binary, likes, monkeypatch):
    monkeypatch.setattr(ease, "BLOCK", 500)
    model = EASE(7, binary=binary).fit(likes)
    x = dense(likes, 1.0 if binary else None)
    weights = constrained_slowly(x, 7)
    known = np.flatnonzero(x.any(0))
    assert np.array_equal(model.items_, known) and len(known) < likes.n_items
    np.testing.assert_allclose(model.weights_, weights[np.ix_(known, known)], atol=2e-6)
    assert not np.diagonal(model.weights_).any()
    np.testing.assert_allclose(model.score(np.arange(likes.n_users)), x @ weights, atol=2e-5)
    expected = ((x - x @ weights) ** 2).sum() + 7 * (weights ** 2).sum()
    assert model.objective(likes) == pytest.approx(expected, rel=1e-5)
    few = likes[likes.items != known[0]]
    assert EASE(7, binary=binary).fit(few).objective(likes) > expected


def test_any_other_weights_of_ease_are_worse(likes):
    model, rng = EASE(7).fit(likes), np.random.default_rng(0)
    least = model.objective(likes)
    for _ in range(5):
        change = rng.normal(0, 0.01, model.weights_.shape).astype(np.float32)
        np.fill_diagonal(change, 0)
        model.weights_ += change
        assert model.objective(likes) > least
        model.weights_ -= change


def test_new_users_of_ease_are_rows_of_x(likes):
    model = EASE(7).fit(likes)
    mine = Ratings(np.zeros(3, int), np.array([1, 5, 9]), values=np.ones(3), n_items=40)
    everyone = constrained_slowly(dense(likes, 1.0), 7)
    np.testing.assert_allclose(model.fold_in(mine).score([0])[0], everyone[1] + everyone[9],
                               atol=1e-5)


def test_too_many_items_for_ease_are_refused(likes, monkeypatch):
    monkeypatch.setattr(ease, "BUDGET", 18_000)
    with pytest.raises(ValueError, match=r"GB of memory for all pairs of 39 items, more than "
                                         r"1\.8e-05 GB: leave out rare items") as caught:
        EASE().fit(likes)
    assert "\n" not in str(caught.value)


def test_a_wide_product_on_a_device_is_the_same(likes, cupy, monkeypatch):
    monkeypatch.setattr(filled, "WIDE", 8)
    monkeypatch.setattr(filled, "BLOCK", 400)
    ours, theirs = EASE(7).fit(likes.to("gpu")), EASE(7).fit(likes)
    np.testing.assert_allclose(ours.score(cupy.asarray(np.arange(60))).get(),
                               theirs.score(np.arange(60)), atol=1e-5)


# all of them

PREFERENCES = [model for model in VARIANTS if model.preferences]


def test_popularity_counts_users(likes):
    model = Popularity().fit(likes)
    assert np.array_equal(model.score([0, 3])[1], dense(likes, 1.0).sum(0))
    with pytest.raises(NotImplementedError, match="has no objective"):
        model.objective(likes)


@pytest.mark.parametrize("model", PREFERENCES, ids=str)
def test_a_preference_knows_no_points(model, likes):
    """Values that are not confidences are not read at all."""
    assert model.preferences and not model.standardised
    one, ten = (replace(model).fit(likes.with_values(a * likes.values)).score(np.arange(60))
                for a in (1, 10))
    reads_values = getattr(model, "alpha", 0) > 0 or not getattr(model, "binary", True)
    assert np.array_equal(one, ten) != reads_values


@pytest.mark.parametrize("model", [BPR(4), ImplicitALS(4), EASE(10)],
                         ids=lambda model: type(model).__name__)
def test_taste_comes_back_and_beats_popularity(model):
    likes = liked_world(300, 60)
    held_out = np.random.default_rng(1).random(len(likes)) < 0.2
    train, asked = likes[~held_out], likes[held_out]

    def share_above(model):
        """How often an item held out ranks above one that the user has not."""
        scores, has_not = model.fit(train).score(np.arange(300)), dense(likes, 1.0) == 0
        return np.mean([(scores[u, i] > scores[u, has_not[u]]).mean()
                        for u, i in zip(asked.users, asked.items, strict=True)])
    assert share_above(replace(model)) > 0.85 > 0.75 > share_above(Popularity())


def test_a_preference_is_no_link_of_a_chain():
    with pytest.raises(TypeError, match="ImplicitALS predicts preferences, which have no points"):
        Chain((Baseline(), ImplicitALS()))


def test_stars_of_planted_worlds_do_no_harm():
    train, _ = planted_world()
    for model in PREFERENCES:
        assert np.isfinite(replace(model).fit(train).score(np.arange(9))).all()
