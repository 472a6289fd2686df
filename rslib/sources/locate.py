"""The slow pass: find the first bad line of a file that the fast readers refused.

Plain Python, one line at a time, run only to write an error message. A row is the line of the
file, counted from 1 with the header; of a Parquet file it is the row of the table.
"""

import csv
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from rslib.sources.errors import SourceError

__all__ = ["LATEST", "BadValue", "TooLarge", "bad_line", "bad_row", "problem", "shown"]

LATEST = 4_102_444_800      # seconds from 1970 to 2100
_INT64 = 2**63


class BadValue(Exception):
    """A vectorised check found a bad value somewhere in a batch."""


class TooLarge(BadValue):
    """The ids of ``role`` are whole numbers, and one of them passes 64 bits."""

    def __init__(self, role):
        super().__init__(f"{role}: a whole number of more than 64 bits")
        self.role = role


def shown(values):
    """Return values quoted and joined, cut to what fits in one line."""
    quoted = [repr(str(value)[:40]) for value in values[:12]]
    return ", ".join(quoted + ["..."] * (len(values) > 12))


def _id_problem(value, kind):
    text = str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()
    if value is None or not text:
        return "is empty"
    if not text.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in text):
        return "is not UTF-8 text; save the file as UTF-8"
    return _integer_problem(text) if pa.types.is_integer(kind) else None


def _integer_problem(text):
    try:
        number = int(text)
    except ValueError:
        return f"{text!r} is not a whole number"
    if not -_INT64 <= number < _INT64:
        return f"{text} is too large for the store: whole numbers must lie below 2^63"
    return None


def _number(value):
    return float("nan") if isinstance(value, str) and "_" in value else float(value)


def _rating_problem(value, scale):
    if value is None or not str(value).strip():
        return "is empty"
    try:
        number = _number(value)
    except (TypeError, ValueError):
        return f"{value!r} is not a number"
    if not abs(number) <= float(np.finfo(np.float32).max):
        return f"{value!r} is not a finite number"
    if scale is not None and not scale[0] <= np.float32(number) <= scale[1]:
        return f"{value} is outside the declared scale {scale[0]:g} to {scale[1]:g}"
    return None


def _seconds(value, kind):
    """Return a time in seconds since 1970; raise ValueError where it is not one."""
    if isinstance(value, np.datetime64):
        return int(value.astype("datetime64[s]").astype(np.int64))
    if not pa.types.is_temporal(kind):
        return _number(value)
    when = datetime.fromisoformat(value)
    if (when.tzinfo is None) != (getattr(kind, "tz", None) is None):
        raise ValueError
    return when.replace(tzinfo=when.tzinfo or UTC).timestamp()


def _time_problem(value, kind):
    if value is None or str(value).strip() in ("", "NaT"):
        return "is empty"
    try:
        seconds = _seconds(value, kind)
    except (TypeError, ValueError):
        return (f"{str(value)!r} is neither unix seconds nor an ISO date, or not the same "
                "kind of time as in the first row")
    if 0 <= seconds < LATEST:
        return None
    if LATEST <= seconds < 1000 * LATEST and not pa.types.is_temporal(kind):
        return f"{value} is after the year 2100; it looks like milliseconds: divide by 1000"
    return f"{value} lies outside the years 1970 to 2100"


def problem(role, value, kind, scale):
    """Return what is wrong with one value, or None.

    Parameters
    ----------
    role : {"user", "item", "rating", "time"}
    value : str, number, date or None
    kind : pyarrow.DataType
        Type that the fast reader expects.
    scale : (float, float) or None
    """
    if role == "rating":
        return _rating_problem(value, scale)
    return _time_problem(value, kind) if role == "time" else _id_problem(value, kind)


def _fields(text, delimiter):
    return text.split(delimiter) if len(delimiter) > 1 else next(
        csv.reader([text], delimiter=delimiter))


def _line_problem(text, table, scale):
    """Return (column or None, problem) of one line of a text table, or None."""
    if "\0" in text:
        return None, "holds a zero byte; this is not a text file"
    fields = _fields(text, table.delimiter)
    if len(fields) != len(table.names):
        return None, (f"has {len(fields)} columns separated by {table.delimiter!r}, "
                      f"not {len(table.names)}")
    for role, position in table.positions.items():
        found = problem(role, fields[position], table.types[role], scale)
        if found:
            return table.names[position], found
    return None


def bad_line(table, scale, error):
    """Return the error that names the first bad line of a text table.

    Parameters
    ----------
    table : TextTable
    scale : (float, float) or None
    error : Exception
        What the fast reader said; quoted when the slow pass finds nothing wrong.
    """
    label, n_rows = table.member.label, 0
    with table.member.open() as lines:
        for row, line in enumerate(lines, 1):
            text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
            if (row == 1 and table.header) or not text:
                continue
            n_rows += 1
            found = _line_problem(text, table, scale)
            if found:
                column, what = found
                where = f", column {column!r}" if column else ""
                return SourceError(f"{label}: row {row}{where}: {what}")
    if not n_rows:
        return SourceError(f"{label}: a header and no ratings" if table.header
                           else f"{label}: no ratings")
    return SourceError(f"{label}: {str(error).splitlines()[0]}")


def bad_row(batches, table, scale, error):
    """Return the error that names the first bad row of a Parquet table.

    ``batches`` yields lists of values by role; the other parameters are those of `bad_line`.
    """
    first = 1
    for batch in batches:
        for row, values in enumerate(zip(*batch.values(), strict=True), first):
            for role, value in zip(batch, values, strict=True):
                found = problem(role, value, table.types[role], scale)
                if found:
                    return SourceError(f"{table.member.label}: row {row}, column "
                                       f"{table.columns[role]!r}: {found}")
        first += len(batch["user"])
    return SourceError(f"{table.member.label}: {str(error).splitlines()[0]}")
