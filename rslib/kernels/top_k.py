"""The k best of each row, in blocks: never the scores of all users at once."""

import numpy as np

from rslib.backend import array_module

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
    Cost: O(n_rows n_items) on the CPU; a few copies of ``scores``, so hand it over in blocks.
    Agreement and determinism: exact, the same on both devices.
    """
    xp = array_module(scores)
    _check(xp, scores, k)
    n_rows, n_items = scores.shape
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
