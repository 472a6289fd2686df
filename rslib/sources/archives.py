"""The files of a source, wherever they lie: in a folder, a zip or a tar.

Archives are read in place and never unpacked.
"""

import hashlib
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

from rslib.sources.errors import SourceError

__all__ = ["Member", "is_archive", "members", "one_file", "readable", "stamps"]

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
    """Return a file on disk as a member."""
    return Member(str(path), path.stat().st_size, partial(open, path, "rb"))


def is_archive(path):
    """Return True for a name that ends like a zip or a tar, packed or not."""
    return path.name.lower().endswith((".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"))


@contextmanager
def readable(label):
    """Turn what a damaged archive raises into one line."""
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise SourceError(f"{label}: the archive is truncated or damaged ({error}); "
                          "fetch it again") from None


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


def _archived(path):
    listed = _zip_members(path) if path.suffix.lower() == ".zip" else _tar_members(path)
    return {PurePosixPath(name).name: Member(f"{path}:{name}", size, opener)
            for name, size, opener in listed}


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
