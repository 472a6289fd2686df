"""What ``rslib contest`` does: each function takes the parsed arguments, returns rows or a line."""

import os
import pwd
import secrets
from dataclasses import asdict
from datetime import UTC, datetime

from rslib.contest.master import PrizeMaster
from rslib.contest.opening import open_contest
from rslib.contest.rules import ContestError, Rules
from rslib.contest.service import Client, serve

__all__ = ["board", "join", "merge", "opened", "reveal", "served", "submit"]


def _at(place):
    """The prize master in a folder, or the line to one behind a socket."""
    return Client(place) if place.is_socket() or not place.is_dir() else PrizeMaster(place)


def _master(place):
    if not place.is_dir():
        raise ContestError(f"{place}: not the folder of a prize master; this is the teacher's part")
    return PrizeMaster(place)


def _time(time):
    """A time, or what the socket made of it, to the second in UTC."""
    time = datetime.fromisoformat(time) if isinstance(time, str) else time
    return "–" if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _shown(rows):
    return [row | {"time": _time(row["time"])} for row in rows]


def _when(text):
    """The end of a contest as the teacher typed it; without a zone it is UTC."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ContestError(f"--ends {text}: not a date; write 2026-06-30 or "
                           "2026-06-30T18:00") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def rules(arguments):
    """Return the rules that the command line asks for."""
    return Rules(hours_between=arguments.hours, improvement=arguments.improvement,
                 last_call_days=arguments.last_call_days,
                 ends=arguments.ends and _when(arguments.ends),
                 teams_per_user=arguments.teams_per_user)


def opened(arguments, deal, fit):
    """Open a contest; ``deal`` takes a secret seed, ``fit`` the ratings for the baseline."""
    asked = rules(arguments)
    for folder in (arguments.master, arguments.handout):
        if folder.exists():         # before the ratings are read and a model is fitted
            raise ContestError(f"{folder}: exists already; name a new folder")
    split = deal(secrets.randbits(128))
    status = open_contest(arguments.master, arguments.handout, split, fit(split.final).predict,
                          rules=asked).status()
    return (f"Hand out {arguments.handout}; keep {arguments.master} to yourself. The baseline has "
            f"quiz RMSE {status['baseline']:.4f}, the line is at {status['line']:.4f}.")


def join(arguments):
    """Register a team."""
    place = _at(arguments.place)
    if arguments.user is None:
        place.join(arguments.team)
    elif isinstance(place, Client):
        raise ContestError("--user is for the teacher, with the folder of the prize master")
    else:
        try:
            uid = pwd.getpwnam(arguments.user).pw_uid
        except KeyError:
            raise ContestError(f"no OS user {arguments.user!r} on this machine") from None
        place.join(arguments.team, uid=uid)
    return f"Team {arguments.team!r} has joined."


def submit(arguments):
    """Hand in one file."""
    receipt = _at(arguments.place).submit(arguments.team, arguments.file.read_bytes())
    receipt = receipt if isinstance(receipt, dict) else asdict(receipt)
    return (f"{receipt['team']}: quiz RMSE {receipt['quiz_rmse']:.4f}, "
            f"{receipt['improvement']:.2f} % below the baseline. Next submission from "
            f"{_time(receipt['next_time'])}.")


def board(arguments):
    """Show the leaderboard."""
    return _shown(_at(arguments.place).board()) or "Nobody has submitted yet."


def merge(arguments):
    """Make one team of two."""
    _master(arguments.master).merge(arguments.name, *arguments.teams)
    return f"{' and '.join(map(repr, arguments.teams))} are {arguments.name!r} now."


def served(arguments):
    """Answer competitors until interrupted."""
    owner = arguments.master.owner() if arguments.master.exists() else None
    if owner is not None and arguments.master.stat().st_uid != os.getuid() != 0:
        raise ContestError(f"{arguments.master}: belongs to {owner}; serve as that user")
    serve(_master(arguments.master), arguments.socket, ready=lambda server: print(
        f"Listening at {arguments.socket}. Every process of OS user {owner} can read the labels, "
        "so competitors must be others. Ctrl-C ends it.", flush=True))


def reveal(arguments):
    """Show the final standing by test."""
    if arguments.close:
        _master(arguments.place).close()
    return _shown(_at(arguments.place).reveal()) or "Nobody has submitted."
