"""The store: ratings as they were read or drawn, one folder a source (see `rslib.sources.saved`).

The name of the folder holds a digest of the source files (name, size, time of change) and of the
options they were read with, so a changed source is a new store; the old one is removed. A store
whose digests do not hold is damaged and is built anew.
"""

import errno
import glob
import hashlib
import json
import os
import shutil
import sys
import time
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

from tqdm import tqdm

from rslib.sources.archives import readable
from rslib.sources.build import build
from rslib.sources.saved import FORMAT, is_whole, read, write

__all__ = ["keep", "load", "place"]

_LARGE = 50 << 20       # bytes of source from which building shows its progress
_STALE = 86400          # seconds after which a half-written store belongs to no living process


def place(cache, home):
    """Return the folder of the stores: ``cache``, else ``RSLIB_CACHE``, else data/.cache."""
    return Path(cache or os.environ.get("RSLIB_CACHE") or home / "data" / ".cache")


def _digest(*parts):
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _explain(error, cache, label):
    """Turn what a disk raises into one line, errno kept."""
    reasons = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up",
               errno.EACCES: "the folder may not be written to", errno.EPERM: "not permitted",
               errno.EROFS: "the disk is read-only", errno.EFBIG: "the file grew too large",
               errno.ENOTDIR: "a file stands where a folder is needed"}
    where = str(error.filename or cache)    # the cache, a file in it, or a folder it would be in
    if error.errno not in reasons or not (where.startswith(str(cache))
                                          or str(cache).startswith(where)):
        return error
    return OSError(error.errno, f"{cache}: {reasons[error.errno]}; the store of {label} was not "
                                "written: make room there, or name another folder by RSLIB_CACHE, "
                                "or in Python by cache=")


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
    for old in cache.glob(f"{glob.escape(origin)}-*"):
        if old != final:
            shutil.rmtree(old, ignore_errors=True)
    for half in cache.glob(".*.*-*"):
        with suppress(FileNotFoundError):       # another process may have finished it
            if time.time() - half.stat().st_mtime > _STALE:
                shutil.rmtree(half, ignore_errors=True)


def keep(name, key, stamps, make, cache):
    """Return ratings from their store, or make and keep them.

    Parameters
    ----------
    name : str
        How the folder of the store begins.
    key : list
        What tells sources of the same name apart; its first entry is what messages call it.
    stamps : list
        What changes when the source does.
    make : callable
        Returns the Ratings; given a folder for the files it needs meanwhile.
    cache : Path
        Folder of stores.

    Returns
    -------
    Ratings

    Raises
    ------
    OSError
        If the store cannot be written.

    Warns
    -----
    UserWarning
        When the store is damaged and is built anew.
    """
    origin = f"{name}-{_digest(*key)}"
    final = cache / f"{origin}-{_digest(FORMAT, stamps)}"
    if final.is_dir():
        if is_whole(final):
            return read(final)
        warnings.warn(f"{final}: the store is damaged and is built anew", stacklevel=2)
        shutil.rmtree(final, ignore_errors=True)
    try:
        with _half_written(cache, final.name) as folder:
            ratings = make(folder)
            write(folder, ratings)
            _publish(folder, final)
    except OSError as error:
        raise _explain(error, cache, key[0]) from None
    _tidy(cache, origin, final)
    return ratings


def load(path, stamps, options, make_source, cache):
    """Return the ratings of the files at ``path``, from their store if they have one.

    Parameters
    ----------
    path : Path
    stamps : list
        See `rslib.sources.archives.stamps`.
    options : dict
        What else the ratings depend on: column names and scale.
    make_source : callable
        Returns the Source; called only where there is no store.
    cache : Path

    Returns
    -------
    Ratings

    Raises
    ------
    SourceError
        If the source cannot be read.
    OSError
        If the store cannot be written.
    """
    def make(folder):
        with readable(path):
            source = make_source()
            with tqdm(total=source.reader.size, unit="B", unit_scale=True, file=sys.stderr,
                      desc=f"reading {source.name}", leave=False,
                      disable=source.reader.size < _LARGE) as bar:
                return build(source, folder, bar.update)

    return keep(path.name, [str(path.resolve()), options], stamps, make, cache)
