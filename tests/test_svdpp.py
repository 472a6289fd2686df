"""Users as sums of features: the kernel, and NSVD, asymmetric SVD and SVD++ that stand on it."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.peers import _surprise_trainset
from rslib import kernels
from rslib.kernels.features import Features
from rslib.kernels.states import FeatureState, Steps
from rslib.metrics import rmse
from rslib.models import NSVD, AsymmetricSVD, SVDpp
from rslib.models.parts.features import implicit_features, joined
from rslib.ratings import Pairs, Ratings

EACH = [NSVD(3, reg=0.03), AsymmetricSVD(3, reg=0.03), SVDpp(3, reg=0.03)]
each = pytest.mark.parametrize("model", EACH, ids=lambda model: type(model).__name__)
STEPS = Steps(3.4, 0.02, 0.05, 0.02)


def random_features(n_users, n_features, rng):
    lengths = rng.integers(0, 6, n_users)
    ids = [np.sort(rng.choice(n_features, length, replace=False)) for length in lengths]
    return Features(np.concatenate([[0], np.cumsum(lengths)]),
                    np.concatenate(ids).astype(np.int32),
                    rng.normal(0, 0.6, lengths.sum()).astype(np.float32))


def start(train, n_features, dtype):
    rng = np.random.default_rng(1)
    shapes = train.n_users, train.n_items, (n_features, 3), (train.n_items, 3)
    return FeatureState(*(rng.normal(0, 0.3, shape).astype(dtype) for shape in shapes))


@pytest.mark.parametrize("dtype, rtol", [(np.float32, 2e-4), (np.float64, 1e-9)])
def test_one_visit_a_user_equals_stepping_every_feature_at_every_rating(train, dtype, rtol):
    rng = np.random.default_rng(0)
    features_of = random_features(train.n_users, 50, rng)
    users = rng.permutation(train.n_users)
    results = []
    for epoch in (kernels.feature_sgd_epoch, kernels.feature_sgd_epoch_slow):
        state = start(train, 50, dtype)
        squares = [epoch(train.by_user, users, features_of, state, STEPS) for _ in range(2)]
        results.append((squares, *state))
    for fast, slow in zip(*results, strict=True):
        np.testing.assert_allclose(fast, slow, rtol=rtol, atol=rtol)


def test_sums_are_the_weighted_sums(train):
    features_of = random_features(train.n_users, 50, np.random.default_rng(0))
    table = np.random.default_rng(1).normal(size=(50, 3))
    dense = np.zeros((train.n_users, 50))
    for user, (first, last) in enumerate(zip(features_of.indptr, features_of.indptr[1:],
                                             strict=False)):
        dense[user, features_of.ids[first:last]] = features_of.weights[first:last]
    np.testing.assert_allclose(kernels.feature_sums(features_of, table), dense @ table, atol=1e-6)
    np.testing.assert_allclose(features_of.energy, (dense ** 2).sum(1), atol=1e-6)


def test_what_is_seen_joins_what_is_rated_once():
    ratings = Ratings(np.array([0, 0, 2]), np.array([3, 1, 0]), values=np.ones(3), n_items=4)
    seen = Pairs(np.array([0, 1, 0]), np.array([2, 2, 3]), n_users=3, n_items=4)
    indptr, ids, weights = implicit_features(ratings, seen, first=10)
    assert indptr.tolist() == [0, 3, 4, 5] and ids.tolist() == [11, 12, 13, 12, 10]
    np.testing.assert_allclose(weights, [3 ** -0.5] * 3 + [1, 1])


def test_joined_keeps_both_parts_of_every_user():
    rng = np.random.default_rng(0)
    one, two = random_features(6, 9, rng), random_features(6, 9, rng)
    table = rng.normal(size=(9, 2))
    np.testing.assert_allclose(kernels.feature_sums(joined(one, two), table),
                               kernels.feature_sums(one, table) + kernels.feature_sums(two, table))


@each
def test_an_epoch_descends_the_objective_of_the_docstring(model, train):
    """With a tiny step an epoch moves every parameter along minus half the gradient of J."""
    factors = model.parts()[-1]
    tables = [kind.table for kind in factors.features]
    names = ["user_bias_", "item_bias_", "item_factors_", *tables]
    model = replace(model, n_epochs=3, init_std=0.3).fit(train)
    before = {name: np.float64(getattr(model, name)) for name in names}
    features_of = factors.features_of(model, model.in_units(train), None)
    table = np.concatenate([before[name] for name in tables])
    state = [before[name].copy() for name in names[:2]] + [table, before["item_factors_"].copy()]
    rate = 1e-7
    kernels.feature_sgd_epoch(model.in_units(train).by_user, np.arange(train.n_users), features_of,
                              FeatureState(*state),
                              Steps(0.0, rate, model.reg, model.reg_bias))
    after = dict(zip(names[:2], state[:2], strict=True)) | {"item_factors_": state[3]}
    sizes = np.cumsum([len(before[name]) for name in tables])[:-1]
    after |= dict(zip(tables, np.split(table, sizes), strict=True))
    rng = np.random.default_rng(5)
    for name in names:
        place = tuple(rng.integers(0, before[name].shape))
        slopes = []
        for step in (1e-4, -1e-4):
            moved = {key: value.copy() for key, value in before.items()}
            moved[name][place] += step
            model.learn(moved)
            model.user_sums_ = kernels.feature_sums(
                features_of, np.concatenate([moved[table] for table in tables]))
            slopes.append(model.objective(train) / model.unit_ ** 2)
        slope = (slopes[0] - slopes[1]) / 2e-4
        step = (after[name] - before[name])[place] / rate
        assert step == pytest.approx(-slope / 2, rel=1e-3, abs=1e-3)


@each
def test_seen_pairs_move_the_prediction_of_users_without_ratings(model, train):
    known = train[train.users > 0]
    seen = Pairs(np.zeros(5, int), np.arange(5), n_users=120, n_items=80)
    model = replace(model, init_std=0.3, n_epochs=5)
    told, untold = (replace(model).fit(known, seen=pairs).score(np.array([0])) for pairs in
                    (seen, None))
    assert abs(told - untold).max() > 0.01


def planted_choice(n_users=600, n_items=60, seed=0):
    """Users of two kinds, who rate films of their kind mostly, and like what their kind likes."""
    rng = np.random.default_rng(seed)
    kind, genre = rng.integers(0, 2, n_users), rng.integers(0, 2, n_items)
    agrees = kind[:, None] == genre
    users, items = np.nonzero(rng.random((n_users, n_items)) < np.where(agrees, 0.15, 0.03))
    stars = 3 + 0.8 * (2 * agrees[users, items] - 1) + rng.normal(0, 0.3, len(users))
    return Ratings(users, items, values=stars, n_users=n_users, n_items=n_items)


@each
def test_the_choice_of_items_teaches_the_taste_of_a_user_with_no_stars(model):
    """Planted: what was rated gives the taste away, so `seen` alone predicts the stars."""
    world = planted_choice()
    silent = world.users < 60
    train, quiz = world[~silent], world[silent]
    model = replace(model, reg=0.01, n_epochs=45, learning_rate=0.01, decay=1.0, init_std=0.1)
    error = rmse(model.fit(train, seen=quiz.pairs).predict(quiz.pairs), quiz.values)
    alone = rmse(replace(model).fit(train).predict(quiz.pairs), quiz.values)
    assert error < 0.55 < 0.7 < alone


@pytest.mark.parametrize("epoch", [kernels.feature_sgd_epoch, kernels.feature_sgd_epoch_slow])
def test_an_epoch_is_surprise_s(epoch, train):
    """Same start, same order, same numbers as the one SVD++ in wide use, all in float64."""
    surprise = pytest.importorskip("surprise", reason="scikit-surprise (extra peers) is missing")
    few = train[train.users < 20]
    peer = surprise.SVDpp(3, n_epochs=2, lr_all=0.02, reg_all=0.05, reg_bu=0.02, reg_bi=0.02,
                          random_state=0)
    peer.trainset = _surprise_trainset(few)
    peer.sgd(peer.trainset)
    rng, sizes = np.random.RandomState(0), (120, 80, 80)
    p, q, y = (rng.normal(0, 0.1, (size, 3)) for size in sizes)
    state = FeatureState(np.zeros(120), np.zeros(80), np.concatenate([y, p]), q)
    steps = Steps(float(few.values.mean(dtype=np.float64)), 0.02, 0.05, 0.02)
    model = SVDpp(3)
    features_of = model.parts()[-1].features_of(model, few, None)
    features_of = features_of._replace(weights=np.float64(features_of.weights))
    for _ in range(2):
        epoch(few.by_user, np.arange(20), features_of, state, steps)
    theirs = peer.bu, peer.bi, np.concatenate([peer.yj, peer.pu]), peer.qi
    for mine, other in zip(state, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-6)
    assert abs(state[2] - np.concatenate([y, p])).max() > 0.01
