"""How far predictions are from ratings, in stars."""

import numpy as np

from rslib.backend import array_module, asnumpy

__all__ = ["clip", "clipped_rmse", "mae", "rmse"]


def clip(predictions, scale):
    """Return predictions clipped to the lowest and highest rating of ``scale``, in stars."""
    low, high = scale
    return array_module(predictions).clip(predictions, low, high)


def clipped_rmse(predictions, values, scale):
    """Return the RMSE as the contest scores it, in stars: of `clip`ped predictions, pooled."""
    return rmse(clip(predictions, scale), values)


def residuals(predictions, values):
    """Return prediction less value, float64 (n,), or raise unless there is one for each."""
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
    return float(np.mean(np.sqrt(_mean(residuals(predictions, values) ** 2, users))))


def mae(predictions, values, *, users=None):
    """Mean absolute error, in stars: pooled over ratings, or the mean over ``users``."""
    return float(np.mean(_mean(abs(residuals(predictions, values)), users)))
