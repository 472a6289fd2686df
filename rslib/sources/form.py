"""How a table of one's own is written: the options of `load` that are not about its columns."""

import difflib
from dataclasses import asdict, dataclass, fields
from typing import TypedDict

from rslib.sources.times import UNITS, is_format

__all__ = ["Form", "FormOptions", "checked_scale", "form_of"]

_DUPLICATES = ("last", "first", "mean", "error", "sum")


class FormOptions(TypedDict, total=False):
    """The options by name; see `Form`."""

    delimiter: str | None
    decimal: str
    quoting: bool | None
    header: bool | None
    time_unit: str | None
    drop_zeros: bool
    duplicates: str
    wide: bool
    interactions: bool


@dataclass(frozen=True)
class Form:
    """The form of a table.

    Parameters
    ----------
    delimiter : str or None
        One character or two colons; None finds it.
    decimal : {".", ","}
        The decimal mark of ratings and times.
    quoting : bool or None
        Whether a quote at the start of a field opens it, so that it may hold delimiters, line
        breaks and doubled quotes. None: yes, unless in a file without commas some quote that
        opens a field closes nothing.
    header : bool or None
        Whether the first row names the columns. If not, columns are given by position, from 0:
        without a word user, item, rating and, if there is a fourth, time.
    time_unit : str or None
        seconds, milliseconds, microseconds, nanoseconds, minutes, hours or days since 1970, excel
        (days since the end of 1899), year, yyyymmdd, iso, or a format as of strptime such as
        "%d/%m/%Y". None finds it or asks.
    drop_zeros : bool
        Leave out ratings of 0, which then mean "seen, not rated".
    duplicates : {"last", "first", "mean", "error", "sum"}
        What counts where one user rated one item more than once: the last or first in time, or in
        the order of the rows where there are no times in the file, their mean or, of interactions,
        their sum, at the time of the last, or nothing. `form_of` takes "sum" for interactions.
    wide : bool
        The text is a matrix: a row a user, named in the first column or that of ``user=``, a column
        an item, and empty cells where there is no rating.
    interactions : bool
        There are no ratings. Each row is a one, a click, or where a column holds counts (see
        `rslib.sources.roles`) that many.

    Raises
    ------
    ValueError
        If an option has a value that it can't have.
    """

    delimiter: str | None = None
    decimal: str = "."
    quoting: bool | None = None
    header: bool | None = True
    time_unit: str | None = None
    drop_zeros: bool = False
    duplicates: str = "last"
    wide: bool = False
    interactions: bool = False

    def __post_init__(self):
        mark = self.delimiter
        if mark is not None and mark != "::" and (
                not isinstance(mark, str) or len(mark) != 1 or not mark.isascii()
                or mark in '"\r\n\0' or mark.isalnum()):
            raise ValueError(f"delimiter must be one character or '::', not {mark!r}")
        for name, allowed in (("decimal", (".", ",")), ("quoting", (None, True, False)),
                              ("header", (None, True, False)), ("drop_zeros", (True, False)),
                              ("wide", (True, False)), ("interactions", (True, False)),
                              ("duplicates", _DUPLICATES)):
            value = getattr(self, name)     # 0 and 1 are rows to others, not False and True
            if not any(value is each for each in allowed) and not (
                    isinstance(value, str) and value in allowed):
                raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, not "
                                 f"{value!r}")
        if self.duplicates == "sum" and not self.interactions:
            raise ValueError("duplicates='sum' adds up counts; pass interactions=True too, or of "
                             "ratings 'last', 'first' or 'mean'")
        unit = self.time_unit
        if unit is not None and unit not in UNITS and not is_format(unit):
            raise ValueError(f"time_unit must be one of {', '.join(UNITS)}, or a format such as "
                             f"'%d/%m/%Y', not {unit!r}")

    @property
    def of_counts(self):
        """What a message says to do about a value that is no count; empty where they are ratings.
        """
        return "leave such rows out; drop_zeros=True does so for 0" * self.interactions

    def given(self):
        """Return what differs from the defaults, by name."""
        return {name: value for name, value in asdict(self).items() if value != getattr(Form, name)}


def form_of(options):
    """Return the Form that keyword arguments ask for; interactions that repeat add up.

    Raises
    ------
    TypeError
        If one of them is no option.
    """
    names = [field.name for field in fields(Form)]
    for name in options:
        if name not in names:
            close = difflib.get_close_matches(name, names, 1)
            hint = f"did you mean {close[0]}=" if close else f"there are {', '.join(names)}"
            raise TypeError(f"there is no option {name}=; {hint}")
    adds_up = {"duplicates": "sum"} if options.get("interactions") is True else {}
    return Form(**adds_up | options)


def checked_scale(scale, interactions=False):
    """Return a scale as two floats, or None; refuse one that is upside down, or of counts."""
    if scale is None:
        return None
    if interactions:
        raise ValueError("scale is for ratings: counts go as high as they go, so leave it out with "
                         "interactions=True")
    try:
        low, high = map(float, scale)
    except (TypeError, ValueError):
        low = high = 0.0
    if not low < high:
        raise ValueError(f"scale must be (lowest, highest), not {scale!r}")
    return low, high
