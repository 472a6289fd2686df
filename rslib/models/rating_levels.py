"""Ratings as levels, and the biases of levels: of a movie, of a user, of a user's day."""

from typing import NamedTuple

import numpy as np

from rslib.backend import array_module, sum_by
from rslib.models.parts.sessions import days_of, keys_of, place_of

_NO_DAY = -1        # pairs without a day are of no session


class Bias(NamedTuple):
    """One kind of bias: which row of its table each rating adds, and how often it is rated."""

    name: str           # attribute that holds the table, (n, n_levels)
    ids: np.ndarray     # (n_ratings,), -1 for none
    counts: np.ndarray  # (n,) ratings of each row of the table


class Levels:
    r"""Mixin of a model in which a rating is one of K levels, each with a bias.

    .. math:: o_{ui}^k = a^k + b_i^k + b_u^k + b_{ut}^k

    with :math:`a^k` the logarithm of the share of level k in all ratings. Of the others, the model
    has those whose table has rows: of what is visible, of a case, of a session.

    The model has fields ``n_levels``, ``case_bias``, ``session_bias`` and ``reg_bias``, and learns
    ``levels_`` float32 (K,), stars; ``log_shares_`` float32 (K,); and the tables ``visible_bias_``,
    ``case_bias_`` and ``session_bias_``, float32 (n, K), with ``session_keys_``, int64, sorted, a
    number for each user and day.
    """

    def _learn_levels(self, values):
        """Learn the levels: the values themselves where they are few, else bins of equal size."""
        xp = array_module(values)
        self.levels_ = xp.unique(values)
        if len(self.levels_) > self.n_levels:
            ordered, n = values[xp.argsort(values)], len(values)
            edges = xp.asarray([n * (2 * bin_ + 1) // (2 * self.n_levels)
                                for bin_ in range(self.n_levels)])
            self.levels_ = xp.unique(ordered[edges])
        levels = self._level_of(values)
        counts = xp.bincount(levels, minlength=len(self.levels_))
        if len(self.levels_) == self.n_levels:
            self.levels_ = (sum_by(levels, values, len(counts)) / counts).astype(xp.float32)
        self.log_shares_ = xp.log(counts / len(values)).astype(xp.float32)

    def _level_of(self, values):
        """Return the nearest level of each rating, int32 (n,)."""
        xp = array_module(values)
        middles = (self.levels_[1:] + self.levels_[:-1]) / 2
        return xp.searchsorted(middles, values).astype(xp.int32)

    def _learn_sessions(self, train):
        """Number the users' days of ``train``; none where sessions have no bias."""
        xp = array_module(train.users)
        self.session_keys_ = (xp.unique(keys_of(train, days_of(train, _NO_DAY)))
                              if self.session_bias else xp.zeros(0, dtype=xp.int64))

    def _start_biases(self, xp, n_visible, n_cases):
        """All biases zero; a table that the model does without has no rows."""
        sizes = (n_visible, n_cases if self.case_bias else 0, len(self.session_keys_))
        self.visible_bias_, self.case_bias_, self.session_bias_ = (
            xp.zeros((n, len(self.levels_)), dtype=xp.float32) for n in sizes)

    def _sessions_of(self, pairs):
        """Return the number of the user and day of each pair, -1 where none is known."""
        return place_of(keys_of(pairs, days_of(pairs, _NO_DAY)), self.session_keys_)

    def _offsets(self, biases):
        """Return o of each rating, (n, K)."""
        offsets = self.log_shares_
        for name, ids, _ in biases:
            known = (ids >= 0)[:, None]
            offsets = offsets + known * self.learned(name)[ids]
        return offsets

    def _step_biases(self, biases, residuals, rate):
        r"""Move each bias by a share of a Newton step, its curvature bounded by a quarter a rating.

        .. math:: b^k \leftarrow b^k + \eta \frac{\sum_n g_n^k - \lambda \frac{m}{n} b^k}
                  {n / 4 + \lambda}

        with n the ratings of this bias, m those that ``residuals`` g are of.
        """
        xp, n_levels = array_module(residuals), residuals.shape[1]
        for name, ids, counts in biases:
            table, known = self.learned(name), ids >= 0
            places = (ids[known].astype(np.int64)[:, None] * n_levels + xp.arange(n_levels)).ravel()
            sums = sum_by(places, residuals[known].ravel(), table.size).reshape(table.shape)
            share = xp.bincount(ids[known], minlength=len(table)) / xp.maximum(counts, 1)
            step = (sums - self.reg_bias * share[:, None] * table) / (
                counts[:, None] / 4 + self.reg_bias)
            table += (rate * step).astype(xp.float32)
