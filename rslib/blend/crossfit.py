"""Cross-fitting: the only honest score of a blend on the ratings that it was fitted to."""

from dataclasses import replace

import numpy as np

from rslib.backend import asnumpy
from rslib.blend.blender import require_column, require_table

__all__ = ["cross_fit", "folds_of"]


def folds_of(groups, n_folds=5):
    """Return the fold of each row: groups are dealt out in turn, so no group is in two folds.

    Nothing is drawn: the same groups are always dealt alike.

    Parameters
    ----------
    groups : int array (n,)
        User of each row.
    n_folds : int, at least 2

    Returns
    -------
    int array (n,)

    Raises
    ------
    ValueError
        If there are fewer groups than folds.
    """
    names, rank = np.unique(asnumpy(groups), return_inverse=True)
    if n_folds < 2 or len(names) < n_folds:
        raise ValueError(f"{len(names)} users cannot be dealt into {n_folds} folds: need at least "
                         "2 folds, and a user for each")
    return rank % n_folds


def cross_fit(blender, predictions, targets, groups, n_folds=5, side=None):
    """Return what blends fitted to the other users say of each user's rows.

    A fresh copy of the blender is fitted for each fold. The members themselves were fitted to
    other ratings of the same users, so only the blend is cross-fitted.

    Parameters
    ----------
    blender : Blender
        Not fitted, and left so.
    predictions : array (n_pairs, n_members)
    targets : array (n_pairs,)
        Stars.
    groups : int array (n_pairs,)
        User of each row.
    n_folds : int, at least 2
    side : array (n_pairs, n_features) or None

    Returns
    -------
    float64 array (n_pairs,)
        Stars, not clipped.

    Raises
    ------
    ValueError
        Different lengths, NaN, no members, fewer users than folds.
    """
    predictions = require_table("predictions", predictions)
    targets = require_column("targets", targets, len(predictions))
    side = None if side is None else require_table("side", side, len(predictions))
    if len(groups) != len(predictions):
        raise ValueError(f"groups has {len(groups)} rows for {len(predictions)} pairs; "
                         "need one for each")
    blends, folds = np.empty(len(targets)), folds_of(groups, n_folds)
    for fold in range(n_folds):
        held_out = folds == fold
        theirs, here = (None, None) if side is None else (side[~held_out], side[held_out])
        fitted = replace(blender).fit(predictions[~held_out], targets[~held_out], theirs)
        blends[held_out] = fitted.predict(predictions[held_out], here)
    return blends
