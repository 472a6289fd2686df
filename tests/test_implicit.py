"""Models of preferences in closed form: who has what, and what else they would have."""

from dataclasses import replace

import numpy as np
import pytest
from test_models import VARIANTS
from worlds import planted_world

from rslib.models import Popularity
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


def test_stars_of_planted_worlds_do_no_harm():
    train, _ = planted_world()
    for model in PREFERENCES:
        assert np.isfinite(replace(model).fit(train).score(np.arange(9))).all()
