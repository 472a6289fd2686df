"""What a column of times means, and its seconds since 1970."""

import re
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rslib.sources.columns import ARROW_TEXT, number
from rslib.sources.errors import SourceError

__all__ = ["LATEST", "UNITS", "Clock", "is_format", "looks_like_times", "recognise",
           "seconds_of"]

LATEST = 4_102_444_800      # seconds from 1970 to 2100
_RECENT = 473_385_600       # seconds from 1970 to 1985: before, numbers have no obvious unit
_PER_SECOND = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
_SECONDS = {"minutes": 60, "hours": 3600, "days": 86400}
_EXCEL = 25_569             # the serial number of 1970-01-01
UNITS = (*_PER_SECOND, *_SECONDS, "excel", "year", "yyyymmdd", "iso")
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d(?::\d\d(?::\d\d(?:\.\d{1,9})?)?)?"
                  r"(Z|[-+]\d\d(?::?\d\d)?)?)?", re.A)     # what Arrow reads


def _of_calendar(numbers, unit):
    """Return the seconds of years or of dates written as one number; NaN where there is none."""
    seconds = np.full(len(numbers), np.nan)
    whole = np.isfinite(numbers) & (numbers == np.floor(numbers)) & (np.abs(numbers) < 1e8)
    digits = np.where(whole, numbers, 0).astype(np.int64)
    if unit == "year":
        digits = digits * 10_000 + 101
    year, month, day = digits // 10_000, digits // 100 % 100, digits % 100
    whole &= (year >= 1) & (year < 10_000) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    months = (np.where(whole, year, 1970) - 1970) * 12 + np.where(whole, month, 1) - 1
    start = months.astype("datetime64[M]")
    date = start.astype("datetime64[D]") + (np.where(whole, day, 1) - 1)
    whole &= date.astype("datetime64[M]") == start      # no 31st of February
    seconds[whole] = date[whole].astype("datetime64[s]").astype(np.int64)
    return seconds


def seconds_of(numbers, unit):
    """Return numbers of a unit as float64 seconds since 1970; NaN where they are no time.

    Parameters
    ----------
    numbers : array (n,)
    unit : str
        One of `UNITS` that is a number.
    """
    if unit in _PER_SECOND:
        return numbers if unit == "seconds" else numbers / _PER_SECOND[unit]
    if unit in _SECONDS:
        return numbers * float(_SECONDS[unit])
    numbers = np.asarray(numbers, np.float64)
    if unit == "excel":
        return np.round((numbers - _EXCEL) * 86400, 3)      # minutes are no binary fractions
    return _of_calendar(numbers, unit)


def is_format(text):
    """Return True for a format that `datetime.strptime` knows, and that says more than text."""
    try:
        datetime.strptime("", str(text))
    except ValueError as error:
        return "%" in str(text) and str(error).startswith("time data ")
    except re.error:        # one part of a date twice
        return False
    return False


def _utc(when):
    return when.replace(tzinfo=when.tzinfo or UTC).timestamp()


def _of_format(text, form):
    """Return the seconds of text in a format as of strptime; NaN from the first that is not in it.

    `datetime.strptime` decides. Arrow is quicker, but knows a 31st of February: it is believed
    where what it read is written like the text.
    """
    seconds, plain = np.full(len(text), np.nan), np.zeros(len(text), bool)
    try:
        quick = pc.strptime(text, form, "s", error_is_null=True)
        plain = pc.equal(pc.strftime(quick, form), text).fill_null(False).to_numpy(
            zero_copy_only=False)
        seconds[plain] = quick.cast(pa.int64()).to_numpy(zero_copy_only=False)[plain]
    except pa.ArrowInvalid:         # a format that Arrow cannot write
        pass
    for k in np.flatnonzero(~plain):
        try:
            seconds[k] = _utc(datetime.strptime(text[int(k)].as_py(), form))
        except ValueError:
            break
    return seconds


@dataclass(frozen=True)
class Clock:
    """How to read a column of times.

    Parameters
    ----------
    unit : str
        One of `UNITS`, "zoned" for ISO dates with a zone, "dates" for a column that is one
        already, or a format as of strptime.
    told : bool
        True when the user or the format said so; else times before 1985 are refused, since they
        may be numbers of another unit.
    """

    unit: str = "seconds"
    told: bool = True

    @property
    def type(self):
        """The Arrow type that such a column is read as."""
        return ARROW_TEXT if "%" in self.unit or self.unit in ("iso", "zoned") else pa.float64()

    @property
    def first(self):
        """The earliest second that is believed."""
        return 0 if self.told or self.unit in ("iso", "zoned", "dates", "year", "yyyymmdd") \
            else _RECENT

    def seconds(self, column):
        """Return an Arrow column without nulls as seconds since 1970, NaN where it has no time."""
        if self.type == ARROW_TEXT and not pa.types.is_temporal(column.type):
            column = pc.utf8_trim_whitespace(column)
            if "%" in self.unit:
                text = column.dictionary_encode()
                return _of_format(text.dictionary, self.unit)[text.indices.to_numpy()]
            column = column.cast(pa.timestamp("ns", "UTC" if self.unit == "zoned" else None))
        if pa.types.is_temporal(column.type):
            column = column.cast(pa.timestamp("ns")) if not pa.types.is_timestamp(column.type) \
                else column
            steps = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[column.type.unit]
            if column.null_count:
                column = column.fill_null(pa.scalar(-steps, pa.int64()).cast(column.type))
            return column.cast(pa.int64()).to_numpy(zero_copy_only=False) // steps
        return seconds_of(column.to_numpy(zero_copy_only=False), self.unit)

    def seconds_of_one(self, value):
        """Return the seconds of one value as the file has it; raise ValueError where it has none.
        """
        if isinstance(value, np.datetime64):
            return int(value.astype("datetime64[s]").astype(np.int64))
        if "%" in self.unit:
            return _utc(datetime.strptime(str(value).strip(), self.unit))
        if self.unit in ("iso", "zoned"):
            text = str(value).strip()
            if _iso(text) != self.unit:
                raise ValueError
            return _utc(datetime.fromisoformat(text))
        value = number(value) if isinstance(value, str) else float(value)
        return float(seconds_of(np.array([value]), self.unit)[0])

    def said(self):
        """Return the unit in words."""
        plain = {"seconds": "unix seconds", "excel": "Excel serial days", "iso": "ISO dates",
                 "zoned": "ISO dates with a zone", "year": "years", "dates": "dates"}
        return plain.get(self.unit, f"{self.unit} since 1970"
                         if self.unit in (*_PER_SECOND, *_SECONDS) else self.unit)


def _as_number(value, decimal):
    try:
        return number(str(value).strip(), decimal)
    except ValueError:
        return None


def _iso(text):
    """Return the unit of ISO text, or None."""
    found = _ISO.fullmatch(text)
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return None
    return found and ("zoned" if found[1] else "iso")


def _unit_of_numbers(numbers, name):
    """Return the only unit under which the first number is a time since 1985, or None."""
    first = numbers[0]
    if "year" in name.lower() and 1900 <= first < 2100:
        return "year"
    for unit, per_second in _PER_SECOND.items():
        if _RECENT * per_second <= first < LATEST * per_second:
            return unit
    dates = seconds_of(np.array(numbers), "yyyymmdd")
    return "yyyymmdd" if ((dates >= 0) & (dates < LATEST)).all() else None


def recognise(values, name, label, row, decimal="."):
    """Return the Clock of a column from the values it begins with.

    Parameters
    ----------
    values : list of str, number or None
        The first values; empty ones are passed over.
    name : str
        What the file calls the column.
    label : str
        What messages call the file.
    row : int
        The row of the first value.
    decimal : str

    Raises
    ------
    SourceError
        If the numbers may mean more than one thing, or the text is no date that is known.
    """
    found = [(row + k, value) for k, value in enumerate(values)
             if value is not None and str(value).strip() not in ("", "nan", "NaN")]
    if not found:
        return Clock("seconds", told=False)
    row, first = found[0]
    unit = _iso(str(first).strip())
    if unit:
        return Clock(unit, told=False)
    said = repr(first[:40]) if isinstance(first, str) else first
    where = f"{label}: row {row}, column {name!r}: {said}"
    if _as_number(first, decimal) is None:
        raise SourceError(f"{where} is neither a number nor an ISO date; say how it is written, "
                          "as in time_unit='%d/%m/%Y'")
    numbers = [number for _, value in found
               if (number := _as_number(value, decimal)) is not None]
    unit = _unit_of_numbers(numbers, name)
    if unit is None:
        raise SourceError(f"{where} is a time in an unknown unit; say which, time_unit='seconds' "
                          "(since 1970), 'minutes', 'days', 'excel', 'year', 'yyyymmdd' or another")
    return Clock(unit, told=False)


def looks_like_times(columns, label):
    """Warn of a column that holds nothing but times, where no time column was found.

    ``columns`` are the first values by the name of the column.
    """
    for name, values in columns.items():
        try:
            clock = recognise(values, name, label, 1)
            seconds = [clock.seconds_of_one(value) for value in values if str(value).strip()]
        except (SourceError, ValueError, TypeError):
            continue
        if seconds and clock.unit != "yyyymmdd" and all(_RECENT <= each < LATEST
                                                        for each in seconds):
            warnings.warn(f"{label}: no time column was found, but column {str(name)!r} looks like "
                          f"{clock.said()}; if so, pass time={name!r}", stacklevel=2)
            return
