"""A user's own CSV, TSV or Parquet file: what its columns are read as."""

import pyarrow as pa
from pyarrow import parquet

from rslib.sources.columns import ARROW_TEXT, is_any_text, is_number
from rslib.sources.errors import SourceError
from rslib.sources.layout import SAMPLE, layout
from rslib.sources.roles import columns_of
from rslib.sources.tables import Rules, TextTable
from rslib.sources.times import Clock, looks_like_times, recognise
from rslib.sources.typed import ParquetTable

__all__ = ["column_kinds", "parquet_table", "text_table", "with_times"]


def clock_of(form, values, name, label, row):
    """Return the Clock that the options ask for, or that the first values show."""
    unit = form.time_unit
    if unit not in (None, "iso"):
        return Clock(unit)
    clock = recognise(values, name, label, row, form.decimal)
    if unit == "iso" and clock.unit not in ("iso", "zoned"):
        return Clock("iso")
    return clock


def text_table(member, suffix, given, form):
    """Return the reader of a user's text file.

    Parameters
    ----------
    member : Member
    suffix : str
    given : dict of str to str, int or None
        Names or positions of the columns user, item, rating, time, where the user gave them.
    form : Form

    Raises
    ------
    SourceError
        If the file is empty, is not text, or lacks a column.
    """
    delimiter, quoting, stray, longest, names, rows = layout(member, suffix, given, form)
    positions = columns_of(member.label, names, given, form.header, form.interactions)
    clock = Clock()

    def sampled(position):
        return [row[position] if len(row) == len(names) else "" for row in rows]

    if "time" in positions:
        position = positions["time"]
        clock = clock_of(form, sampled(position), names[position], member.label,
                         1 + bool(form.header))
    else:
        looks_like_times({name: sampled(k) for k, name in enumerate(names)
                          if k not in positions.values()}, member.label)
    types = {"user": ARROW_TEXT, "item": ARROW_TEXT, "rating": pa.float32(), "time": clock.type}
    return TextTable(member, delimiter, tuple(names), positions,
                     {role: types[role] for role in positions}, bool(form.header), quoting, longest,
                     Rules(clock, form.decimal, form.drop_zeros, stray, counts=form.of_counts))


def _schema(member):
    if not member.size:
        raise SourceError(f"{member.label}: the file is empty")
    try:
        with member.open() as stream:
            return parquet.read_schema(stream)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if getattr(error, "errno", None):
            raise
        raise SourceError(f"{member.label}: not a Parquet file, or a truncated one") from None


def _types(schema, name):
    return [field.type for field in schema if field.name == name]


def column_kinds(label, schema, given, form):
    """Return the positions by role, their types, and those they are read as but for times."""
    ours = [name for name in form.given()
            if name not in ("time_unit", "drop_zeros", "duplicates", "interactions")]
    if ours:
        raise SourceError(f"{label}: {ours[0]}= is for text; the columns of Parquet files and data "
                          "frames have names and types")
    positions = columns_of(label, schema.names, given, interactions=form.interactions)
    kinds = {role: schema.field(position).type for role, position in positions.items()}
    kinds = {role: kind.value_type if pa.types.is_dictionary(kind) else kind
             for role, kind in kinds.items()}
    types = {role: ARROW_TEXT if is_any_text(kinds[role]) else pa.int64()
             for role in ("user", "item")}
    for role in types:
        if not (is_any_text(kinds[role]) or is_number(kinds[role])):
            raise SourceError(f"{label}: column {schema.names[positions[role]]!r}: "
                              f"{str(kinds[role])[:60]} is no type of ids; make them whole numbers "
                              "or text")
    return positions, kinds, types | {"rating": pa.float32()}


def with_times(table, kinds, form):
    """Return a Parquet or frame reader that knows how its times are written."""
    if "time" not in kinds:
        return table
    kind, name, clock = kinds["time"], table.name("time"), Clock("dates")
    _, columns = next(table.raw(), (None, None))
    if not pa.types.is_temporal(kind) and columns is not None:
        values = columns["time"][:SAMPLE].to_pylist()
        values = [value.decode("utf-8", "replace") if isinstance(value, bytes) else value
                  for value in values]
        clock = clock_of(form, values, name, table.label, 1)
    plain = pa.types.is_integer(kind) and clock.type == pa.float64()     # nanoseconds pass 2^53
    wanted = kind if plain or clock.unit == "dates" else clock.type
    return table.replaced(table.types | {"time": wanted}, clock)


def parquet_table(members, given, form):
    """Return the reader of Parquet files of one layout; see `text_table`."""
    schema = _schema(members[0])
    positions, kinds, types = column_kinds(members[0].label, schema, given, form)
    for member in members[1:]:
        other = _schema(member)
        for name in {schema.names[position] for position in positions.values()}:
            if _types(other, name) != _types(schema, name):
                raise SourceError(f"{member.label}: column {name!r} is missing or of another type "
                                  f"than in {members[0].label}; the parts of a folder must agree")
    table = ParquetTable(tuple(members), tuple(schema.names), positions, types,
                         Rules(drop_zeros=form.drop_zeros, counts=form.of_counts))
    return with_times(table, kinds, form)
