"""Ridge regressions by the thousand: one small least-squares problem per user, or per item."""

import numpy as np

from rslib.backend import array_module, asnumpy, bytes_at_a_time, solve_spd
from rslib.kernels.rows_cpu import ridge_rows_cpu

BLOCK = 1 << 24     # bytes of the gathered features on a CPU


def ridge_rows(indptr, ids, targets, features, ridge, *, weights=None, base_gram=None,
               base_rhs=None, draws=None):
    r"""Solve one ridge regression per row of a CSR matrix.

    .. math:: A_r = G + \sum_{j \in r} c_{rj} x_j x_j^T + \mathrm{diag}(\rho_r), \qquad
              w_r = A_r^{-1} \Big(h + \sum_{j \in r} t_{rj} x_j\Big) + U_r^{-1} z_r,
              \quad A_r = U_r^T U_r

    With standard normal draws :math:`z_r` the result is a draw from the Gaussian of mean
    :math:`A_r^{-1}(\cdot)` and precision :math:`A_r`: a step of Gibbs sampling. With a shared
    Gram matrix G of all features it is a step of implicit feedback.

    Parameters
    ----------
    indptr : int64 array (n_rows + 1,)
    ids : int32 array (n_ratings,)
        Row of ``features`` that each rating refers to.
    targets : float array (n_ratings,)
        Factor t of each rating in the right-hand side; with ``weights``, already weighted.
    features : float32 or float64 array (n_ids, k)
    ridge : float array (n_rows, k)
        Penalty on each squared weight; above zero for rows with ratings.
    weights : float array (n_ratings,) or None
        Weight c of each rating in the Gram matrix; None is one.
    base_gram, base_rhs : float array (k, k), (k,) or None
        Added to every row: G and h.
    draws : float array (n_rows, k) or None
        Standard normal draws z.

    Returns
    -------
    array (n_rows, k), dtype of ``features``, on its device
        Zero for a row without ratings, unless there is a ``base_gram``.

    Raises
    ------
    TypeError, ValueError
        If the arguments do not fit together: dtype, shapes, ids out of range, mixed devices.
    numpy.linalg.LinAlgError
        If a row's matrix is not positive definite or not finite, on the CPU.

    Notes
    -----
    Cost: O(n_ratings k^2 / 2 + n_rows k^3 / 6) multiply-adds. Beside the result it takes a few
    small matrices a thread on the CPU, and some blocks of a 64th of the memory on the GPU.
    Agreement: equal to `ridge_rows_slow` to rounding. Determinism: same inputs and thread count,
    same bits.
    """
    arguments = (indptr, ids, targets, features, ridge, weights, base_gram, base_rhs, draws)
    xp = array_module(*arguments)
    check_rows(indptr, ids, targets, features, ridge, weights)
    return ridge_rows_cpu(*arguments) if xp is np else ridge_rows_batched(*arguments)


def check_rows(indptr, ids, targets, features, ridge, weights=None):
    """Raise unless the arguments of `ridge_rows` fit together; compiled code would not notice."""
    if features.dtype.kind != "f" or features.dtype.itemsize < 4:
        raise TypeError(f"features must be float32 or float64, not {features.dtype}")
    if features.ndim != 2 or not features.shape[1]:
        raise ValueError(f"features must be (n_ids, k) with k at least 1, not {features.shape}")
    if ridge.shape != (len(indptr) - 1, features.shape[1]):
        raise ValueError(f"ridge must be {(len(indptr) - 1, features.shape[1])}, one row a row "
                         f"and one column a feature, not {ridge.shape}")
    for name, column in (("ids", ids), ("targets", targets), ("weights", weights)):
        if column is not None and len(column) != int(indptr[-1]):
            raise ValueError(f"{name} has {len(column)} entries, indptr ends at {int(indptr[-1])}")
    if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < len(features):
        raise ValueError(f"ids must lie in 0..{len(features) - 1}, found "
                         f"{int(ids.min())}..{int(ids.max())}")


def _blocks(lengths, features, shortest=1):
    """Yield (rows, longest): rows of similar length, whose padded features fit one block.

    So do their Gram matrices. A GPU is given large blocks, as it waits for each.
    """
    n_features = features.shape[1]
    most = bytes_at_a_time(features, BLOCK) // (features.dtype.itemsize * n_features)
    order = np.argsort(lengths, kind="stable")
    ordered = lengths[order]
    start = int(np.searchsorted(ordered, shortest))
    while start < order.size:
        # a row may be padded to twice its length, no further
        longest = max(2 * int(ordered[start]), 16)
        stop = int(np.searchsorted(ordered, longest, "right"))
        while stop - start > 1 and (stop - start) * max(ordered[stop - 1], n_features) > most:
            stop = start + (stop - start) // 2
        yield order[start:stop], int(ordered[stop - 1])
        start = stop


def ridge_rows_batched(indptr, ids, targets, features, ridge, weights=None, base_gram=None,
                       base_rhs=None, draws=None):
    """Do what `ridge_rows` does in array expressions, which serve both devices.

    Rows are batched by length, so skewed data wastes at most half of the arithmetic on padding.
    """
    xp = array_module(indptr, features)
    solution = xp.zeros((len(indptr) - 1, features.shape[1]), features.dtype)
    lengths = np.diff(asnumpy(indptr))
    # a row without ratings has a regression only where something is shared by all rows
    for rows, longest in _blocks(lengths, features, int(base_gram is None)):
        rows = xp.asarray(rows)
        x, xw, t = _gathered(xp, indptr, ids, targets, features, weights, rows, longest)
        gram = xw.swapaxes(1, 2) @ x                            # (rows, k, k)
        rhs = (x.swapaxes(1, 2) @ t[..., None])[..., 0]         # (rows, k)
        if base_gram is not None:
            gram += base_gram
        if base_rhs is not None:
            rhs += base_rhs
        diagonal = xp.arange(features.shape[1])
        gram[:, diagonal, diagonal] += ridge[rows]
        solution[rows] = _solve(xp, gram, rhs, None if draws is None else draws[rows])
    return solution


def _gathered(xp, indptr, ids, targets, features, weights, rows, longest):
    """Features, weighted features and targets of a batch of rows, zero where a row has ended."""
    slots = indptr[rows][:, None] + xp.arange(longest)          # (rows, longest)
    inside = slots < indptr[rows + 1][:, None]
    slots = xp.where(inside, slots, 0)
    x = features[ids[slots]] * inside[..., None].astype(features.dtype)     # (rows, longest, k)
    t = (targets[slots] * inside).astype(features.dtype)
    return x, x if weights is None else x * weights[slots][..., None].astype(x.dtype), t


def _solve(xp, gram, rhs, noise):
    """Means of the rows, or draws around them where there is noise."""
    if noise is None and xp is not np:
        return solve_spd(gram, rhs)
    lower = xp.linalg.cholesky(gram)
    forward = xp.linalg.solve(lower, rhs[..., None])
    if noise is not None:
        forward = forward + noise[..., None]
    return xp.linalg.solve(lower.swapaxes(1, 2), forward)[..., 0]


def equations_slow(indptr, ids, targets, features, ridge, weights=None, base_gram=None,
                   base_rhs=None):
    """Yield (row, A_r, right-hand side) in float64 for every row that has a regression."""
    for row in range(len(indptr) - 1):
        entries = slice(indptr[row], indptr[row + 1])
        x = features[ids[entries]].astype(np.float64)
        if not len(x) and base_gram is None:
            continue
        c = np.ones(len(x)) if weights is None else weights[entries]
        gram = x.T @ (x * c[:, None]) + np.diag(ridge[row])
        rhs = x.T @ targets[entries]
        gram += 0 if base_gram is None else base_gram
        rhs += 0 if base_rhs is None else base_rhs
        yield row, gram, rhs


def ridge_rows_slow(indptr, ids, targets, features, ridge, weights=None, base_gram=None,
                    base_rhs=None, draws=None):
    """Do what `ridge_rows` does, one row at a time in float64: the version to read."""
    solution = np.zeros((len(indptr) - 1, features.shape[1]))
    for row, gram, rhs in equations_slow(indptr, ids, targets, features, ridge, weights,
                                         base_gram, base_rhs):
        solution[row] = np.linalg.solve(gram, rhs)
        if draws is not None:
            solution[row] += np.linalg.solve(np.linalg.cholesky(gram).T, draws[row])
    return solution
