"""The protocol: how predictions are scored and how two models are compared."""

from dataclasses import dataclass

import numpy as np

from rslib.backend import array_module, asnumpy

__all__ = ["Interval", "clip", "clipped_rmse", "mae", "paired_bootstrap", "rmse", "standard_error"]


def clip(predictions, scale):
    """Return predictions clipped to the lowest and highest rating of ``scale``, in stars."""
    low, high = scale
    return array_module(predictions).clip(predictions, low, high)


def clipped_rmse(predictions, values, scale):
    """Return the RMSE as the contest scores it, in stars: of `clip`ped predictions, pooled."""
    return rmse(clip(predictions, scale), values)


def _errors(predictions, values):
    xp = array_module(predictions, values)
    if predictions.shape != values.shape or not values.size:
        raise ValueError(f"{predictions.shape} predictions for {values.shape} values; "
                         "need the same number, and at least one")
    return predictions.astype(xp.float64) - values.astype(xp.float64)


def _mean(losses, groups):
    """Mean over rows, or the per-group means."""
    if groups is None:
        return float(losses.mean())
    groups = asnumpy(groups)
    counts = np.bincount(groups)
    sums = np.bincount(groups, weights=asnumpy(losses))
    return sums[counts > 0] / counts[counts > 0]


def rmse(predictions, values, *, users=None):
    r"""Root mean squared error, in stars.

    .. math:: \sqrt{\tfrac{1}{|R|} \sum_{(u,i) \in R} (\hat r_{ui} - r_{ui})^2}

    pooled over all ratings, as in the contest. With ``users``, the other definition found in the
    literature: the mean over users of each user's own RMSE, which gives a user with one rating the
    weight of a user with a thousand.

    Parameters
    ----------
    predictions, values : float array (n,)
        Stars.
    users : int array (n,) or None
        User of each row, for the mean over users.

    Returns
    -------
    float
        Stars.
    """
    return float(np.mean(np.sqrt(_mean(_errors(predictions, values) ** 2, users))))


def mae(predictions, values, *, users=None):
    """Mean absolute error, in stars: pooled over ratings, or the mean over ``users``."""
    return float(np.mean(_mean(abs(_errors(predictions, values)), users)))


def _by_user(users, *errors):
    """Sum of squares per user (rows of the result) and the number of ratings (last row)."""
    _, index = np.unique(asnumpy(users), return_inverse=True)
    return np.stack([np.bincount(index, weights=asnumpy(error) ** 2) for error in errors]
                    + [np.bincount(index)])


def _resample(sums, n_resamples, seed):
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
    sums = _by_user(users, _errors(predictions, values), _errors(reference, values))
    ours, theirs, counts = _resample(sums, n_resamples, seed)
    differences = np.sqrt(ours / counts) - np.sqrt(theirs / counts)
    low, high = np.quantile(differences, [0.025, 0.975])
    difference = rmse(predictions, values) - rmse(reference, values)
    return Interval(difference, float(low), float(high))


def standard_error(predictions, values, users, *, n_resamples=2000, seed=0):
    """Standard error of the pooled RMSE, in stars, resampling users."""
    sums = _by_user(users, _errors(predictions, values))
    ours, counts = _resample(sums, n_resamples, seed)
    return float(np.sqrt(ours / counts).std(ddof=1))
