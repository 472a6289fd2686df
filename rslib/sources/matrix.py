"""A matrix of ratings as text: a row a user, a column an item, empty where there is no rating."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from rslib.sources.columns import ARROW_TEXT
from rslib.sources.errors import SourceError
from rslib.sources.layout import layout
from rslib.sources.locate import bad_line, problem
from rslib.sources.tables import Rules, TextTable, as_batch

__all__ = ["MatrixTable", "matrix_table"]

_EMPTY = ("nan", "NaN", "NA", "null", "NULL", *(" " * n for n in range(33)))


@dataclass(frozen=True)
class MatrixTable:
    """Ratings in a matrix.

    Parameters
    ----------
    cells : TextTable
        Its columns by position: the user as "user", every item by its name.
    """

    cells: TextTable

    @property
    def size(self):
        return self.cells.size

    @property
    def rules(self):
        return self.cells.rules

    def batches(self, scale, progress):
        """Yield checked batches, row by row, telling ``progress`` the bytes read."""
        items = pa.array([name for name in self.cells.positions if name != "user"], ARROW_TEXT)
        for columns in self.cells.columns(progress):
            users = columns.pop("user")
            values = np.stack([column.to_numpy(zero_copy_only=False)
                               for column in columns.values()], axis=1)
            rows, places = np.nonzero(~np.isnan(values))
            yield as_batch({"user": users.take(pa.array(rows)),
                            "item": items.take(pa.array(places)),
                            "rating": pa.array(values[rows, places])}, scale, self.rules)

    def locate(self, scale, error):
        """Return the error that names the first bad cell."""
        return bad_line(self.cells, scale, error, self._cell_problem)

    def _cell_problem(self, role, value, scale):
        if role == "user":
            return problem("user", value, ARROW_TEXT, scale, self.rules)
        if value not in _EMPTY and not role:
            return f"{value[:40]!r} stands in a column without a name"
        return None if value in _EMPTY else problem("rating", value, None, scale, self.rules)


def matrix_table(member, suffix, given, form):
    """Return the reader of a matrix; see `rslib.sources.own.text_table`.

    The column of the users is the first unless ``given`` says another.
    """
    if any(given.get(role) is not None for role in ("item", "rating", "time")):
        raise SourceError(f"{member.label}: of a matrix only user= can be given: its other columns "
                          "are the items, its cells the ratings")
    found = layout(member, suffix, given, form)
    names, user = found.names, given.get("user") or 0
    if user not in (names if isinstance(user, str) else range(len(names))):
        raise SourceError(f"{member.label}: row 1: no column {user!r} (given as user=) among "
                          f"{len(names)}")
    user = names.index(user) if isinstance(user, str) else user
    items = [name for k, name in enumerate(names) if k != user]
    if "user" in items or not items:
        raise SourceError(f"{member.label}: row 1: a matrix needs columns of items, none of them "
                          "called 'user'")
    twice = [name for name, count in Counter(items).items() if count > 1]
    if twice:
        raise SourceError(f"{member.label}: row 1: {twice[0]!r} is there more than once; name each "
                          "column of a matrix differently")
    positions = {"user": user} | {name: k for k, name in enumerate(names) if k != user}
    types = dict.fromkeys(items, pa.float32()) | {"user": ARROW_TEXT}
    rules = Rules(decimal=form.decimal, drop_zeros=form.drop_zeros, stray=found.stray, empty=_EMPTY,
                  counts=form.of_counts)
    return MatrixTable(TextTable(member, found.delimiter, tuple(names), positions, types,
                                 bool(form.header), found.quoting, found.longest, rules))
