"""Ratings saved as a folder of Parquet files.

===============  ============================================================================
ratings.parquet  user, item and rating; day, rank and expected where the source has them
users.parquet    the ids of the source, by number
items.parquet    the same, and titles
extra.npz        what only one source has: probe and qualifying, the planted truth
SHA256SUMS       the digests of these files
===============  ============================================================================

Numbers are split into byte streams and compressed by zstd: a rating of MovieLens 1M costs 3.5
bytes, one of ten million in random order 6. Types, ids and the order of the rows stay as they are.
"""

import hashlib
import json

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from rslib.ratings import Info, Pairs, Ratings
from rslib.sources.columns import ARROW_TEXT, TEXT, is_text
from rslib.sources.planted import Planted, Strengths
from rslib.sources.preferences import Preferences

__all__ = ["FORMAT", "is_whole", "read", "write"]

FORMAT = 3
_FILES = ("ratings.parquet", "users.parquet", "items.parquet", "extra.npz")
_GROUP = 1 << 17        # rows in memory beside the columns while they are read


def _sums(folder):
    """Return what SHA256SUMS says of a folder that is whole."""
    lines = []
    for name in _FILES:
        with open(folder / name, "rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n")
    return "".join(lines).encode()


def _write_table(path, columns, **facts):
    columns = {name: pa.array(column, ARROW_TEXT if column.dtype == TEXT else None)
               for name, column in columns.items() if column is not None}
    split = {name: "BYTE_STREAM_SPLIT" for name, column in columns.items()
             if not is_text(column.type)}
    table = pa.table(columns, metadata={"facts": json.dumps(facts)})
    with open(path, "wb") as file:      # by its path, a full disk would lose its errno
        parquet.write_table(table, file, row_group_size=_GROUP, compression="zstd",
                            use_dictionary=False, column_encoding=split, write_statistics=False)


def _read_table(path):
    """Return the columns by name, and the facts that were written with them."""
    with parquet.ParquetFile(path) as file:
        fields, n_rows = file.schema_arrow, file.metadata.num_rows
        columns = {field.name: np.empty(n_rows, TEXT if is_text(field.type)
                                        else field.type.to_pandas_dtype()) for field in fields}
        for k in range(file.num_row_groups):
            group, start = file.read_row_group(k, use_threads=False), k * _GROUP
            for name, column in columns.items():
                column[start:start + len(group)] = group[name].to_numpy()
            del group
        pa.default_memory_pool().release_unused()       # else it stays beside the columns
        return columns, json.loads(fields.metadata[b"facts"])


def _packed(extra):
    """Return arrays by name that hold the probe, the qualifying set and the planted truth."""
    arrays = {"probe": extra["probe"]} if "probe" in extra else {}
    if "qualifying" in extra:
        asked = extra["qualifying"]
        arrays["qualifying"] = np.stack([asked.users, asked.items, asked.days])
    truth = vars(extra["planted"]) if "planted" in extra else {}
    if isinstance(extra.get("planted"), Preferences):
        arrays |= {f"preferences.{name}": array for name, array in truth.items()}
    elif truth:
        arrays |= {f"planted.{name}": truth[name] for name in truth if name != "strengths"}
        arrays |= {f"strengths.{name}": value for name, value in vars(truth["strengths"]).items()}
    return arrays


def _unpacked(arrays, n_users, n_items):
    """Return what `_packed` was given."""
    extra = {"probe": arrays["probe"]} if "probe" in arrays else {}
    if "qualifying" in arrays:
        extra["qualifying"] = Pairs(*arrays["qualifying"], n_users, n_items)
    strengths, planted, preferences = (
        {name.removeprefix(group): array if array.ndim else array.item()
         for name, array in arrays.items() if name.startswith(group)}
        for group in ("strengths.", "planted.", "preferences."))
    if preferences:
        extra["planted"] = Preferences(**preferences)
    if planted:
        extra["planted"] = Planted(Strengths(**strengths), **planted)
    return extra


def write(folder, ratings):
    """Write ratings that have an info into an empty folder.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    info = ratings.info
    _write_table(folder / "ratings.parquet",
                 {"user": ratings.users, "item": ratings.items, "rating": ratings.values,
                  "day": ratings.days, "rank": ratings.ranks,
                  "expected": info.extra.get("expected")},
                 name=info.name, scale=info.scale, first_day=info.first_day,
                 n_duplicates=info.n_duplicates, understood=info.understood, measure=info.measure)
    _write_table(folder / "users.parquet", {"id": info.user_ids})
    _write_table(folder / "items.parquet", {"id": info.item_ids, "title": info.titles})
    with open(folder / "extra.npz", "wb") as file:
        np.savez(file, **_packed(info.extra))
    (folder / "SHA256SUMS").write_bytes(_sums(folder))


def is_whole(folder):
    """Return True when every file is there as it was written."""
    try:
        return (folder / "SHA256SUMS").read_bytes() == _sums(folder)
    except OSError:
        return False


def read(folder):
    """Return the ratings of a folder that is whole."""
    columns, facts = _read_table(folder / "ratings.parquet")
    users, items = (_read_table(folder / f"{name}.parquet")[0] for name in ("users", "items"))
    n_users, n_items = len(users["id"]), len(items["id"])
    with np.load(folder / "extra.npz") as arrays:
        extra = _unpacked(dict(arrays), n_users, n_items)
    if "expected" in columns:
        extra["expected"] = columns["expected"]
    info = Info(facts["name"], users["id"], items["id"], items.get("title"),
                tuple(facts["scale"]), facts["first_day"], facts["n_duplicates"], extra,
                facts["understood"], facts.get("measure"))
    return Ratings(columns["user"], columns["item"], columns.get("day"), n_users, n_items,
                   values=columns["rating"], ranks=columns.get("rank"), info=info)
