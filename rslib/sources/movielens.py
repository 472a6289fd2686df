"""MovieLens in its official formats, as published by GroupLens.

100K: u.data, tab separated; u.item. 1M and 10M: ratings.dat and movies.dat, separated by two
colons. latest-small, 20M, 25M and 32M: ratings.csv and movies.csv with a header.

References
----------
Harper and Konstan, The MovieLens Datasets: History and Context, ACM Transactions on Interactive
Intelligent Systems 5 (2015), doi:10.1145/2827872.
"""

import csv

import pyarrow as pa

from rslib.sources.errors import SourceError
from rslib.sources.tables import TextTable

__all__ = ["HALF_STARS", "WHOLE_STARS", "decoded", "fold_tables", "recognise"]

WHOLE_STARS = (1.0, 5.0)
HALF_STARS = (0.5, 5.0)

_NAMES = ("userId", "movieId", "rating", "timestamp")
_POSITIONS = {"user": 0, "item": 1, "rating": 2, "time": 3}
_TYPES = {"user": pa.int64(), "item": pa.int64(), "rating": pa.float32(), "time": pa.int64()}


def _table(member, delimiter, header=False):
    return TextTable(member, delimiter, _NAMES, _POSITIONS, _TYPES, header)


def decoded(member):
    """Return the lines of a member as text."""
    with member.open() as file:
        data = file.read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:      # Netflix, 100K and 1M predate UTF-8
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n")


def _rows(member, delimiter):
    lines = decoded(member)
    return csv.reader(lines) if delimiter == "," else (line.split(delimiter) for line in lines)


def _titles(member, delimiter, header=False):
    """Return the titles by movie id."""
    titles = {}
    for row, fields in enumerate(_rows(member, delimiter), 1):
        if (header and row == 1) or fields in ([], [""]):
            continue
        if len(fields) < 2 or not fields[0].isdigit():
            raise SourceError(f"{member.label}: row {row}: expected a movie id, "
                              f"{delimiter!r}, a title, found {delimiter.join(fields)[:60]!r}")
        titles[int(fields[0])] = fields[1]
    return titles


_FORMATS = {        # file of ratings: its delimiter, the file of titles, its delimiter
    "u.data": ("\t", "u.item", "|"),
    "ratings.dat": ("::", "movies.dat", "::"),
    "ratings.csv": (",", "movies.csv", ","),
}


def _header(member):
    with member.open() as file:
        return file.readline(1000).decode("utf-8-sig", "replace").strip()


def _check_header(member):
    header = _header(member)
    if header != ",".join(_NAMES):
        raise SourceError(f"{member.label}: row 1: expected {','.join(_NAMES)}, "
                          f"found {header[:80]!r}")


def recognise(files):
    """Return (reader, titles, scale) of a MovieLens folder, or None if it is not one.

    Parameters
    ----------
    files : dict of str to Member
    """
    name = next((name for name in _FORMATS if name in files), None)
    if name is None or (name == "ratings.csv" and "movies.csv" not in files
                        and _header(files[name]) != ",".join(_NAMES)):
        return None     # ratings.csv is what anybody calls a table
    delimiter, titles_name, titles_delimiter = _FORMATS[name]
    header = name.endswith(".csv")
    if not files[name].size:
        raise SourceError(f"{files[name].label}: the file is empty")
    if header:
        _check_header(files[name])
    titles = None
    if titles_name in files:
        titles = _titles(files[titles_name], titles_delimiter, header)
    whole = name == "u.data" or "users.dat" in files     # 10M has no users.dat, and half stars
    return _table(files[name], delimiter, header), titles, WHOLE_STARS if whole else HALF_STARS


def fold_tables(files, fold):
    """Return the readers of the training and the test half of one fold of 100K."""
    names = [f"u{fold}.{part}" for part in ("base", "test")]
    missing = [name for name in names if name not in files]
    if missing:
        place = next(iter(files.values())).label if files else "the folder"
        raise SourceError(f"{place}: {missing[0]} is not beside it")
    return [_table(files[name], "\t") for name in names]
