"""From batches to ratings, by way of plain files on disk."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from rslib.ratings import Info, Ratings
from rslib.sources.columns import TEXT, as_array, ranks_within_days
from rslib.sources.errors import SourceError
from rslib.sources.locate import BadValue
from rslib.sources.spool import TYPES, Spool

__all__ = ["Source", "build", "last_of_pairs"]

_DAY = 86400            # seconds


@dataclass(frozen=True)
class Source:
    """Ratings that can be read.

    Parameters
    ----------
    name : str
    label : str
        What messages call it: the path.
    reader : TextTable, ParquetTable or NetflixRatings
    titles : dict of int to str, or None
        Title of each item by the id of the source.
    scale : (float, float) or None
        Declared scale; None takes the lowest and highest rating seen.
    extras : callable or None
        Called with users, items, user ids, item ids and first day; returns the extra of Info.
    duplicates : {"last", "first", "mean", "error", "sum"}
        Which rating of a pair counts.
    understood : dict
        What was made of the file, for Info.
    measure : str or None
        What the values count where they are no ratings, for Info.
    """

    name: str
    label: str
    reader: object
    titles: dict | None = None
    scale: tuple[float, float] | None = None
    extras: Callable | None = None
    duplicates: str = "last"
    understood: dict = field(default_factory=dict)
    measure: str | None = None


def _spooled(source, folder, progress):
    """Read the source; what stops a reader becomes the line to show."""
    spool = Spool(folder)
    try:
        for batch in source.reader.batches(source.scale, progress):
            spool.append(batch)
        if not spool.n_rows:
            raise BadValue("no ratings" + " but zeros, which were dropped" * bool(spool.n_zeros))
        ids = spool.ranked(source.label)
    except (BadValue, pa.ArrowException) as error:
        raise source.reader.locate(source.scale, error) from None
    finally:
        spool.close()
    return spool, ids


def _repeated_rows(users, items, times, n_items, order_in_time=1):
    """Return the rows of pairs that repeat, by pair and then in time, and their keys; or None."""
    key = users.astype(np.int64) * n_items + items
    key.sort()
    repeated = np.unique(key[1:][key[1:] == key[:-1]])
    if not len(repeated):
        return None
    key = users.astype(np.int64) * n_items + items
    rows = np.flatnonzero(np.isin(key, repeated))[::order_in_time]
    order = rows[np.lexsort((times[rows] * order_in_time, key[rows]) if len(times)
                            else (key[rows],))]
    return order, key[order]


def last_of_pairs(users, items, times, n_items, order_in_time=1):
    """Return a mask of the last rating of each pair in time, or None when no pair repeats.

    ``order_in_time=-1`` gives the first of each. Of equal times, or without times, rows decide.
    """
    found = _repeated_rows(users, items, times, n_items, order_in_time)
    if found is None:
        return None
    order, key = found
    keep = np.ones(len(users), bool)
    keep[order[:-1][key[:-1] == key[1:]]] = False
    return keep


def _refuse_duplicates(source, columns, ids, n_items):
    order, _ = _repeated_rows(*(columns[name] for name in ("user", "item", "time")), n_items)
    user, item = (ids[role][0][int(columns[role][order[0]])].as_py() for role in ("user", "item"))
    verb, others = ("rated", "") if source.measure is None else ("has", "'sum', ")
    raise SourceError(f"{source.label}: user {user!r} {verb} item {item!r} more than once, and "
                      f"duplicates='error'; {others}'last', 'first' or 'mean' say what counts")


def _pool_pairs(source, columns, n_items):
    """Put the mean or the sum of each pair that repeats in the place of its values."""
    order, key = _repeated_rows(*(columns[name] for name in ("user", "item", "time")), n_items)
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    sizes = np.diff(starts, append=len(key))
    pooled = np.add.reduceat(columns["rating"][order].astype(np.float64), starts)
    if source.duplicates == "mean":
        pooled /= sizes
    if pooled.max() > np.finfo(np.float32).max:
        raise SourceError(f"{source.label}: the counts of one pair add up to {pooled.max():g}, "
                          "more than the store holds; count in larger units")
    columns["rating"][order] = np.repeat(pooled, sizes)


def _tell_duplicates(source, n_duplicates):
    what = "their mean counts" if source.duplicates == "mean" \
        else f"the {source.duplicates} of each was kept"
    rows = "ratings" if source.measure is None else "rows"
    warnings.warn(f"{source.label}: {n_duplicates:,} duplicate {rows} of the same item by the "
                  f"same user; {what}", stacklevel=2)


def _without_duplicates(source, columns, ids):
    """Return one rating a pair, and the number of those left out."""
    n_items = len(ids["item"][0])
    keep = last_of_pairs(columns["user"], columns["item"], columns["time"], n_items,
                         -1 if source.duplicates == "first" else 1)
    if keep is None:
        return columns, 0
    if source.duplicates == "error":
        _refuse_duplicates(source, columns, ids, n_items)
    if source.duplicates in ("mean", "sum"):
        _pool_pairs(source, columns, n_items)
    n_duplicates = int(np.count_nonzero(~keep))
    if source.duplicates != "sum":      # of interactions, whose sum is what was asked for
        _tell_duplicates(source, n_duplicates)
    return {name: column[keep] if len(column) else column
            for name, column in columns.items()}, n_duplicates


def _days(users, times):
    """Return the first date, days since then and ranks; None for what the times do not tell."""
    if not len(times):
        return None, None, None
    days = times // _DAY
    ranks = None
    if (times != days * _DAY).any():        # else the source knows days only
        ranks = ranks_within_days(users, times)
    first = int(days.min())
    days -= first
    return date(1970, 1, 1) + timedelta(days=first), days.astype(np.int32), ranks


def _named(ids, titles):
    names = [titles.get(key) for key in ids.tolist()]
    return np.array([str(key) if name is None else name
                     for key, name in zip(ids.tolist(), names, strict=True)], TEXT)


def build(source, folder, progress):
    """Read the ratings of ``source``.

    Parameters
    ----------
    source : Source
    folder : Path
        Where columns may lie while they are read.
    progress : callable
        Told the bytes read.

    Returns
    -------
    Ratings
        In the order of the source, the last of each pair.

    Raises
    ------
    SourceError
        One line naming file, row and column.
    """
    spool, ids = _spooled(source, folder, progress)
    columns = {name: spool.take(name) for name in TYPES}
    for role, (_, place) in ids.items():
        columns[role] = place[columns[role]]
    columns, n_duplicates = _without_duplicates(source, columns, ids)
    counts = {"n_rows": spool.n_rows + spool.n_zeros, "n_zeros": spool.n_zeros}
    return _ratings(source, columns, {role: as_array(known) for role, (known, _) in ids.items()},
                    n_duplicates, counts)


def _ratings(source, columns, ids, n_duplicates, counts):
    users, items, values = (columns[role] for role in ("user", "item", "rating"))
    first, days, ranks = _days(users, columns.pop("time"))
    titles = None if source.titles is None else _named(ids["item"], source.titles)
    extra = {} if source.extras is None else source.extras(users, items, *ids.values(), first)
    info = Info(source.name, *ids.values(), titles,
                source.scale or (float(values.min()), float(values.max())),
                first and first.isoformat(), n_duplicates, extra,
                source.understood and source.understood | counts, source.measure)
    return Ratings(users, items, days, len(ids["user"]), len(ids["item"]), values=values,
                   ranks=ranks, info=info)
