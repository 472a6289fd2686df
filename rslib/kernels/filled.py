"""A matrix with most cells missing, filled so that it has a singular value decomposition.

Known cells are sparse and what fills the others is zero or a product of thin matrices, so the
filled matrix is never written down: all that is asked of it is its product with a thin matrix.
"""

import numba
import numpy as np

from rslib.backend import array_module, asnumpy, rows_of, sum_by
from rslib.kernels.compiled import threaded
from rslib.kernels.top_k import rows_between

SPARE = 16          # columns carried beside those asked for, for speed
TOLERANCE = 1e-12   # change of a singular value, relative to the largest, that counts as none
MOST_ROUNDS = 300
WIDE = 512          # columns from which a device multiplies whole rows, zeros included
BLOCK = 1 << 22     # numbers of these rows at a time


@threaded
def _products(indptr, ids, values, other, own, total):
    for row in numba.prange(len(total)):
        sums = total[row]
        for entry in range(indptr[row], indptr[row + 1]):
            there = other[ids[entry]]
            value = values[entry]
            for f in range(own.shape[1]):
                value -= own[row, f] * there[f]
            for f in range(len(there)):
                sums[f] += value * there[f]


def _products_batched(side, values, other, own):
    """Do what `_products` does, one factor at a time in array expressions."""
    xp, n_rows = array_module(values, other), len(side.indptr) - 1
    rows = rows_of(side.indptr)
    if other.shape[1] > WIDE and not own.shape[1]:
        return _products_dense(side, values, other)
    for f in range(own.shape[1]):
        values = values - own[rows, f] * other[side.ids, f]
    total = xp.zeros_like(other, shape=(n_rows, other.shape[1]))
    for f in range(other.shape[1]):
        total[:, f] = sum_by(rows, values * other[side.ids, f], n_rows).astype(other.dtype)
    return total


def _products_dense(side, values, other):
    """Do what `_products` does for a wide matrix, some rows at a time written down with zeros."""
    xp, n_rows, n_columns = array_module(values, other), len(side.indptr) - 1, len(other)
    total = xp.zeros_like(other, shape=(n_rows, other.shape[1]))
    step = max(1, BLOCK // n_columns)
    for start in range(0, n_rows, step):
        stop = min(start + step, n_rows)
        entries = slice(int(side.indptr[start]), int(side.indptr[stop]))
        cells = rows_between(side.indptr, start, stop) * n_columns + side.ids[entries]
        dense = sum_by(cells, values[entries], (stop - start) * n_columns)
        total[start:stop] = dense.reshape(stop - start, n_columns).astype(other.dtype) @ other
    return total


def filled_products(side, values, other, own=None):
    r"""Multiply a filled matrix by a thin one.

    .. math:: T = X Q, \qquad x_{rj} = v_{rj} \text{ where known}, \quad p_r \cdot q_j
              \text{ elsewhere}

    Parameters
    ----------
    side : CSR
        Known cells, by row; its values are not used.
    values : array (n_ratings,)
        Content v of the known cells, in the order of ``side``.
    other : float32 or float64 array (n_columns, k)
        Q.
    own : array (n_rows, k) or None
        P, whose products with Q fill the missing cells; None fills them with zero.

    Returns
    -------
    array (n_rows, k), dtype of ``other``

    Notes
    -----
    Cost: O(n_ratings k + n_rows k^2), whatever the number of missing cells. Agreement: equal to
    `filled_products_slow` to rounding. Determinism: same bits for any number of threads.
    """
    xp, n_rows = array_module(side.ids, values, other, own), len(side.indptr) - 1
    values = values.astype(other.dtype)
    filling = xp.zeros((n_rows, 0), other.dtype) if own is None else own
    if xp is np:
        total = np.zeros((n_rows, other.shape[1]), other.dtype)
        _products(side.indptr, side.ids, values, other, filling, total)
    else:
        total = _products_batched(side, values, other, filling)
    return total if own is None else total + own @ (other.T @ other)


def filled_products_slow(side, values, other, own=None):
    """Do what `filled_products` does, on the dense matrix in float64: the version to read."""
    n_rows = len(side.indptr) - 1
    dense = np.zeros((n_rows, len(other))) if own is None else np.float64(own) @ other.T
    for row in range(n_rows):
        known = slice(side.indptr[row], side.indptr[row + 1])
        dense[row, side.ids[known]] = values[known]
    return dense @ other


def _principal_axes(table):
    """W and s of the thin decomposition T = U s W^T, from the Gram matrix, on the host.

    By falling s, which is zero where no more than rounding is left.
    """
    xp = array_module(table)
    squares, axes = np.linalg.eigh(asnumpy(table.T @ table))
    squares, axes = squares[::-1], np.ascontiguousarray(axes[:, ::-1])
    squares = np.where(squares > len(squares) * 2e-16 * squares[:1], squares, 0)
    return xp.asarray(axes), xp.asarray(np.sqrt(squares))


def _orthonormal(table):
    """Orthonormal columns that span those of ``table``, zero columns past its rank, and W, s."""
    xp = array_module(table)
    axes, lengths = _principal_axes(table.astype(xp.float64))
    inverse = xp.where(lengths > 0, 1 / xp.where(lengths > 0, lengths, 1), 0)
    return table @ (axes * inverse), axes, lengths


def truncated_svd(by_user, by_item, values_by_user, values_by_item, n_factors, seed=0):
    r"""Return the largest singular values, and their vectors, of a sparse matrix.

    .. math:: X \approx U \mathrm{diag}(s) V^T, \qquad \min_{\mathrm{rank} \le k}
              \lVert X - U \mathrm{diag}(s) V^T \rVert_F^2

    with zero in every cell that is not listed. Block power iteration: multiply a random block by
    X and by its transpose, make it orthonormal, and repeat until the singular values stand still.

    Parameters
    ----------
    by_user, by_item : CSR
        Of the same ratings.
    values_by_user, values_by_item : array (n_ratings,)
        The cells in the order of either.
    n_factors : int, at least 1
        k.
    seed : int
        Of the random block, drawn on the host.

    Returns
    -------
    user_vectors, singular_values, item_vectors : float64 arrays (n_users, k), (k,), (n_items, k)
        By falling singular value; the largest entry of each item vector is positive. Past the rank
        of X all are zero.

    Notes
    -----
    Cost of a round: O(n_ratings (k + 8)). Agreement: to about 1e-5 of the largest entry; less
    where the singular values numbered k and k + 8 are almost equal. Determinism: same seed, same
    bits.

    References
    ----------
    Halko, Martinsson and Tropp, Finding Structure with Randomness (SIAM Review 2011), algorithm
    4.4, doi:10.1137/090771806.
    """
    xp = array_module(values_by_user, values_by_item)
    n_users, n_items = len(by_user.indptr) - 1, len(by_item.indptr) - 1
    width = min(n_factors + SPARE, n_users, n_items)
    v = xp.asarray(np.random.default_rng(seed).normal(size=(n_items, width)))
    before = np.zeros(width)
    for _ in range(MOST_ROUNDS):
        u, _, _ = _orthonormal(filled_products(by_user, values_by_user, v))
        v, axes, lengths = _orthonormal(filled_products(by_item, values_by_item, u))
        now = asnumpy(lengths)
        if abs(now - before)[:n_factors].max() <= TOLERANCE * now[0]:
            break
        before = now
    return _first((u @ axes, lengths, v), n_factors)


def product_svd(user_factors, item_factors):
    r"""Return the singular value decomposition of :math:`P Q^T` from its thin factors.

    Parameters
    ----------
    user_factors, item_factors : float arrays (n_users, k), (n_items, k)
        P and Q.

    Returns
    -------
    user_vectors, singular_values, item_vectors : float64 arrays, as of `truncated_svd`

    Notes
    -----
    Cost: O((n_users + n_items) k^2).
    """
    u, axes, lengths = _orthonormal(user_factors)
    v, axes, lengths = _orthonormal(item_factors @ (axes * lengths))
    return _first((u @ axes, lengths, v), len(axes))


def _first(svd, n_factors):
    """The first factors, with their signs fixed; columns of zeros where there are fewer."""
    u, lengths, v = svd
    xp = array_module(v)
    highest = xp.take_along_axis(v, abs(v).argmax(axis=0)[None], axis=0)[0]
    signs = xp.where(highest < 0, -1.0, 1.0)
    u, lengths, v = (_widened(table, n_factors)
                            for table in (u * signs, lengths[None], v * signs))
    return u, lengths[0], v


def _widened(table, n_columns):
    xp = array_module(table)
    wide = xp.zeros((len(table), n_columns))
    known = min(n_columns, table.shape[1])
    wide[:, :known] = table[:, :known]
    return wide
