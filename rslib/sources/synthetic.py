r"""A Netflix-like world of any size with planted truth, whose best possible RMSE is known.

User u rates item i on day t with x stars plus noise, told in whole stars:

.. math::
    x_{uit} &= \mu + b_u + b_i + p_u \cdot q_i + \delta\,[t \ge t_\delta]
               + a\,(t - t_i) / 365.25 + m_{ut} + c_i\,(\ln f_{ut} - \ln 6)
               + (d_u + v_u \cdot q_i)(t / T - \tfrac12) \\
    r_{uit} &= \mathrm{clip}(\mathrm{round}(x_{uit} + \sigma \varepsilon), 1, 5),
               \qquad \varepsilon \sim N(0, 1)

=====================================  ============================================================
effect                                 equation
=====================================  ============================================================
user and item biases                   :math:`b_u, b_i` normal, each with mean exactly zero
taste                                  :math:`p_{uf} \sim N(0, 1)`, :math:`q_{if} \sim N(0, s_f^2)`,
                                       :math:`s_f^2 \propto 1/f`, :math:`\sum_f s_f^2` fixed
sudden rise of the mean                :math:`\delta` from day :math:`t_\delta` = 1520 (early 2004)
movies age well                        :math:`a` a year since the first day :math:`t_i` of the item;
                                       half of the items are there on day 0
mood of the day                        :math:`m_{ut}` normal, one for each user and day
same-day frequency                     :math:`c_i` normal; :math:`f_{ut}` ratings on that day
drift of users                         :math:`d_u, v_{uf}` normal, off unless asked for; T = 2200
activity of users                      20 ratings plus a log-normal share of the rest
popularity and non-random missingness  below
=====================================  ============================================================

Each user picks items one by one, without replacement, in proportion to

.. math:: w_{ui} = \exp(\tau z_i + \gamma (b_i + p_u \cdot q_i)), \qquad z_i \sim N(0, 1)

so popularity is log-normal, popular items are better, and users rate what they will like. The
draw is an exponential race, exact at any density: the :math:`n_u` smallest of
:math:`E_{ui} / w_{ui}`, :math:`E_{ui} \sim \mathrm{Exp}(1)`, over the items already released.

Members join ever faster, stay for a while and rate in sessions, the longest ones first. What does
not average to zero over the ratings (rise, ageing, frequency, the pull of selection) adds to
:math:`\mu`, so the mean rating lies above it.

No predictor can beat the conditional mean given all of this, and its RMSE is the floor:

.. math:: E[r_{uit}] = 1 + \sum_{s=1}^{4} \Phi\left((x_{uit} - s - \tfrac12) / \sigma\right)

References
----------
Koren, Collaborative filtering with temporal dynamics (2009), section 2 for the rise and the ageing,
doi:10.1145/1557019.1557072. Koren, The BellKor Solution to the Netflix Grand Prize (2009), section
III for day effects and frequencies.
"""

import numpy as np
import scipy

from rslib.files import code_digest
from rslib.ratings import Info, Pairs, Ratings
from rslib.sources.drawn import load_drawn
from rslib.sources.planted import N_DAYS, Strengths, expected_stars, normal, plant

__all__ = ["generate", "load_synthetic"]

LEAST = 20              # ratings of the least active user, where there are enough
SESSION = 6             # ratings in a typical session: where the frequency effect is zero
BLOCK = 4_000_000       # user-item pairs raced at once
KEPT = 200_000          # ratings from which a set is kept: fewer are drawn as fast as they are read


def _deal(shares, total):
    """Deal a whole number in proportion to shares, in whole numbers."""
    edges = np.cumsum(shares)
    return np.diff(np.rint(edges * (total / max(edges[-1], 1e-9))), prepend=0).astype(np.int64)


def _counts(n_ratings, n_users, n_items, activity, rng):
    """Draw how many ratings each user gives, from the least to half of the items."""
    most = n_items // 2     # on any day at least half of the items can be rated
    if not 0 < n_users <= n_ratings <= n_users * most:
        raise ValueError(f"{n_ratings:,} ratings do not fit {n_users:,} users x {n_items:,} items: "
                         "give each user at least one and at most half of the items")
    least = min(LEAST, n_ratings // n_users)
    shares = rng.lognormal(0, activity, n_users)
    counts = least + _deal(shares, n_ratings - least * n_users)
    capped = np.minimum(counts, most)
    return capped + _deal(most - capped, (counts - capped).sum())


def _sessions(counts, rng):
    """Draw the days on which users rate, as sorted keys user * N_DAYS + day, and their ends."""
    start = N_DAYS * np.sqrt(rng.random(len(counts)))
    length = (N_DAYS - start) * rng.random(len(counts)) ** 0.25
    n_sessions = 1 + rng.poisson(counts / SESSION)
    users = np.repeat(np.arange(len(counts)), n_sessions)
    days = (start[users] + length[users] * rng.random(len(users))).astype(np.int64)
    return np.sort(users * N_DAYS + days), np.cumsum(n_sessions)


def _race(planted, user_factors, counts, last_days, rng):
    """Choose the items of each user by the exponential race."""
    pull = user_factors @ planted.item_factors.T
    pull += planted.item_bias
    pull *= np.float32(planted.strengths.selection)
    pull += planted.log_popularity
    arrival = rng.standard_exponential(pull.shape, dtype=np.float32)
    arrival /= np.exp(pull, out=pull)
    np.copyto(arrival, np.inf, where=planted.first_days > last_days[:, None])
    # sorted, because the order that argpartition leaves depends on the processor
    return np.concatenate([np.sort(np.argpartition(row, n - 1)[:n])
                           for row, n in zip(arrival, counts, strict=True)])


def _watch(planted, users, items, sessions, ends, rng):
    """Put each rating into a session after the item's first day; return keys and order."""
    first = np.searchsorted(sessions, users * N_DAYS + planted.first_days[items])
    early = rng.random(len(users)) ** 2         # the first sessions of a user are the longest
    keys = sessions[first + ((ends[users] - first) * early).astype(np.int64)]
    order = np.argsort(keys + rng.random(len(users)))
    return keys[order], order


def _block(planted, users, counts, rng):
    """Draw items, days, ranks and x for the users of one slice, in order of user and time."""
    sessions, ends = _sessions(counts, rng)
    items = _race(planted, planted.user_factors[users], counts, sessions[ends - 1] % N_DAYS, rng)
    rows = np.repeat(np.arange(len(counts)), counts)
    keys, order = _watch(planted, rows, items, sessions, ends, rng)
    items, days = items[order], keys % N_DAYS
    _, first, day, sizes = np.unique(keys, return_index=True, return_inverse=True,
                                     return_counts=True)
    moods = normal(rng, planted.strengths.mood, len(sessions))
    pairs = Pairs(rows + users.start, items, days, len(planted.user_bias), len(planted.item_bias))
    stars = planted.static(pairs) + planted.trend(pairs)
    stars += moods[np.searchsorted(sessions, keys)]
    stars += planted.frequency[items] * np.log(sizes / SESSION)[day].astype(np.float32)
    return items, days, np.arange(len(keys)) - first[day], stars


def _draw(planted, counts, rng):
    """Fill the columns block by block: items, days, ranks, values and expected."""
    total, noise = counts.sum(), max(planted.strengths.noise, 1e-6)   # a step where noise is 0
    columns = [np.empty(total, dtype) for dtype in ("i4", "i4", "i4", "f4", "f4")]
    step, end = max(1, BLOCK // len(planted.item_bias)), 0
    for start in range(0, len(counts), step):
        users = slice(start, start + step)
        *drawn, stars = _block(planted, users, counts[users], rng)
        told = np.rint(stars + normal(rng, noise, len(stars))).clip(1, 5)
        rows = slice(end, end := end + len(stars))
        drawn += [told, expected_stars(stars, noise)]
        for column, block in zip(columns, drawn, strict=True):
            column[rows] = block
    return columns


def generate(n_ratings, *, n_users=None, n_items=None, n_factors=8, seed=0, **strengths):
    """Draw a world and its ratings, grouped by user and in order of time.

    Parameters
    ----------
    n_ratings : int
        Exactly so many rows, no pair twice.
    n_users, n_items : int or None
        None scales them as real sets do: 6,000 x 3,700 for a million ratings, 480,000 x 17,700 for
        a hundred million.
    n_factors : int
        Dimensions of taste.
    seed : int
        Same arguments and seed, same ratings.
    **strengths : float
        Any field of `rslib.sources.planted.Strengths`; ``noise=0.75``, ``mood=0`` and so on.

    Returns
    -------
    Ratings
        ``info.extra["planted"]`` is the truth (`rslib.sources.planted.Planted`) and
        ``info.extra["expected"]`` (float32, aligned with the rows of this object, not with those
        of a split) the best possible prediction of each rating, in stars.

    Raises
    ------
    TypeError
        If a strength is misspelt.
    ValueError
        If so many ratings do not fit into so many users and items.

    Notes
    -----
    Cost: n_users * n_items random numbers, 24 bytes a rating.
    """
    strengths = Strengths(**strengths)
    millions = n_ratings / 1e6
    n_users = n_users or max(1, round(6000 * millions ** 0.9515))
    n_items = n_items or max(2, round(3700 * millions ** 0.34))
    rng = np.random.default_rng(seed)
    counts = _counts(n_ratings, n_users, n_items, strengths.activity, rng)
    planted = plant(n_users, n_items, n_factors, strengths, rng)
    items, days, ranks, values, expected = _draw(planted, counts, rng)
    info = Info("synthetic", np.arange(n_users), np.arange(n_items), first_day="1999-12-31",
                extra={"planted": planted, "expected": expected})
    return Ratings(np.repeat(np.arange(n_users, dtype=np.int32), counts), items, days,
                   n_users, n_items, values, ranks, info)


def _version():
    """Return what the drawn numbers depend on: this code and the libraries that draw."""
    return [code_digest(("sources/synthetic.py", "sources/planted.py")),
            np.__version__, scipy.__version__]


def load_synthetic(name, cache=None):
    """Return the set that ``name`` describes, drawn with seed 0 or kept from an earlier call.

    Parameters
    ----------
    name : str
        ``synthetic`` (100,000 ratings) or ``synthetic-<n>``, ``synthetic-<n>k``,
        ``synthetic-<n>m``, as in ``synthetic-10m``.
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
    return load_drawn(name, "synthetic", ("500k", "10m"), generate, KEPT, _version(), cache)
