"""The slow pass: find the first bad line of a file that the fast readers refused.

Plain Python, one row at a time, run only to write an error message. A row is what the reader takes
for one, counted from 1 with the header; where quotes hold line breaks, or lines are empty, the line
that it begins on is named too. Of a Parquet file it is the row of the table.
"""

import math
import re

import numpy as np
import pyarrow as pa

from rslib.sources.columns import number
from rslib.sources.errors import SourceError
from rslib.sources.records import records, split
from rslib.sources.times import LATEST

__all__ = ["BadValue", "TooLarge", "bad_line", "bad_row", "exact", "place", "problem", "shown"]

_FLOATS = (float, np.floating)
_INT64 = 2**63
_LONG = 60      # letters of a value that a message shows


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


def _cut(value):
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _LONG else text[:_LONG] + "...'"


def exact(kind):
    """Return the number from which on floats of a NumPy type skip whole numbers."""
    return 2.0 ** (np.finfo(kind).nmant + 1)


def _missing(value):
    return value is None or (isinstance(value, _FLOATS) and math.isnan(value)) or (
        not str(value).strip() or str(value) == "NaT")


def _id_problem(value, kind):
    if _missing(value):
        return "is empty"
    decimals = isinstance(value, _FLOATS) and pa.types.is_integer(kind)
    if decimals and abs(value) >= exact(type(value)):
        return (f"{value:.0f} may have lost digits, since the column holds decimals; keep ids as "
                "whole numbers or as text")
    text = str(int(value) if isinstance(value, _FLOATS) and value.is_integer() else value).strip()
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return "is not UTF-8 text; save the file as UTF-8"
    return _integer_problem(text) if pa.types.is_integer(kind) else None


def _integer_problem(text):
    if not re.fullmatch(r"[-+]?[0-9]+(\.0+)?", text):
        return f"{_cut(text)} is not a whole number"
    text = text.partition(".")[0]
    if len(text) > 20 or not -_INT64 <= int(text) < _INT64:
        return (f"{text[:_LONG]} is too large for the store: whole numbers must lie below 2^63; "
                "with a letter before each, ids are text")
    return None


def _rating_problem(value, scale, rules):
    if value is None or not str(value).strip():
        return "is empty"
    try:
        found = number(value, rules.decimal) if isinstance(value, str) else float(value)
    except (TypeError, ValueError):
        other = "," if rules.decimal == "." else "."
        comma = re.fullmatch(rf"\s*-?\d*{re.escape(other)}\d+\s*", str(value))
        return f"{_cut(value)} is not a number" + (f"; pass decimal={other!r}" if comma else "")
    if not abs(found) <= float(np.finfo(np.float32).max):
        return f"{_cut(value)} is not a finite number"
    if rules.drop_zeros and np.float32(found) == 0:
        return None
    if rules.counts and not np.float32(found) > 0:
        return f"{_cut(value)} is no count, which is above 0; {rules.counts}"
    if scale is not None and not scale[0] <= np.float32(found) <= scale[1]:
        return f"{value} is outside the declared scale {scale[0]:g} to {scale[1]:g}"
    return None


def _time_problem(value, rules):
    if _missing(value):
        return "is empty"
    clock = rules.clock
    try:
        plain = clock.type == pa.float64() and isinstance(value, str)
        seconds = clock.seconds_of_one(number(value, rules.decimal) if plain else value)
    except (TypeError, ValueError, OverflowError):
        return (f"{_cut(value)} is not one of the {clock.said()} that the column holds"
                + ("" if clock.told else " from its first row on"))
    if clock.first <= seconds < LATEST:
        return None
    if 0 <= seconds < clock.first:
        return (f"{_cut(value)} is a time before 1985 if it is in {clock.said()}, as the first "
                f"row; if so, pass time_unit={clock.unit!r}")
    if LATEST <= seconds < 1000 * LATEST and clock.unit == "seconds":
        return f"{_cut(value)} is after the year 2100; it looks like milliseconds: divide by 1000"
    if math.isnan(seconds):
        return f"{_cut(value)} is not one of the {clock.said()} that the column holds"
    return f"{value} lies outside the years 1970 to 2100"


def problem(role, value, kind, scale, rules):
    """Return what is wrong with one value, or None.

    Parameters
    ----------
    role : {"user", "item", "rating", "time"}
    value : str, number, date or None
    kind : pyarrow.DataType
        Type that the fast reader expects of an id.
    scale : (float, float) or None
    rules : Rules
    """
    if role == "rating":
        return _rating_problem(value, scale, rules)
    return _time_problem(value, rules) if role == "time" else _id_problem(value, kind)


def place(record):
    """Return where a record stands."""
    line = f" (line {record.line})" if record.line != record.row else ""
    return f"row {record.row}{line}"


def _row_problem(record, table, scale, check):
    """Return (column or None, problem) of one row of a text table, or None."""
    if b"\0" in record.data:
        return None, "holds a zero byte; this is not a text file"
    if record.open_quote:
        return None, "a quote opens a field and nothing closes it; if it is a letter, quoting=False"
    fields = split(record, table.delimiter, table.quoting)
    if len(fields) != len(table.names):
        hint = "; its quotes are read as letters" if b'"' in record.data and not table.quoting \
            else ""
        if table.delimiter == " " and b"  " in record.data:
            hint = "; several spaces are several columns, so leave one"
        return None, (f"has {len(fields)} columns separated by {table.delimiter!r}, "
                      f"not {len(table.names)}{hint}")
    if len(table.delimiter) > 1 and any(table.delimiter[0] in field for field in fields):
        return None, (f"has a single {table.delimiter[0]!r} beside {table.delimiter!r}; separate "
                      "the columns by something else")
    for role, position in table.positions.items():
        found = (check(role, fields[position], scale) if check else
                 problem(role, fields[position], table.types[role], scale, table.rules))
        if found:
            return table.names[position], found
    return None


def bad_line(table, scale, error, check=None):
    """Return the error that names the first bad row of a text table.

    Parameters
    ----------
    table : TextTable
    scale : (float, float) or None
    error : Exception
        What the fast reader said; quoted when the slow pass finds nothing wrong.
    check : callable or None
        Called with role, value and scale in the place of `problem`.
    """
    label, n_rows = table.member.label, 0
    with table.member.open() as file:
        for record in records(file, table.delimiter, table.quoting):
            if record.row == 1 and table.header:
                continue
            n_rows += 1
            found = _row_problem(record, table, scale, check)
            if found:
                column, what = found
                where = f", column {column!r}" if column else ""
                return SourceError(f"{label}: {place(record)}{where}: {what}")
    if not n_rows:
        return SourceError(f"{label}: a header and no ratings" if table.header
                           else f"{label}: no ratings")
    return SourceError(f"{label}: {_first_line(error)}")


def _first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def _plain(value):
    """Return text as the readers of types take it: without the space around it."""
    value = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
    return value.strip() if isinstance(value, str) else value


def bad_row(batches, table, scale, error):
    """Return the error that names the first bad row of a Parquet table.

    ``batches`` yields the name of a file and lists of values by role; the other parameters are
    those of `bad_line`.
    """
    first, file, label = 1, None, table.label
    for label, batch in batches:
        first, file = (1, label) if label != file else (first, file)
        for row, values in enumerate(zip(*batch.values(), strict=True), first):
            for role, value in zip(batch, values, strict=True):
                value = _plain(value)
                found = problem(role, value, table.types[role], scale, table.rules)
                if found:       # decimal= is for text tables
                    found = re.sub("; pass decimal=.*", "; save the column as numbers", found)
                    return SourceError(f"{label}: row {row}, column "
                                       f"{table.name(role)!r}: {found}")
        first += len(batch["user"])
    if first == 1:
        return SourceError(f"{label}: columns and no ratings")
    return SourceError(f"{label}: {_first_line(error)}")
