"""Sessions: all that one user rated on one day, and what a model of time derives from the day."""

from typing import NamedTuple

import numpy as np

from rslib.backend import array_module, sum_by
from rslib.ratings import Pairs, Ratings

_DAY = 2 ** 32      # more than there are days: user * _DAY + day numbers a user and a day


class When(NamedTuple):
    """What is known of the time of each pair."""

    days: np.ndarray        # (n,) int32, moved into the span of the training days
    sessions: np.ndarray    # (n,) int64, -1 for a user and day of which no rating is known
    sizes: np.ndarray       # (n,) int32, ratings known of that user on that day, at least 1
    deviations: np.ndarray  # (n,) float32, dev_u(t), between -1 and 1


def days_of(pairs: Pairs, last_day=0):
    """Return the days of pairs; those without days are all of ``last_day``."""
    if pairs.days is not None:
        return pairs.days
    return array_module(pairs.users).full(len(pairs), last_day, np.int32)


def keys_of(pairs, days):
    """Return a number for the user and day of each pair, in order of user and day."""
    return pairs.users.astype(np.int64) * _DAY + (days + np.int64(_DAY // 2))


def place_of(keys, known):
    """Return the place of each key among the sorted ``known`` ones, -1 where it is none of them."""
    xp = array_module(keys, known)
    places = xp.minimum(xp.searchsorted(known, keys), len(known) - 1)
    return xp.where(known[places] == keys, places, -1)


class Sessions:
    r"""Mixin of the models of time: sessions, the span of training, the centre of each user.

    .. math:: \mathrm{dev}_u(t) = \mathrm{sign}(t - t_u)\, (|t - t_u| / T)^{\beta}

    with :math:`t_u` the mean day of the user's training ratings and T the days between the first
    training day and the last. A day outside is taken as the nearest day inside.

    The model has a field ``beta``, and learns ``first_day_`` and ``last_day_``, ``session_keys_``
    int64 (n_sessions,), sorted, a number for each user and day, ``session_sizes_`` int32
    (n_sessions,), ratings known of that day, and ``user_days_`` float32 (n_users,), t_u.
    """

    _calendar = ("session_keys_", "session_sizes_", "user_days_", "first_day_", "last_day_")

    def _learn_days(self, train: Ratings):
        """Learn the span of the training days, where dev and every bin of time end."""
        days = days_of(train)
        self.first_day_, self.last_day_ = int(days.min()), int(days.max())

    def _learn_sessions(self, ratings: Ratings, seen: Pairs | None = None):
        """Number the sessions of ``ratings``, and of ``seen`` where it carries days.

        Only sessions and their sizes know of ``seen``: the users' middle days do not.
        """
        xp, days = array_module(ratings.users), days_of(ratings, self.last_day_)
        inside = xp.clip(days, self.first_day_, self.last_day_)
        counts = xp.bincount(ratings.users, minlength=ratings.n_users)
        sums = sum_by(ratings.users, inside, ratings.n_users)
        self.user_days_ = (sums / xp.maximum(counts, 1)).astype(np.float32)
        rated = [(ratings, days)]
        if seen is not None and seen.days is not None and ratings.days is not None:
            rated.append((seen, seen.days))
        pairs = xp.concatenate([part.users.astype(np.int64) * ratings.n_items + part.items
                                for part, _ in rated])
        keys = xp.concatenate([keys_of(part, when) for part, when in rated])
        self.session_keys_ = xp.unique(keys)
        _, once = xp.unique(pairs, return_index=True)       # both rated and seen is one rating
        places = xp.searchsorted(self.session_keys_, keys[once])
        sizes = xp.bincount(places, minlength=len(self.session_keys_))
        self.session_sizes_ = xp.maximum(sizes, 1).astype(np.int32)

    @property
    def session_users_(self):
        """User of each session, int64 (n_sessions,)."""
        return self.session_keys_ // _DAY

    @property
    def session_days_(self):
        """Day of each session, moved into the span of training, int64 (n_sessions,)."""
        days = self.session_keys_ % _DAY - _DAY // 2
        return array_module(days).clip(days, self.first_day_, self.last_day_)

    def _deviations(self, users, days):
        xp = array_module(users)
        span = max(self.last_day_ - self.first_day_, 1)
        gaps = (days - self.user_days_[users]) / np.float32(span)
        return (xp.sign(gaps) * abs(gaps) ** np.float32(self.beta)).astype(np.float32)

    def _when(self, pairs: Pairs) -> When:
        """Look up the time of each pair; a pair without a day is of the last day of training."""
        xp, days = array_module(pairs.users), days_of(pairs, self.last_day_)
        sessions = place_of(keys_of(pairs, days), self.session_keys_)
        days = xp.clip(days, self.first_day_, self.last_day_)
        return When(days, sessions, xp.where(sessions >= 0, self.session_sizes_[sessions], 1),
                    self._deviations(pairs.users, days))
