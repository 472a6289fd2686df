"""Which column of a table is the user, the item, the rating or the count, the time."""

import re

from rslib.sources.errors import NoRatingColumn, SourceError
from rslib.sources.locate import shown

__all__ = ["ROLES", "columns_of", "common_name", "measure_of"]

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
_COUNTS = {"plays": "plays", "playcount": "plays", "listens": "plays", "quantity": "purchases",
           "purchases": "purchases", "clicks": "clicks", "count": "counts", "counts": "counts",
           "amount": "counts", "weight": "counts", "n": "counts"}
"""Common names of a column of counts, and what each says that it counts."""


def _plain(name):
    return re.sub("[^a-z0-9]", "", str(name).lower())


def measure_of(name):
    """Return what the column of counts of a name counts."""
    return _COUNTS.get(_plain(name), "counts")


def _candidates(role, names):
    """Positions of the columns that may stand for a role: more than one where none goes first."""
    plain = [_plain(name) for name in names]
    if role == "count":
        return [k for k, name in enumerate(plain) if name in _COUNTS]
    found = ([k for k, name in enumerate(plain) if name in group] for group in _NAMES[role])
    return next(filter(None, found), [])


def common_name(role, names):
    """Return the first of the names that usually stand for a role, or None."""
    return next((names[k] for k in _candidates(role, names)), None)


def _missing(label, role, names):
    """Return the error that names the ways out where no column stands for a role."""
    counts = [names[k] for k in _candidates("count", names)] if role == "rating" else []
    said = (f"rating={counts[0]!r} reads {counts[0]!r} as ratings, interactions=True as counts"
            if counts else f"the first row must name the columns, and {role}= can say which it is; "
            "if it names none, pass header=None")
    if role == "rating" and not counts:
        said += "; if each row is a click, pass interactions=True"
    kind = NoRatingColumn if role == "rating" else SourceError
    return kind(f"{label}: row 1: no {role} column among {shown(names)}; {said}")


def _choose(label, role, names, given):
    """Return the position of a role: the one given, else the only one with a common name."""
    option = "rating" if role == "count" else role
    if isinstance(given, int):
        if not 0 <= given < len(names):
            raise SourceError(f"{label}: row 1: no column {given} (given as {option}=); columns "
                              f"count from 0, and there are {len(names)}")
        return given
    if given is not None and given not in names:
        raise SourceError(f"{label}: row 1: no column {given!r} (given as {option}=); "
                          f"the columns are {shown(names)}")
    places = (_candidates(role, names) if given is None else
              [k for k, each in enumerate(names) if each == given])
    if not places and role not in ("time", "count"):
        raise _missing(label, role, names)
    found = [names[k] for k in places]
    if len(set(found)) < len(found):
        raise SourceError(f"{label}: row 1: {len(places)} columns are called {found[0]!r}; say "
                          "which by its position: " + " or ".join(f"{option}={k}" for k in places))
    if len(found) > 1:
        raise SourceError(f"{label}: row 1: {len(found)} columns may be the {role}; say which: "
                          + " or ".join(f"{option}={name!r}" for name in found))
    return places[0] if places else None


def _by_position(label, given, n_columns, interactions):
    """Return positions where the file names none: user, item, rating and time unless given."""
    usual = {"user": 0, "item": 1, "rating": 2 if n_columns > 2 else None,
             "time": 3 if n_columns == 4 else None}
    if interactions:
        if n_columns > 2 and given.get("rating") is None and given.get("time") is None:
            raise SourceError(f"{label}: row 1: {n_columns} columns without names; say which holds "
                              "counts, as in rating=2, or that none does, by naming that of the "
                              "times, as in time=2")
        usual |= {"rating": None, "time": None}
    return {role: given.get(role) if given.get(role) is not None else usual[role]
            for role in usual}


def _count_column(label, names, given):
    """Return the position of the counts, or None where each row is a click."""
    place = _choose(label, "count", names, given)
    rated = common_name("rating", names) if place is None else None
    if rated is not None:
        raise SourceError(f"{label}: row 1: column {rated!r} holds ratings by its name: leave out "
                          f"interactions=True to read it so, or pass rating={rated!r} too if it "
                          "holds counts")
    return place


def columns_of(label, names, given, header=True, interactions=False):
    """Return the positions of user, item, rating and, if there is one, time.

    Of interactions the column of the counts stands for the rating; without one rows are clicks.

    Raises
    ------
    SourceError
        If a column is missing, or one stands for two things.
    """
    given = given if header else _by_position(label, given, len(names), interactions)
    chosen = {role: _count_column(label, names, given.get(role))
              if interactions and role == "rating" else _choose(label, role, names, given.get(role))
              for role in ROLES}
    chosen = {role: position for role, position in chosen.items() if position is not None}
    if len(set(chosen.values())) < len(chosen):
        raise SourceError(f"{label}: row 1: one column stands for two things: "
                          + ", ".join(f"{role}={names[k]!r}" for role, k in chosen.items()))
    return chosen
