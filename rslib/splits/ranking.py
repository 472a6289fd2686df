"""Who is held out where models rank: some ratings of every user, or whole users."""

from dataclasses import dataclass, field

import numpy as np

from rslib.backend import asnumpy
from rslib.ratings import Ratings
from rslib.splits.picks import last_ratings, require_share, share_of_each

__all__ = ["HoldOut", "by_user", "last_out", "strong"]


@dataclass(frozen=True, eq=False)
class HoldOut:
    """What a model that ranks is fitted to, what it knows of those it is asked, and the answers.

    All parts have the size and the numbering of the ratings that were split, so they meet any
    model that was fitted to one of them. A validation part is split off ``train`` by a second call.

    Parameters
    ----------
    train, known, held_out : Ratings
        Weak generalisation asks users of ``train``, so ``known`` is ``train``. Strong
        generalisation asks others, who are not in ``train``: the model learns of them by
        ``fold_in(known)``.
    rows : dict of str to int64 array
        Positions of each part in the ratings that were split.

    Examples
    --------
    >>> split = strong(ratings)                                                 # doctest: +SKIP
    >>> model = model.fit(split.train).fold_in(split.known)                     # doctest: +SKIP
    >>> ranking = metrics.rank(model, split.known, split.held_out)              # doctest: +SKIP
    """

    train: Ratings
    known: Ratings
    held_out: Ratings
    rows: dict = field(repr=False)


def _picked(ratings, masks):
    rows = {name: np.flatnonzero(mask) for name, mask in masks.items()}
    for name, positions in rows.items():
        if not len(positions):
            raise ValueError(f"{name} would be empty: {ratings!r} is too small for this split")
    return rows, {name: ratings[positions] for name, positions in rows.items()}


def _weak(ratings, held_out):
    rows, parts = _picked(ratings, {"train": ~held_out, "held_out": held_out})
    return HoldOut(**parts, known=parts["train"], rows={**rows, "known": rows["train"]})


def last_out(ratings, *, n_last=1):
    """Leave the last rating of each user out: weak generalisation, in each user's own time.

    Ties within a day follow ``ranks``, then the order of the rows; without days that order stands
    for time. A user with one rating stays in training; see `last_ratings`. A model may learn from
    the future of other users; `by_time` forbids it.

    Parameters
    ----------
    ratings : Ratings
    n_last : int
        Ratings left out per user, at most half of a user's; 1 gives "leave one out".

    Returns
    -------
    HoldOut

    Raises
    ------
    ValueError
        If a part would be empty.
    """
    return _weak(ratings, last_ratings(ratings, n_last))


def by_user(ratings, *, fraction=0.2, seed=0):
    """Hold out a random ``fraction`` of the ratings of each user: weak generalisation.

    The number is rounded down, so at 0.2 a user with fewer than five ratings has none held out.

    Parameters
    ----------
    ratings : Ratings
    fraction : float in (0, 1)
    seed : int

    Returns
    -------
    HoldOut

    Raises
    ------
    ValueError
        If ``fraction`` is not inside (0, 1) or a part would be empty.
    """
    require_share(fraction)
    rng = np.random.default_rng(seed)
    return _weak(ratings, share_of_each(asnumpy(ratings.users), ratings.n_users, fraction, rng))


def strong(ratings, *, n_users=None, fraction=0.1, kept=0.8, seed=0):
    """Hold out whole users, and of each a random part to ask for: strong generalisation.

    The users are drawn among those who have ratings. The model is fitted without them; the share
    ``kept`` of their ratings is what it is told before it ranks the rest for them.

    Parameters
    ----------
    ratings : Ratings
    n_users : int or None
        Users held out; None takes ``fraction`` of those who have ratings.
    fraction : float in (0, 1)
    kept : float in (0, 1)
        Share of each held-out user's ratings that becomes ``known``, rounded up: at 0.8 a user
        with fewer than five ratings has none held out.
    seed : int

    Returns
    -------
    HoldOut

    Raises
    ------
    ValueError
        If a share is not inside (0, 1), no user would be held out or none left, or a part would be
        empty.

    Notes
    -----
    Differs from the source, which drops held-out ratings of items that no user of train rated:
    here they stay, and count as missed unless a model ranks them.

    References
    ----------
    Marlin, Collaborative Filtering: A Machine Learning Perspective (2004). Liang et al.,
    Variational Autoencoders for Collaborative Filtering (WWW 2018), section 4,
    doi:10.1145/3178876.3186150.
    """
    require_share(fraction)
    require_share(kept, "kept")
    users, rng = asnumpy(ratings.users), np.random.default_rng(seed)
    asked = _drawn(users, ratings.n_users, n_users, fraction, rng)[users]
    held_out = asked & share_of_each(users, ratings.n_users, 1 - kept, rng)
    rows, parts = _picked(ratings, {"train": ~asked, "known": asked & ~held_out,
                                    "held_out": held_out})
    return HoldOut(**parts, rows=rows)


def _drawn(users, size, n_users, fraction, rng):
    """Return a mask of ``n_users``, or a ``fraction``, of the users who have ratings."""
    active = np.unique(users)
    n_drawn = round(fraction * len(active)) if n_users is None else n_users
    if not 0 < n_drawn < len(active):
        raise ValueError(f"{n_drawn} of {len(active)} users with ratings would be held out; need "
                         "at least one, and one who is not")
    mask = np.zeros(size, bool)
    mask[rng.permutation(active)[:n_drawn]] = True
    return mask
