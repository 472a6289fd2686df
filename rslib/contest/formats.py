"""The files of the contest: sections of lines under a movie's ``MovieID:``.

==============  =====================================  ==========================================
file            a line below the header                who writes it
==============  =====================================  ==========================================
probe.txt       ``CustomerID``                         the master; ratings are in training.csv
qualifying.txt  ``CustomerID,Date``                    the master; no ratings anywhere
a submission    one prediction                         a competitor, in the order of qualifying.txt
==============  =====================================  ==========================================

All are text in UTF-8. What would part fields, headers or lines in an id (a comma, a colon, a quote,
a per cent sign, a line break, an outer blank) stands as in an address: ``%2C`` for a comma.
"""

import re
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import quote, unquote

import numpy as np

from rslib.contest.rules import ContestError

__all__ = ["Sections", "read_id", "read_sections", "read_submission", "sections_text",
           "submission_text", "written_id"]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
_LONGEST = 64       # bytes of a line that could be a number
_APART = frozenset(',:"%\r\n')      # what parts fields, headers and lines, and what marks them


def written_id(name):
    """Return an id as it stands in the files; `read_id` takes it back."""
    outer = (0, len(name) - 1)
    return "".join(quote(each, safe="") if each in _APART or (at in outer and each.isspace())
                   else each for at, each in enumerate(name))


def read_id(text):
    """Return the id that stands in the files as ``text``."""
    return unquote(text, errors="strict")


class Sections(NamedTuple):
    """Which movies come in which order, and how many lines stand below each header."""

    movies: list        # of str: ids as they stand in the file
    counts: list        # of int

    @property
    def n_rows(self):
        return sum(self.counts)

    @property
    def n_lines(self):
        return self.n_rows + len(self.movies)

    @property
    def most_bytes(self):
        """Size above which a file cannot be a submission."""
        return _LONGEST * (self.n_lines + 1) + sum(len(movie.encode()) for movie in self.movies)


def sections_text(sections, lines):
    """Return the text of a file: each movie's header, then its share of ``lines``."""
    ends = np.cumsum([0, *sections.counts])
    parts = []
    for movie, (start, end) in zip(sections.movies, pairwise(ends), strict=True):
        parts.append(f"{movie}:")
        parts.extend(lines[start:end])
    return "\n".join(parts) + "\n"


def submission_text(sections, predictions):
    """Return the file that hands in ``predictions``, float array (n_rows,).

    Raises
    ------
    ContestError
        If there are more or fewer predictions than rows in qualifying.txt.
    """
    if len(predictions) != sections.n_rows:
        raise ContestError(f"{len(predictions):,} predictions for {sections.n_rows:,} rows of "
                           "qualifying.txt; predict them all, in its order")
    return sections_text(sections, [f"{value:.6f}" for value in predictions])


def read_sections(text, label):
    """Return the sections of probe.txt or qualifying.txt and the lines below their headers."""
    movies, counts, lines = [], [], []
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        if line.endswith(":"):
            movies.append(line[:-1])
            counts.append(0)
        elif not movies:
            raise ContestError(f"{label}: line {number}: expected a movie's header, as '1:', "
                               f"found {line[:40]!r}")
        else:
            counts[-1] += 1
            lines.append(line)
    return Sections(movies, counts), lines


def _lines(data, sections):
    """Return the lines of a submission, which must be text and not far too long."""
    if len(data) > sections.most_bytes:
        raise ContestError(f"{len(data):,} bytes are too many for {sections.n_rows:,} predictions; "
                           "hand in one number a line")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise ContestError(f"line {number}: a byte that is no plain text (UTF-8); hand in the "
                           "uncompressed text file") from None
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _number(text, where, scale):
    """Return one prediction, or raise saying why it is none."""
    if not _NUMBER.fullmatch(text):
        kind = ("not finite" if re.fullmatch(r"[+-]?(nan|inf|infinity)", text.lower())
                else "not a number")
        raise ContestError(f"{where}: {text[:40]!r} is {kind}; expected a prediction")
    value = float(text)
    if not scale[0] <= value <= scale[1]:
        raise ContestError(f"{where}: {text[:40]} is outside {scale[0]:g} to {scale[1]:g}; "
                           "clip your predictions")
    return value


def read_submission(data, sections, scale):
    """Return the predictions of a submission, float64 array (n_rows,), or refuse it.

    Every line is checked against the qualifying set: the headers, their order, the number of
    predictions below each, and that each is a finite number inside ``scale``.

    Parameters
    ----------
    data : bytes
        The file as it was handed in; lines may end in ``\\n`` or ``\\r\\n``.
    sections : Sections
        Of qualifying.txt.
    scale : (float, float)
        Lowest and highest prediction.

    Raises
    ------
    ContestError
        One line naming the first line that is wrong.
    """
    lines = _lines(data, sections)
    predictions, at = [], 0
    for movie, count in zip(sections.movies, sections.counts, strict=True):
        header, body = lines[at:at + 1], lines[at + 1:at + 1 + count]
        if header and header[0] != f"{movie}:":
            raise ContestError(f"line {at + 1}: expected the header '{movie}:', found "
                               f"{header[0][:40]!r}; keep the order of qualifying.txt")
        for number, text in enumerate(body, at + 2):
            if text.endswith(":"):
                raise ContestError(f"line {number}: movie {movie} needs {count} predictions, found "
                                   f"the header {text[:40]!r} after {number - at - 2}")
            predictions.append(_number(text, f"line {number}", scale))
        at += 1 + count
    if len(lines) != at:
        raise ContestError(f"{len(lines):,} lines, expected {at:,}: {sections.n_rows:,} "
                           f"predictions below {len(sections.movies):,} headers, as in "
                           "qualifying.txt")
    return np.array(predictions)
