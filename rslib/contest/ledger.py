"""What the master remembers: teams and accepted submissions, in one SQLite file.

Every change is one transaction on the disk before anyone hears of it (rollback journal,
``synchronous=FULL``), so a master that is killed has recorded a submission wholly or not at all,
and of two processes that write at once one waits for the other.
"""

import json
import os
import sqlite3
from contextlib import closing, contextmanager
from datetime import datetime

from rslib.contest.rules import ContestError

__all__ = ["Book", "Ledger", "instant", "stamp"]

_TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE teams (
    name TEXT PRIMARY KEY COLLATE NOCASE,
    uid INTEGER,                -- OS user that joined it; NULL: entered by the teacher
    joined TEXT NOT NULL,
    merged_into TEXT REFERENCES teams);
CREATE TABLE submissions (
    id INTEGER PRIMARY KEY,
    team TEXT NOT NULL REFERENCES teams,
    time TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    quiz REAL NOT NULL,
    test REAL NOT NULL);
"""
_WAIT = 60      # seconds that one process waits for another


def stamp(time):
    """Return a time as text that sorts as the times do."""
    return time.isoformat(timespec="microseconds")


def instant(text):
    """Return the time that `stamp` wrote, or None for None."""
    return None if text is None else datetime.fromisoformat(text)


class Ledger:
    """The file of teams and submissions.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path):
        self.path = path

    @classmethod
    def create(cls, path, facts):
        """Make the file, readable by its owner only, and write its facts."""
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with closing(sqlite3.connect(path)) as db:
            db.executescript(_TABLES)
            db.executemany("INSERT INTO facts VALUES (?, ?)",
                           [(name, json.dumps(value)) for name, value in facts.items()])
            db.commit()
        return cls(path)

    @contextmanager
    def transaction(self):
        """Yield the open `Book`; all that is written in the block is kept, or nothing."""
        try:
            with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=rw", uri=True,
                                         timeout=_WAIT, isolation_level=None)) as db:
                db.row_factory = sqlite3.Row
                db.execute("PRAGMA synchronous = FULL")
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield Book(db)
                except BaseException:
                    db.execute("ROLLBACK")
                    raise
                db.execute("COMMIT")
        except sqlite3.Error as error:
            raise ContestError(f"the board cannot be read or written ({error}); nothing was "
                               "recorded, try again or tell the prize master") from None


class Book:
    """The ledger, open within one transaction."""

    def __init__(self, db):
        self.db = db

    def fact(self, name):
        """Return one fact of the contest, or None."""
        row = self.db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row["value"])

    def set_fact(self, name, value):
        """Write one fact of the contest."""
        self.db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))

    def heads(self):
        """Map the name of each team ever joined to the team it is part of today."""
        into = {row["name"]: row["merged_into"] for row in
                self.db.execute("SELECT * FROM teams ORDER BY joined")}

        def head(name):
            while into[name] is not None:
                name = into[name]
            return name
        return {name: head(name) for name in into}

    def find(self, name):
        """Return the row of a team, whatever the case of its letters, or None."""
        return self.db.execute("SELECT * FROM teams WHERE name = ?", (name,)).fetchone()

    def teams_of(self, uid):
        """Return how many teams an OS user has joined, merged ones included."""
        return self.db.execute("SELECT count(*) FROM teams WHERE uid = ?", (uid,)).fetchone()[0]

    def owners(self, team):
        """Return the OS users who joined ``team`` or a team merged into it."""
        heads = self.heads()
        return {row["uid"] for row in self.db.execute("SELECT name, uid FROM teams")
                if heads[row["name"]] == team and row["uid"] is not None}

    def add_team(self, name, uid, time):
        """Add one team."""
        self.db.execute("INSERT INTO teams VALUES (?, ?, ?, NULL)", (name, uid, stamp(time)))

    def move_team(self, name, into):
        """Make one team part of another."""
        self.db.execute("UPDATE teams SET merged_into = ? WHERE name = ?", (into, name))

    def add_submission(self, team, time, sha256, quiz, test):
        """Add one accepted submission."""
        self.db.execute("INSERT INTO submissions (team, time, sha256, quiz, test) "
                        "VALUES (?, ?, ?, ?, ?)", (team, stamp(time), sha256, quiz, test))

    def submissions(self):
        """Return all accepted submissions in order, each with the team it counts for today."""
        heads = self.heads()
        return [dict(row) | {"head": heads[row["team"]], "time": instant(row["time"])}
                for row in self.db.execute("SELECT * FROM submissions ORDER BY id")]

    def last_time(self, team):
        """Return when ``team``, or a team merged into it, was last accepted, or None."""
        return max((row["time"] for row in self.submissions() if row["head"] == team),
                   default=None)
