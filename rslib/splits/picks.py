"""Which ratings of each user are held out: the last ones, or a random share."""

import numpy as np

from rslib.backend import asnumpy

__all__ = ["last_of_each", "last_ratings", "require_share", "share_of_each"]


def last_ratings(ratings, n_last=9):
    """Return a mask of the last ratings of each user: the hold-out rule of the Netflix Prize.

    The last ``n_last`` of a user with at least ``2 * n_last`` ratings, half (rounded down) of a
    user with fewer; a user with one rating stays in training. Ties within a day follow ``ranks``
    where the source has them, then the order of the rows.

    Parameters
    ----------
    ratings : Ratings
        With days; without them the order of the rows stands for time.
    n_last : int
        Ratings held out per user; 9 in the contest.

    Returns
    -------
    bool array (n_ratings,)

    References
    ----------
    Koren, The BellKor Solution to the Netflix Grand Prize (2009), section II.
    """
    users, days, ranks = (None if column is None else asnumpy(column)
                          for column in (ratings.users, ratings.days, ratings.ranks))
    keys = [key for key in (ranks, days) if key is not None]
    counts = np.bincount(users, minlength=ratings.n_users)
    return last_of_each(users, np.minimum(n_last, counts // 2), *keys)


def last_of_each(users, n_last, *keys):
    """Return a mask of the last ``n_last[u]`` rows of each user u, by ``keys``, least first."""
    order = np.lexsort((*keys, users))                          # stable: ties keep row order
    ends = np.cumsum(np.bincount(users, minlength=len(n_last)))
    from_the_end = ends[users[order]] - np.arange(len(users))   # 1 for the last rating of a user
    mask = np.zeros(len(users), bool)
    mask[order[from_the_end <= n_last[users[order]]]] = True
    return mask


def share_of_each(users, n_users, fraction, rng):
    """Return a mask of a random share, rounded down, of the rows of each user."""
    counts = np.bincount(users, minlength=n_users)
    n_held_out = np.floor(np.round(fraction * counts, 6)).astype(np.int64)  # 0.29 x 100 is 29
    return last_of_each(users, n_held_out, rng.random(len(users)))


def require_share(fraction, name="fraction"):
    """Raise unless ``fraction`` lies inside (0, 1)."""
    if not 0 < fraction < 1:
        raise ValueError(f"{name} must lie between 0 and 1, not {fraction}")
