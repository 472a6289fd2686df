"""Where the records of a delimited text begin and end, quotes and line breaks in them included.

`examine` runs over a file once before it is parsed, at the speed of the disk where it holds no
quote; `records` is the slow twin of the parser, from which samples and messages are made.
"""

import re
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from rslib.sources.errors import SourceError

__all__ = ["Record", "Survey", "examine", "records", "split"]

_BLOCK = 1 << 20            # bytes read at once
LONGEST = 64 << 20          # bytes of a record, beyond which a file is no table
_QUOTED = rb'"[^"]*+(?:""[^"]*+)*+"'
_END = rb"(?:\r\n|\n|\r)"


class Record(NamedTuple):
    """One record: its number and the line it begins on, both from 1, and its bytes."""

    row: int
    line: int
    data: bytes
    open_quote: bool = False


class Survey(NamedTuple):
    """What `examine` found: quotes that mean something, the first that doesn't, the longest record.

    ``stray`` is the first record in which a quote opens a field and does not close it at its end.
    """

    quoted: bool
    stray: Record | None
    longest: int


@lru_cache
def _patterns(delimiter, quoting):
    """Return the patterns of one record and of many, and that of a quote that goes astray."""
    if not quoting:
        one = rb"[^\r\n]*+" + _END
        return re.compile(one), re.compile(rb"(?:" + one + rb")*+"), None
    mark = re.escape(delimiter.encode())
    plain = rb'(?!")[^' + mark + rb"\r\n]*+"
    field = rb"(?:" + _QUOTED + rb"|" + plain + rb")"
    fields = rb"(?:" + field + mark + rb")*+"
    one = fields + field + _END
    return (re.compile(one), re.compile(rb"(?:" + one + rb")*+"),
            re.compile(fields + _QUOTED + rb"[^" + mark + rb'\r\n"]'))


@lru_cache
def _lenient(delimiter):
    """Return the pattern of one record that forgives text after a closing quote."""
    mark = re.escape(delimiter.encode())
    rest = rb"[^" + mark + rb"\r\n]*+"
    field = rb"(?:" + _QUOTED + rest + rb'|(?!")' + rest + rb")"
    return re.compile(rb"(?:" + field + mark + rb")*+" + field + _END), re.compile(field)


def _marked(data):
    return data.removeprefix(b"\xef\xbb\xbf")


def records(file, delimiter, quoting):
    """Yield the records of an open file as the parser delimits them; empty lines are no records.

    Parameters
    ----------
    file : binary file
    delimiter : str
    quoting : bool
        Whether a quote at the start of a field opens it.
    """
    quoting = quoting and len(delimiter) == 1
    one = _lenient(delimiter)[0] if quoting else _patterns(delimiter, False)[0]
    rest, row, line, ended = _marked(file.read(_BLOCK)), 0, 1, False
    while rest or not ended:
        start = 0
        while (match := one.match(rest, start)) and (ended or match.end() < len(rest)):
            data, lines = match[0].rstrip(b"\r\n"), len(re.findall(_END, match[0]))
            if data:
                row += 1
                yield Record(row, line, data)
            line, start = line + lines, match.end()
        rest = rest[start:]
        if ended and rest:
            whole = one.match(rest + b"\n")
            data = rest.rstrip(b"\r\n")
            if data:
                yield Record(row + 1, line, data, not (whole and whole.end() == len(rest) + 1))
            return
        more = file.read(max(_BLOCK, len(rest)))
        ended = not more
        rest += more


def split(record, delimiter, quoting):
    """Return the fields of a record as text; bytes that are not UTF-8 come as surrogates."""
    data = record.data
    if not (quoting and len(delimiter) == 1 and b'"' in data) or record.open_quote:
        return data.decode("utf-8", "surrogateescape").split(delimiter)
    field, fields, start = _lenient(delimiter)[1], [], 0
    while True:
        match = field.match(data, start)
        text, start = match[0], match.end() + 1
        quoted = re.match(_QUOTED, text)
        if quoted:
            text = quoted[0][1:-1].replace(b'""', b'"') + text[quoted.end():]
        fields.append(text.decode("utf-8", "surrogateescape"))
        if start > len(data):
            return fields


def _end_of_clean(block, delimiter):
    """Return where the last record of a block ends that is strict in its quotes, or None.

    Quotes then come in pairs: the first of each follows a delimiter, a line break or a quote, the
    second precedes one. Where it is not as simple as that, the pattern decides.
    """
    array = np.frombuffer(block, np.uint8)
    quotes = np.flatnonzero(array == ord('"'))
    opened = quotes[-1] if len(quotes) % 2 else None
    pairs = quotes[:len(quotes) // 2 * 2]
    edges = np.zeros(256, bool)
    edges[[ord(delimiter), *b'\r\n"']] = True
    before, after = pairs[0::2] - 1, pairs[1::2] + 1
    if not len(pairs) or after[-1] >= len(array) or not edges[array[after]].all():
        return None
    if not edges[array[before[before >= 0]]].all():
        return None
    stop = len(block) if opened is None else opened
    for opener, closer in zip(pairs[-2:-40:-2], pairs[-1:-40:-2], strict=False):
        end = block.rfind(b"\n", closer, stop)       # the last line break that stands in no quotes
        if end >= 0:
            return end + 1
        stop = opener
    return None


def _first_stray(member, delimiter):
    """Return the first record with a quote that the strict pattern does not accept."""
    one = _patterns(delimiter, True)[0]
    with member.open() as file:
        for record in records(file, delimiter, True):
            match = one.match(record.data + b"\n")
            if not match or match.end() <= len(record.data):
                return record
    return None


def _too_long(member):
    return SourceError(f"{member.label}: a row of more than {LONGEST >> 20} MB; this is no table, "
                       "or a quote opens a field and nothing closes it")


def examine(member, delimiter, quoting):
    """Run over a file once; see `Survey`.

    Parameters
    ----------
    member : Member
    delimiter : str
    quoting : bool
        Whether quotes may mean something.

    Raises
    ------
    SourceError
        If a row is longer than 64 MB.
    """
    quoting = quoting and len(delimiter) == 1
    one, many, stray = _patterns(delimiter, quoting)
    rest, longest, quoted = b"", 0, False
    with member.open() as file:
        data = _marked(file.read(_BLOCK))
        while data:
            quotes = quoting and (b'"' in data or b'"' in rest)
            quoted |= quotes
            block = rest + data
            if quotes:
                first = one.match(block)
                longest = max(longest, first.end() if first else len(block))
                end = _end_of_clean(block, delimiter) or many.match(block).end()
                rest = block[end:]
                if stray.match(rest) or len(rest) > LONGEST:
                    return Survey(quoted, _first_stray(member, delimiter), longest)
            else:
                breaks = block.replace(b"\r", b"\n") if b"\r" in block else block
                longest = max(longest, breaks.find(b"\n") if b"\n" in breaks else len(block))
                rest = block[breaks.rfind(b"\n") + 1:]
                if len(rest) > LONGEST:
                    raise _too_long(member)
            data = file.read(max(_BLOCK, len(rest)))
    if rest and quoting and b'"' in rest:
        if many.match(rest + b"\n").end() <= len(rest):
            return Survey(quoted, _first_stray(member, delimiter), longest)
    return Survey(quoted, None, longest)
