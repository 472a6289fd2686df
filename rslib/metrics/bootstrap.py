"""How sure an error is, or the difference of two: whole users are resampled."""

from dataclasses import dataclass

import numpy as np

from rslib.backend import asnumpy
from rslib.metrics.errors import residuals, rmse

__all__ = ["Interval", "paired_bootstrap", "standard_error"]


def squares_by_user(users, *errors):
    """Sum of squares per user (rows of the result) and the number of ratings (last row)."""
    _, index = np.unique(asnumpy(users), return_inverse=True)
    return np.stack([np.bincount(index, weights=asnumpy(error) ** 2) for error in errors]
                    + [np.bincount(index)])


def resampled(sums, n_resamples, seed):
    """Resampled column sums: users drawn with replacement, in blocks of bounded memory."""
    rng = np.random.default_rng(seed)
    n = sums.shape[1]
    block = max(1, 4_000_000 // n)
    totals = [rng.multinomial(n, np.full(n, 1 / n), size=min(block, n_resamples - start)) @ sums.T
              for start in range(0, n_resamples, block)]
    return np.concatenate(totals).T


@dataclass(frozen=True)
class Interval:
    """A difference with its 95 per cent interval; ``resolved`` when that excludes zero."""

    difference: float
    low: float
    high: float

    @property
    def resolved(self):
        return self.low > 0 or self.high < 0

    def __format__(self, spec):
        """Format all three numbers alike: ``f"{interval:+.3f}"``; four decimals by default.

        What could not be measured, NaN, is a dash.
        """
        if np.isnan(self.difference):
            return "–"
        difference, low, high = (format(number, spec or "+.4f") for number in
                                 (self.difference, self.low, self.high))
        return f"{difference} [{low}, {high}]"

    def __str__(self):
        return format(self)


def paired_bootstrap(predictions, reference, values, users, *, n_resamples=2000, seed=0):
    """Interval of RMSE(predictions) - RMSE(reference) on the same rows, resampling users.

    Whole users are drawn with replacement, because the errors of one user hang together; both
    models keep the same draw, so what they have in common cancels. Negative means that
    ``predictions`` are better.

    Parameters
    ----------
    predictions, reference, values : float array (n,)
        Stars.
    users : int array (n,)
    n_resamples : int
        Bootstrap draws; 2000 puts the ends of the interval within a few per cent of its width.
    seed : int

    Returns
    -------
    Interval
        Percentile interval, 95 per cent, in stars.

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    sums = squares_by_user(users, residuals(predictions, values), residuals(reference, values))
    ours, theirs, counts = resampled(sums, n_resamples, seed)
    differences = np.sqrt(ours / counts) - np.sqrt(theirs / counts)
    low, high = np.quantile(differences, [0.025, 0.975])
    difference = rmse(predictions, values) - rmse(reference, values)
    return Interval(difference, float(low), float(high))


def standard_error(predictions, values, users, *, n_resamples=2000, seed=0):
    """Standard error of the pooled RMSE, in stars, resampling users."""
    sums = squares_by_user(users, residuals(predictions, values))
    ours, counts = resampled(sums, n_resamples, seed)
    return float(np.sqrt(ours / counts).std(ddof=1))
