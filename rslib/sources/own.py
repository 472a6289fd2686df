"""A user's own CSV, TSV or Parquet file: how it is written, and which column is what."""

import re
from io import BytesIO
from itertools import islice

import pyarrow as pa
from pyarrow import parquet

from rslib.sources.columns import ARROW_TEXT, is_any_text
from rslib.sources.errors import SourceError
from rslib.sources.locate import place, shown
from rslib.sources.records import examine, records, split
from rslib.sources.tables import ParquetTable, Rules, TextTable
from rslib.sources.times import Clock, looks_like_times, recognise

__all__ = ["PARQUET", "TABLES", "columns_of", "parquet_table", "text_table", "type_of_ids"]

TABLES = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": None, ".dat": None, ".data": None}
PARQUET = (".parquet", ".pq")
_MARKS = (",", "\t", ";", "|", "::", " ")
_SNIFFED = 1 << 18      # bytes from which the delimiter is found
_SAMPLE = 1000          # rows from which the unit of the times is found

_COMMON = {
    "user": ("user", "userid", "uid", "customer", "customerid", "reviewer", "reviewerid",
             "member", "memberid"),
    "item": ("item", "itemid", "iid", "movie", "movieid", "film", "filmid", "product", "productid",
             "book", "bookid", "artist", "artistid", "song", "songid", "track", "trackid", "asin",
             "isbn"),
    "rating": ("rating", "ratings", "stars", "star", "score", "value", "grade", "overall",
               "bookrating"),
    "time": ("timestamp", "time", "date", "datetime", "ts", "unixtime", "unixtimestamp",
             "unixreviewtime", "ratedat", "createdat", "reviewtime", "reviewdate", "ratingdate"),
}


def _plain(name):
    return re.sub("[^a-z0-9]", "", str(name).lower())


def _common(role, names):
    plain = {_plain(name): name for name in reversed(names)}
    return next((plain[name] for name in _COMMON[role] if name in plain), None)


def _choose(label, role, names, given):
    """Return the position of a role: the one given, else the first with a common name."""
    if isinstance(given, int):
        if not 0 <= given < len(names):
            raise SourceError(f"{label}: row 1: no column {given} (given as {role}=); columns "
                              f"count from 0, and there are {len(names)}")
        return given
    name = _common(role, names) if given is None else given
    if given is not None and given not in names:
        raise SourceError(f"{label}: row 1: no column {given!r} (given as {role}=); "
                          f"the columns are {shown(names)}")
    if name is None and role == "time":
        return None
    if name is None:
        raise SourceError(f"{label}: row 1: no {role} column among {shown(names)}; the first row "
                          f"must name the columns, and {role}= can say which it is; if it names "
                          "none, pass header=None")
    places = [k for k, each in enumerate(names) if each == name]
    if len(places) > 1:
        raise SourceError(f"{label}: row 1: {len(places)} columns are called {name!r}; say which "
                          "by its position: " + " or ".join(f"{role}={k}" for k in places))
    return places[0]


def _by_position(given, n_columns):
    """Return positions where the file names none: user, item, rating and time unless given."""
    usual = {"user": 0, "item": 1, "rating": 2, "time": 3 if n_columns == 4 else None}
    return {role: given.get(role) if given.get(role) is not None else usual[role]
            for role in usual}


def columns_of(label, names, given, header=True):
    """Return the positions of user, item, rating and, if there is one, time.

    Raises
    ------
    SourceError
        If a column is missing, or one stands for two things.
    """
    given = given if header else _by_position(given, len(names))
    chosen = {role: _choose(label, role, names, given.get(role)) for role in _COMMON}
    chosen = {role: position for role, position in chosen.items() if position is not None}
    if len(set(chosen.values())) < len(chosen):
        raise SourceError(f"{label}: row 1: one column stands for two things: "
                          + ", ".join(f"{role}={names[k]!r}" for role, k in chosen.items()))
    return chosen


def _check_text(member):
    """Refuse what is no text before anything is made of it."""
    with member.open() as file:
        data = file.read(_SNIFFED)
    if not data:
        raise SourceError(f"{member.label}: the file is empty")
    lines = re.split(rb"\r\n|\n|\r", data.removeprefix(b"\xef\xbb\xbf"))
    for row, line in enumerate(lines[:2], 1):
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            if len(lines) == row and error.end == len(line):    # cut within a letter
                continue
            raise SourceError(f"{member.label}: row {row} is not UTF-8 text; save the file as UTF-8"
                              ) from None
        if "\0" in text:
            raise SourceError(f"{member.label}: row {row} holds a zero byte; this is not a text "
                              "file")
    if not lines[0].strip():
        raise SourceError(f"{member.label}: row 1 is empty; the first row must name the columns")
    return data


def _delimiter(data, suffix, given, form):
    """Return the mark under which the first rows make the best table."""
    marks = dict.fromkeys([TABLES.get(suffix) or ",", *_MARKS])

    def worth(mark):
        sample = [split(record, mark, form.quoting is not False)
                  for record in islice(records(BytesIO(data), mark, form.quoting is not False), 20)]
        names = [name.strip() for name in sample[0]]
        found = sum(_common(role, names) is not None or given.get(role) in names
                    for role in _COMMON) if form.header else 0
        even = len({len(fields) for fields in sample[:-1] or sample}) == 1
        return (len(names) > 1, found, even, even and len(names) > 2)

    return max(marks, key=worth)        # the first of equals


def _quoting(member, delimiter, form):
    """Return whether quotes hold fields together, whether one is stray, and the longest row."""
    survey = examine(member, delimiter, form.quoting is not False)
    if survey.stray is None:
        return survey.quoted, False, survey.longest
    if form.quoting is None and delimiter not in ",;":
        return False, True, examine(member, delimiter, False).longest
    raise SourceError(f"{member.label}: {place(survey.stray)}: a quote opens a field and does not "
                      "close it at its end; write it twice within quotes, or pass quoting=False "
                      "if quotes are letters in this file")


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
    data = _check_text(member)
    delimiter = form.delimiter or _delimiter(data, suffix, given, form)
    quoting, stray, longest = _quoting(member, delimiter, form)
    with member.open() as file:
        rows = [[field.strip() for field in split(record, delimiter, quoting)] for record in
                islice(records(file, delimiter, quoting), _SAMPLE + bool(form.header))]
    names = rows.pop(0) if form.header else [str(k) for k in range(len(rows[0]))]
    positions = columns_of(member.label, names, given, form.header)
    clock = Clock()

    def sampled(position):
        return [row[position] if position < len(row) else "" for row in rows]

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
                     Rules(clock, form.decimal, form.drop_zeros, stray))


def type_of_ids(kind):
    """Return what a column of ids of an Arrow type is read as: text or whole numbers."""
    return ARROW_TEXT if is_any_text(kind) else pa.int64()


def _schema(member):
    if not member.size:
        raise SourceError(f"{member.label}: the file is empty")
    try:
        with member.open() as stream:
            return parquet.read_schema(stream)
    except (pa.ArrowException, OSError) as error:
        if getattr(error, "errno", None):
            raise
        raise SourceError(f"{member.label}: not a Parquet file, or a truncated one") from None


def column_kinds(label, schema, given):
    """Return the columns by role, and the types they are read as but for times."""
    positions = columns_of(label, schema.names, given)
    columns = {role: schema.names[position] for role, position in positions.items()}
    kinds = {role: schema.field(position).type for role, position in positions.items()}
    kinds = {role: kind.value_type if pa.types.is_dictionary(kind) else kind
             for role, kind in kinds.items()}
    types = {role: type_of_ids(kinds[role]) for role in ("user", "item")}
    return columns, kinds, types | {"rating": pa.float32()}


def with_times(table, kinds, form):
    """Return a Parquet or frame reader that knows how its times are written."""
    if "time" not in kinds:
        return table
    kind, name, clock = kinds["time"], table.columns["time"], Clock("dates")
    _, batch = next(table.raw(), (None, None))
    if not pa.types.is_temporal(kind) and batch is not None:
        values = batch[name][:_SAMPLE].to_pylist()
        values = [value.decode("utf-8", "replace") if isinstance(value, bytes) else value
                  for value in values]
        clock = clock_of(form, values, name, table.label, 1)
    plain = pa.types.is_integer(kind) and clock.type == pa.float64()     # nanoseconds pass 2^53
    wanted = kind if plain or clock.unit == "dates" else clock.type
    return table.replaced(table.types | {"time": wanted}, clock)


def parquet_table(members, given, form):
    """Return the reader of Parquet files of one layout; see `text_table`."""
    schema = _schema(members[0])
    columns, kinds, types = column_kinds(members[0].label, schema, given)
    for member in members[1:]:
        other = _schema(member)
        for name in columns.values():
            if name not in other.names or other.field(name).type != schema.field(name).type:
                raise SourceError(f"{member.label}: column {name!r} is missing or of another type "
                                  f"than in {members[0].label}; the parts of a folder must agree")
    table = ParquetTable(tuple(members), columns, types,
                         Rules(Clock(), form.decimal, form.drop_zeros))
    return with_times(table, kinds, form)
