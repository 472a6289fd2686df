"""The best items for users, by the ids of their source."""

from typing import NamedTuple

import numpy as np

from rslib.backend import asnumpy
from rslib.kernels.top_k import BLOCK, top_k
from rslib.models.doors import require_ratings, require_same_numbers
from rslib.ratings import checked_ids

__all__ = ["Recommendation", "recommend"]

GRID = 2.0 ** -14       # of the span of a user's scores: closer ones are taken for equal


class Recommendation(NamedTuple):
    """One item for one user."""

    item: int | str         # what the source calls it
    title: str
    score: float            # as the model scores: stars, for a model of ratings


def recommend(model, users, n=10, *, known=None, exclude=(), among=None):
    r"""Return the best items for users, the best first.

    Scores are compared on a grid of :math:`2^{-14}` of their span, and of equal ones the item with
    the lower number goes first, so that rounding, which differs between machines, decides nothing.

    Parameters
    ----------
    model : fitted model
        Anything with ``score(users)`` and a numbering, such as `fold_in` returns too.
    users : list of raw ids
    n : int, at least 1
        Items for each; a user for whom fewer are left gets these.
    known : Ratings or None
        What the users have: never recommended to whoever has it. In the numbering of the model.
    exclude : list of raw ids
        Items for nobody.
    among : list of raw ids or None
        The only items that may be recommended; None means all.

    Returns
    -------
    dict of raw id to list of Recommendation
        In the order of ``users``.

    Raises
    ------
    ValueError
        The model is not fitted, an id is unknown, ``n`` is below 1, or ``known`` is numbered
        otherwise.

    Notes
    -----
    Cost: the model's `score` in blocks of users, and O(n_items) for each of them.
    """
    model.check_fitted()
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}")
    if known is not None:
        require_ratings(known, "known", at_least=0)
        require_same_numbers(model, known, "like=model")
    asked = _numbers(model, "user", users)
    barred = _barred(model, exclude, among)
    step, found = max(1, BLOCK // model.n_items_), {}
    for start in range(0, len(asked), step):
        block = asked[start:start + step]
        scores = np.array(asnumpy(model.score(block)), np.float64)
        scores[:, barred] = -np.inf
        if known is not None:
            _bar_known(scores, block, known)
        for user, row in zip(users[start:start + step], scores, strict=True):
            found[user] = _best(model, row, n)
    return found


def _numbers(model, side, raw_ids):
    """Numbers of raw ids; where the model knows none, those given are the numbers."""
    numbering = model.numbering_
    if numbering is not None and getattr(numbering, f"{side}_ids") is not None:
        return numbering.numbers(side, raw_ids)
    return checked_ids(side, np.asarray(raw_ids, np.int64).reshape(-1),
                       model.n_users_ if side == "user" else model.n_items_)


def _barred(model, exclude, among):
    """Which items are for nobody, bool (n_items,)."""
    barred = np.zeros(model.n_items_, bool)
    if among is not None:
        barred[:] = True
        barred[_numbers(model, "item", among)] = False
    barred[_numbers(model, "item", exclude)] = True
    return barred


def _bar_known(scores, users, known):
    """Bar from each row of scores what its user has."""
    side = known.by_user
    for row, user in enumerate(users.tolist()):
        scores[row, asnumpy(side.ids[side.indptr[user]:side.indptr[user + 1]])] = -np.inf


def _best(model, scores, n):
    """Recommendations from the scores of one user, of which barred ones are minus infinity."""
    left = np.isfinite(scores)
    n = min(n, int(left.sum()))
    if not n:
        return []
    span = np.ptp(scores[left]) or 1.0
    ranked = np.where(left, np.rint(scores / (span * GRID)), -np.inf)
    items, _ = top_k(ranked[None, :], n)
    return [Recommendation(_raw_id(model.numbering_, item), _title(model.numbering_, item),
                           float(scores[item])) for item in items[0].tolist()]


def _raw_id(numbering, item):
    """What the source calls an item: a whole number or text."""
    if numbering is None or numbering.item_ids is None:
        return item
    raw = numbering.item_ids[item]
    return raw.item() if hasattr(raw, "item") else str(raw)


def _title(numbering, item):
    return str(item) if numbering is None else numbering.title(item)
