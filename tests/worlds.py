"""Small worlds with a planted truth, and the real data where it is."""

import os
from pathlib import Path

import numpy as np
import pytest

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


def data_folder(name):
    """Return the folder of a data set below RSLIB_DATA, or skip with the reason."""
    root = os.environ.get("RSLIB_DATA")
    if not root:
        pytest.skip(f"RSLIB_DATA is not set, so {name} is not tested")
    folder = Path(root) / name
    if not folder.exists():
        pytest.skip(f"{folder} is not there")
    return folder
