"""Learned interpolation weights, item by item and global, and the sums that both predict by."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from strict import close, device
from worlds import planted_world

from rslib import kernels
from rslib.kernels import rules
from rslib.kernels.states import NeighbourhoodState, NeighbourhoodSteps
from rslib.metrics import rmse
from rslib.models import Baseline, GlobalWeights, ItemWeights
from rslib.models.descent import known_of
from rslib.models.item_weights import BLOCK
from rslib.models.parts import neighbourhood
from rslib.ratings import Pairs, Ratings


def small_pairs(n=60, seed=0):
    rng = np.random.default_rng(seed)
    rated = Ratings(rng.integers(0, 7, 40), rng.integers(0, 9, 40), values=np.ones(40),
                    n_users=8, n_items=9).by_user       # user 7 rated nothing, pairs may repeat
    x = rng.normal(size=40).astype(np.float32)
    return (rng.integers(0, 8, n), rng.integers(0, 9, n), rated.indptr, rated.ids, x), rng


# the sums


@pytest.mark.parametrize("block", [1 << 22, 20])
def test_sums_equal_the_slow_twin(block, monkeypatch):
    monkeypatch.setattr(kernels.interpolation, "BLOCK", block)
    arguments, rng = small_pairs()
    weights = rng.normal(size=(9, 9)).astype(np.float32)
    fast, slow = kernels.weighted_sums(*arguments, weights), kernels.weighted_sums_slow(
        *arguments, weights)
    for ours, theirs in zip(fast, slow, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_lists_are_dense_weights_with_zeros_between():
    arguments, rng = small_pairs()
    ids = np.array([rng.permutation(9)[:3] for _ in range(9)])
    listed = rng.normal(size=(9, 3)).astype(np.float32)
    dense = np.zeros((9, 9), np.float32)
    np.put_along_axis(dense, ids, listed, axis=1)
    for ours, theirs in zip(kernels.weighted_sums(*arguments, (ids, listed)),
                            kernels.weighted_sums(*arguments, dense), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_sums_on_the_pretend_device(cupy):
    arguments, rng = small_pairs()
    weights = rng.normal(size=(9, 9)).astype(np.float32)
    for ours, theirs in zip(kernels.weighted_sums(*device(cupy, (*arguments, weights))),
                            kernels.weighted_sums(*arguments, weights), strict=True):
        close(ours, theirs)


# item by item


def gradient_of_item_weights(model, train):
    """Half the gradient of J, rating by rating, in float64."""
    baseline = Baseline("ridge", reg_user=model.reg_user, reg_item=model.reg_item).fit(train)
    x = np.zeros((train.n_users, train.n_items))
    x[train.users, train.items] = (train.values - baseline.predict(train.pairs)) / model.unit_
    gradient = model.reg * model.weights_.astype(float)
    for user, item in zip(train.users, train.items, strict=True):
        said = x[user, model.neighbours_[item]]
        gradient[item] += (said @ model.weights_[item] - x[user, item]) * said
    return gradient


def test_ridge_stands_at_the_minimum(train):
    model = ItemWeights(12, reg=5).fit(train)
    assert abs(gradient_of_item_weights(model, train)).max() < 1e-3
    model.weights_ *= 1.02
    assert abs(gradient_of_item_weights(model, train)).max() > 0.01


def test_gradient_descent_reaches_what_ridge_solves_for(train):
    ridge = ItemWeights(12, reg=5).fit(train)
    curve = []
    walked = ItemWeights(12, "gd", reg=5, n_epochs=2000, tolerance=1e-7).fit(
        train, on_epoch=lambda _, model: curve.append(model.objective(train)))
    np.testing.assert_allclose(walked.weights_, ridge.weights_, atol=1e-4)
    assert all(later <= earlier + 1e-2 for earlier, later in pairwise(curve))
    assert len(curve) < 2000, "the tolerance never stopped it"


def test_the_objective_of_item_weights_has_that_gradient(train):
    model = ItemWeights(5, reg=5).fit(train)
    rng = np.random.default_rng(0)
    model.weights_ = rng.normal(0, 0.2, model.weights_.shape)
    gradient = gradient_of_item_weights(model, train)
    for place in [(3, 0), (40, 4), (79, 2)]:
        ends = []
        for step in (1e-3, -2e-3):
            model.weights_[place] += step
            ends.append(model.objective(train) / model.unit_ ** 2)
        model.weights_[place] += 1e-3
        assert (ends[0] - ends[1]) / 2e-3 == pytest.approx(2 * gradient[place], rel=1e-2)


def test_blocks_of_users_add_up(train, monkeypatch):
    whole = ItemWeights(8).fit(train).weights_
    assert BLOCK > 120 * 80
    monkeypatch.setattr("rslib.models.item_weights.BLOCK", 80 * 7)
    np.testing.assert_allclose(ItemWeights(8).fit(train).weights_, whole, atol=1e-5)


def planted_weights(n_users=1500, n_items=12, seed=0):
    """Ratings in which item 0 is 0.8 of item 1 less 0.5 of item 2, and the rest is noise."""
    rng = np.random.default_rng(seed)
    stars = rng.normal(0, 1, (n_users, n_items))
    stars[:, 0] = 0.8 * stars[:, 1] - 0.5 * stars[:, 2] + rng.normal(0, 0.1, n_users)
    users, items = np.nonzero(rng.random(stars.shape) < 0.9)
    return Ratings(users, items, values=3.5 + stars[users, items])


def test_planted_weights_come_back_negative_ones_too():
    model = ItemWeights(11, reg=1, reg_user=1e6).fit(planted_weights())
    weights = dict(zip(model.neighbours_[0].tolist(), model.weights_[0], strict=True))
    assert weights.pop(1) == pytest.approx(0.8, abs=0.05)
    assert weights.pop(2) == pytest.approx(-0.5, abs=0.05)
    assert max(map(abs, weights.values())) < 0.1


def test_two_copies_of_an_item_share_its_weight():
    """Redundant neighbours are counted once, which no pair of similarities can know."""
    rng = np.random.default_rng(0)
    taste = rng.normal(0, 1, (2000, 4))
    stars = np.column_stack([taste[:, :3].sum(1), taste[:, 0], taste[:, 0], taste])
    users, items = np.nonzero(np.ones(stars.shape))
    values = 3.5 + stars.ravel() + rng.normal(0, 0.3, stars.size)
    model = ItemWeights(6, reg=1, reg_user=1e6).fit(Ratings(users, items, values=values))
    weights = dict(zip(model.neighbours_[0].tolist(), model.weights_[0], strict=True))
    copies = [weights[item] for item in (1, 2, 3)]
    assert max(copies) < 0.45 and sum(copies) == pytest.approx(weights[4], abs=0.1)


@pytest.mark.parametrize("change, words", [
    (dict(solver="newton"), "solver must be 'ridge' or 'gd'"),
    (dict(n_neighbours=0), "n_neighbours must be at least 1, not 0")])
def test_wrong_settings_are_refused(change, words, train):
    with pytest.raises(ValueError, match=words):
        ItemWeights(**change).fit(train)


@pytest.mark.parametrize("model", [ItemWeights(), ItemWeights(solver="gd"),
                                   GlobalWeights(n_epochs=20)])
def test_a_world_of_one_item_is_left_to_the_baseline(model):
    one = Ratings(np.array([0, 1]), np.array([0, 0]), values=np.array([4.0, 2.0]), n_users=3)
    expected = Baseline().fit(one).predict(one.pairs)
    np.testing.assert_allclose(model.fit(one).predict(one.pairs), expected, atol=0.25)


# global


def test_a_step_is_minus_half_the_gradient_of_the_objective(train):
    """An epoch of one tiny step a rating moves everything down the objective of the docstring."""
    few = train[train.users < 25]
    seen = Pairs(np.arange(20), np.arange(20), n_users=120, n_items=80)
    model = GlobalWeights(n_epochs=2, reg=0.03, reg_bias=0.02).fit(few, seen=seen)
    rng = np.random.default_rng(0)
    names = "user_bias_", "item_bias_", "weights_", "implicit_weights_"
    for name in names:
        setattr(model, name, rng.normal(0, 0.3, getattr(model, name).shape))
    for table in (model.weights_, model.implicit_weights_):
        np.fill_diagonal(table, 0)
    before = [getattr(model, name) for name in names]
    after, rate = NeighbourhoodState(*(array.copy() for array in before)), 1e-7
    kernels.sgd_epoch(rules.neighbourhood, model.in_units(few).by_user, np.arange(120), after,
                      NeighbourhoodSteps(0.0, rate, model.reg, model.reg_bias,
                                         *known_of(model)))
    pair = few.items[0], few.items[1]
    for array, moved, place in zip(before, after, (few.users[0], few.items[0], pair, pair),
                                   strict=True):
        ends = []
        for step in (1e-3, -2e-3):
            array[place] += step
            ends.append(model.objective(few) / model.unit_ ** 2)
        array[place] += 1e-3
        step = (moved[place] - array[place]) / rate
        assert step == pytest.approx(-(ends[0] - ends[1]) / 4e-3, rel=1e-2, abs=1e-2)


def test_no_item_speaks_for_itself(train):
    model = GlobalWeights(n_epochs=3).fit(train)
    assert not model.weights_.diagonal().any() and not model.implicit_weights_.diagonal().any()
    assert abs(model.weights_).max() > 0


def test_planted_weights_come_back_from_all_ratings_at_once():
    train = planted_weights()
    model = GlobalWeights(reg=0, reg_bias=5, n_epochs=60, reg_user=1e6).fit(train)
    weights = model.weights_[0] / np.sqrt(0.9 * 11)       # the sum is divided by about this
    assert weights[1] == pytest.approx(0.8, abs=0.15)
    assert weights[2] == pytest.approx(-0.5, abs=0.15)
    assert max(abs(weights[3:])) < 0.15


def test_implicit_weights_hear_what_was_seen():
    """Planted: whoever has rated item 0, and says no more, likes item 1 a star more."""
    rng = np.random.default_rng(0)
    n = 800
    fans = rng.random(n) < 0.5
    users = np.concatenate([np.arange(n), np.repeat(np.arange(n), 3)])
    items = np.concatenate([np.ones(n, int), np.tile([2, 3, 4], n)])
    values = np.concatenate([3 + fans, rng.choice([3.0, 4.0], 3 * n)])
    ratings = Ratings(users, items, values=values, n_items=5)
    seen = Pairs(np.flatnonzero(fans), np.zeros(fans.sum(), int), n_users=n, n_items=5)
    quiz = (ratings.users < 200) & (ratings.items == 1)
    train, quiz = ratings[~quiz], ratings[quiz]
    model = GlobalWeights(n_epochs=60, reg_user=1e6, reg_bias=1.0)
    told, untold = (rmse(replace(model).fit(train, seen=pairs).predict(quiz.pairs), quiz.values)
                    for pairs in (seen, None))
    assert told < 0.25 < 0.45 < untold
    assert replace(model).fit(train, seen=seen).implicit_weights_[1, 0] > 0.5


def test_too_many_items_are_refused_at_once(train, monkeypatch):
    monkeypatch.setattr(neighbourhood, "BUDGET", 8 * 80 ** 2 - 1)
    with pytest.raises(ValueError, match=r"weights of 80 items: keep those rated most") as caught:
        GlobalWeights().fit(train)
    assert "\n" not in str(caught.value)


# both


@pytest.mark.parametrize("model", [ItemWeights(12), GlobalWeights(n_epochs=5)],
                         ids=["item", "global"])
def test_reasons_add_up_to_the_prediction(model, train):
    seen = Pairs(np.full(5, 9), np.arange(5), n_users=120, n_items=80)
    model = replace(model).fit(train, seen=seen)
    for user, item in [(9, 3), (int(train.users[0]), int(train.items[0]))]:
        rows = model.explain(user, item)
        pair = Pairs(np.array([user]), np.array([item]), n_users=120, n_items=80)
        level = model.in_stars(model.user_bias_[user] + model.item_bias_[item])
        total = level + sum(row.contribution for row in rows)
        assert total == pytest.approx(float(model.predict(pair)[0]), abs=1e-5)
        moves = [abs(row.contribution) for row in rows]
        assert moves == sorted(moves, reverse=True) and item not in [row.item for row in rows]


@pytest.mark.parametrize("model", [ItemWeights(12), GlobalWeights(n_epochs=5)],
                         ids=["item", "global"])
def test_a_rating_moves_only_what_weights_say(model, train):
    """Fold a user in twice, one rating a star apart: predictions move by weight times deviation."""
    fitted = replace(model).fit(train)
    items = np.arange(10)
    low = Ratings(np.zeros(10, int), items, values=np.full(10, 3.0), n_items=80)
    high = replace(low, values=np.r_[4.0, low.values[1:]])
    one, other = (fitted.fold_in(ratings) for ratings in (low, high))
    moved = other.score(np.array([0]))[0] - one.score(np.array([0]))[0]
    assert abs(moved).max() > 0.05 and np.isfinite(moved).all()


def test_learned_weights_beat_the_baseline():
    train, _ = planted_world(n_users=400, n_items=150, noise=0.5, density=0.3)
    held_out = np.random.default_rng(0).random(len(train)) < 0.2
    fit, quiz = train[~held_out], train[held_out]
    baseline, by_item, by_all = (
        rmse(model.fit(fit).predict(quiz.pairs), quiz.values)
        for model in (Baseline(), ItemWeights(50, reg=10), GlobalWeights()))
    assert by_item < 0.97 * baseline and by_all < 0.97 * baseline
