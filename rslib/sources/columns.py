"""Columns of the store: how few bytes hold ids, stars, days and ranks."""

import numpy as np

__all__ = ["expand_ids", "expand_runs", "is_grouped", "pack_ids", "pack_ranks", "pack_values",
           "runs", "width"]


def width(n):
    """Return the bytes that hold the whole numbers below ``n``: 1, 2, 3 or 4."""
    return next(size for size in (1, 2, 3, 4) if n <= 1 << 8 * size)


def pack_ids(ids, n):
    """Return ids below ``n`` in as few bytes as hold them; three bytes are an (n, 3) array."""
    size = width(n)
    if size != 3:
        return ids.astype(f"<u{size}")
    return np.ascontiguousarray(ids.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3])


def expand_ids(packed):
    """Return packed ids as int32."""
    if packed.ndim == 1:
        return packed.astype(np.int32)
    ids = np.zeros(len(packed), "<i4")
    ids.view(np.uint8).reshape(-1, 4)[:, :3] = packed
    return ids


def is_grouped(ids, n):
    """Return True when each of the ``n`` ids stands in one unbroken run."""
    return np.count_nonzero(ids[1:] != ids[:-1]) + 1 == n


def runs(ids):
    """Return run-length coded ids: row 0 the id of each run, row 1 its length."""
    starts = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
    return np.stack([ids[starts], np.diff(starts, append=len(ids))]).astype(np.int32)


def expand_runs(coded):
    """Return run-length coded ids as int32."""
    return np.repeat(coded[0], coded[1])


def pack_values(values):
    """Return (codes, table) such that ``table[codes]`` are the values.

    Up to 65,536 distinct values cost one or two bytes a rating; with more, the codes are the
    float32 values themselves and the table is None.
    """
    blocks = np.array_split(values, len(values) // (1 << 20) + 1)
    table = np.unique(np.concatenate([np.unique(block) for block in blocks]))
    if len(table) > 1 << 16:
        return values.astype("<f4"), None
    codes = [np.searchsorted(table, block).astype(f"<u{width(len(table))}") for block in blocks]
    return np.concatenate(codes), table.astype("<f4")


def pack_ranks(users, times):
    """Return the rank of each rating within its user's day, or None where all are first.

    The rank counts the ratings that the user gave earlier on the same day, ties in the order of
    the rows. Times are seconds since 1970, below 2^32.
    """
    key = users.astype(np.int64) << 32
    key |= times
    order = np.argsort(key, kind="stable")
    key = key[order]
    day = (key & 0xFFFFFFFF) // 86400
    key >>= 32
    starts = np.flatnonzero(np.concatenate(
        [[True], (key[1:] != key[:-1]) | (day[1:] != day[:-1])]))
    del key, day
    lengths = np.diff(starts, append=len(order))
    size = {1: 1, 2: 2}.get(width(int(lengths.max())), 4)
    if lengths.max() == 1:
        return None
    ranks = np.empty(len(order), f"<u{size}")
    ranks[order] = np.arange(len(order)) - np.repeat(starts, lengths)
    return ranks
