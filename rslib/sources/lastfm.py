"""Last.fm 2K of HetRec 2011 in its official format: how often users played artists.

user_artists.dat and artists.dat, tab separated, each with a header. A quote is a letter in names
such as "Weird Al" Yankovic.

References
----------
Cantador, Brusilovsky and Kuflik, 2nd Workshop on Information Heterogeneity and Fusion in
Recommender Systems, RecSys 2011, doi:10.1145/2043932.2044016.
"""

import pyarrow as pa

from rslib.sources.errors import SourceError
from rslib.sources.movielens import decoded
from rslib.sources.tables import Rules, TextTable

__all__ = ["MEASURE", "PLAYS", "recognise"]

MEASURE = "plays"
PLAYS, _ARTISTS = "user_artists.dat", "artists.dat"

_NAMES = ("userID", "artistID", "weight")
_COLUMNS = ("id", "name", "url", "pictureURL")
_TYPES = {"user": pa.int64(), "item": pa.int64(), "rating": pa.float32()}
_RULES = Rules(counts="fetch the set again")


def _header(member):
    with member.open() as file:
        return file.readline(1000).decode("utf-8-sig", "replace").rstrip("\r\n")


def _check_header(member, names):
    if not member.size:
        raise SourceError(f"{member.label}: the file is empty")
    if _header(member).split("\t") != [*names]:
        raise SourceError(f"{member.label}: row 1: expected {', '.join(names)} separated by tabs, "
                          f"found {_header(member)[:80]!r}")


def _titles(member):
    """Return the names of the artists by id."""
    _check_header(member, _COLUMNS)
    titles = {}
    for row, line in enumerate(decoded(member)[1:], 2):
        fields = line.split("\t")
        if len(fields) != len(_COLUMNS) or not fields[0].isdigit():
            raise SourceError(f"{member.label}: row {row}: expected an artist id, a name and two "
                              f"addresses separated by tabs, found {line[:60]!r}")
        titles[int(fields[0])] = fields[1]
    return titles


def recognise(files):
    """Return (reader, titles) of a Last.fm folder, or None if it is not one.

    Parameters
    ----------
    files : dict of str to Member
    """
    if PLAYS not in files or (_ARTISTS not in files
                              and _header(files[PLAYS]).split("\t") != [*_NAMES]):
        return None         # somebody's own table
    _check_header(files[PLAYS], _NAMES)
    reader = TextTable(files[PLAYS], "\t", _NAMES, {"user": 0, "item": 1, "rating": 2}, _TYPES,
                       header=True, rules=_RULES)
    return reader, _titles(files[_ARTISTS]) if _ARTISTS in files else None
