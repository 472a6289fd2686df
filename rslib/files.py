"""Files and folders appear whole or not at all: written under a temporary name, then renamed.

A temporary name is hidden, lies beside its target and says which process owns it; so what a process
left that was killed can be told from what another is writing. What appears has the mode that the
umask asks for, as if it had been written in place.
"""

import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

__all__ = ["code_digest", "new_file", "new_folder", "remove_stale", "require_writable",
           "scratch_folder", "socket_folder", "write_text"]


def code_digest(names=(".",)):
    """Return a digest of files, and of folders of code, of this package; by default of all of it.

    Results of other code are other results: it belongs to the key of whatever is kept.
    """
    root, digest = Path(__file__).parent, hashlib.sha256()
    for name in names:
        path = root / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def require_writable(folder, remedy):
    """Refuse a folder in which nothing can be made, before any work is done for it.

    Parameters
    ----------
    folder : str or Path
        It need not be there.
    remedy : str
        What the line ends in.

    Raises
    ------
    OSError
        If it, or what it would be made in, is no folder or may not be written to.
    """
    place = Path(folder).absolute()
    while not os.path.lexists(place):
        place = place.parent
    if not place.is_dir():
        raise NotADirectoryError(f"{folder}: {place} is not a folder; {remedy}")
    if not os.access(place, os.W_OK | os.X_OK):
        raise PermissionError(f"{folder}: {place} may not be written to; {remedy}")


def _temporary(target):
    """A new hidden name beside ``target``; its last part but one is the process."""
    return target.with_name(f".rslib-{target.name[:40]}.{os.urandom(4).hex()}.{os.getpid()}.tmp")


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
def new_file(target):
    """Yield a binary file that becomes ``target`` when the block ends without an error.

    An older ``target`` is replaced. The folder must be there.
    """
    target = Path(target)
    remove_stale(target.parent)
    temporary = _temporary(target)
    try:
        with open(temporary, "xb") as file:
            yield file
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path, text):
    """Write ``text`` to ``path`` as UTF-8 by one rename; its folder is made."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path) as file:
        file.write(text.encode("utf-8"))


@contextmanager
def scratch_folder(beside, *, mode=0o777):
    """Yield an empty folder in the folder of ``beside``; it is gone when the block ends."""
    beside = Path(beside)
    beside.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(beside.parent)
    folder = _temporary(beside)
    folder.mkdir(mode)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_folder(target, *, mode=0o777, replace=True):
    """Yield an empty folder that becomes ``target`` when the block ends without an error.

    Parameters
    ----------
    target : str or Path
    mode : int
        What others may do with the folder, less the umask.
    replace : bool
        Whether an older ``target`` is replaced; else one that is not empty raises OSError.
    """
    target = Path(target)
    with scratch_folder(target, mode=mode) as folder:
        yield folder
        old = _temporary(target)
        if replace and target.exists():
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
