"""The prize master behind a Unix socket, and the client of a competitor.

A request is one line of JSON, for ``submit`` followed by the bytes of the file; the reply is one
line of JSON. The kernel tells the master which OS user is at the other end (SO_PEERCRED), so a
client cannot pretend to be somebody else.
"""

import json
import socket
import socketserver
import struct
import sys
import traceback
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from rslib.contest.rules import ContestError

__all__ = ["Client", "answer", "serve"]

_HEADER = 4096      # longest first line of a request, bytes
_PATIENCE = 30      # seconds that a silent client is given


def _plain(value):
    """JSON for what the master returns besides numbers and text."""
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")


def _submit(master, request, uid, read):
    size = request.get("bytes")
    if type(size) is not int or not 0 <= size <= master.most_bytes:
        raise ContestError(f"a submission has at most {master.most_bytes:,} bytes, not "
                           f"{str(size)[:40]}; hand in one number a line")
    data = read(size)
    if len(data) < size:
        raise ContestError(f"only {len(data):,} of {size:,} bytes arrived; submit again")
    return asdict(master.submit(request.get("team"), data, uid=uid))


def _join(master, request, uid, read):
    return master.join(request.get("team"), uid=uid)


ACTIONS = {"join": _join, "submit": _submit,
           "board": lambda master, request, uid, read: master.board(),
           "status": lambda master, request, uid, read: master.status(),
           "reveal": lambda master, request, uid, read: master.reveal()}
"""All that a competitor may ask for."""


def answer(master, line, uid, read):
    """Return the reply to one request: ``{"is": ...}`` or ``{"error": one line}``.

    Parameters
    ----------
    master : PrizeMaster
    line : bytes
        First line of the request.
    uid : int
        OS user who asks.
    read : callable
        Takes a number of bytes and returns as many of what follows, or fewer at its end.
    """
    try:
        request = json.loads(line)
        action = ACTIONS[request["do"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {"error": f"not a request; ask for one of {', '.join(ACTIONS)}"}
    try:
        return {"is": action(master, request, uid, read)}
    except ContestError as refusal:
        return {"error": str(refusal)}
    except (ConnectionError, TimeoutError):
        raise
    except Exception:       # the competitor must not see a traceback, which may quote labels
        traceback.print_exc()
        return {"error": "the prize master failed at this; nothing was recorded, tell the teacher"}


class _Request(socketserver.StreamRequestHandler):
    timeout = _PATIENCE

    def _uid(self):
        """OS user of the process at the other end."""
        credentials = self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return struct.unpack("3i", credentials)[1]

    def handle(self):
        try:
            line = self.rfile.readline(_HEADER)
            reply = answer(self.server.master, line, self._uid(), self.rfile.read)
            self.wfile.write(json.dumps(reply, default=_plain).encode() + b"\n")
        except OSError:     # the client went away or fell silent; what was accepted stays
            pass


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


def _make_room(path):
    """Remove the socket that a killed master left, and nothing else."""
    if not path.exists():
        return
    if not path.is_socket():
        raise ContestError(f"{path}: exists and is no socket; name another path")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise ContestError(f"{path}: a prize master answers here already")


def serve(master, path, *, ready=None):
    """Answer competitors on a Unix socket until interrupted.

    Parameters
    ----------
    master : PrizeMaster
    path : str or Path
        Socket, in a folder that competitors may enter and only the master may write. Every OS user
        of this machine can connect.
    ready : callable or None
        Called with the server once it listens; its ``shutdown`` ends this call from a thread.

    Raises
    ------
    ContestError
        If something else is at ``path``, or this system cannot tell who connects (not Linux).
    """
    if not hasattr(socket, "SO_PEERCRED"):
        raise ContestError(f"{sys.platform} cannot tell who connects to a socket; serve on Linux")
    path = Path(path)
    _make_room(path)
    with _Server(str(path), _Request) as server:
        try:
            path.chmod(0o666)
            server.master = master
            if ready is not None:
                ready(server)
            server.serve_forever(poll_interval=0.1)
        finally:
            path.unlink(missing_ok=True)


class Client:
    """A competitor's line to the prize master.

    Parameters
    ----------
    path : str or Path
        Socket of `serve`.
    """

    def __init__(self, path):
        self.path = str(path)

    def _ask(self, action, data=b"", **request):
        if action == "submit":
            request["bytes"] = len(data)
        line = json.dumps({"do": action} | request).encode() + b"\n"
        with socket.socket(socket.AF_UNIX) as line_to:
            line_to.settimeout(2 * _PATIENCE)
            try:
                line_to.connect(self.path)
            except (FileNotFoundError, ConnectionRefusedError):
                raise ContestError(f"{self.path}: no prize master answers; is rslib contest serve "
                                   "running?") from None
            try:
                line_to.sendall(line + data)
            except ConnectionError:      # refused before it was read to its end
                pass
            with line_to.makefile("rb") as replies:
                text = replies.readline()
        reply = json.loads(text or '{"error": "the prize master broke off; look at the board to '
                                   'see whether it has your submission"}')
        if "error" in reply:
            raise ContestError(reply["error"])
        return reply["is"]

    def join(self, team):
        """Register a team, which then belongs to the OS user who runs this."""
        self._ask("join", team=team)

    def submit(self, team, data):
        """Hand in ``data``, the bytes of a file; return the receipt as a dict."""
        return self._ask("submit", data, team=team)

    def board(self):
        """Return the leaderboard; see `PrizeMaster.board`."""
        return self._ask("board")

    def status(self):
        """Return rules and state; see `PrizeMaster.status`."""
        return self._ask("status")

    def reveal(self):
        """Return the final standing; see `PrizeMaster.reveal`."""
        return self._ask("reveal")
