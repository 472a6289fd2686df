"""How a text table is divided: its delimiter, its quotes, its names."""

import re
from io import BytesIO
from itertools import islice
from typing import NamedTuple

from rslib.sources.errors import SourceError
from rslib.sources.locate import place
from rslib.sources.records import examine, records, split
from rslib.sources.roles import ROLES, common_name

__all__ = ["SAMPLE", "Layout", "layout"]

_MARKS = (",", "\t", ";", "|", "::", " ")
_SNIFFED = 1 << 18      # bytes from which the delimiter is found
SAMPLE = 1000          # rows from which the unit of the times is found


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
    marks = dict.fromkeys(["\t" if suffix in (".tsv", ".tab") else ",", *_MARKS])

    def worth(mark):
        sample = [split(record, mark, form.quoting is not False)
                  for record in islice(records(BytesIO(data), mark, form.quoting is not False), 20)]
        names = [name.strip() for name in sample[0]]
        found = sum(common_name(role, names) is not None or given.get(role) in names
                    for role in ROLES) if form.header else 0
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


class Layout(NamedTuple):
    """How a text is divided, its names and its first rows; see `TextTable`."""

    delimiter: str
    quoting: bool
    stray: bool
    longest: int
    names: list[str]
    rows: list[list[str]]


def layout(member, suffix, given, form):
    """Return the Layout of a text table; parameters and errors are those of
    `rslib.sources.own.text_table`."""
    data = _check_text(member)
    delimiter = form.delimiter or _delimiter(data, suffix, given, form)
    quoting, stray, longest = _quoting(member, delimiter, form)
    with member.open() as file:
        rows = [[field.strip() for field in split(record, delimiter, quoting)] for record in
                islice(records(file, delimiter, quoting), SAMPLE + bool(form.header))]
    names = rows.pop(0) if form.header else [str(k) for k in range(len(rows[0]))]
    return Layout(delimiter, quoting, stray, longest, names, rows)
