"""Streamed readers of delimited text and Parquet: batches of user, item, rating, time.

Every reader of ratings offers the same three things: ``size`` in bytes, ``batches(progress)``,
and ``locate(scale, error)``, which turns the failure of a batch into the line to show the user.
"""

from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet
from tqdm.utils import CallbackIOWrapper

from rslib.sources.archives import Member
from rslib.sources.errors import SourceError
from rslib.sources.locate import LATEST, BadValue, TooLarge, bad_line, bad_row

__all__ = ["Batch", "ParquetTable", "TextTable", "as_batch"]

_BLOCK = 1 << 20    # bytes parsed at once; pyarrow reads 32 blocks ahead
_BLOCKS = 16        # a batch; longer ones keep the look-up of known ids cheap


class Batch(NamedTuple):
    """Some consecutive ratings: ids as pyarrow arrays, stars, and seconds since 1970 or None."""

    user: pa.Array
    item: pa.Array
    rating: np.ndarray
    time: np.ndarray | None


def _without_nulls(column):
    if column.null_count:
        raise BadValue("an empty field")
    return column


def _seconds(column):
    """Return times as int64 seconds since 1970, refusing those outside 1970 to 2100."""
    column = _without_nulls(column)
    if pa.types.is_temporal(column.type):
        seconds = column.cast(pa.timestamp("ns")).to_numpy(zero_copy_only=False)
        seconds = seconds.view(np.int64) // 10**9
    else:
        seconds = column.to_numpy(zero_copy_only=False)
    if not ((seconds >= 0) & (seconds < LATEST)).all():     # NaN fails both
        raise BadValue("a time outside 1970 to 2100")
    return seconds.astype(np.int64, copy=False)


def _stars(column, scale):
    values = _without_nulls(column).cast(pa.float32()).to_numpy(zero_copy_only=False)
    low, high = scale or (-np.inf, np.inf)
    if not (np.isfinite(values) & (values >= low) & (values <= high)).all():
        raise BadValue("a rating that is not finite, or outside its scale")
    return values


def as_batch(columns, scale):
    """Return pyarrow columns by role as a checked batch.

    Raises
    ------
    BadValue, pyarrow.ArrowException
        If a value is not what it should be; the reader's ``locate`` finds which.
    """
    time = columns.get("time")
    return Batch(_without_nulls(columns["user"]), _without_nulls(columns["item"]),
                 _stars(columns["rating"], scale), None if time is None else _seconds(time))


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
        True when the first line names the columns.
    """

    member: Member
    delimiter: str
    names: tuple[str, ...]
    positions: dict[str, int]
    types: dict[str, pa.DataType]
    header: bool = False

    @property
    def size(self):
        return self.member.size

    def _options(self):
        # '::' is ':' with an empty column between; reading that one as null refuses a lone colon
        step = len(self.delimiter)
        every = [str(k) for k in range(step * (len(self.names) - 1) + 1)]
        between = {name: pa.null() for k, name in enumerate(every) if k % step}
        wanted = {str(step * position): self.types[role]
                  for role, position in self.positions.items()}
        return (csv.ReadOptions(block_size=_BLOCK, column_names=every, skip_rows=int(self.header)),
                csv.ParseOptions(delimiter=self.delimiter[0]),
                csv.ConvertOptions(column_types=wanted | between, null_values=[""],
                                   include_columns=[*wanted, *between]))

    def batches(self, scale, progress):
        """Yield checked batches, telling ``progress`` the bytes read."""
        with self.member.open() as file:
            reader = csv.open_csv(CallbackIOWrapper(progress, file, "read"), *self._options())
            while blocks := list(islice(reader, _BLOCKS)):
                table = pa.Table.from_batches(blocks)
                yield as_batch({role: table[k].combine_chunks()
                                for k, role in enumerate(self.positions)}, scale)

    def locate(self, scale, error):
        """Return the error that names the first bad line."""
        table = self
        if isinstance(error, TooLarge):
            table = replace(self, types=self.types | {error.role: pa.int64()})
        return bad_line(table, scale, error)


def _listed(column):
    """Return a column as a list; times as datetime64, since datetime ends with the year 9999."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        seconds = column.cast(pa.timestamp("s"), safe=False)
        return list(seconds.to_numpy(zero_copy_only=False))
    return column.to_pylist()


@dataclass(frozen=True)
class ParquetTable:
    """Ratings in a Parquet file.

    Parameters
    ----------
    member : Member
    columns : dict of str to str
        Column of user, item, rating and, if any, time.
    types : dict of str to pyarrow.DataType
        What each of those is read as.
    """

    member: Member
    columns: dict[str, str]
    types: dict[str, pa.DataType]

    @property
    def size(self):
        return self.member.size

    def _raw(self):
        with self.member.open() as stream, parquet.ParquetFile(stream) as file:
            if not file.metadata.num_rows:
                raise SourceError(f"{self.member.label}: columns and no ratings")
            yield from file.iter_batches(1 << 19, columns=[*self.columns.values()])

    def batches(self, scale, progress):
        """Yield checked batches, telling ``progress`` the bytes read."""
        for batch in self._raw():
            columns = {role: batch[name].cast(self.types[role])
                       for role, name in self.columns.items()}
            yield as_batch(columns, scale)
            progress(batch.nbytes)

    def locate(self, scale, error):
        """Return the error that names the first bad row."""
        lists = ({role: _listed(batch[name]) for role, name in self.columns.items()}
                 for batch in self._raw())
        return bad_row(lists, self, scale, error)
