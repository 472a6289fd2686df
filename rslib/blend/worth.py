"""What a member is worth to a blend: selection, leaving one out, and how errors hang together."""

from typing import NamedTuple

import numpy as np

from rslib.blend.blender import require_column, require_spread, require_table
from rslib.blend.crossfit import cross_fit, folds_of
from rslib.blend.linear import Ridge, moments

__all__ = ["Step", "diversity", "greedy", "leave_one_out", "two_member_optimum"]


class Step(NamedTuple):
    """One member that was added, and the error of the blend with it."""

    name: str
    rmse: float         # stars, cross-fitted, not clipped


def greedy(blender, predictions, targets, groups, names, *, n_folds=5, side=None, n_steps=None):
    """Add one member after the other, each the one that lowers the cross-fitted RMSE most.

    All members are added, or ``n_steps``, even where the error rises: where to stop is what the
    path shows. The minimum over a path was chosen on the same ratings, so it flatters the blend.

    Parameters
    ----------
    blender, predictions, targets, groups, n_folds, side
        As `cross_fit` takes them.
    names : sequence of str (n_members,)
    n_steps : int or None

    Returns
    -------
    list of Step
        In the order of addition.

    Notes
    -----
    Cost: O(M^2) cross-fits. For `Ridge` each is read off moments that are summed once, which takes
    O(M^3) in place of O(N M^2).
    """
    error_of, names = _error_of(blender, predictions, targets, groups, n_folds, side, names)
    chosen, path = [], []
    for _ in range(min(n_steps or len(names), len(names))):
        errors = {at: error_of([*chosen, at]) for at in range(len(names)) if at not in chosen}
        chosen.append(min(errors, key=errors.get))
        path.append(Step(names[chosen[-1]], errors[chosen[-1]]))
    return path


def leave_one_out(blender, predictions, targets, groups, names, *, n_folds=5, side=None):
    """Return by how much the cross-fitted RMSE rises without each member, in stars.

    Members that say the same are each worth little, though one of them be worth much.

    Parameters
    ----------
    blender, predictions, targets, groups, names, n_folds, side
        As in `greedy`; at least two members.

    Returns
    -------
    dict of str to float
        In the order of ``names``; below zero where the blend is better without.
    """
    error_of, names = _error_of(blender, predictions, targets, groups, n_folds, side, names)
    every = list(range(len(names)))
    if len(every) < 2:
        raise ValueError("leave_one_out needs at least two members")
    whole = error_of(every)
    return {names[at]: error_of([other for other in every if other != at]) - whole
            for at in every}


def _error_of(blender, predictions, targets, groups, n_folds, side, names):
    """Return what gives the cross-fitted RMSE of a list of columns, and the names."""
    predictions, names = require_table("predictions", predictions), list(names)
    targets = require_column("targets", targets, len(predictions))
    require_spread(predictions)
    if len(names) != predictions.shape[1] or len(set(names)) != len(names):
        raise ValueError(f"names: {len(set(names))} different names for {predictions.shape[1]} "
                         "members; need one for each")
    if type(blender) is Ridge:
        return _from_moments(blender, predictions, targets, folds_of(groups, n_folds)), names

    def error_of(columns):
        blend = cross_fit(blender, predictions[:, columns], targets, groups, n_folds, side)
        return float(np.sqrt(np.mean((blend - targets) ** 2)))
    return error_of, names


def _from_moments(ridge, predictions, targets, folds):
    """The same RMSE for `Ridge`: every sum over the rows of a fold is taken once."""
    sums = np.stack([moments(predictions[folds == fold], targets[folds == fold])
                     for fold in range(folds.max() + 1)])
    every = sums.sum(axis=0)

    def error_of(columns):
        picked = [0, *(1 + at for at in columns), -1]
        here = np.ix_(picked, picked)
        squares = 0.0
        for fold in sums:
            intercept, weights = ridge.from_moments((every - fold)[here])
            error = np.concatenate([[-intercept], -weights, [1.0]])     # target less blend
            squares += error @ fold[here] @ error
        return float(np.sqrt(squares / every[0, 0]))
    return error_of


def diversity(predictions, targets):
    """Return the correlation of the members' errors, float64 (n_members, n_members).

    The lower, the more two members gain by being blended; the variance that they share, no blend
    takes away.

    Raises
    ------
    ValueError
        Different lengths, NaN, no members, errors that are all the same.
    """
    predictions = require_table("predictions", predictions)
    errors = require_column("targets", targets, len(predictions))[:, None] - predictions
    if (errors.std(axis=0) == 0).any():
        at = int(np.argmin(errors.std(axis=0)))
        raise ValueError(f"member {at} has the same error on every pair: no correlation")
    return np.corrcoef(errors, rowvar=False).reshape(errors.shape[1], -1)


def two_member_optimum(variance_a, variance_b, correlation):
    r"""Return the best share of a in a blend of two, and the variance of error that it leaves.

    .. math:: w = \frac{\sigma_b^2 - \rho \sigma_a \sigma_b}
                       {\sigma_a^2 + \sigma_b^2 - 2 \rho \sigma_a \sigma_b}, \qquad
              \sigma^2 = \frac{\sigma_a^2 \sigma_b^2 (1 - \rho^2)}
                              {\sigma_a^2 + \sigma_b^2 - 2 \rho \sigma_a \sigma_b}

    for shares w and 1 - w. A member that is worse still helps as long as
    :math:`\rho < \sigma_a / \sigma_b` with a the better one; beyond, it gets a share below zero.

    Parameters
    ----------
    variance_a, variance_b : float, above 0
        Of the errors, in stars squared; the mean squared error where errors have mean zero, as
        they do after an intercept.
    correlation : float in [-1, 1]

    Returns
    -------
    (float, float)
        Share of a; variance of the error of the blend, its mean squared error with an intercept.

    Raises
    ------
    ValueError
        If a variance or the correlation is outside its domain, or both members err alike.

    References
    ----------
    Bates and Granger, The Combination of Forecasts (1969), doi:10.1057/jors.1969.103.
    """
    if min(variance_a, variance_b) <= 0 or abs(correlation) > 1:
        raise ValueError("variances must be above 0 and the correlation within [-1, 1], not "
                         f"{variance_a}, {variance_b}, {correlation}")
    shared = correlation * np.sqrt(variance_a * variance_b)
    difference = variance_a + variance_b - 2 * shared
    if difference <= 1e-12 * (variance_a + variance_b):
        raise ValueError("both members err alike: every share gives the same blend")
    return ((variance_b - shared) / difference,
            variance_a * variance_b * (1 - correlation ** 2) / difference)
