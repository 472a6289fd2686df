"""A data frame of the user's own, of whichever library."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import pyarrow as pa

from rslib.ratings import Ratings
from rslib.sources.build import build
from rslib.sources.errors import SourceError
from rslib.sources.form import FormOptions, checked_scale, form_of
from rslib.sources.like import check_like, renumbered
from rslib.sources.own import column_kinds, with_times
from rslib.sources.places import own_source
from rslib.sources.tables import Rules
from rslib.sources.typed import ParquetTable

__all__ = ["from_dataframe"]

_ROWS = 1 << 19     # of a batch


@dataclass(frozen=True)
class _FrameTable(ParquetTable):
    """Ratings in memory, read as a Parquet file is."""

    table: pa.Table = None
    label = "dataframe"

    def raw(self):
        for batch in self.table.to_batches(_ROWS):
            yield self.label, self.by_role(batch)


def _arrow_table(frame):
    """Return a frame as an Arrow table, without knowing whose it is."""
    try:
        if isinstance(frame, Mapping):
            return pa.table({name: pa.array(column) for name, column in frame.items()})
        if hasattr(frame, "__arrow_c_stream__"):
            return pa.table(frame)
        if hasattr(frame, "__dataframe__"):
            from pyarrow import interchange
            return interchange.from_dataframe(frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise SourceError("dataframe: a column cannot be read, such as one of mixed types: "
                          f"{str(error).splitlines()[0][:200]}") from None
    raise TypeError(f"from_dataframe takes a data frame of pandas, polars or Arrow, or columns by "
                    f"name, not {type(frame).__name__}")


def from_dataframe(frame, *, user: str | int | None = None, item: str | int | None = None,
                   rating: str | int | None = None, time: str | int | None = None,
                   scale: tuple[float, float] | None = None, name: str = "dataframe",
                   like=None, new_users: bool = False, **form: Unpack[FormOptions]) -> Ratings:
    """Read ratings from a data frame.

    Parameters
    ----------
    frame : data frame or mapping
        Of pandas, polars, Arrow or another library that speaks Arrow's C stream or the data frame
        interchange protocol; or arrays by name.
    user, item, rating, time, scale, like, new_users
        As in `rslib.sources.load`.
    name : str
        What the ratings are called.
    **form
        time_unit, drop_zeros, duplicates and interactions of `rslib.sources.load`.

    Returns
    -------
    Ratings
        Numbered as `rslib.sources.load` does; nothing is kept on disk.

    Raises
    ------
    TypeError
        If ``frame`` is no data frame.
    SourceError
        If it cannot be read as ratings: one line naming row and column, from 1.
    """
    numbering = check_like(like, new_users)
    table, options = _arrow_table(frame), form_of(form)
    scale = checked_scale(scale, options.interactions)
    given = {"user": user, "item": item, "rating": rating, "time": time}
    positions, kinds, types = column_kinds("dataframe", table.schema, given, options)
    reader = _FrameTable((), tuple(table.schema.names), positions, types,
                         Rules(drop_zeros=options.drop_zeros, counts=options.of_counts), table)
    reader = with_times(reader, kinds, options)
    source = own_source(name, "dataframe", reader, (given, options), scale)
    with tempfile.TemporaryDirectory() as folder:
        ratings = build(source, Path(folder), lambda n: None)
    if numbering is None:
        return ratings
    return renumbered(ratings, numbering, new_users=new_users, label=name)
