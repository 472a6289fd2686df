"""Results appear whole or not at all: written under a temporary name, then renamed."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

__all__ = ["new_folder", "remove_stale", "scratch_folder", "socket_folder", "write_text"]


def _temporary(target):
    """Hidden name beside ``target`` that says which process owns it."""
    return target.with_name(f".rslib-{target.name}.{os.getpid()}.tmp")


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:         # somebody else's process is alive too
        return True
    try:                            # one that was killed and that nobody has waited for is not
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    except OSError:
        return True
    return state.split()[0] != "Z"


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def remove_stale(folder):
    """Remove what processes that were killed in the middle left in ``folder``."""
    for path in Path(folder).glob(".rslib-*.tmp"):
        pid = path.name.split(".")[-2]
        if pid.isdigit() and not _is_alive(int(pid)):
            _remove(path)


@contextmanager
def scratch_folder(beside):
    """Yield an empty folder in the folder of ``beside``; it is gone when the block ends."""
    remove_stale(beside.parent)
    folder = _temporary(beside)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_folder(target):
    """Yield an empty folder that becomes ``target`` when the block ends without an error.

    An older ``target`` is replaced.
    """
    old = _temporary(target.with_name(f"{target.name}.old"))
    with scratch_folder(target) as folder:
        yield folder
        if target.exists():
            target.rename(old)
        folder.rename(target)
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def socket_folder():
    """Yield a folder whose path is short enough for a socket, in the system's temporary folder."""
    remove_stale(tempfile.gettempdir())
    folder = Path(tempfile.mkdtemp(prefix=".rslib-", suffix=f".{os.getpid()}.tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_text(path, text):
    """Write ``text`` to ``path`` by one rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
