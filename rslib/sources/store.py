"""The compact store on disk: one folder a source, memory-mapped when it is opened.

Each column is a plain little-endian file; meta.json says its type and shape. A rating costs at
most 9 bytes:

=========  ==================================================================================
user       1 to 4 bytes; nothing where the rows are grouped by user (MovieLens): run lengths
item       1 to 4 bytes; nothing where the rows are grouped by item (Netflix): run lengths
rating     1 byte, or 2 past 256 distinct values; float32 past 65,536
day        2 bytes, days since the first rating
rank       0 to 4 bytes, order within the day of a user; nothing where only the day is known
=========  ==================================================================================

Rows keep the order of the file. Only where that would pass 9 bytes are they sorted by user and
time: the user column becomes run lengths, and the order of the rows is the rank. (Above 16.7
million items with more than 65,536 distinct ratings even that costs 10.)

The name of the folder holds a digest of the source files (name, size, time of change) and of the
options they were read with, so a changed source is a new store; the old one is removed.
"""

import errno
import hashlib
import json
import os
import shutil
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from tqdm import tqdm

from rslib.ratings import Info, Pairs, Ratings
from rslib.sources.build import build
from rslib.sources.columns import expand_ids, expand_runs
from rslib.sources.members import readable

__all__ = ["FORMAT", "find_or_build", "read"]

FORMAT = 1
_LARGE = 50 << 20       # bytes of source from which building shows its progress
_STALE = 86400          # seconds after which a half-written store belongs to no living process


def _digest(*parts):
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _write(folder, arrays, strings, facts):
    columns = {name: [array.dtype.str, array.shape] for name, array in arrays.items()}
    for name, array in arrays.items():
        with open(folder / f"{name}.bin", "wb") as file:    # tofile would hide a full disk's errno
            file.write(np.ascontiguousarray(array))
    for name, text in strings.items():
        (folder / f"{name}.json").write_text(json.dumps(text), encoding="utf-8")
    meta = facts | {"format": FORMAT, "columns": columns, "strings": [*strings]}
    (folder / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")


def _explain(error, cache, label):
    """Turn what a disk raises into one line, errno kept."""
    reasons = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up",
               errno.EACCES: "the folder may not be written to", errno.EPERM: "not permitted",
               errno.EROFS: "the disk is read-only", errno.EFBIG: "the file grew too large"}
    elsewhere = error.filename and not str(error.filename).startswith(str(cache))
    if error.errno not in reasons or elsewhere:
        return error
    return OSError(error.errno, f"{cache}: {reasons[error.errno]}; the store of {label} was not "
                                "written: make room there, or name another folder with cache=")


@contextmanager
def _half_written(cache, name):
    """Give a new folder to write in; it and a cache made for it go when that fails."""
    made = not cache.exists()
    folder = cache / f".{name}.{os.getpid()}-{os.urandom(4).hex()}"
    try:
        folder.mkdir(parents=True)
        yield folder
    except BaseException:       # KeyboardInterrupt too
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):     # another process may be at work in it
            if made:
                cache.rmdir()
        raise


def _publish(folder, final):
    """Move a finished store to its name; of two processes that built it, one wins."""
    try:
        os.rename(folder, final)
    except OSError:
        if not final.is_dir():
            raise
        shutil.rmtree(folder)


def _tidy(cache, origin, final):
    """Remove stores of the same source from before it changed, and what killed builds left."""
    for old in cache.glob(f"{origin}-*"):
        if old != final:
            shutil.rmtree(old, ignore_errors=True)
    for half in cache.glob(".*.*-*"):
        with suppress(FileNotFoundError):       # another process may have finished it
            if time.time() - half.stat().st_mtime > _STALE:
                shutil.rmtree(half, ignore_errors=True)


def _progress(name, size):
    return tqdm(total=size, unit="B", unit_scale=True, desc=f"reading {name}", file=sys.stderr,
                leave=False, disable=size < _LARGE)


def find_or_build(path, stamps, options, make_source, cache):
    """Return the folder of the store of ``path``, built now if there is none yet.

    Parameters
    ----------
    path : Path
        The source.
    stamps : list
        What changes when the source does.
    options : dict
        What else the store depends on: column names and scale.
    make_source : callable
        Returns the Source; called only to build.
    cache : Path
        Folder of stores.

    Raises
    ------
    SourceError
        If the source cannot be read.
    OSError
        If the store cannot be written.
    """
    origin = f"{path.name}-{_digest(str(path.resolve()), options)}"
    final = cache / f"{origin}-{_digest(FORMAT, stamps)}"
    if final.is_dir():
        return final
    try:
        with readable(path):
            source = make_source()
            with (_half_written(cache, final.name) as folder,
                  _progress(source.name, source.reader.size) as bar):
                _write(folder, *build(source, folder, bar.update))
                _publish(folder, final)
    except OSError as error:
        raise _explain(error, cache, path) from None
    _tidy(cache, origin, final)
    return final


def _array(folder, meta, name):
    dtype, shape = meta["columns"][name]
    if 0 in shape:
        return np.empty(shape, dtype)       # an empty file cannot be mapped
    return np.memmap(folder / f"{name}.bin", dtype, "r", shape=tuple(shape))


def _ids(folder, meta, role):
    if f"{role}_runs" in meta["columns"]:
        return expand_runs(_array(folder, meta, f"{role}_runs"))
    return expand_ids(_array(folder, meta, role))


def _strings(folder, name):
    return np.array(json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))


def _names(folder, meta, name):
    return (_strings(folder, name) if name in meta["strings"]
            else np.array(_array(folder, meta, name)))


def _values(folder, meta):
    codes = _array(folder, meta, "rating")
    if "rating_table" not in meta["columns"]:
        return np.array(codes)
    return np.asarray(_array(folder, meta, "rating_table"))[codes]


def _extra(folder, meta, n_users, n_items):
    extra = {}
    if "probe" in meta["columns"]:
        extra["probe"] = np.array(_array(folder, meta, "probe"))
    if "qualifying" in meta["columns"]:
        extra["qualifying"] = Pairs(*np.array(_array(folder, meta, "qualifying")), n_users, n_items)
    return extra


def read(folder: Path) -> Ratings:
    """Return the ratings of a store, expanded to the columns that models read."""
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    names = {role: _names(folder, meta, f"{role}_ids") for role in ("user", "item")}
    n_users, n_items = len(names["user"]), len(names["item"])
    info = Info(meta["name"], names["user"], names["item"],
                _strings(folder, "titles") if "titles" in meta["strings"] else None,
                tuple(meta["scale"]), meta["first_day"], meta["n_duplicates"],
                _extra(folder, meta, n_users, n_items))
    days, ranks = (np.array(_array(folder, meta, name)) if name in meta["columns"] else None
                   for name in ("day", "rank"))
    return Ratings(_ids(folder, meta, "user"), _ids(folder, meta, "item"), days, n_users, n_items,
                   values=_values(folder, meta), ranks=ranks, info=info)
