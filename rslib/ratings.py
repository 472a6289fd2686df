"""Frozen columns of who rated what, when, and how many stars."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from rslib.backend import array_module, deviation_of, group_by, to_device
from rslib.numbering import Info, Numbering

__all__ = ["CSR", "Info", "Numbering", "Pairs", "Ratings"]


class CSR(NamedTuple):
    """Ratings grouped by user or by item.

    Row r holds ``ids[indptr[r]:indptr[r + 1]]`` (the other side), their ``values`` in stars, and
    ``rows``, their positions in the columns they came from.
    """

    indptr: np.ndarray      # (n_rows + 1,) int64
    ids: np.ndarray         # (n_ratings,) int32
    values: np.ndarray      # (n_ratings,) float32
    rows: np.ndarray        # (n_ratings,) int32


def checked_ids(name, column, n):
    """Return ids in ``range(n)`` as contiguous int32, or raise saying what is wrong with them."""
    xp = array_module(column)
    column = xp.asarray(column)
    if column.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, not of shape {column.shape}")
    if column.size and column.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, not {column.dtype}")
    if column.size:
        low, high = int(column.min()), int(column.max())
        if n > 2**31:
            raise ValueError(f"{name} holds {high}, but numbers of {name} lie below 2^31; these "
                             "are ids of a source: number them, as rslib.sources.from_dataframe "
                             "does")
        if low < 0 or high >= n:
            raise ValueError(f"{name} must lie in 0..{n - 1}, found {low}..{high}")
    return xp.ascontiguousarray(column, dtype=xp.int32)


def checked_days(days):
    """Return days as contiguous int32, or raise saying what is wrong with them."""
    xp = array_module(days)
    days = xp.asarray(days)
    if days.dtype.kind in "mM":
        raise TypeError(f"days must be whole days since the first rating, not {days.dtype}; for "
                        "dates that is (dates - dates.min()).astype('timedelta64[D]').astype(int)")
    if days.size and days.dtype.kind not in "iuf":
        raise TypeError(f"days must be integers, not {days.dtype}")
    if days.size and days.dtype.kind == "f":
        whole = days == xp.floor(days)      # NaN is not; infinity is, and too large
        if not bool(whole.all()):
            row = int(xp.argmin(whole))
            raise ValueError(f"days: row {row} is {float(days[row])}, not a whole day; leave days "
                             "out where they are not known")
    if days.size and (float(days.min()) < -2**31 or float(days.max()) >= 2**31):
        raise ValueError(f"days run from {float(days.min()):.0f} to {float(days.max()):.0f}; they "
                         "count whole days since the first rating, below 2^31")
    return xp.ascontiguousarray(days, dtype=xp.int32)


@dataclass(frozen=True, eq=False, repr=False)
class Pairs:
    """Who and what and when, without the stars: all that a model may see when it predicts.

    Parameters
    ----------
    users, items : integer array (n,)
        Ids in ``range(n_users)`` and ``range(n_items)``; kept as int32.
    days : integer array (n,) or None
        Days since the first rating of the data set; kept as int32.
    n_users, n_items : int or None
        Size of the world, ids never seen included; None takes the largest id plus one.
    numbering : Numbering or None
        Raw ids behind the numbers, compared wherever pairs meet a fitted model.

    Raises
    ------
    TypeError
        Ids that are not integers, days that are dates, columns on different devices.
    ValueError
        Columns of different lengths, ids out of range, days that are not whole, a numbering of
        another size.
    """

    users: np.ndarray
    items: np.ndarray
    days: np.ndarray | None = None
    n_users: int | None = None
    n_items: int | None = None
    numbering: Numbering | None = field(default=None, kw_only=True)

    def __post_init__(self):
        array_module(self.users, self.items, self.days)
        for name, size in (("users", "n_users"), ("items", "n_items")):
            column = getattr(self, name)
            n = getattr(self, size)
            n = int(n) if n is not None else int(column.max()) + 1 if len(column) else 0
            object.__setattr__(self, size, n)
            object.__setattr__(self, name, checked_ids(name, column, n))
        if self.days is not None:
            object.__setattr__(self, "days", checked_days(self.days))
        for name in self._columns:
            column = getattr(self, name)
            if column is not None and len(column) != len(self.users):
                raise ValueError(f"{name} has {len(column)} rows, users has {len(self.users)}")
        self._check_numbering()

    def _check_numbering(self):
        for name, n in (("user_ids", self.n_users), ("item_ids", self.n_items)):
            ids = getattr(self.numbering, name, None)
            if ids is not None and len(ids) != n:
                raise ValueError(f"the numbering has {len(ids)} {name}, but there are {n}: pass "
                                 "n_users and n_items, or the numbering of these ratings")

    _columns = ("users", "items", "days")

    def __len__(self):
        return len(self.users)

    def __repr__(self):
        return (f"{type(self).__name__}({len(self):,} of {self.n_users:,} users "
                f"x {self.n_items:,} items)")

    def __getitem__(self, mask):
        """Return the rows that a boolean mask, a slice or an index array picks."""
        picked = {name: None if getattr(self, name) is None else getattr(self, name)[mask]
                  for name in self._columns}
        return replace(self, **picked)

    def to(self, device):
        """Return the same columns on ``"cpu"`` or ``"gpu"``."""
        moved = {name: None if getattr(self, name) is None
                 else to_device(getattr(self, name), device) for name in self._columns}
        return replace(self, **moved)


@dataclass(frozen=True, eq=False, repr=False)
class Ratings(Pairs):
    """Pairs with their stars.

    Parameters
    ----------
    values : array (n,)
        Ratings in stars; kept as float32. NaN and infinity are refused.
    ranks : integer array (n,) or None
        Order of a rating among those that its user gave on the same day, for splits by time.
    info : Info or None
        Names and origin. The numbering is taken from it unless one is given.
    """

    values: np.ndarray = None
    ranks: np.ndarray | None = None
    info: Info | None = None

    _columns = ("users", "items", "days", "values", "ranks")
    _like = None

    def __post_init__(self):
        if self.values is None:
            raise TypeError("Ratings needs values; without them use Pairs")
        xp = array_module(self.users, self.values, self.ranks)
        object.__setattr__(self, "values", xp.ascontiguousarray(self.values, dtype=xp.float32))
        if self.numbering is None and self.info is not None:
            object.__setattr__(self, "numbering", self.info.numbering)
        super().__post_init__()
        if not bool(xp.isfinite(self.values).all()):
            row = int(xp.argmin(xp.isfinite(self.values)))
            raise ValueError(f"values: row {row} is {float(self.values[row])}, not a rating")

    @property
    def pairs(self):
        """The same rows without their values."""
        return Pairs(self.users, self.items, self.days, self.n_users, self.n_items,
                     numbering=self.numbering)

    def with_values(self, values):
        """Return the same rows with other values; what groups them is shared, not found anew."""
        other = replace(self, values=values)
        object.__setattr__(other, "_like", self if self._like is None else self._like)
        return other

    def _grouped(self, by, other, n):
        indptr, rows = group_by(by, n)
        return CSR(indptr, other[rows], self.values[rows], rows)

    def _grouped_as(self, side):
        return side._replace(values=self.values[side.rows])

    @cached_property
    def by_user(self):
        """Ratings grouped by user: a CSR with items as ids."""
        if self._like is not None:
            return self._grouped_as(self._like.by_user)
        return self._grouped(self.users, self.items, self.n_users)

    @cached_property
    def by_item(self):
        """Ratings grouped by item: a CSR with users as ids."""
        if self._like is not None:
            return self._grouped_as(self._like.by_item)
        return self._grouped(self.items, self.users, self.n_items)

    @property
    def scale(self):
        """Lowest and highest rating, in stars: those declared by the source, else those seen."""
        if self.info is not None:
            return self.info.scale
        return (float(self.values.min()), float(self.values.max())) if len(self) else (1.0, 5.0)

    @property
    def measure(self):
        """The word for what a value counts: that of ``info``, as "plays", where it has one, else
        "stars" on a scale from 1 or 1/2 to 5 and "points" on any other."""
        if self.info is not None and self.info.measure is not None:
            return self.info.measure
        return "stars" if self.scale in ((0.5, 5.0), (1.0, 5.0)) else "points"

    @cached_property
    def spread(self):
        """Standard deviation of the ratings, in their own points; 1 where all are equal."""
        return deviation_of(self.values)
