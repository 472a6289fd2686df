"""What the neighbourhoods that fade share: what was rated when, and how fast it is forgotten."""

import numpy as np

from rslib.backend import array_module, rows_of, starts_of
from rslib.models.base import Model
from rslib.models.session_sums import SessionSums

ENTRIES = 1 << 22       # faded weights laid out at a time when pairs are predicted


class Fading(SessionSums):
    r"""Base of the models in which a rating speaks by :math:`e^{-\beta_u |t - t_j|}`.

    A subclass has the fields ``rate``, ``learning_rate_rate`` and ``reg_rate``, and learns
    ``log_rates_`` float32 (n_users,), the logarithm of beta_u per day. It keeps what was rated, in
    order of user and day: ``rated_indptr_`` int64 (n_users + 1,), ``rated_ids_`` int32,
    ``rated_days_`` float32, and ``rated_x_`` float32, the deviations from the temporal baseline
    over |R(u)|^1/2.
    """

    _why_no_fold_in = "how fast a user forgets is learned together with the weights"
    _rated = ("rated_indptr_", "rated_ids_", "rated_days_", "rated_x_")

    def _remember(self, indptr, items, days, x):
        self.rated_indptr_, self.rated_ids_, self.rated_x_ = indptr, items, x
        self.rated_days_ = days.astype(np.float32)

    def _parts(self, train, rng, **tables):
        xp = array_module(train.users)
        self.log_rates_ = xp.full(train.n_users, np.log(self.rate), xp.float32)
        return super()._parts(train, rng, log_rates=self.log_rates_, **tables)

    def _rates(self, decay):
        factors, weights, _ = super()._rates(decay)
        return factors, weights, (self.learning_rate_rate * decay, self.reg_rate,
                                  np.log(self.rate))

    def fold_in(self, ratings):
        """Raise: see `Model.fold_in`."""
        return Model.fold_in(self, ratings)

    @property
    def rates_(self):
        """beta_u of each user, per day, float32 (n_users,)."""
        return array_module(self.log_rates_).exp(self.log_rates_)

    def _faded(self, users, days):
        """Lay out what was rated by these users, faded to these days, some moments at a time.

        Yields
        ------
        slice
            Of the moments.
        indptr, ids, x, d : arrays
            A CSR with a row for each of them: what was rated, its explicit and implicit weight.
        """
        xp = array_module(users)
        lengths = xp.diff(self.rated_indptr_)[users]
        ends, first = xp.cumsum(lengths), 0
        while first < len(users):
            done = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(xp.searchsorted(ends, done + ENTRIES, side="right")))
            part = slice(first, last)
            indptr = starts_of(lengths[part])
            rows = rows_of(indptr)
            entries = (self.rated_indptr_[users[part]] - indptr[:-1])[rows] + xp.arange(len(rows))
            gaps = abs(self.rated_days_[entries] - days[part][rows].astype(xp.float32))
            left = xp.exp(-self.rates_[users[part]][rows] * gaps)
            share = (xp.maximum(lengths[part], 1) ** -0.5)[rows]
            yield (part, indptr, self.rated_ids_[entries], left * self.rated_x_[entries],
                   (left * share).astype(xp.float32))
            first = last
