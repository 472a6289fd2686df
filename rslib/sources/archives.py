"""The files of a source, wherever they lie: in a folder, a zip or a tar.

Archives are read in place and never unpacked.
"""

import bz2
import errno
import gzip
import hashlib
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from rslib.sources.errors import SourceError, SourceMissing

__all__ = ["PARQUET", "TABLES", "Member", "is_archive", "members", "one_file", "readable", "stamps",
           "suffix_of", "tables_in"]

_PACKED = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
PARQUET = (".parquet", ".pq")
TABLES = (".csv", ".tsv", ".tab", ".txt", ".dat", ".data", *PARQUET)
_SMALL = 1 << 20    # bytes; a source below this is hashed, so an edit within one clock tick is seen


@dataclass(frozen=True)
class Member:
    """One file of a source.

    Parameters
    ----------
    label : str
        What messages call it.
    size : int
        Bytes, unpacked.
    open : callable
        Opens it for reading bytes.
    """

    label: str
    size: int
    open: Callable[[], BinaryIO]


def one_file(path):
    """Return a file on disk as a member, unpacked where it is a .gz, .bz2 or .xz."""
    opener = _PACKED.get(path.suffix.lower(), open)
    return Member(str(path), path.stat().st_size, partial(opener, path, "rb"))


def suffix_of(name):
    """Return the suffix of a name in small letters, that of what is packed in a .gz, .bz2 or .xz.
    """
    path = PurePosixPath(str(name).lower())
    return path.with_suffix("").suffix if path.suffix in _PACKED else path.suffix


def is_archive(path):
    """Return True for a name that ends like a zip or a tar, packed or not."""
    return path.name.lower().endswith((".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"))


def _damaged(label, error):
    return SourceError(f"{label}: the archive is truncated or damaged ({error}); fetch it again")


@contextmanager
def readable(label):
    """Turn what a damaged archive raises into one line."""
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, gzip.BadGzipFile, lzma.LZMAError,
            EOFError, NotImplementedError) as error:
        raise _damaged(label, error) from None
    except OSError as error:        # bz2 raises it, and a zip that points outside itself
        if error.errno not in (None, errno.EINVAL) or isinstance(error, SourceMissing):
            raise
        raise _damaged(label, error) from None
    except RuntimeError as error:
        if "encrypted" not in str(error):
            raise
        raise SourceError(f"{label}: the archive asks for a password; unpack it first") from None


def _refuse_unsafe(path, name):
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or re.match("[A-Za-z]:", name):
        raise SourceError(f"{path}: member {name!r} points outside its folder; "
                          "fetch the archive from its publisher")


def _zip_members(path):
    with readable(path):
        archive = zipfile.ZipFile(path)
    for entry in archive.infolist():
        _refuse_unsafe(path, entry.filename)
        if not entry.is_dir():
            yield entry.filename, entry.file_size, partial(archive.open, entry)


def _tar_members(path):
    with readable(path):
        archive = tarfile.open(path)
        entries = archive.getmembers()
    for entry in entries:
        _refuse_unsafe(path, entry.name)
        if entry.issym() or entry.islnk():
            raise SourceError(f"{path}: member {entry.name!r} is a link to {entry.linkname!r}; "
                              "fetch the archive from its publisher")
        if entry.isfile():
            yield entry.name, entry.size, partial(archive.extractfile, entry)


def _listed(path):
    listed = _zip_members(path) if path.suffix.lower() == ".zip" else _tar_members(path)
    return [(name, Member(f"{path}:{name}", size, _opener(name, opener)))
            for name, size, opener in listed]


def _opener(name, opener):
    unpack = _PACKED.get(PurePosixPath(name.lower()).suffix)
    return partial(_unpacked, unpack, opener) if unpack else opener


def _unpacked(unpack, opener):
    return unpack(opener(), "rb")


def _archived(path):
    found = {}
    for name, member in _listed(path):
        base = PurePosixPath(name).name
        if base in found and suffix_of(base) in TABLES and suffix_of(base) != ".txt":
            raise SourceError(f"{path}: two files are called {base}; say which: "
                              f"{found[base].label!r} or {member.label!r}")
        found[base] = member
    return found


def tables_in(path):
    """Return the files of a folder or an archive whose names end like a table of one's own."""
    if path.is_file():
        named = _listed(path)
    else:
        named = [(file.name, one_file(file)) for file in _files(path)]
    hidden = re.compile(r"(^|/)(__MACOSX/|[._]|readme)", re.I)
    return [member for name, member in named
            if suffix_of(name) in TABLES and not hidden.search(name)]


def _files(path):
    """Files of a source on disk; Netflix keeps its ratings one folder down."""
    if path.is_file():
        return [path]
    folders = [path, path / "training_set"]
    return sorted(file for folder in folders if folder.is_dir()
                  for file in folder.iterdir() if file.is_file())


def members(path):
    """Return the files of a folder or an archive by their base names.

    Raises
    ------
    SourceError
        If an archive is damaged or has a member that points outside its folder.
    """
    if path.is_file():
        return _archived(path)
    found = {file.name: one_file(file) for file in _files(path)}
    if "training_set.tar" in found:
        found |= _archived(path / "training_set.tar")
    return found


def _stamp(file: Path):
    state = file.stat()
    digest = hashlib.sha256(file.read_bytes()).hexdigest() if state.st_size < _SMALL else ""
    return [file.name, state.st_size, state.st_mtime_ns, digest]


def stamps(path):
    """Return name, size, time of change and, of a small file, the hash of every file on disk."""
    files = _files(path)
    if len(files) > 1000:       # mv_*.txt: hashing 17,770 small files would cost a second a load
        return [[file.name, (state := file.stat()).st_size, state.st_mtime_ns] for file in files]
    return [_stamp(file) for file in files]
