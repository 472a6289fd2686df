"""Small worlds with a planted truth, and the real data where it is."""

import os
from pathlib import Path

import numpy as np
import pytest

from rslib import sources
from rslib.ratings import Ratings


def planted_world(n_users=120, n_items=80, n_factors=2, noise=0.3, density=0.4, seed=0):
    """Return ratings of a biased low-rank world and its noise-free stars for every pair."""
    rng = np.random.default_rng(seed)
    user_bias, item_bias = rng.normal(0, 0.5, n_users), rng.normal(0, 0.4, n_items)
    taste = rng.normal(0, 0.7, (n_users, n_factors)) @ rng.normal(0, 0.7, (n_factors, n_items))
    stars = 3.5 + user_bias[:, None] + item_bias + taste
    users, items = np.nonzero(rng.random((n_users, n_items)) < density)
    values = stars[users, items] + rng.normal(0, noise, len(users))
    return Ratings(users, items, values=values, days=rng.integers(0, 500, len(users)),
                   n_users=n_users, n_items=n_items), stars


def crowded_world():
    """Users who share much of what they rated, as in MovieLens 1M, and rate what they like.

    Returns ratings to learn from, and ratings held out.
    """
    rng, n_users, n_items = np.random.default_rng(0), 3000, 300
    popularity, activity = rng.lognormal(0, 1, n_items), rng.lognormal(0, 0.7, n_users)
    taste = rng.normal(0, 0.7, (n_users, 3)) @ rng.normal(0, 0.7, (3, n_items))
    chance = np.outer(activity / activity.mean(), popularity / popularity.mean()) / 5
    chance *= np.exp(taste - taste.var() / 2)
    users, items = np.nonzero(rng.random(taste.shape) < np.minimum(chance, 0.95))
    stars = (3.5 + rng.normal(0, 0.4, n_users)[users] + rng.normal(0, 0.4, n_items)[items]
             + taste[users, items] + rng.normal(0, 0.6, len(users)))
    ratings = Ratings(users, items, values=stars, n_users=n_users, n_items=n_items)
    held_out = rng.random(len(ratings)) < 0.1
    return ratings[~held_out], ratings[held_out]


def data_folder(name):
    """Return the folder of a data set below RSLIB_DATA, or skip with the reason."""
    root = os.environ.get("RSLIB_DATA")
    if not root:
        pytest.skip(f"RSLIB_DATA is not set, so {name} is not tested")
    folder = Path(root) / name
    if not folder.exists():
        pytest.skip(f"{folder} is not there")
    return folder


def random_tenth(cache):
    """MovieLens 1M and which random tenth is held out, in the order of the file, as papers do."""
    data_folder("ml-1m")
    ratings = sources.load("ml-1m", cache=cache)
    return ratings, np.random.default_rng(0).random(len(ratings)) < 0.1


def drifting_world(n_users=200, n_items=100, span=1000, seed=0):
    """Return ratings of users who drift and have moods, with drift and mood of every user, day."""
    rng = np.random.default_rng(seed)
    drift, mood = rng.normal(0, 1, n_users), rng.normal(0, 0.5, (n_users, span))
    users = np.repeat(np.arange(n_users), n_items)
    items = np.tile(np.arange(n_items), n_users)
    days = np.sort(rng.integers(0, span, (n_users, 20)), axis=1)[users, rng.integers(
        0, 20, len(users))]
    days[:2] = 0, span - 1
    stars = (3.5 + rng.normal(0, 0.5, n_users)[users] + rng.normal(0, 0.4, n_items)[items]
             + drift[users] * (days / (span - 1) - 0.5) + mood[users, days])
    return Ratings(users, items, days, values=stars + rng.normal(0, 0.3, len(users))), drift, mood


def fading_world(rates, n_causes=12, n_effects=36, noise=1.0, seed=0):
    """Return ratings in which each item of a kind follows two of another, the older the less."""
    rng, n_items = np.random.default_rng(seed), n_causes + n_effects
    days = rng.integers(0, 200, (len(rates), n_items))
    causes = rng.normal(0, 1, (len(rates), n_causes))
    gaps = abs(days[:, n_causes:, None] - days[:, None, :n_causes])
    follows = np.stack([rng.permutation(n_causes) < 2 for _ in range(n_effects)])
    said = (np.exp(-rates[:, None, None] * gaps) * causes[:, None] * follows).sum(2)
    said += rng.normal(0, noise, said.shape)    # so that causes do not follow from effects
    stars = 3 + np.concatenate([causes, said], axis=1)
    users, items = np.divmod(np.arange(days.size), n_items)
    return Ratings(users, items, days.ravel(), values=stars.ravel())
