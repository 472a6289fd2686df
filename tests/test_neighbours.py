"""Neighbourhood models: the equation, by hand and as a slow loop, and what only they promise."""

from dataclasses import replace

import numpy as np
import pytest
from worlds import planted_world

from rslib.metrics import rmse
from rslib.models import Baseline, Mean, Neighbours, neighbours
from rslib.ratings import Pairs, Ratings

EACH = [Neighbours(n_neighbours=5, shrinkage=10),
        Neighbours(similarity="pearson", power=2, n_neighbours=5, shrinkage=0),
        Neighbours(similarity="adjusted-cosine", n_neighbours=80, min_neighbours=12, shrinkage=3),
        Neighbours(similarity="cosine", deviations=False, n_neighbours=5, shrinkage=3),
        Neighbours(by="user", n_neighbours=5, shrinkage=10),
        Neighbours(by="user", similarity="adjusted-cosine", deviations=False, power=1.5)]
each = pytest.mark.parametrize("model", EACH, ids=range(len(EACH)))


def dense(ratings, values):
    """The values as an array (n_users, n_items), NaN where there is no rating."""
    table = np.full((ratings.n_users, ratings.n_items), np.nan)
    table[ratings.users, ratings.items] = values
    return table


def slow_similarity(model, x, i, j):
    """Equation of the docstring for the columns i and j of a table."""
    both = ~np.isnan(x[:, i]) & ~np.isnan(x[:, j])
    one, two = x[both, i], x[both, j]
    if model.similarity == "pearson":
        one, two = one - one.mean(), two - two.mean()
    n = both.sum() - 1
    return n / (n + model.shrinkage) * (one @ two) / np.sqrt((one @ one) * (two @ two))


def slow_prediction(model, train, user, item):
    """Predict one pair as the docstring says, from a dense table."""
    base = Baseline("ridge", model.reg_user, model.reg_item).fit(train)
    level = np.float64(base.score(np.arange(train.n_users)))
    stars = dense(train, train.values)
    other_side = Mean("user" if model.by == "item" else "item").fit(train)
    x = {"baseline": stars - level, "pearson": stars, "cosine": stars, "adjusted-cosine":
         dense(train, train.values - other_side.predict(train.pairs))}[model.similarity]
    said = stars - level if model.deviations else stars
    speaker, about = user, item
    if model.by == "user":
        x, said, speaker, about = x.T, said.T, item, user
    similarity = {j: slow_similarity(model, x, about, j)
                  for j in np.flatnonzero(~np.isnan(said[speaker])) if j != about}
    nearest = sorted((j for j in similarity if similarity[j] > 0),
                     key=lambda j: -similarity[j])[:model.n_neighbours]
    weights = np.array([similarity[j] for j in nearest]) ** model.power
    if len(nearest) < model.min_neighbours:
        return level[user, item]
    return level[user, item] * model.deviations + weights @ said[speaker, nearest] / weights.sum()


@each
def test_predictions_are_the_docstring_s(model, train):
    fitted = replace(model).fit(train)
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 120, 25), rng.integers(0, 80, 25)
    slow = [slow_prediction(model, train, *pair) for pair in zip(users, items, strict=True)]
    ours = fitted.predict(Pairs(users, items, None, 120, 80))
    np.testing.assert_allclose(ours, slow, atol=2e-4)


@each
def test_the_reasons_add_up_to_the_prediction(model, train):
    fitted, base = replace(model).fit(train), Baseline("ridge").fit(train)
    for user, item in ((0, 0), (3, 70), (119, 4)):
        pair = Pairs(np.array([user]), np.array([item]), None, 120, 80)
        spoke = fitted.explain(user, item)
        assert len(spoke) in (0, *range(model.min_neighbours, model.n_neighbours + 1))
        level = base.predict(pair)[0] if model.deviations else 0
        assert level + sum(each.contribution for each in spoke) == pytest.approx(
            fitted.predict(pair)[0], abs=1e-5)
        assert sum(each.weight for each in spoke) == pytest.approx(bool(spoke) * 1.0, abs=1e-5)
        similarities = [each.similarity for each in spoke]
        assert similarities == sorted(similarities, reverse=True) and 0 not in similarities


@pytest.mark.parametrize("by", ["item", "user"])
def test_a_reason_quotes_what_was_rated(by, train):
    model, stars = Neighbours(by=by).fit(train), dense(train, train.values)
    for each in model.explain(3, 5):
        user, item = (3, each.item) if by == "item" else (each.item, 5)
        assert each.rating == pytest.approx(stars[user, item], abs=1e-5)
        assert each.rating - each.deviation == pytest.approx(
            Baseline("ridge").fit(train).score(np.array([user]))[0, item], abs=1e-5)


def test_by_hand():
    """Items 0 and 1 agree (cosine of 3, 4 and 4, 3: 24/25); 2 shares one user, so nothing."""
    train = Ratings(np.array([0, 1, 2, 0, 1, 2, 3]), np.array([0, 0, 0, 1, 1, 2, 1]),
                    values=np.array([3, 4, 5, 4, 3, 1, 2]))
    model = Neighbours(similarity="cosine", deviations=False, min_neighbours=1,
                       shrinkage=1).fit(train)
    s = 0.5 * 24 / 25
    np.testing.assert_allclose(model.weights_[:2, 1], [s, 2 / 3], atol=2 ** -17)
    pairs = Pairs(np.array([3, 2]), np.array([0, 1]), None, 4, 3)
    np.testing.assert_allclose(model.predict(pairs), [2, 5], rtol=1e-6)
    (neighbour,) = model.explain(3, 0)
    assert replace(model, min_neighbours=2).fit(train).explain(3, 0) == []
    assert (neighbour.item, neighbour.weight, neighbour.rating) == (1, 1, 2)
    assert neighbour.similarity == pytest.approx(s, abs=2 ** -17)


@pytest.mark.parametrize("deviations", [True, False])
@pytest.mark.parametrize("by", ["item", "user"])
def test_without_neighbours_the_baseline_is_left(by, deviations, train):
    lonely = train[(train.users != 7) & (train.items != 9)]
    model = Neighbours(by=by, deviations=deviations).fit(lonely)
    base = Baseline("ridge").fit(lonely)
    users, items = np.array([7, 7, 0, 50]), np.array([3, 9, 9, 9])
    pairs = Pairs(users, items, None, 120, 80)
    np.testing.assert_allclose(model.predict(pairs), base.predict(pairs), rtol=1e-6)
    assert all(model.explain(*pair) == [] for pair in zip(users, items, strict=True))


@pytest.mark.parametrize("by", ["item", "user"])
def test_users_and_items_change_roles(by, train):
    swapped = Ratings(train.items, train.users, values=train.values, n_users=80, n_items=120)
    other = {"item": "user", "user": "item"}[by]
    ours = Neighbours(by, reg_user=4, reg_item=4).fit(train).predict(train.pairs)
    theirs = Neighbours(other, reg_user=4, reg_item=4).fit(swapped).predict(swapped.pairs)
    np.testing.assert_allclose(ours, theirs, atol=2e-3)     # ridge starts at the other side


@pytest.mark.parametrize("model", [EACH[0], EACH[3], EACH[4]], ids=["item", "plain", "user"])
def test_lists_keep_the_most_similar_only(model, train, monkeypatch, tmp_path):
    full = replace(model).fit(train)
    monkeypatch.setattr(neighbours, "BUDGET", 4 * 80 * 80 - 1)
    listed = replace(model).fit(train)
    n, n_listed = listed.weights_.shape
    assert n_listed == (4 * 80 * 80 - 1) // (8 * n) and listed.similar_.shape == (n, n_listed)
    kept = np.zeros((n, n), bool)
    np.put_along_axis(kept, listed.similar_, True, axis=1)
    everyone = np.arange(n)
    assert np.array_equal(full.weights_of(everyone), full.weights_)
    assert np.array_equal(listed.weights_of(everyone), full.weights_ * kept)
    assert np.array_equal(listed.weights_of(3), listed.weights_of(everyone)[3])
    full.weights_ = np.where(kept, full.weights_, 0)
    np.testing.assert_allclose(listed.predict(train.pairs), full.predict(train.pairs), atol=1e-5)
    np.testing.assert_allclose(listed.explain(3, 5), full.explain(3, 5), atol=1e-5)
    pairs = np.random.default_rng(0).integers(0, n, (2, 500))
    assert np.array_equal(listed.weights_of(*pairs), full.weights_[*pairs])
    assert np.array_equal(full.weights_of(*pairs), full.weights_[*pairs])
    assert not listed.weights_of([], []).size
    listed.save(tmp_path / "listed.npz")
    again = Neighbours.load(tmp_path / "listed.npz")
    assert np.array_equal(again.predict(train.pairs), listed.predict(train.pairs))


def test_one_neighbour_of_equal_taste_is_copied():
    """Two items that everyone rates alike: the one tells the deviation of the other exactly."""
    rng = np.random.default_rng(0)
    taste = rng.normal(0, 1, 60)
    users, items = np.tile(np.arange(60), 3), np.repeat([0, 1, 2], 60)
    values = 3 + np.concatenate([taste, taste, rng.normal(0, 1, 60)])
    held_out = (items == 1) & (users < 20)
    train = Ratings(users, items, values=values)[~held_out]
    model = Neighbours(n_neighbours=1, min_neighbours=1, shrinkage=0, reg_user=1e6).fit(train)
    pairs = Pairs(users, items)[held_out]
    level = Baseline(reg_user=1e6).fit(train)
    deviations = taste[:20] + 3 - level.predict(Pairs(users[:20], items[:20], None, 60, 3))
    np.testing.assert_allclose(model.predict(pairs) - level.predict(pairs), deviations, atol=1e-4)


def test_planted_taste_is_found_and_each_step_pays():
    train, _ = planted_world(n_users=400, n_items=150, noise=0.5, density=0.3)
    held_out = np.random.default_rng(0).random(len(train)) < 0.2
    fit, quiz = train[~held_out], train[held_out]
    ladder = [Baseline("ridge"), Neighbours(deviations=False), Neighbours(n_neighbours=20)]
    errors = [rmse(model.fit(fit).predict(quiz.pairs), quiz.values) for model in ladder]
    assert errors[0] > 1.1 * errors[1] > 1.25 * errors[2]


def test_a_user_folded_in_is_served_exactly_like_the_users_of_the_fit(train):
    """With the items' side the same, the fold is the fit: same bias, same neighbours."""
    model = Neighbours(n_neighbours=10).fit(train)
    mine = train[train.users < 30]
    folded = model.fold_in(replace(mine, n_users=30))
    theirs = Pairs(mine.users, mine.items, None, 120, 80)
    np.testing.assert_allclose(folded.predict(replace(theirs, n_users=30)), model.predict(theirs),
                               atol=1e-5)
    assert folded.weights_ is model.weights_ and folded.n_users_ == 30 and model.n_users_ == 120


@pytest.mark.parametrize("change, words", [
    ({"n_neighbours": 0}, "n_neighbours"), ({"min_neighbours": 0}, "min_neighbours"),
    ({"shrinkage": -1}, "shrinkage must be at least 0")])
def test_what_makes_no_sense_is_refused(change, words, train):
    with pytest.raises(ValueError, match=words):
        Neighbours(**change).fit(train).predict(train.pairs)
