"""Blenders find planted mixtures, stand at their optimum, and leak nothing when cross-fitted."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from rslib.blend import (
    Average,
    Binned,
    FeatureWeighted,
    Neural,
    NonNegative,
    Ridge,
    Trees,
    cross_fit,
    folds_of,
)
from rslib.metrics import rmse

TRUTH = np.array([0.6, 0.0, 0.3, 0.1])
BLENDERS = [Average(), Ridge(), Ridge(toward="zero"), NonNegative(), NonNegative(False),
            FeatureWeighted(), Binned(), Trees(n_trees=20), Trees(n_trees=60, from_ridge=False),
            Neural(n_seeds=2, n_epochs=20)]
each_blender = pytest.mark.parametrize(
    "blender", BLENDERS, ids=[f"{at}-{type(each).__name__}" for at, each in enumerate(BLENDERS)])


def planted(n=4000, noise=0.8, seed=0, weights=TRUTH):
    """Members that agree on most, targets that are a known mixture of them, users, features."""
    rng = np.random.default_rng(seed)
    predictions = (3.5 + rng.normal(0, 0.5, (n, 1)) + rng.normal(0, 0.3, (n, len(weights))))
    targets = 0.2 + predictions @ weights + rng.normal(0, noise, n)
    return predictions, targets, np.arange(n) // 4, rng.normal(0, 1, (n, 3))


@pytest.mark.parametrize("blender", [Ridge(reg=0.01), Ridge(reg=0.01, toward="zero"),
                                     NonNegative(), NonNegative(False)], ids=str)
def test_a_planted_mixture_comes_back(blender):
    predictions, targets, *_ = planted(40_000)
    blender.fit(predictions, targets)
    np.testing.assert_allclose(blender.weights_, TRUTH, atol=0.05)
    assert blender.intercept_ == pytest.approx(0.2, abs=0.1)


def half_gradient_of_ridge(ridge, predictions, targets):
    """With respect to the weights and the intercept, pair by pair."""
    to_weights = ridge.reg * targets.var() * (ridge.weights_ - 1 / 4)
    to_intercept = 0.0
    for x, r in zip(predictions, targets, strict=True):
        error = r - ridge.intercept_ - x @ ridge.weights_
        to_weights, to_intercept = to_weights - error * x, to_intercept - error
    return np.append(to_weights, to_intercept)


def test_the_gradient_of_the_ridge_vanishes_at_its_fit():
    predictions, targets, *_ = planted(300)
    ridge = Ridge(reg=6.0).fit(predictions, targets)
    assert abs(half_gradient_of_ridge(ridge, predictions, targets)).max() < 1e-8
    ridge.weights_ *= 1.001
    assert abs(half_gradient_of_ridge(ridge, predictions, targets)).max() > 1


def test_more_pairs_outweigh_the_penalty():
    predictions, targets, *_ = planted(300)
    once = Ridge(reg=10.0).fit(predictions, targets)
    thrice = Ridge(reg=30.0).fit(np.tile(predictions, (3, 1)), np.tile(targets, 3))
    np.testing.assert_allclose(once.weights_, thrice.weights_, rtol=1e-9)


@pytest.mark.parametrize("toward, share", [("average", 0.25), ("zero", 0.0)])
def test_a_heavy_penalty_ends_where_the_weights_are_pulled(toward, share):
    predictions, targets, *_ = planted(300)
    ridge = Ridge(reg=1e9, toward=toward).fit(predictions, targets)
    np.testing.assert_allclose(ridge.weights_, share, atol=1e-6)
    assert np.mean(targets - ridge.predict(predictions)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("sum_to_one", [False, True])
def test_nonnegative_weights_meet_the_kkt_conditions(sum_to_one):
    """At the optimum no weight that may move has a slope, and no slope leads into the inside."""
    predictions, targets, *_ = planted(500, weights=np.array([0.9, -0.4, 0.7, 0.1]))
    blender = NonNegative(sum_to_one).fit(predictions, targets)
    weights = blender.weights_
    slope = -(predictions - predictions.mean(0)).T @ (targets - blender.predict(predictions))
    price = weights @ slope if sum_to_one else 0.0      # of the equation sum = 1
    inside = weights > 0
    assert not inside.all() and inside.any() and (weights >= 0).all()
    np.testing.assert_allclose(slope[inside], price, atol=1e-7)
    assert (slope[~inside] > price).all()
    if sum_to_one:
        assert weights.sum() == pytest.approx(1)
    assert np.mean(targets - blender.predict(predictions)) == pytest.approx(0, abs=1e-9)


def test_feature_weighted_is_a_ridge_on_the_products():
    predictions, targets, _, side = planted(400)
    blender = FeatureWeighted(reg=20.0, reg_side=20.0, toward="zero")
    blender.fit(predictions, targets, side)
    x, z = predictions - predictions.mean(), (side - side.mean(0)) / side.std(0)
    products = [x[:, m] * z[:, f] for m in range(4) for f in range(3)]
    table = np.column_stack([x, z * targets.std(), *products])
    ridge = Ridge(reg=20.0, toward="zero").fit(table, targets)
    np.testing.assert_allclose(blender.predict(predictions, side), ridge.predict(table), rtol=1e-9)
    np.testing.assert_allclose(blender.interactions_[2, 1], ridge.weights_[4 + 3 + 2 * 3 + 1])


def switching(n=8000):
    """Two members, of whom a feature says which to believe."""
    rng = np.random.default_rng(1)
    predictions, side = 3.5 + rng.normal(0, 0.5, (n, 2)), rng.normal(0, 1, (n, 2))
    targets = np.where(side[:, 1] > 0, *predictions.T) + rng.normal(0, 0.3, n)
    return predictions, targets, np.arange(n) // 5, side


@pytest.mark.parametrize("blender", [
    FeatureWeighted(reg_side=10.0), Binned(column=1, n_bins=2),
    Trees(n_trees=40, learning_rate=0.1),
    Neural(n_seeds=1, n_epochs=40, reg_network=0.01)], ids=lambda each: type(each).__name__)
def test_blends_that_know_features_find_whom_to_believe_when(blender):
    predictions, targets, users, side = switching()
    ridge = rmse(cross_fit(Ridge(), predictions, targets, users), targets)
    told = rmse(cross_fit(blender, predictions, targets, users, side=side), targets)
    shuffled = np.random.default_rng(0).permutation(side)
    untold = rmse(cross_fit(blender, predictions, targets, users, side=shuffled), targets)
    assert told < 0.93 * ridge and untold > 0.99 * ridge


def test_bins_shrink_to_the_weights_of_all():
    predictions, targets, _, side = switching(2000)
    free, held = (Binned(column=1, n_bins=2, shrinkage=each).fit(predictions, targets, side)
                  for each in (1e-6, 1e9))
    np.testing.assert_allclose(free.bin_weights_, [[0, 1], [1, 0]], atol=0.1)
    np.testing.assert_allclose(held.bin_weights_, np.tile(held.weights_, (2, 1)), atol=1e-5)


@each_blender
def test_blenders_keep_their_contract(blender):
    predictions, targets, _, side = planted(400)
    blender, before = replace(blender), asdict(blender)
    copies = [np.copy(each) for each in (predictions, targets, side)]
    assert blender.fit(predictions, targets, side) is blender and asdict(blender) == before
    blend = blender.predict(predictions, side)
    assert blend.shape == (400,) and blend.dtype == np.float64 and np.isfinite(blend).all()
    again = replace(blender).fit(predictions, targets, side).predict(predictions, side)
    assert np.array_equal(blend, again)
    assert np.array_equal(blender.fit(predictions, targets, side).predict(predictions, side), again)
    backwards = blender.predict(predictions[::-1], side[::-1])[::-1]
    np.testing.assert_allclose(backwards, blend, rtol=1e-12)
    for copy, given in zip(copies, (predictions, targets, side), strict=True):
        assert np.array_equal(copy, given)


@pytest.mark.parametrize("a, c", [(0.01, 0.0), (0.1, 7.0), (20.0, -60.0), (1000.0, 50.0)])
@each_blender
def test_a_blend_follows_the_scale_of_the_ratings(blender, a, c):
    predictions, targets, _, side = planted(400)
    blend = replace(blender).fit(predictions, targets, side).predict(predictions, side)
    moved = replace(blender).fit(a * predictions + c, a * targets + c, side)
    followed = (moved.predict(a * predictions + c, side) - c) / a
    # a tree may cut between other neighbours where rounding has moved a predictor
    moved = np.mean(abs(followed - blend) > 1e-6 * targets.std())
    assert moved <= 0.02 * isinstance(blender, Trees)


@each_blender
def test_one_member_is_enough(blender):
    predictions, targets, users, side = planted(2000)
    blend = cross_fit(blender, predictions[:, :1], targets, users, side=side)
    assert rmse(blend, targets) < 1.03 * rmse(predictions[:, 0], targets)


@each_blender
def test_a_blend_of_members_is_as_good_as_the_best_of_them(blender):
    predictions, targets, users, side = planted()
    best = min(rmse(column, targets) for column in predictions.T)
    assert rmse(cross_fit(blender, predictions, targets, users, side=side), targets) < 1.01 * best


@each_blender
def test_columns_of_the_device_are_blended_on_the_host(blender, cupy):
    predictions, targets, _, side = planted(200)
    here = replace(blender).fit(predictions, targets, side).predict(predictions, side)
    there = [cupy.asarray(each) for each in (predictions, targets, side)]
    blend = replace(blender).fit(*there).predict(there[0], there[2])
    assert type(blend) is np.ndarray and np.array_equal(blend, here)


# cross-fitting


def test_no_user_is_in_two_folds_and_folds_are_of_a_size():
    users = np.random.default_rng(0).integers(0, 97, 1000) * 10
    folds = folds_of(users, 4)
    assert all(len(np.unique(folds[users == user])) == 1 for user in np.unique(users))
    sizes = [len(np.unique(users[folds == fold])) for fold in range(4)]
    assert sum(sizes) == len(np.unique(users)) and max(sizes) - min(sizes) <= 1
    assert np.array_equal(folds, folds_of(users + 5, 4))


def test_a_blend_never_saw_the_user_that_it_is_scored_on():
    predictions, targets, users, _ = planted(200)
    before = cross_fit(Ridge(), predictions, targets, users)
    mine = users == 7
    after = cross_fit(Ridge(), predictions, np.where(mine, 1000.0, targets), users)
    assert np.array_equal(before[mine], after[mine])
    assert not np.isclose(before[folds_of(users) != folds_of(users)[mine][0]],
                          after[folds_of(users) != folds_of(users)[mine][0]]).any()


def test_each_fold_is_a_fit_to_the_other_users():
    predictions, targets, users, _ = planted(200)
    folds = folds_of(users, 3)
    blend = cross_fit(Ridge(), predictions, targets, users, n_folds=3)
    for fold in range(3):
        fitted = Ridge().fit(predictions[folds != fold], targets[folds != fold])
        assert np.array_equal(blend[folds == fold], fitted.predict(predictions[folds == fold]))


@pytest.mark.parametrize("blender", [Ridge(reg=0.1), FeatureWeighted(reg_side=1.0),
                                     Trees(n_trees=50), Binned(shrinkage=1.0)],
                         ids=lambda each: type(each).__name__)
def test_members_that_are_noise_help_in_sample_and_not_out_of_fold(blender):
    """The canary: were a blend to see its own rows, forty columns of noise would look like gold."""
    predictions, targets, users, side = planted(800)
    noise = np.random.default_rng(5).normal(3.5, 0.5, (800, 40))
    table = np.hstack([predictions, noise])
    plain = rmse(cross_fit(Ridge(), predictions, targets, users), targets)
    inside = replace(blender).fit(table, targets, side).predict(table, side)
    outside = cross_fit(blender, table, targets, users, side=side)
    assert rmse(inside, targets) < 0.985 * plain < plain < 1.002 * rmse(outside, targets)


# bad input


GOOD = planted(60)


@pytest.mark.parametrize("predictions, targets, said", [
    (GOOD[0], GOOD[1][1:], "targets has 59 rows for 60 pairs"),
    (GOOD[0][:, :0], GOOD[1], "at least one member"),
    (GOOD[0][0], GOOD[1], "must be a table"),
    (GOOD[0], GOOD[1][:, None], "must be a column"),
    (np.where(np.arange(240).reshape(60, 4) == 9, np.nan, GOOD[0]), GOOD[1],
     "predictions: row 2 of column 1 is nan"),
    (GOOD[0], np.where(np.arange(60) == 5, np.inf, GOOD[1]), "targets: row 5 of column 0 is inf"),
    (np.where(np.arange(4) == 2, 3.5, GOOD[0]), GOOD[1], "member 2 predicts 3.5 for every pair")])
@each_blender
def test_what_cannot_be_blended_is_refused_in_one_line(blender, predictions, targets, said):
    with pytest.raises(ValueError, match=said) as caught:
        replace(blender).fit(predictions, targets, np.ones((len(predictions), 1)))
    assert "\n" not in str(caught.value)


@each_blender
def test_a_blend_predicts_only_what_it_was_fitted_to(blender):
    predictions, targets, _, side = GOOD
    with pytest.raises(ValueError, match="call fit first"):
        replace(blender).predict(predictions, side)
    fitted = replace(blender).fit(predictions, targets, side)
    with pytest.raises(ValueError, match="predictions of 3 members"):
        fitted.predict(predictions[:, :3], side)
    with pytest.raises(ValueError, match="side has 59 rows for 60 pairs"):
        fitted.predict(predictions, side[1:])


@pytest.mark.parametrize("blender, said", [
    (Ridge(reg=0), "reg must be above 0"), (Ridge(toward="one"), "toward must be"),
    (FeatureWeighted(reg_side=0), "reg_side must be above 0"),
    (Binned(column=3), "column 3"), (Binned(n_bins=0), "n_bins must be")])
def test_hyper_parameters_out_of_their_domain_are_refused(blender, said):
    predictions, targets, _, side = GOOD
    with pytest.raises(ValueError, match=said):
        blender.fit(predictions, targets, side)


@pytest.mark.parametrize("blender", [FeatureWeighted(), Binned()], ids=str)
def test_a_blend_that_needs_features_says_so(blender):
    with pytest.raises(ValueError, match="needs side features"):
        blender.fit(*GOOD[:2])


@pytest.mark.parametrize("blender", [Trees(n_trees=5), Neural(n_seeds=1)], ids=str)
def test_trees_and_networks_do_without_features_but_not_with_some_then_none(blender):
    predictions, targets, _, side = GOOD
    assert np.isfinite(replace(blender).fit(predictions, targets).predict(predictions)).all()
    with pytest.raises(ValueError, match="3 side features in the fit, 0 now"):
        blender.fit(predictions, targets, side).predict(predictions)


def test_folds_and_groups_are_checked():
    predictions, targets, users, _ = GOOD
    with pytest.raises(ValueError, match="groups has 59 rows for 60 pairs"):
        cross_fit(Ridge(), predictions, targets, users[1:])
    with pytest.raises(ValueError, match="15 users cannot be dealt into 16 folds"):
        cross_fit(Ridge(), predictions, targets, users, n_folds=16)


@pytest.mark.parametrize("blender", [Average(), Ridge(), NonNegative()], ids=str)
def test_a_blender_without_use_for_side_features_leaves_them_alone(blender):
    rng = np.random.default_rng(0)
    predictions, targets, side = rng.normal(size=(60, 3)), rng.normal(size=60), np.ones((60, 2))
    told = replace(blender).fit(predictions, targets, side).predict(predictions)
    assert np.array_equal(told, replace(blender).fit(predictions, targets).predict(predictions))
