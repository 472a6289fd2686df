"""Ratings of one source in the numbering of another, such as that of a fitted model."""

import warnings
from dataclasses import replace
from datetime import date

import numpy as np

from rslib.ratings import Numbering
from rslib.sources.errors import SourceError
from rslib.sources.locate import shown
from rslib.sources.netflix import index

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
    if known is ids:
        return np.arange(len(ids))
    if {known.dtype.kind, ids.dtype.kind} - set("iu"):
        numbers = {str(each): number for number, each in enumerate(known.tolist())}
        return np.array([numbers.get(str(each), -1) for each in ids.tolist()], np.int64)
    if not len(known):
        return np.full(len(ids), -1)
    order = np.argsort(known, kind="stable")
    places, found = index(known[order], ids)
    return np.where(found, order[places], -1)


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
    if new_users or numbering.user_ids is None:
        numbering = numbering.with_users(ratings.numbering.user_ids)
    columns, unknown = {}, []
    for side in ("user", "item"):
        ids = getattr(ratings.numbering, f"{side}_ids")
        numbers = _numbers(getattr(numbering, f"{side}_ids"), ids)
        columns[f"{side}s"] = numbers[getattr(ratings, f"{side}s")]
        missing = np.asarray(ids)[numbers < 0]
        if len(missing):
            unknown.append(f"{len(missing):,} unknown {side}s ({shown(missing[:3])}"
                           f"{', ...' if len(missing) > 3 else ''})")
    known = (columns["users"] >= 0) & (columns["items"] >= 0)
    if not known.any():
        hint = "" if new_users else "; if its users are new, pass new_users=True"
        raise SourceError(f"{label}: no rating is left in the numbering asked for: "
                          f"{', '.join(unknown)}{hint}")
    if not known.all():
        warnings.warn(f"{label}: {int((~known).sum()):,} of {len(known):,} ratings left out: "
                      f"{', '.join(unknown)}", stacklevel=3)
    info = replace(ratings.info, user_ids=numbering.user_ids, item_ids=numbering.item_ids,
                   titles=numbering.titles, first_day=numbering.first_day, extra={})
    days = _days(ratings, numbering, label)
    return replace(ratings[known], **{name: column[known] for name, column in columns.items()},
                   days=None if days is None else days[known], n_users=len(numbering.user_ids),
                   n_items=len(numbering.item_ids), info=info, numbering=numbering)
