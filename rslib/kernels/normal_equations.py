"""Batched ridge regressions: one small least-squares problem per user, or per item."""

import numpy as np

from rslib.backend import array_module, asnumpy, solve_spd

BLOCK = 1 << 22     # elements of the gathered feature block: 16 MB of float32


def _blocks(lengths, n_features):
    """Yield (rows, longest): rows of similar length, whose padded features fit one block."""
    order = np.argsort(lengths, kind="stable")
    start = int(np.searchsorted(lengths[order], 1))     # a row without ratings has no regression
    while start < order.size:
        stop = order.size
        while stop - start > 1 and (stop - start) * lengths[order[stop - 1]] * n_features > BLOCK:
            stop = start + (stop - start) // 2
        # a row may be padded to twice its length, no further
        longest = max(2 * int(lengths[order[start]]), 16)
        stop = min(stop, max(start + 1, int(np.searchsorted(lengths[order], longest, "right"))))
        yield order[start:stop], int(lengths[order[stop - 1]])
        start = stop


def ridge_rows(indptr, ids, targets, features, ridge):
    r"""Solve one ridge regression per row of a CSR matrix.

    .. math:: w_r = \Big(\sum_{j \in r} x_j x_j^T + \mathrm{diag}(\rho_r)\Big)^{-1}
                    \sum_{j \in r} t_{rj} x_j

    Parameters
    ----------
    indptr : int64 array (n_rows + 1,)
    ids : int32 array (n_ratings,)
        Row of ``features`` that each rating refers to.
    targets : float array (n_ratings,)
        What the regression of the row explains, in stars.
    features : float array (n_ids, k)
    ridge : float array (n_rows, k)
        Penalty on each squared weight; above zero.

    Returns
    -------
    array (n_rows, k), dtype of ``features``
        Zero for a row without ratings.

    Notes
    -----
    Cost: O(n_ratings k^2 + n_rows k^3) time, and one block of 16 MB beside the result.
    Rows are batched by length, so skewed data wastes at most half of the arithmetic on padding.
    Agreement: equal to `ridge_rows_slow` to rounding. Determinism: same inputs, same bits.
    """
    xp = array_module(indptr, ids, targets, features, ridge)
    solution = xp.zeros((len(indptr) - 1, features.shape[1]), features.dtype)
    lengths = np.diff(asnumpy(indptr))
    for rows, longest in _blocks(lengths, features.shape[1]):
        rows = xp.asarray(rows)
        slots = indptr[rows][:, None] + xp.arange(longest)      # (rows, longest)
        inside = slots < indptr[rows + 1][:, None]
        slots = xp.where(inside, slots, 0)
        x = features[ids[slots]] * inside[..., None]            # (rows, longest, k)
        t = (targets[slots] * inside).astype(features.dtype)
        gram = x.swapaxes(1, 2) @ x                             # (rows, k, k)
        diagonal = xp.arange(features.shape[1])
        gram[:, diagonal, diagonal] += ridge[rows]
        solution[rows] = solve_spd(gram, (x.swapaxes(1, 2) @ t[..., None])[..., 0])
    return solution


def ridge_rows_slow(indptr, ids, targets, features, ridge):
    """Do what `ridge_rows` does, one row at a time in float64: the version to read."""
    solution = np.zeros((len(indptr) - 1, features.shape[1]))
    for row in range(len(solution)):
        mine = slice(indptr[row], indptr[row + 1])
        x = features[ids[mine]].astype(np.float64)
        if len(x):
            gram = x.T @ x + np.diag(ridge[row])
            solution[row] = np.linalg.solve(gram, x.T @ targets[mine])
    return solution
