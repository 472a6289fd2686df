"""Streamed reader of columns that have types: those of Parquet, and of data frames."""

from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from rslib.sources.archives import Member
from rslib.sources.columns import ARROW_TEXT, is_any_text
from rslib.sources.errors import SourceError
from rslib.sources.locate import BadValue, bad_row, exact
from rslib.sources.tables import Rules, as_batch

__all__ = ["ParquetTable"]


def _listed(column):
    """Return a column as a list; times as datetime64, since datetime ends with the year 9999."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        seconds = column.cast(pa.timestamp("s"), safe=False)
        return list(seconds.to_numpy(zero_copy_only=False))
    if pa.types.is_floating(column.type):       # as wide as they are: some ids are lost in 32 bits
        width = column.type.to_pandas_dtype()
        return [None if value is None else width(value) for value in column.to_pylist()]
    return column.to_pylist()


def _cast(column, kind):
    """Return a column of whatever type as the one wanted."""
    if pa.types.is_dictionary(column.type):
        values = column.dictionary
        text = is_any_text(values.type)
        column = (values.cast(ARROW_TEXT) if text else values).take(column.indices)
    if is_any_text(column.type) and kind != ARROW_TEXT:
        column = pc.utf8_trim_whitespace(column.cast(pa.string()))
    if pa.types.is_floating(column.type) and pa.types.is_integer(kind):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        if pc.any(pc.greater_equal(pc.abs(column), exact(column.type.to_pandas_dtype()))).as_py():
            raise BadValue("an id that has lost digits")
    rounded = pa.types.is_integer(column.type) and pa.types.is_floating(kind)
    return column.cast(kind, safe=not rounded)


@dataclass(frozen=True)
class ParquetTable:
    """Ratings in Parquet files of one layout.

    Parameters
    ----------
    members : tuple of Member
    names : tuple of str
        Every column of the first of them, in order.
    positions : dict of str to int
        Where user, item, rating and, if any, time stand among ``names``; other parts may order
        columns of different names as they like.
    types : dict of str to pyarrow.DataType
        What each of those is read as.
    rules : Rules
    """

    members: tuple[Member, ...]
    names: tuple[str, ...]
    positions: dict[str, int]
    types: dict[str, pa.DataType]
    rules: Rules

    @property
    def label(self):
        return self.members[0].label

    @property
    def size(self):
        return sum(member.size for member in self.members)

    def replaced(self, types, clock):
        """Return the same reader with other types and another clock."""
        return replace(self, types=types, rules=replace(self.rules, clock=clock))

    def name(self, role):
        """Return what the file calls the column of a role."""
        return self.names[self.positions[role]]

    def by_role(self, batch):
        """Return the columns of a batch by role; of columns of one name, the one as far on."""
        found = {}
        for role, position in self.positions.items():
            places = [k for k, name in enumerate(batch.schema.names) if name == self.name(role)]
            found[role] = batch.column(places[self.names[:position].count(self.name(role))])
        return found

    def raw(self):
        """Yield the columns as they are, batch by batch, each with what messages call its file."""
        names = [*dict.fromkeys(map(self.name, self.positions))]
        for member in self.members:
            try:
                with member.open() as stream, parquet.ParquetFile(stream) as file:
                    for batch in file.iter_batches(1 << 19, columns=names):
                        yield member.label, self.by_role(batch)
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                if getattr(error, "errno", None):
                    raise
                raise SourceError(f"{member.label}: the file is damaged, or not Parquet that can "
                                  "be read") from None

    def batches(self, scale, progress):
        """Yield checked batches, telling ``progress`` the bytes read."""
        for _, columns in self.raw():
            progress(sum(column.nbytes for column in columns.values()))
            yield as_batch({role: _cast(column, self.types[role])
                            for role, column in columns.items()}, scale, self.rules)

    def locate(self, scale, error):
        """Return the error that names the first bad row."""
        lists = ((label, {role: _listed(column) for role, column in columns.items()})
                 for label, columns in self.raw())
        return bad_row(lists, self, scale, error)
