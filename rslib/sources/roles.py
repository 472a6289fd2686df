"""Which column of a table is the user, the item, the rating, the time."""

import re

from rslib.sources.errors import SourceError
from rslib.sources.locate import shown

__all__ = ["ROLES", "columns_of", "common_name"]

_NAMES = {
    "user": [("userid", "uid"), ("user",), ("customerid", "reviewerid", "memberid"),
             ("customer", "reviewer", "member")],
    "item": [("itemid", "iid"), ("item",),
             ("movieid", "filmid", "productid", "bookid", "artistid", "songid", "trackid", "asin",
              "isbn"),
             ("movie", "film", "product", "book", "artist", "song", "track")],
    "rating": [("rating", "ratings"),
               ("stars", "star", "score", "value", "grade", "overall", "bookrating")],
    "time": [("timestamp", "ts", "unixtime", "unixtimestamp", "unixreviewtime"),
             ("time", "date", "datetime", "ratedat", "createdat", "reviewtime", "reviewdate",
              "ratingdate")],
}
"""Common names of each role: an earlier group goes before a later one, within one none does."""

ROLES = tuple(_NAMES)


def _plain(name):
    return re.sub("[^a-z0-9]", "", str(name).lower())


def _candidates(role, names):
    """Positions of the columns that may stand for a role: more than one where none goes first."""
    plain = [_plain(name) for name in names]
    found = ([k for k, name in enumerate(plain) if name in group] for group in _NAMES[role])
    return next(filter(None, found), [])


def common_name(role, names):
    """Return the first of the names that usually stand for a role, or None."""
    return next((names[k] for k in _candidates(role, names)), None)


def _choose(label, role, names, given):
    """Return the position of a role: the one given, else the only one with a common name."""
    if isinstance(given, int):
        if not 0 <= given < len(names):
            raise SourceError(f"{label}: row 1: no column {given} (given as {role}=); columns "
                              f"count from 0, and there are {len(names)}")
        return given
    if given is not None and given not in names:
        raise SourceError(f"{label}: row 1: no column {given!r} (given as {role}=); "
                          f"the columns are {shown(names)}")
    places = (_candidates(role, names) if given is None else
              [k for k, each in enumerate(names) if each == given])
    if not places and role != "time":
        raise SourceError(f"{label}: row 1: no {role} column among {shown(names)}; the first row "
                          f"must name the columns, and {role}= can say which it is; if it names "
                          "none, pass header=None")
    found = [names[k] for k in places]
    if len(set(found)) < len(found):
        raise SourceError(f"{label}: row 1: {len(places)} columns are called {found[0]!r}; say "
                          "which by its position: " + " or ".join(f"{role}={k}" for k in places))
    if len(found) > 1:
        raise SourceError(f"{label}: row 1: {len(found)} columns may be the {role}; say which: "
                          + " or ".join(f"{role}={name!r}" for name in found))
    return places[0] if places else None


def _by_position(given, n_columns):
    """Return positions where the file names none: user, item, rating and time unless given."""
    usual = {"user": 0, "item": 1, "rating": 2, "time": 3 if n_columns == 4 else None}
    return {role: given.get(role) if given.get(role) is not None else usual[role]
            for role in usual}


def columns_of(label, names, given, header=True):
    """Return the positions of user, item, rating and, if there is one, time.

    Raises
    ------
    SourceError
        If a column is missing, or one stands for two things.
    """
    given = given if header else _by_position(given, len(names))
    chosen = {role: _choose(label, role, names, given.get(role)) for role in ROLES}
    chosen = {role: position for role, position in chosen.items() if position is not None}
    if len(set(chosen.values())) < len(chosen):
        raise SourceError(f"{label}: row 1: one column stands for two things: "
                          + ", ".join(f"{role}={names[k]!r}" for role, k in chosen.items()))
    return chosen
