r"""Purchases of any number with planted preferences: baskets, and how often who bought what.

User u makes :math:`n_u` purchases, each of item i with chance

.. math::
    \pi_{ui} = \frac{\exp(a_i + p_u \cdot q_i)}{\sum_j \exp(a_j + p_u \cdot q_j)},
    \qquad a_i = -\zeta \ln k_i - \tfrac12 \lVert q_i \rVert^2,

whatever was bought before: :math:`p_{uf} \sim N(0, 1)`, :math:`q_{if} \sim N(0, s_f^2)`,
:math:`s_f^2 \propto 1/f` and :math:`\sum_f s_f^2 = \tau^2`. The place :math:`k_i` of the item in a
random order makes popularity fall as Zipf found: over users the numerator has the mean
:math:`k_i^{-\zeta}`. How many purchases a user makes is log-normal above a least number; they lie
in baskets of about six, on days of two years.

The count of a pair is how often it was bought, so :math:`r_{ui}` is binomial, and a pair that was
never bought has no row. Whoever knows :math:`\pi` and :math:`n_u`, and no other count, expects of a
pair that has one

.. math:: E[r_{ui} \mid r_{ui} > 0] = \frac{n_u \pi_{ui}}{1 - (1 - \pi_{ui})^{n_u}}
"""

import numpy as np

from rslib.files import code_digest
from rslib.ratings import Info, Ratings
from rslib.sources.drawn import load_drawn
from rslib.sources.preferences import prefer

__all__ = ["generate", "load_purchases"]

N_DAYS = 730
LEAST = 10              # purchases of the least active user, where there are enough
BASKET = 6              # purchases in a typical basket
BLOCK = 4_000_000       # chances of users and items held at once
KEPT = 200_000          # purchases from which a set is kept: fewer are drawn as fast as read


def _counts(n_purchases, n_users, rng):
    """Draw how many purchases each user makes."""
    if not 0 < n_users <= n_purchases:
        raise ValueError(f"{n_purchases:,} purchases do not fit {n_users:,} users: give each user "
                         "at least one")
    least = min(LEAST, n_purchases // n_users)
    shares = rng.lognormal(0, 1, n_users)
    return least + rng.multinomial(n_purchases - least * n_users, shares / shares.sum())


def _baskets(rows, counts, rng):
    """Draw the day of each purchase: that of one of its user's baskets."""
    n_baskets = 1 + rng.poisson(counts / BASKET)
    days = rng.integers(0, N_DAYS, n_baskets.sum())
    first = np.cumsum(n_baskets) - n_baskets
    return days[first[rows] + (rng.random(len(rows)) * n_baskets[rows]).astype(np.int64)]


def _log(chances, counts, rng):
    """Draw the purchases of some users in the order of user and time: user, item and day."""
    rows = np.repeat(np.arange(len(counts)), counts)
    edges = np.cumsum(chances, axis=1)
    edges /= edges[:, -1:]
    items = np.concatenate([np.searchsorted(row, rng.random(n), "right")
                            for row, n in zip(edges, counts, strict=True)])
    days = _baskets(rows, counts, rng)
    order = np.lexsort((rng.random(len(rows)), days, rows))
    return rows, items[order], days[order]      # the order leaves users together


def _block(chances, counts, rng):
    """Draw the pairs of some users at their last purchase: user, item, day, rank, count, expected.
    """
    rows, items, days = _log(chances, counts, rng)
    keys = rows * chances.shape[1] + items
    _, place, times = np.unique(keys[::-1], return_index=True, return_counts=True)
    last = len(keys) - 1 - place
    order = np.argsort(last)
    last, times = last[order], times[order]
    users, items, days = rows[last], items[last], days[last]
    _, first, day = np.unique(users * N_DAYS + days, return_index=True, return_inverse=True)
    chance, n = chances[users, items], counts[users]
    expected = n * chance / -np.expm1(n * np.log1p(-np.minimum(chance, 1 - 1e-9)))
    return users, items, days, np.arange(len(last)) - first[day], times, expected


def generate(n_purchases, *, n_users=None, n_items=None, n_factors=8, seed=0, taste=1.5, zipf=1.0):
    r"""Draw a world and its purchases, added up by pair, grouped by user and in order of time.

    Parameters
    ----------
    n_purchases : int
        The sum of all counts, exactly.
    n_users, n_items : int or None
        None takes a user for each fifty purchases, and 1,000 items for a hundred thousand of them,
        twice as many for eight times as many.
    n_factors : int
        Dimensions of taste.
    seed : int
        Same arguments and seed, same purchases.
    taste : float
        :math:`\tau`, standard deviation of p_u . q_i over random pairs, in logarithms of chances; 0
        lets all users want the same.
    zipf : float
        :math:`\zeta`; 0 makes all items equally popular.

    Returns
    -------
    Ratings
        Values are counts from 1 on, days those of the last purchase, and ``measure`` is
        "purchases". ``info.extra["planted"]`` is the truth
        (`rslib.sources.preferences.Preferences`), and ``info.extra["expected"]`` (float32, aligned
        with the rows of this object) the mean of each count, given that there is one.

    Raises
    ------
    ValueError
        If there are fewer purchases than users.

    Notes
    -----
    Cost: n_users * n_items exponentials.
    """
    rng = np.random.default_rng(seed)
    n_users = n_users or max(1, round(n_purchases / 50))
    n_items = n_items or max(2, round(1000 * (n_purchases / 1e5) ** (1 / 3)))
    counts = _counts(n_purchases, n_users, rng)
    planted = prefer(counts, n_items, n_factors, taste, zipf, rng)
    blocks, step = [], max(1, BLOCK // n_items)
    for start in range(0, n_users, step):
        users = slice(start, start + step)
        rows, *columns = _block(planted.chances(users), counts[users], rng)
        blocks.append((rows + start, *columns))
    users, items, days, ranks, values, expected = map(np.concatenate, zip(*blocks, strict=True))
    info = Info("synthetic-purchases", np.arange(n_users), np.arange(n_items),
                scale=(float(values.min()), float(values.max())), first_day="2010-01-01",
                n_duplicates=n_purchases - len(values), measure="purchases",
                extra={"planted": planted, "expected": expected.astype(np.float32)})
    return Ratings(users, items, days, n_users, n_items, values, ranks.astype(np.int32), info)


def _version():
    """Return what the drawn numbers depend on: this code and the library that draws."""
    return [code_digest(("sources/purchases.py", "sources/preferences.py")), np.__version__]


def load_purchases(name, cache=None):
    """Return the set that ``name`` describes, drawn with seed 0 or kept from an earlier call.

    Parameters
    ----------
    name : str
        ``synthetic-purchases`` (100,000 of them) or ``synthetic-purchases-<n>``, ``-<n>k``,
        ``-<n>m``, as in ``synthetic-purchases-1m``.
    cache : path or None
        Folder of the stores; see `rslib.sources.load`.

    Returns
    -------
    Ratings
        See `generate`.

    Raises
    ------
    ValueError, OSError
        See `load_drawn`.
    """
    return load_drawn(name, "synthetic-purchases", ("50k", "1m"), generate, KEPT, _version(), cache)
