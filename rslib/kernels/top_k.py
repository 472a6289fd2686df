"""The k best of each row, in blocks: never the scores of all users at once."""

import numba
import numpy as np

from rslib.backend import array_module
from rslib.kernels.compiled import compiled, threaded

BLOCK = 1 << 22     # scores held at a time: 16 MB of float32


def rows_between(indptr, start, stop):
    """Return which of the rows start..stop, counted from ``start``, each entry belongs to."""
    xp = array_module(indptr)
    entries = xp.arange(int(indptr[start]), int(indptr[stop]))
    return xp.searchsorted(indptr[start + 1:stop + 1], entries, side="right")


def _check(xp, scores, k):
    if scores.ndim != 2 or scores.dtype not in (xp.float32, xp.float64):
        raise TypeError("scores must be float32 or float64 of shape (n_rows, n_items), "
                        f"not {scores.dtype} {scores.shape}")
    if not 1 <= k <= scores.shape[1]:
        raise ValueError(f"k must lie in 1..{scores.shape[1]}, the number of items, not {k}")
    unknown = xp.isnan(scores).any(axis=1)
    if bool(unknown.any()):
        raise ValueError(f"scores: row {int(unknown.argmax())} holds NaN, which has no rank")


@compiled
def _kth_largest(values, k):
    """Return the k-th largest of ``values``, which end in another order.

    Quickselect by three parts, so that many equal values, such as zeros, cost one pass.
    """
    low, high = 0, len(values)
    while True:
        a, b, c = values[low], values[(low + high) // 2], values[high - 1]
        pivot = max(min(a, b), min(max(a, b), c))
        above, at, below = low, low, high       # larger ones end before above, smaller from below
        while at < below:
            value = values[at]
            if value > pivot:
                values[at], values[above] = values[above], value
                above, at = above + 1, at + 1
            elif value < pivot:
                below -= 1
                values[at], values[below] = values[below], value
            else:
                at += 1
        if above < k <= below:
            return pivot
        low, high = (low, above) if k <= above else (below, high)


@threaded
def _top_k(scores, n_parts, ids, best):
    n_rows, k = ids.shape
    for part in numba.prange(n_parts):
        kept = np.empty(k, np.int64)
        for r in range(part, n_rows, n_parts):
            row, n_kept = scores[r], 0
            worst = _kth_largest(row.copy(), k)
            n_tied = k
            for i in range(len(row)):
                n_tied -= row[i] > worst
            for i in range(len(row)):
                if row[i] > worst or (row[i] == worst and n_tied > 0):
                    n_tied -= row[i] == worst
                    kept[n_kept] = i
                    n_kept += 1
            order = np.argsort(-row[kept], kind="mergesort")        # stable
            for s in range(k):
                ids[r, s], best[r, s] = kept[order[s]], row[kept[order[s]]]


def top_k(scores, k):
    """Pick the k best of each row, best first, ties by the lower id.

    Parameters
    ----------
    scores : float32 or float64 array (n_rows, n_items)
        Higher is better; infinities are allowed.
    k : int in 1..n_items

    Returns
    -------
    ids : int32 array (n_rows, k)
    best : array (n_rows, k)
        Their scores, in the dtype of ``scores``.

    Raises
    ------
    TypeError, ValueError
        Scores that are not floats or hold NaN, k out of range.

    Notes
    -----
    Cost: O(n_rows (n_items + k log k)), on the CPU threaded; elsewhere a few copies of ``scores``,
    so hand it over in blocks. Agreement and determinism: exact, the same on both devices and for
    any number of threads.
    """
    xp = array_module(scores)
    _check(xp, scores, k)
    if xp is np:
        ids, best = np.empty((len(scores), k), np.int32), np.empty((len(scores), k), scores.dtype)
        _top_k(np.ascontiguousarray(scores), numba.get_num_threads(), ids, best)
        return ids, best
    return top_k_array(scores, k)


def top_k_array(scores, k):
    """Do what `top_k` does by whole arrays, on both devices."""
    xp, (n_rows, n_items) = array_module(scores), scores.shape
    # from above: a search from below is slow where most scores are one and the same
    worst = -xp.partition(-scores, k - 1, axis=1)[:, k - 1][:, None]
    above, tied = scores > worst, scores == worst
    n_tied = k - above.sum(axis=1)[:, None]     # places that the ties share
    kept = above | (tied & (xp.cumsum(tied, axis=1) <= n_tied))
    ids = (xp.flatnonzero(kept) % n_items).reshape(n_rows, k)
    best = xp.take_along_axis(scores, ids, axis=1)
    order = xp.argsort(-best, axis=1, kind="stable")
    return (xp.take_along_axis(ids, order, axis=1).astype(xp.int32),
            xp.take_along_axis(best, order, axis=1))


def top_k_products(user_factors, item_factors, k, *, item_bias=None, exclude=None, block=None):
    r"""Pick the k items of largest :math:`p_u \cdot q_i + b_i` for each user.

    Parameters
    ----------
    user_factors, item_factors : float array (n_users, n_factors), (n_items, n_factors)
    k : int in 1..n_items
    item_bias : float array (n_items,) or None
    exclude : CSR by user or None
        Items never returned, such as those that the user has rated.
    block : int or None
        Users at a time; None takes as many as 16 MB of float32 scores hold.

    Returns
    -------
    ids : int32 array (n_users, k)
        Best first, ties by the lower id; -1 where fewer than k items are left.
    best : array (n_users, k)
        Their scores, without the user's own bias; minus infinity where the id is -1.

    Notes
    -----
    Cost: O(n_users n_items n_factors). Agreement: the scores to rounding on both devices.
    """
    excluded = () if exclude is None else (exclude.indptr, exclude.ids)
    xp = array_module(user_factors, item_factors, item_bias, *excluded)
    n_users, n_items = len(user_factors), len(item_factors)
    if exclude is not None and len(exclude.indptr) != n_users + 1:
        raise ValueError(f"exclude has {len(exclude.indptr) - 1} rows for {n_users} users")
    block = block or max(1, BLOCK // max(n_items, 1))
    ids = xp.zeros((n_users, k), xp.int32)
    best = xp.zeros((n_users, k), user_factors.dtype)
    for start in range(0, n_users, block):
        stop = min(start + block, n_users)
        scores = user_factors[start:stop] @ item_factors.T
        if item_bias is not None:
            scores += item_bias
        if exclude is not None:
            entries = slice(int(exclude.indptr[start]), int(exclude.indptr[stop]))
            scores[rows_between(exclude.indptr, start, stop), exclude.ids[entries]] = -np.inf
        ids[start:stop], best[start:stop] = top_k(scores, k)
    ids[best == -np.inf] = -1
    return ids, best
