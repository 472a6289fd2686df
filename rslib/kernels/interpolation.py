"""What the items a user rated say about another item, each by its weight, for a list of pairs."""

from rslib.backend import array_module
from rslib.kernels.neighbours import laid_out_rows

BLOCK = 1 << 22     # weights gathered at a time: 16 MB of float32


def _rows(xp, items, weights):
    """Weights of each of ``items`` for all items; lists are laid out with zeros between."""
    if not isinstance(weights, tuple):
        return weights, items
    return laid_out_rows(xp, items, weights), xp.arange(len(items))


def weighted_sums(users, items, indptr, ids, values, weights):
    r"""Return :math:`\sum_{j \in u, j \ne i} x_{uj} w_{ij}` for each pair (u, i).

    Parameters
    ----------
    users, items : int32 array (n,)
    indptr, ids, values : arrays
        Row u holds the items ``ids[indptr[u]:indptr[u + 1]]`` and their x.
    weights : float array (n_items, n_items), or (ids, weights), both (n_items, k)
        With lists, an item that is not on the list of i weighs nothing.

    Returns
    -------
    sums : array (n,), dtype of the weights
    counts : int array (n,)
        How many items j of row u are not i.

    Notes
    -----
    Cost: O(entries of row u) a pair, and O(n_items) where lists are given. Agreement: exact to
    rounding on both devices. Determinism: same inputs, same bits.
    """
    dtype = (weights[1] if isinstance(weights, tuple) else weights).dtype
    xp = array_module(users, items, indptr, ids, values)
    sums, counts = xp.zeros(len(users), dtype), xp.zeros(len(users), xp.int64)
    lengths = (indptr[1:] - indptr[:-1])[users]
    order = xp.argsort(lengths)     # so that little of a block is padding
    n_items = len(weights[0] if isinstance(weights, tuple) else weights)
    step = max(1, BLOCK // n_items)
    for start in range(0, len(users), step):
        pairs = order[start:start + step]
        longest = int(lengths[pairs[-1]])
        if not longest:
            continue
        slots = indptr[users[pairs]][:, None] + xp.arange(longest)      # (pairs, longest)
        inside = xp.arange(longest) < lengths[pairs][:, None]
        slots = xp.where(inside, slots, 0)
        others = inside & (ids[slots] != items[pairs][:, None])
        table, rows = _rows(xp, items[pairs], weights)
        terms = table[rows[:, None], ids[slots]] * values[slots]
        sums[pairs] = xp.where(others, terms, 0).sum(axis=1)
        counts[pairs] = others.sum(axis=1)
    return sums, counts


def weighted_sums_slow(users, items, indptr, ids, values, weights):
    """Do what `weighted_sums` does from a dense matrix, pair by pair: the version to read."""
    sums, counts = [], []
    for user, item in zip(users, items, strict=True):
        terms = [float(values[e]) * float(weights[item, ids[e]])
                 for e in range(indptr[user], indptr[user + 1]) if ids[e] != item]
        sums.append(sum(terms))
        counts.append(len(terms))
    return sums, counts
