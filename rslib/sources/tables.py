"""Streamed reader of delimited text: batches of user, item, rating, time.

Every reader of ratings offers the same three things: ``size`` in bytes, ``batches(progress)``,
and ``locate(scale, error)``, which turns the failure of a batch into the line to show the user.
"""

from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv
from tqdm.utils import CallbackIOWrapper

from rslib.sources.archives import Member
from rslib.sources.locate import BadValue, TooLarge, bad_line
from rslib.sources.times import LATEST, Clock

__all__ = ["Batch", "Rules", "TextTable", "as_batch"]

_BLOCK = 1 << 20    # bytes parsed at once; pyarrow reads 32 blocks ahead
_UNIX = Clock()
_BATCH = 16 << 20   # bytes of a batch; longer ones keep the look-up of known ids cheap


class Batch(NamedTuple):
    """Some consecutive ratings: ids as pyarrow arrays, stars, and seconds since 1970 or None."""

    user: pa.Array
    item: pa.Array
    rating: np.ndarray
    time: np.ndarray | None
    n_zeros: int = 0        # ratings of 0 that were left out


def _without_nulls(column):
    if column.null_count:
        raise BadValue("an empty field")
    return column


@dataclass(frozen=True)
class Rules:
    """How the values of a table are read.

    Parameters
    ----------
    clock : Clock
    decimal : {".", ","}
    drop_zeros : bool
        Leave out ratings of 0.
    stray : bool
        True when quotes are letters because one of them closes nothing.
    empty : tuple of str
        What stands for no value.
    counts : str
        What to do about a value of 0 or less, which is no count; empty where values are ratings.
    """

    clock: Clock = _UNIX
    decimal: str = "."
    drop_zeros: bool = False
    stray: bool = False
    empty: tuple[str, ...] = ("",)
    counts: str = ""


_PLAIN = Rules()


def _seconds(column, clock):
    """Return times as int64 seconds since 1970, refusing those outside 1970 to 2100."""
    seconds = clock.seconds(_without_nulls(column))
    if not ((seconds >= clock.first) & (seconds < LATEST)).all():     # NaN fails both
        raise BadValue("a time outside 1970 to 2100")
    return seconds.astype(np.int64, copy=False)


def _values(columns, scale, rules):
    """Return the ratings or counts; where no column holds any, each row is a one."""
    if "rating" not in columns:
        return np.ones(len(columns["user"]), np.float32)
    values = _without_nulls(columns["rating"]).cast(pa.float32()).to_numpy(zero_copy_only=False)
    low, high = scale or (-np.inf, np.inf)
    inside = (values >= low) & (values <= high)
    if rules.counts:
        inside &= values > 0
    if rules.drop_zeros:
        inside |= values == 0
    if not (np.isfinite(values) & inside).all():
        raise BadValue("a rating that is not finite, or outside its scale, or no count")
    return values


def as_batch(columns, scale, rules=_PLAIN):
    """Return pyarrow columns by role as a checked batch.

    Raises
    ------
    BadValue, pyarrow.ArrowException
        If a value is not what it should be; the reader's ``locate`` finds which.
    """
    rating = _values(columns, scale, rules)
    ids, time = (_without_nulls(columns[role]) for role in ("user", "item")), columns.get("time")
    seconds = None if time is None else _seconds(time, rules.clock)
    batch = Batch(*ids, rating, seconds)
    kept = rating != 0
    if not rules.drop_zeros or kept.all():
        return batch
    ids = (column.filter(pa.array(kept)) for column in batch[:2])
    return Batch(*ids, rating[kept], None if seconds is None else seconds[kept],
                 int(np.count_nonzero(~kept)))


@dataclass(frozen=True)
class TextTable:
    """Ratings in lines of text.

    Parameters
    ----------
    member : Member
    delimiter : str
        One character, or the two colons of MovieLens 1M and 10M.
    names : tuple of str
        Every column of the file, in order.
    positions : dict of str to int
        Where user, item, rating and, if any, time stand among ``names``.
    types : dict of str to pyarrow.DataType
        What each of those is read as.
    header : bool
        True when the first row names the columns.
    quoting : bool
        True when the file has quotes that hold fields together.
    longest : int
        Bytes of the longest row; what is shorter than a block need not be known.
    rules : Rules
    """

    member: Member
    delimiter: str
    names: tuple[str, ...]
    positions: dict[str, int]
    types: dict[str, pa.DataType]
    header: bool = False
    quoting: bool = False
    longest: int = 0
    rules: Rules = _PLAIN

    @property
    def size(self):
        return self.member.size

    @property
    def _block(self):
        return max(_BLOCK, 2 * self.longest)

    def _options(self):
        # '::' is ':' with an empty column between; reading that one as null refuses a lone colon
        step = len(self.delimiter)
        every = [str(k) for k in range(step * (len(self.names) - 1) + 1)]
        between = {name: pa.null() for k, name in enumerate(every) if k % step}
        wanted = {str(step * position): self.types[role]
                  for role, position in self.positions.items()}
        return (csv.ReadOptions(block_size=self._block, column_names=every,
                                skip_rows_after_names=int(self.header)),
                csv.ParseOptions(delimiter=self.delimiter[0], newlines_in_values=self.quoting,
                                 quote_char='"' if self.quoting else False),
                csv.ConvertOptions(column_types=wanted | between, null_values=self.rules.empty,
                                   decimal_point=self.rules.decimal,
                                   include_columns=[*wanted, *between]))

    def columns(self, progress):
        """Yield the columns by role in batches, telling ``progress`` the bytes read."""
        with self.member.open() as file:
            reader = csv.open_csv(CallbackIOWrapper(progress, file, "read"), *self._options())
            while blocks := list(islice(reader, max(1, _BATCH // self._block))):
                table = pa.Table.from_batches(blocks)
                yield {role: table[k].combine_chunks() for k, role in enumerate(self.positions)}

    def batches(self, scale, progress):
        """Yield checked batches, telling ``progress`` the bytes read."""
        for columns in self.columns(progress):
            yield as_batch(columns, scale, self.rules)

    def locate(self, scale, error):
        """Return the error that names the first bad row."""
        table = self
        if isinstance(error, TooLarge):
            table = replace(self, types=self.types | {error.role: pa.int64()})
        return bad_line(table, scale, error)
