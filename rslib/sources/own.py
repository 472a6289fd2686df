"""A user's own CSV, TSV or Parquet file: which column is what."""

import csv
import re
from datetime import datetime
from itertools import islice

import pyarrow as pa
from pyarrow import parquet

from rslib.sources.archives import one_file
from rslib.sources.columns import ARROW_TEXT
from rslib.sources.errors import SourceError
from rslib.sources.locate import shown
from rslib.sources.tables import ParquetTable, TextTable

__all__ = ["PARQUET", "TABLES", "parquet_table", "text_table"]

TABLES = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": None, ".dat": None, ".data": None}
PARQUET = (".parquet", ".pq")

_COMMON = {
    "user": ("user", "userid", "uid", "customer", "customerid", "reviewer", "reviewerid",
             "member", "memberid"),
    "item": ("item", "itemid", "iid", "movie", "movieid", "film", "filmid", "product", "productid",
             "book", "bookid", "artist", "artistid", "song", "songid", "track", "trackid", "asin"),
    "rating": ("rating", "ratings", "stars", "star", "score", "value", "grade", "overall"),
    "time": ("timestamp", "time", "date", "datetime", "ts", "unixtime", "ratedat", "createdat"),
}


def _plain(name):
    return re.sub("[^a-z0-9]", "", str(name).lower())


def _choose(label, role, names, given):
    """Return the column of a role: the one given, else the first with a common name."""
    if given is not None:
        if given not in names:
            raise SourceError(f"{label}: row 1: no column {given!r} (given as {role}=); "
                              f"the columns are {shown(names)}")
        return given
    plain = {_plain(name): name for name in reversed(names)}
    found = next((plain[name] for name in _COMMON[role] if name in plain), None)
    if found is None and role != "time":
        raise SourceError(f"{label}: row 1: no {role} column among {shown(names)}; the first row "
                          f"must name the columns, and {role}= can say which it is")
    return found


def _columns(label, names, given):
    chosen = {role: _choose(label, role, names, given.get(role)) for role in _COMMON}
    chosen = {role: name for role, name in chosen.items() if name is not None}
    if len(set(chosen.values())) < len(chosen):
        raise SourceError(f"{label}: row 1: one column stands for two things: "
                          + ", ".join(f"{role}={name!r}" for role, name in chosen.items()))
    return chosen


def _decoded(label, row, line):
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SourceError(f"{label}: row {row} is not UTF-8 text; save the file as UTF-8"
                          ) from None
    if "\0" in text:
        raise SourceError(f"{label}: row {row} holds a zero byte; this is not a text file")
    return text.rstrip("\r\n")


def _delimiter(path, header):
    """Return the delimiter that the suffix promises, or the one the header shows."""
    wanted = TABLES[path.suffix.lower()] or ("\t" if "\t" in header else ",")
    other = next((mark for mark in ",;\t|" if mark in header), None)
    if wanted not in header and other:
        raise SourceError(f"{path}: row 1: the delimiter is {other!r}, expected {wanted!r}; "
                          f"save the file with {'tabs' if wanted == chr(9) else 'commas'}")
    return wanted


def _time_type(text):
    """Return the type of a time column from its first value."""
    try:
        return pa.timestamp("ns", "UTC" if datetime.fromisoformat(text).tzinfo else None)
    except ValueError:
        return pa.float64()


def _looks_iso(text):
    return not re.fullmatch(r"\s*[-+]?[0-9.]+\s*", text)


def text_table(path, given):
    """Return the reader of a user's text file.

    Parameters
    ----------
    path : Path
    given : dict of str to str or None
        Names of the columns user, item, rating, time, where the user gave them.

    Raises
    ------
    SourceError
        If the file is empty, is not text, or lacks a column.
    """
    with open(path, "rb") as file:
        head = [_decoded(path, row, line) for row, line in enumerate(islice(file, 2), 1)]
    if not head or not head[0].strip():
        raise SourceError(f"{path}: row 1 is empty; the first row must name the columns"
                          if head else f"{path}: the file is empty")
    delimiter = _delimiter(path, head[0])
    rows = [[field.strip() for field in row] for row in csv.reader(head, delimiter=delimiter)]
    names = rows[0]
    columns = _columns(path, names, given)
    positions = {role: names.index(name) for role, name in columns.items()}
    types = {"user": ARROW_TEXT, "item": ARROW_TEXT, "rating": pa.float32()}
    if "time" in positions:
        first = dict(enumerate(rows[1] if len(rows) > 1 else [])).get(positions["time"], "")
        types["time"] = _time_type(first) if _looks_iso(first) else pa.float64()
    return TextTable(one_file(path), delimiter, tuple(names), positions, types, header=True)


def _parquet_type(role, kind):
    """Return the type to read a Parquet column as."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if role == "rating":
        return pa.float32()
    if role == "time":
        dated = text or pa.types.is_timestamp(kind) or pa.types.is_date(kind)
        return pa.timestamp("ns") if dated else pa.float64()
    return ARROW_TEXT if text else pa.int64()


def parquet_table(path, given):
    """Return the reader of a user's Parquet file; see `text_table`."""
    if not path.stat().st_size:
        raise SourceError(f"{path}: the file is empty")
    try:
        schema = parquet.read_schema(path)
    except pa.ArrowInvalid:
        raise SourceError(f"{path}: not a Parquet file, or a truncated one") from None
    columns = _columns(path, schema.names, given)
    types = {role: _parquet_type(role, schema.field(name).type)
             for role, name in columns.items()}
    return ParquetTable(one_file(path), columns, types)
