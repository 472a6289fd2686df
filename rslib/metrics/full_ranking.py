"""Ranking all items that a user doesn't know, never a sample of them."""

import numpy as np

from rslib.backend import array_module, asnumpy, group_by
from rslib.metrics.rankings import Ranking
from rslib.ratings import Pairs

__all__ = ["rank"]

BLOCK = 1 << 22     # scores held at a time: 16 MB of float32


def rank(model, known, held_out, *, k=100, train=None, block=None):
    """Rank, for each user with held-out items, every item that the user doesn't know.

    What is known gets minus infinity, and the k best of the rest are kept, ties by the lower item.
    Nothing is sampled: figures on a sample of the items may order models otherwise than those on
    all. Users without held-out items are left out, and counted.

    Parameters
    ----------
    model : object with score(users) -> float array (n, n_items)
        Fitted. Higher is better; an item scored minus infinity is never recommended.
    known : Pairs or Ratings
        All that the model was told of these users: train, or what was folded in.
    held_out : Pairs or Ratings
        What it should find: every row counts the same, whatever its value, so rows that are no
        success, such as low ratings, are left out beforehand: ``held_out[held_out.values >= 4]``.
    k : int in 1..n_items
        Places kept for each user.
    train : Pairs, Ratings or None
        Whose counts are the popularity in `Ranking.novelty`; None takes ``known``.
    block : int or None
        Users scored at a time; None takes as many as 16 MB of float32 scores hold.

    Returns
    -------
    Ranking

    Raises
    ------
    TypeError
        No Pairs, or columns on different devices.
    ValueError
        Parts of different size or numbering; nothing held out, or twice; an item that is known and
        held out; k out of range; scores of a wrong shape, not floats, or NaN.

    Notes
    -----
    Cost: the model's scores, and O(n_users (n_items + k log k)). Memory: one block of scores, 5 k
    bytes a user, and a few copies of the columns. Agreement and determinism: exact for the same
    scores, on both devices.

    References
    ----------
    Krichene and Rendle, On Sampled Metrics for Item Recommendation (KDD 2020),
    doi:10.1145/3394486.3403226.
    """
    _check(model, known, held_out, k)
    _check_others(known, train, block)
    xp = array_module(known.users, held_out.users)
    counts = xp.bincount(held_out.users, minlength=held_out.n_users)
    users = xp.flatnonzero(counts > 0)
    sides = [_by_place(pairs, users) for pairs in (known, held_out)]
    items, hits = np.empty((len(users), k), np.int32), np.empty((len(users), k), bool)
    block = max(1, BLOCK // known.n_items) if block is None else block
    for start in range(0, len(users), block):
        rows = slice(start, min(start + block, len(users)))
        scores = _scores(model, users[rows], known.n_items)
        cells = [_cells(*side, rows.start, rows.stop) for side in sides]
        items[rows], hits[rows] = map(asnumpy, _best(scores, *cells, k))
    return Ranking(asnumpy(users), asnumpy(counts[users]), items, hits,
                   _popularity(known if train is None else train),
                   _n_left_out(known.users, counts))


def _check(model, known, held_out, k):
    for name, pairs in (("known", known), ("held_out", held_out)):
        if not isinstance(pairs, Pairs):
            raise TypeError(f"{name} needs Pairs or Ratings, not {type(pairs).__name__}")
    if (known.n_users, known.n_items) != (held_out.n_users, held_out.n_items):
        raise ValueError(f"known is {known!r}, held_out {held_out!r}: split one Ratings")
    for name, other in (("held_out", held_out.numbering),
                        ("the model", getattr(model, "numbering_", None))):
        differs = known.numbering and other and known.numbering.differs(other, days=False)
        if differs:
            raise ValueError(f"{differs} are numbered by other ids in known than in {name}")
    if not 1 <= k <= known.n_items:
        raise ValueError(f"k must lie in 1..{known.n_items}, the number of items, not {k}")
    if not len(held_out):
        raise ValueError("held_out is empty: there is nothing to find")
    _check_pairs(known, held_out)


def _check_others(known, train, block):
    if block is not None and block < 1:
        raise ValueError(f"block must be at least 1, or None, not {block}")
    if train is None:
        return
    if not isinstance(train, Pairs):
        raise TypeError(f"train needs Pairs or Ratings, not {type(train).__name__}")
    if train.n_items != known.n_items:
        raise ValueError(f"known is {known!r}, train {train!r}: split one Ratings")
    if known.numbering and train.numbering and known.numbering.differs(
            train.numbering, users=False, days=False):
        raise ValueError("items are numbered by other ids in known than in train")


def _check_pairs(known, held_out):
    """Raise if a pair is held out twice, or known: it would be masked, and count as missed."""
    pairs, counts = np.unique(_numbers(held_out), return_counts=True)
    for wrong, what in ((pairs[counts > 1], "held_out holds twice"),
                        (pairs[np.isin(pairs, _numbers(known))], "held_out and known both hold")):
        if wrong.size:
            user, item = divmod(int(wrong[0]), known.n_items)
            raise ValueError(f"{what}: user {user}, item {item}, and {wrong.size - 1} other pairs")


def _numbers(pairs):
    return asnumpy(pairs.users).astype(np.int64) * pairs.n_items + asnumpy(pairs.items)


def _by_place(pairs, users):
    """Return the cells of ``users``: place of the user, item, and where each place begins."""
    xp = array_module(pairs.users, users)
    place = xp.full(pairs.n_users, -1, dtype=xp.int64)
    place[users] = xp.arange(len(users))
    rows = xp.flatnonzero(place[pairs.users] >= 0)
    starts, order = group_by(place[pairs.users[rows]], len(users))
    rows = rows[order]
    return place[pairs.users[rows]], pairs.items[rows], starts


def _cells(places, items, starts, start, stop):
    """Return row and column of the cells of places start..stop, in a block of their own."""
    cells = slice(int(starts[start]), int(starts[stop]))
    return places[cells] - start, items[cells]


def _scores(model, users, n_items):
    """Return a copy of the scores of all items, or raise where they can't be ranked."""
    scores = model.score(users)
    if scores.shape != (len(users), n_items) or scores.dtype.kind != "f":
        raise ValueError(f"score gave {scores.dtype} of shape {scores.shape} for {len(users)} "
                         f"users; need floats of shape {(len(users), n_items)}")
    unknown = array_module(users, scores).isnan(scores)
    if bool(unknown.any()):
        row = int(unknown.any(axis=1).argmax())
        raise ValueError(f"score of item {int(unknown[row].argmax())} for user {int(users[row])} "
                         "is NaN, which has no rank")
    return scores.copy()


def _best(scores, known, held_out, k):
    """Return the k best items of each row that are not known, and which of them are held out."""
    from rslib.kernels.top_k import top_k  # compiles; whoever scores errors needs no compiler

    xp = array_module(scores)
    relevant = xp.zeros(scores.shape, dtype=xp.bool_)
    relevant[held_out] = True
    scores[known] = -np.inf
    ids, best = top_k(scores, k)
    shown = best > -np.inf
    return xp.where(shown, ids, -1), xp.take_along_axis(relevant, ids, axis=1) & shown


def _popularity(pairs):
    """Return the share of users with any pair who have each item, at least one of them."""
    users, items = asnumpy(pairs.users), asnumpy(pairs.items)
    n_users = np.count_nonzero(np.bincount(users)) if len(users) else 1
    counts = np.bincount(items, minlength=pairs.n_items)
    return np.clip(counts, 1, n_users) / n_users


def _n_left_out(users, n_held_out):
    """Return how many users have something known and nothing held out."""
    n_known = np.bincount(asnumpy(users), minlength=len(n_held_out))
    return int(np.count_nonzero((n_known > 0) & (asnumpy(n_held_out) == 0)))
