"""From batches to the columns of the store, by way of plain files on disk."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from rslib.sources.columns import is_grouped, pack_ids, pack_ranks, pack_values, runs
from rslib.sources.locate import BadValue
from rslib.sources.spool import TYPES, Spool

__all__ = ["BYTES_A_RATING", "Source", "build", "bytes_a_rating", "last_of_pairs"]

BYTES_A_RATING = 9      # budget of the store; run lengths and the ids themselves come on top
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
        Called with users, items, user ids, item ids and first day; returns named arrays.
    """

    name: str
    label: str
    reader: object
    titles: dict | None = None
    scale: tuple[float, float] | None = None
    extras: Callable | None = None


def _spooled(source, folder, progress):
    """Read the source; what stops a reader becomes the line to show."""
    spool = Spool(folder)
    try:
        for batch in source.reader.batches(source.scale, progress):
            spool.append(batch)
        if not spool.n_rows:
            raise BadValue("no ratings")
        ids = {role: vocabulary.ranked(source.label) for role, vocabulary in spool.ids.items()}
    except (BadValue, pa.ArrowException) as error:
        raise source.reader.locate(source.scale, error) from None
    finally:
        spool.close()
    return spool, ids


def last_of_pairs(users, items, times, n_items):
    """Return a mask of the last rating of each pair in time, or None when no pair repeats."""
    key = users.astype(np.int64) * n_items + items
    key.sort()
    repeated = np.unique(key[1:][key[1:] == key[:-1]])
    if not len(repeated):
        return None
    key = users.astype(np.int64) * n_items + items
    rows = np.flatnonzero(np.isin(key, repeated))
    order = rows[np.lexsort((times[rows], key[rows]) if len(times) else (key[rows],))]
    keep = np.ones(len(key), bool)
    keep[order[:-1][key[order[:-1]] == key[order[1:]]]] = False
    return keep


def _id_columns(columns, sizes):
    """Pack user and item, run-length coded where the rows are grouped by them."""
    packed = {}
    for role, n in sizes.items():
        grouped = is_grouped(columns[role], n)
        packed[f"{role}_runs" if grouped else role] = (
            runs(columns[role]) if grouped else pack_ids(columns[role], n))
    return packed


def bytes_a_rating(packed):
    """Return what the packed columns cost for each rating, run lengths not counted."""
    return sum(column.dtype.itemsize * (column.shape[1] if column.ndim == 2 else 1)
               for name, column in packed.items() if not name.endswith("_runs"))


def _packed(columns, sizes, ranked=True):
    """Pack all columns of ratings; return them and the table of distinct ratings."""
    times = columns["time"]
    codes, table = pack_values(columns["rating"])
    packed = _id_columns(columns, sizes) | {"rating": codes}
    if not len(times):
        return packed, table
    days = times // _DAY
    packed["day"] = (days - days.min()).astype("<u2")
    if ranked and (times != days * _DAY).any():     # else the source knows days only
        ranks = pack_ranks(columns["user"], times)
        packed |= {} if ranks is None else {"rank": ranks}
    return packed, table


def _sorted(columns):
    """Sort the rows by user and time, so that user is run lengths and no rank is needed."""
    order = np.lexsort((columns["time"], columns["user"]) if len(columns["time"])
                       else (columns["user"],))
    return {name: column[order] if len(column) else column for name, column in columns.items()}


def _named(ids, titles):
    names = [titles.get(key) for key in ids.tolist()]
    return [str(key) if name is None else name
            for key, name in zip(ids.tolist(), names, strict=True)]


def build(source, folder, progress):
    """Read ``source`` and return what its store holds.

    Parameters
    ----------
    source : Source
    folder : Path
        Where columns may lie while they are read.
    progress : callable
        Told the bytes read.

    Returns
    -------
    arrays : dict of str to array
    strings : dict of str to list of str
        Text ids and titles.
    facts : dict
        Name, scale, first day and counts.

    Raises
    ------
    SourceError
        One line naming file, row and column.
    """
    spool, ids = _spooled(source, folder, progress)
    columns = {name: spool.take(name) for name in TYPES}
    for role, (_, place) in ids.items():
        columns[role] = place[columns[role]]
    sizes = {role: len(known) for role, (known, _) in ids.items()}
    keep = last_of_pairs(columns["user"], columns["item"], columns["time"], sizes["item"])
    n_duplicates = 0 if keep is None else int(np.count_nonzero(~keep))
    if n_duplicates:
        columns = {name: column[keep] if len(column) else column
                   for name, column in columns.items()}
        warnings.warn(f"{source.label}: {n_duplicates:,} duplicate ratings of the same item by the "
                      "same user; the last of each was kept", stacklevel=2)
    return _contents(source, columns, sizes, {role: known for role, (known, _) in ids.items()},
                     n_duplicates)


def _contents(source, columns, sizes, known, n_duplicates):
    arrays, table = _packed(columns, sizes)
    if bytes_a_rating(arrays) > BYTES_A_RATING:
        columns = _sorted(columns)
        arrays, table = _packed(columns, sizes, ranked=False)
    values = columns["rating"]
    times = columns["time"]
    first = datetime.fromtimestamp(int(times.min()), UTC).date() if len(times) else None
    facts = {"name": source.name, "scale": source.scale or [float(values.min()),
                                                            float(values.max())],
             "first_day": first and first.isoformat(), "n_duplicates": n_duplicates,
             "n_ratings": len(values), "bytes_a_rating": bytes_a_rating(arrays)}
    arrays |= {} if table is None else {"rating_table": table}
    strings = {}
    for role, ids in known.items():
        if pa.types.is_string(ids.type):
            strings[f"{role}_ids"] = ids.to_pylist()
        else:
            arrays[f"{role}_ids"] = ids.to_numpy()
    if source.titles is not None:
        strings["titles"] = _named(known["item"].to_numpy(), source.titles)
    if source.extras is not None:
        arrays |= source.extras(columns["user"], columns["item"], known["user"].to_numpy(),
                                known["item"].to_numpy(), first)
    return arrays, strings, facts
