"""The most similar items of each item, and predictions from a user's ratings of them."""

import numba
import numpy as np

from rslib.backend import array_module
from rslib.kernels.compiled import compiled, threaded
from rslib.kernels.similarity import BUDGET, similarity_blocks
from rslib.kernels.top_k import top_k

BLOCK = 1 << 22     # similarities gathered at a time by the array version


def similar_items(by_item, by_user, values_by_item, values_by_user, n_neighbours, *,
                  kind="pearson", shrinkage=0.0, budget=BUDGET):
    """Find the most similar other items of each item, never holding all pairs at once.

    Parameters
    ----------
    by_item, by_user, values_by_item, values_by_user
        As in `co_ratings`.
    n_neighbours : int in 1..n_items - 1
    kind, shrinkage
        As in `similarity`.
    budget : int
        Bytes that a block may take.

    Returns
    -------
    ids : int32 array (n_items, n_neighbours)
        Most similar first, ties by the lower id; items with nothing in common stand at zero.
    similarities : array (n_items, n_neighbours), dtype of the values
    """
    xp = array_module(by_item.ids, values_by_item)
    n_items = len(by_item.indptr) - 1
    if not 1 <= n_neighbours < n_items:
        raise ValueError(f"n_neighbours must lie in 1..{n_items - 1}, not {n_neighbours}")
    ids = xp.zeros((n_items, n_neighbours), xp.int32)
    similarities = xp.zeros((n_items, n_neighbours), values_by_item.dtype)
    for first, block in similarity_blocks(by_item, by_user, values_by_item, values_by_user,
                                          kind=kind, shrinkage=shrinkage, budget=budget):
        rows = xp.arange(len(block))
        block[rows, first + rows] = -np.inf         # no item is its own neighbour
        here = slice(first, first + len(block))
        ids[here], similarities[here] = top_k(block, n_neighbours)
    return ids, similarities


@compiled
def _nearest(row, item, ids, deviations, start, stop, weights, kept):
    """Fill ``weights`` and ``kept`` with the most similar ratings, best first; how many."""
    found = 0
    for p in range(start, stop):
        weight = row[ids[p]]
        full = found == len(weights)
        # written so that NaN is no neighbour; of equals, the earlier rating stays
        if not weight > 0 or ids[p] == item or (full and weight <= weights[found - 1]):
            continue
        slot = found - 1 if full else found
        while slot > 0 and weights[slot - 1] < weight:
            weights[slot], kept[slot] = weights[slot - 1], kept[slot - 1]
            slot -= 1
        weights[slot], kept[slot] = weight, deviations[p]
        found += not full
    return found


@threaded
def _deviations(users, items, indptr, ids, deviations, similarity, n_neighbours, min_neighbours,
                n_parts, result):
    list_ids, similarities = similarity
    for part in numba.prange(n_parts):
        weights = np.empty(n_neighbours, similarities.dtype)
        kept = np.empty(n_neighbours, deviations.dtype)
        spread = np.zeros(len(list_ids) and len(similarities), similarities.dtype)
        for pair in range(part, len(users), n_parts):
            user, item = users[pair], items[pair]
            row = similarities[item]
            if len(list_ids):       # lay the list out over all items, and clear it again below
                for s in range(len(row)):
                    spread[list_ids[item, s]] = row[s]
                row = spread
            found = _nearest(row, item, ids, deviations, indptr[user], indptr[user + 1],
                             weights, kept)
            if len(list_ids):
                spread[list_ids[item]] = 0
            total, weighted = 0.0, 0.0
            for s in range(found):
                total += weights[s]
                weighted += weights[s] * kept[s]
            result[pair] = weighted / total if found >= min_neighbours else 0


def _check(xp, users, items, by_user, deviations_by_user, similarities, n_neighbours,
           min_neighbours):
    if n_neighbours < 1 or min_neighbours < 1:
        raise ValueError(f"n_neighbours and min_neighbours must be at least 1, "
                         f"not {n_neighbours} and {min_neighbours}")
    for name, array in (("deviations", deviations_by_user), ("similarities", similarities)):
        if array.dtype not in (xp.float32, xp.float64):
            raise TypeError(f"{name} must be float32 or float64, not {array.dtype}")
    if deviations_by_user.shape != by_user.ids.shape:
        raise ValueError(f"deviations have shape {deviations_by_user.shape} "
                         f"for {len(by_user.ids)} ratings")
    if not bool(xp.isfinite(deviations_by_user).all()):
        row = int(xp.argmin(xp.isfinite(deviations_by_user)))
        raise ValueError(f"deviations: row {row} is {float(deviations_by_user[row])}")
    for name, ids, n in (("users", users, len(by_user.indptr) - 1),
                         ("items", items, len(similarities)),
                         ("by_user", by_user.ids, len(similarities))):
        if ids.size and not 0 <= int(ids.min()) <= int(ids.max()) < n:
            raise ValueError(f"{name}: ids must lie in 0..{n - 1}, "
                             f"found {int(ids.min())}..{int(ids.max())}")


def neighbour_deviations(users, items, by_user, deviations_by_user, similarity, n_neighbours,
                         min_neighbours=1):
    r"""Average what a user thought of the items most similar to another, for a list of pairs.

    .. math:: d_{ui} = \frac{\sum_{j \in N} s_{ij} x_{uj}}{\sum_{j \in N} s_{ij}}

    over N, the items other than i that u rated with the largest positive similarities to i. Added
    to a baseline it is the prediction of a neighbourhood model.

    Parameters
    ----------
    users, items : int32 array (n,)
    by_user : CSR
    deviations_by_user : float32 or float64 array (n_ratings,)
        The deviation x of each rating from its baseline, in the order of ``by_user``.
    similarity : float array (n_items, n_items), or what `similar_items` returns
        A similarity that is zero, negative or NaN makes no neighbour.
    n_neighbours : int, at least 1
        The most items in N; of equally similar ones those that come first in ``by_user``.
    min_neighbours : int, at least 1
        With fewer the result is zero.

    Returns
    -------
    array (n,), dtype of the deviations
        Stars; zero where there are no neighbours.

    Raises
    ------
    TypeError, ValueError
        Values of another dtype or length, NaN deviations, ids out of range.

    Notes
    -----
    Cost: O(ratings of the user) a pair, and O(length of a list) where lists are given. Agreement:
    equal to `neighbour_deviations_slow` to rounding. Determinism: same bits for any number of
    threads.

    References
    ----------
    Koren, Factor in the Neighbors (TKDD 2010), equation 3, doi:10.1145/1644873.1644874.
    """
    list_ids, similarities = similarity if isinstance(similarity, tuple) else (None, similarity)
    xp = array_module(users, items, by_user.ids, deviations_by_user, list_ids, similarities)
    _check(xp, users, items, by_user, deviations_by_user, similarities, n_neighbours,
           min_neighbours)
    if xp is not np:
        return neighbour_deviations_batched(users, items, by_user, deviations_by_user, similarity,
                                            n_neighbours, min_neighbours)
    none = np.empty((0, 0), np.int32)
    result = np.empty(len(users), deviations_by_user.dtype)
    _deviations(users, items, by_user.indptr, by_user.ids,
                np.ascontiguousarray(deviations_by_user),
                (none if list_ids is None else list_ids, np.ascontiguousarray(similarities)),
                min(n_neighbours, len(similarities)), min_neighbours, numba.get_num_threads(),
                result)
    return result


def laid_out_rows(xp, items, similarity):
    """Similarities of each of ``items`` to all items; lists are laid out with zeros between."""
    if not isinstance(similarity, tuple):
        return similarity[items]
    list_ids, similarities = similarity
    rows = xp.zeros((len(items), len(similarities)), similarities.dtype)
    rows[xp.arange(len(items))[:, None], list_ids[items]] = similarities[items]
    return rows


def neighbour_deviations_batched(users, items, by_user, deviations_by_user, similarity,
                                 n_neighbours, min_neighbours=1):
    """Do what `neighbour_deviations` does in array expressions, which serve both devices."""
    xp = array_module(users, deviations_by_user)
    result = xp.zeros(len(users), deviations_by_user.dtype)
    lengths = (by_user.indptr[1:] - by_user.indptr[:-1])[users]
    order = xp.argsort(lengths)     # so that little of a block is padding
    n_items = len(similarity[1] if isinstance(similarity, tuple) else similarity)
    step = max(1, BLOCK // max(n_items, 1))
    for start in range(0, len(users), step):
        pairs = order[start:start + step]
        longest = int(lengths[pairs[-1]])
        if not longest:
            continue
        slots = by_user.indptr[users[pairs]][:, None] + xp.arange(longest)  # (pairs, longest)
        inside = xp.arange(longest) < lengths[pairs][:, None]
        slots = xp.where(inside, slots, 0)
        rated = by_user.ids[slots]
        weights = xp.take_along_axis(laid_out_rows(xp, items[pairs], similarity), rated, axis=1)
        usable = inside & (weights > 0) & (rated != items[pairs][:, None])
        nearest, weights = top_k(xp.where(usable, weights, 0), min(n_neighbours, longest))
        x = xp.take_along_axis(deviations_by_user[slots], nearest, axis=1)
        total = weights.sum(axis=1)
        enough = (weights > 0).sum(axis=1) >= min_neighbours
        result[pairs] = xp.where(enough, (weights * x).sum(axis=1) / xp.where(enough, total, 1), 0)
    return result


def neighbour_deviations_slow(users, items, by_user, deviations_by_user, similarity, n_neighbours,
                              min_neighbours=1):
    """Do what `neighbour_deviations` does from a dense similarity, pair by pair: to read."""
    result = np.zeros(len(users))
    for pair, (user, item) in enumerate(zip(users, items, strict=True)):
        entries = range(by_user.indptr[user], by_user.indptr[user + 1])
        rated = [(float(similarity[item, by_user.ids[p]]), float(deviations_by_user[p]))
                 for p in entries if by_user.ids[p] != item]
        nearest = sorted((s for s in rated if s[0] > 0), key=lambda s: -s[0])[:n_neighbours]
        if len(nearest) >= min_neighbours:
            result[pair] = sum(s * x for s, x in nearest) / sum(s for s, _ in nearest)
    return result
