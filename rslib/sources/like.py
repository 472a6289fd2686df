"""Ratings of one source in the numbering of another, such as that of a fitted model."""

import warnings
from dataclasses import replace
from datetime import date

import numpy as np

from rslib.ratings import Numbering, Ratings
from rslib.sources.errors import SourceError
from rslib.sources.locate import shown

__all__ = ["check_like", "numbering_of", "renumbered"]


def numbering_of(like):
    """Return the Numbering of ratings, pairs or a fitted model.

    Raises
    ------
    TypeError, ValueError
        Something without a numbering, or a model that was fitted to ratings without one.
    """
    if isinstance(like, Numbering):
        return like
    for name in ("numbering", "numbering_"):
        if hasattr(like, name):
            found = getattr(like, name)
            if found is None or found.item_ids is None:
                raise ValueError(f"like: this {type(like).__name__} knows no raw ids; it was made "
                                 "from plain numbers, so the file must hold the same numbers")
            return found
    raise TypeError(f"like takes Ratings, Pairs, a Numbering or a fitted model, not "
                    f"{type(like).__name__}")


def check_like(like, new_users):
    """Return the Numbering that ratings shall have, or None for their own.

    Raises
    ------
    TypeError, ValueError
        As `numbering_of`, and where ``new_users`` stands alone.
    """
    if like is not None:
        return numbering_of(like)
    if new_users:
        raise ValueError("new_users=True says how like= is meant: pass like=model, too")
    return None


def _numbers(known, ids):
    """Return the number of each of ``ids`` among the ``known`` ones, -1 where there is none.

    Whole numbers and text compare as text: 7 is "7", and "007" is another id.
    """
    known, ids = np.asarray(known), np.asarray(ids)
    if {known.dtype.kind, ids.dtype.kind} - set("iu"):
        known, ids = ([str(each) for each in side.tolist()] for side in (known, ids))
        numbers = {each: number for number, each in enumerate(known)}
        return np.array([numbers.get(each, -1) for each in ids], np.int64)
    order = np.argsort(known, kind="stable")
    places = np.searchsorted(known, ids, sorter=order)
    numbers = order[np.minimum(places, len(known) - 1)] if len(known) else places * 0 - 1
    return np.where(known[numbers] == ids, numbers, -1) if len(known) else numbers


def _days(ratings, numbering, label):
    """Return the days of ``ratings`` counted from the first day of ``numbering``."""
    if ratings.days is None or numbering.first_day is None:
        return ratings.days
    here = ratings.numbering.first_day
    if here is None:
        raise SourceError(f"{label}: its days have no date, so they cannot be counted from "
                          f"{numbering.first_day}")
    gap = date.fromisoformat(here) - date.fromisoformat(numbering.first_day)
    return ratings.days + np.int32(gap.days)


def renumbered(ratings, like, *, new_users=False, label="ratings"):
    """Return ratings in the numbering of ``like``.

    Parameters
    ----------
    ratings : Ratings
        With a numbering, on the host.
    like : Ratings, Pairs, Numbering or fitted model
    new_users : bool
        Keep the users as they are numbered: they are new to ``like``, as for ``fold_in``.
    label : str
        What messages call the ratings.

    Returns
    -------
    Ratings
        Without the rows whose user or item ``like`` doesn't know; days count from its day 0.

    Raises
    ------
    SourceError
        If no row is left.

    Warns
    -----
    UserWarning
        Naming how many rows were left out, and the ids that are unknown.
    """
    numbering = numbering_of(like)
    columns, unknown = {}, {}
    for side, kept in (("user", new_users or numbering.user_ids is None), ("item", False)):
        ids, column = getattr(ratings.numbering, f"{side}_ids"), getattr(ratings, f"{side}s")
        if kept:
            columns[f"{side}s"] = column
            continue
        numbers = _numbers(getattr(numbering, f"{side}_ids"), ids)
        columns[f"{side}s"] = numbers[column]
        unknown[side] = np.asarray(ids)[numbers < 0]
    known = (columns["users"] >= 0) & (columns["items"] >= 0)
    found = ", ".join(f"{len(ids):,} unknown {side}s ({shown(ids[:3])}"
                      f"{', ...' if len(ids) > 3 else ''})" for side, ids in unknown.items()
                      if len(ids))
    if not known.any():
        hint = "" if new_users else "; if its users are new, pass new_users=True"
        raise SourceError(f"{label}: no rating is left in the numbering asked for: {found}{hint}")
    if not known.all():
        warnings.warn(f"{label}: {int((~known).sum()):,} of {len(known):,} ratings left out: "
                      f"{found}", stacklevel=3)
    users = ratings.numbering.user_ids if new_users else numbering.user_ids
    together = replace(numbering, user_ids=users)
    info = replace(ratings.info, user_ids=users, item_ids=numbering.item_ids,
                   titles=numbering.titles, first_day=numbering.first_day, extra={})
    return Ratings(columns["users"][known].astype(np.int32),
                   columns["items"][known].astype(np.int32),
                   None if ratings.days is None else _days(ratings, numbering, label)[known],
                   ratings.n_users if new_users or users is None else len(users),
                   len(numbering.item_ids), values=ratings.values[known],
                   ranks=None if ratings.ranks is None else ratings.ranks[known], info=info,
                   numbering=numbering if users is numbering.user_ids else together)
