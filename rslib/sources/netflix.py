"""The Netflix Prize in its official formats.

Ratings are sections of ``user,rating,date`` lines under a ``movie:`` line, either one section a
file (training_set/mv_0000001.txt and on, or training_set.tar) or many (combined_data_1.txt to 4).
probe.txt and qualifying.txt have the same sections, of ``user`` and of ``user,date``.

References
----------
Bennett and Lanning, The Netflix Prize, KDD Cup and Workshop (2007).
"""

import re
import warnings
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from pyarrow import csv

from rslib.ratings import Pairs
from rslib.sources.archives import Member
from rslib.sources.errors import SourceError
from rslib.sources.locate import BadValue, problem
from rslib.sources.movielens import decoded
from rslib.sources.tables import Rules, as_batch
from rslib.sources.times import Clock

__all__ = ["BESIDE", "NetflixRatings", "extras", "index", "recognise", "rows_of"]

BESIDE = ("movie_titles.txt", "movie_titles.csv", "probe.txt", "qualifying.txt")
_BLOCK = 32 << 20       # bytes of lines parsed at once
_HEADER_END = re.compile(rb":\r?\n")
_RATING = {"user": pa.int64(), "rating": pa.float32(), "time": pa.date32()}
_PROBE = {"user": pa.int64()}
_DATES = Rules(Clock("iso"))
_QUALIFYING = {"user": pa.int64(), "time": pa.date32()}


def _chunks(member, progress):
    """Yield blocks of whole lines."""
    with member.open() as file:
        left = b""
        while data := file.read(_BLOCK):
            progress(len(data))
            whole, newline, left = (left + data).rpartition(b"\n")
            if newline:
                yield whole + newline
        if left.strip():
            yield left + b"\n"


def _sections(member, progress):
    """Yield (movie, its lines), where a section cut between blocks comes in two."""
    movie = None
    for chunk in _chunks(member, progress):
        start = 0
        for match in _HEADER_END.finditer(chunk):
            header = chunk.rfind(b"\n", 0, match.start()) + 1
            if header > start:
                yield movie, chunk[start:header]
            digits = chunk[header:match.start()]
            if not (digits.isdigit() and len(digits) < 10):
                raise BadValue("a bad movie header")
            movie, start = int(digits), match.end()
        if start < len(chunk):
            yield movie, chunk[start:]


def _parse(sections, types):
    """Return the columns of some sections, the movie of each line included."""
    movies, lines = zip(*sections, strict=True)
    if None in movies:
        raise BadValue("a row before any movie header")
    table = csv.read_csv(pa.BufferReader(b"".join(lines)),
                         csv.ReadOptions(column_names=[*types]),
                         csv.ParseOptions(ignore_empty_lines=False),
                         csv.ConvertOptions(column_types=types, null_values=[""]))
    item = np.repeat(np.array(movies), [text.count(b"\n") for text in lines])
    if len(item) != table.num_rows:
        raise BadValue("a line that is no row")
    columns = {name: table[name].combine_chunks() for name in types}
    return columns | {"item": pa.array(item)}


def _parsed(members, types, progress):
    """Yield parsed blocks of many sections; one section a call would take hours."""
    pending, size = [], 0
    for member in members:
        for movie, lines in _sections(member, progress):
            pending.append((movie, lines))
            size += len(lines)
            if size >= _BLOCK:
                yield _parse(pending, types)
                pending, size = [], 0
    if pending:
        yield _parse(pending, types)


def _line_problem(text, types, scale):
    fields = text.split(",")
    if len(fields) != len(types):
        return f"expected {','.join(types)}, found {text[:40]!r}"
    for (role, kind), value in zip(types.items(), fields, strict=True):
        bare = value if role == "time" else value.strip(" \t")     # which the parser passes over
        found = problem(role, value, kind, scale, _DATES) or (
            bare != bare.strip() and f"{value!r} has something around it")
        if found:
            return f"column {role!r}: {found}"
    return None


def _bad_line(member, types, scale):
    """Return the error that names the first bad line of one file, or None."""
    movie = None
    for row, text in enumerate(decoded(member), 1):
        if text.endswith(":"):
            if not (text[:-1].isdigit() and len(text) < 11):
                return SourceError(f"{member.label}: row {row}: bad movie header {text[:40]!r}; "
                                   "expected a movie number and a colon")
            movie = text
        else:
            found = ("a row before any movie header" if movie is None
                     else _line_problem(text, types, scale))
            if found:
                return SourceError(f"{member.label}: row {row}: {found}")
    return None


def _locate(members, types, scale, error):
    found = (_bad_line(member, types, scale) for member in members)
    place = f"{members[0].label} and on" if len(members) > 1 else members[0].label
    return next(filter(None, found), None) or SourceError(
        f"{place}: {str(error).splitlines()[0]}")


@dataclass(frozen=True)
class NetflixRatings:
    """Ratings in sections, over one or many files."""

    members: list[Member]

    @property
    def size(self):
        return sum(member.size for member in self.members)

    def batches(self, scale, progress):
        """Yield checked batches, telling ``progress`` the bytes read."""
        for columns in _parsed(self.members, _RATING, progress):
            yield as_batch(columns, scale)

    def locate(self, scale, error):
        """Return the error that names the first bad line."""
        return _locate(self.members, _RATING, scale, error)


def _titles(member):
    titles = {}
    for row, line in enumerate(decoded(member), 1):
        if not line:
            continue
        fields = line.split(",", 2)     # the title is the rest: it may hold commas
        if len(fields) < 3 or not fields[0].isdigit():
            raise SourceError(f"{member.label}: row {row}: expected id,year,title, "
                              f"found {line[:40]!r}")
        titles[int(fields[0])] = fields[2]
    return titles


def recognise(files, alone=False):
    """Return (reader, titles) of a Netflix folder, or None if it is not one.

    ``alone`` says that the combined files that are there are all that is wanted.
    """
    names = sorted(name for name in files if re.fullmatch(r"mv_\d+\.txt", name))
    if not names:
        names = sorted(name for name in files if re.fullmatch(r"combined_data_\d\.txt", name))
        if names and len(names) < 4 and not alone:
            raise SourceError(f"{files[names[0]].label}: combined_data_1.txt to 4 belong "
                              f"together, found only {', '.join(names)}")
    if not names:
        return None
    listed = next((files[name] for name in BESIDE[:2] if name in files), None)
    return (NetflixRatings([files[name] for name in names]),
            None if listed is None else _titles(listed))


def _pairs(member, types):
    """Return user ids, movie ids and days since 1970 of probe.txt or qualifying.txt."""
    try:
        parsed = list(_parsed([member], types, lambda n: None))
    except (BadValue, pa.ArrowException) as error:
        raise _locate([member], types, None, error) from None
    if not parsed:
        raise SourceError(f"{member.label}: no rows")
    columns = {name: np.concatenate([block[name].to_numpy(zero_copy_only=False)
                                     for block in parsed]) for name in parsed[0]}
    days = columns["time"].astype("datetime64[D]").view(np.int64) if "time" in columns else None
    return columns["user"], columns["item"], days


def index(ids, wanted):
    """Return the positions of ``wanted`` in sorted ``ids``, and whether each was found."""
    found = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return found, ids[found] == wanted


def rows_of(users, items, wanted_users, wanted_items, n_users):
    """Return the row that holds each wanted pair, or -1; ratings are scanned in blocks."""
    wanted = wanted_items.astype(np.int64) * n_users + wanted_users
    order = np.argsort(wanted)
    ascending, rows = wanted[order], np.full(len(wanted), -1)
    for start in range(0, len(users), 1 << 22):
        block = slice(start, start + (1 << 22))
        found, hit = index(ascending, items[block].astype(np.int64) * n_users + users[block])
        rows[order[found[hit]]] = start + np.flatnonzero(hit)
    return rows


def _left_out(member, known):
    if not known.all():
        warnings.warn(f"{member.label}: left out {np.count_nonzero(~known):,} of {len(known):,} "
                      "pairs that the ratings know nothing of", stacklevel=2)


def extras(files, users, items, user_ids, item_ids, first_day):
    """Return the probe and the qualifying set in terms of the ratings just read.

    Parameters
    ----------
    files : dict of str to Member
    users, items : int32 array (n_ratings,)
    user_ids, item_ids : int64 array
        Ids of the source, ascending.
    first_day : date

    Returns
    -------
    dict
        ``probe``: rows of the ratings, int64 array (n_probe,); ``qualifying``: Pairs.
    """
    found = {}
    if "probe.txt" in files:
        who, what, _ = _pairs(files["probe.txt"], _PROBE)
        (who, known), (what, rated) = index(user_ids, who), index(item_ids, what)
        rows = np.where(known & rated, rows_of(users, items, who, what, len(user_ids)), -1)
        _left_out(files["probe.txt"], rows >= 0)
        found["probe"] = rows[rows >= 0]
    if "qualifying.txt" in files:
        who, what, days = _pairs(files["qualifying.txt"], _QUALIFYING)
        (who, known), (what, rated) = index(user_ids, who), index(item_ids, what)
        known &= rated
        _left_out(files["qualifying.txt"], known)
        days -= (first_day - date(1970, 1, 1)).days
        found["qualifying"] = Pairs(who[known], what[known], days[known], len(user_ids),
                                    len(item_ids))
    return found
