"""The day of a rating: the span of training, sessions, and how far a day is from a user's own."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rslib.backend import array_module, sum_by
from rslib.models.parts.part import Part

_DAY = 2 ** 32      # more than there are days: user * _DAY + day numbers a user and a day


class When(NamedTuple):
    """Pairs, and what is known of the time of each."""

    users: np.ndarray       # (n,) int32
    items: np.ndarray       # (n,) int32
    days: np.ndarray        # (n,) int32, moved into the span of the training days
    sessions: np.ndarray    # (n,) int64, -1 for a user and day of which no rating is known
    sizes: np.ndarray       # (n,) int32, ratings known of that user on that day, at least 1
    deviations: np.ndarray  # (n,) float32, dev_u(t), between -1 and 1


def days_of(pairs, last_day=0):
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
    if not len(known):
        return xp.full(len(keys), -1)
    places = xp.minimum(xp.searchsorted(known, keys), len(known) - 1)
    return xp.where(known[places] == keys, places, -1)


class Span(Part):
    """The span of the training days, where dev and every bin of time end."""

    learned = derived = ("first_day_", "last_day_")

    def start(self, model, train, seen, rng):
        days = days_of(train)
        model.first_day_, model.last_day_ = int(days.min()), int(days.max())


@dataclass(frozen=True)
class Sessions(Part):
    r"""Sessions, all that one user rated on one day, and the middle day of each user.

    .. math:: \mathrm{dev}_u(t) = \mathrm{sign}(t - t_u)\, (|t - t_u| / T)^{\beta}

    with :math:`t_u` the mean day of the user's training ratings and T the days between the first
    training day and the last. A day outside is taken as the nearest day inside.

    It learns ``session_keys_`` int64 (n_sessions,), sorted, a number for each user and day,
    ``session_users_`` and ``session_days_``, int64 (n_sessions,), ``session_sizes_`` int32
    (n_sessions,), ratings known of that day, and ``user_days_`` float32 (n_users,), t_u.
    """

    beta: float

    learned = derived = ("session_keys_", "session_users_", "session_days_", "session_sizes_",
                         "user_days_")
    of_users = True

    def start(self, model, train, seen, rng):
        """Number the sessions of ``train``, and of ``seen`` where it carries days.

        Only sessions and their sizes know of ``seen``: the users' middle days do not.
        """
        xp, days = array_module(train.users), days_of(train, model.last_day_)
        inside = xp.clip(days, model.first_day_, model.last_day_)
        counts = xp.bincount(train.users, minlength=train.n_users)
        sums = sum_by(train.users, inside, train.n_users)
        model.user_days_ = (sums / xp.maximum(counts, 1)).astype(np.float32)
        rated = [(train, days)]
        if seen is not None and seen.days is not None and train.days is not None:
            rated.append((seen, seen.days))
        pairs = xp.concatenate([part.users.astype(np.int64) * train.n_items + part.items
                                for part, _ in rated])
        keys = xp.concatenate([keys_of(part, when) for part, when in rated])
        model.session_keys_ = xp.unique(keys)
        _, once = xp.unique(pairs, return_index=True)       # both rated and seen is one rating
        places = xp.searchsorted(model.session_keys_, keys[once])
        sizes = xp.bincount(places, minlength=len(model.session_keys_))
        model.session_sizes_ = xp.maximum(sizes, 1).astype(np.int32)
        model.session_users_ = model.session_keys_ // _DAY
        model.session_days_ = xp.clip(model.session_keys_ % _DAY - _DAY // 2, model.first_day_,
                                      model.last_day_)

    def deviations(self, model, users, days):
        """Return dev_u(t) of each row."""
        xp = array_module(users)
        span = max(model.last_day_ - model.first_day_, 1)
        gaps = (days - model.user_days_[users]) / np.float32(span)
        return (xp.sign(gaps) * abs(gaps) ** np.float32(self.beta)).astype(np.float32)

    def when(self, model, pairs):
        """Look up the time of each pair; a pair without a day is of the last day of training."""
        xp, days = array_module(pairs.users), days_of(pairs, model.last_day_)
        sessions = place_of(keys_of(pairs, days), model.session_keys_)
        days = xp.clip(days, model.first_day_, model.last_day_)
        sizes = xp.ones(len(pairs), np.int32)
        known = sessions >= 0
        sizes[known] = model.session_sizes_[sessions[known]]
        return When(pairs.users, pairs.items, days, sessions, sizes,
                    self.deviations(model, pairs.users, days))

    def every(self, model):
        """Return a row for each session, of item 0."""
        users, days = model.session_users_, model.session_days_
        xp = array_module(users)
        return When(users, xp.zeros(len(users), np.int32), days, xp.arange(len(users)),
                    model.session_sizes_, self.deviations(model, users, days))
