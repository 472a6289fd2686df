"""The prize master: takes submissions, scores quiz, keeps the board, reveals test at the end."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from rslib.contest import teams
from rslib.contest.formats import Sections, read_submission
from rslib.contest.ledger import Ledger, instant, stamp
from rslib.contest.rules import ContestError, Rules, SystemClock, improvement, line, published
from rslib.metrics import rmse

__all__ = ["PrizeMaster", "Receipt"]


@dataclass(frozen=True)
class Receipt:
    """What a team hears of an accepted submission: nothing here depends on test."""

    team: str
    time: datetime
    quiz_rmse: float        # stars, four decimals
    improvement: float      # per cent against the baseline
    sha256: str             # of the file
    next_time: datetime     # from when the team may submit again
    ends: datetime | None   # of the contest, as far as it is known


def _utc(time):
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


class PrizeMaster:
    """The one who knows the labels.

    Whoever holds this object, or may read its folder, can have the labels: competitors get a
    `Client` of `serve`. Methods are safe in threads and in several processes at once.

    Parameters
    ----------
    folder : str or Path
        That `open_contest` made.
    clock : object with ``now()`` or None
        None is the time of this machine.

    Raises
    ------
    ContestError
        If there is no contest in ``folder``, or it belongs to another OS user.
    """

    def __init__(self, folder, *, clock=None):
        folder = Path(folder)
        try:
            with np.load(folder / "labels.npz", allow_pickle=False) as file:
                self._values, self._is_test = file["values"], file["is_test"]
                self._sections = Sections(file["movies"].tolist(), file["counts"].tolist())
        except FileNotFoundError:
            raise ContestError(f"{folder}: no contest here; open one with rslib contest "
                               "open") from None
        except PermissionError:
            raise ContestError(f"{folder}: only the prize master may look in here; competitors "
                               "use the socket of rslib contest serve") from None
        self.clock = clock or SystemClock()
        self._ledger = Ledger(folder / "board.sqlite")
        with self._ledger.transaction() as book:
            facts = {name: book.fact(name) for name in
                     ("name", "scale", "baseline_quiz", "baseline_test", "line", "rules")}
        self._scale, self._facts = tuple(facts["scale"]), facts
        self.rules = Rules(**facts["rules"] | {"ends": instant(facts["rules"]["ends"])})

    @property
    def most_bytes(self):
        """Size above which a file cannot be a submission."""
        return self._sections.most_bytes

    def _ends(self, book):
        """End of the contest as far as it is known, or None."""
        called = instant(book.fact("last_call"))
        ends = [self.rules.ends, called and called + self.rules.last_call,
                instant(book.fact("closed"))]
        return min((end for end in ends if end is not None), default=None)

    def _still_open(self, book, now):
        ends = self._ends(book)
        if ends is not None and now >= ends:
            raise ContestError(f"the contest ended at {_utc(ends)}")

    def join(self, team, *, uid=None):
        """Register a team.

        Parameters
        ----------
        team : str
            1 to 40 printable characters; names that differ in case only are the same.
        uid : int or None
            OS user it belongs to. None, which only the holder of this object can say, belongs to
            nobody: its submissions come from the teacher.
        """
        with self._ledger.transaction() as book:
            now = self.clock.now()
            self._still_open(book, now)
            teams.join(book, team, uid, now, self.rules.teams_per_user)

    def _may_submit(self, book, name, uid, now):
        """Return the team that ``name`` is, unless it must not submit now."""
        self._still_open(book, now)
        team = teams.known(book, name)
        teams.require_owner(book, team, uid)
        last = book.last_time(team)
        if last is not None and now < last + self.rules.pause:
            raise ContestError(f"team {team!r} was accepted at {_utc(last)}; one submission in "
                               f"{self.rules.hours_between:g} hours, so the next from "
                               f"{_utc(last + self.rules.pause)}")
        return team

    def _scores(self, predictions):
        """RMSE on quiz and on test, in stars."""
        return [rmse(predictions[rows], self._values[rows])
                for rows in (~self._is_test, self._is_test)]

    def submit(self, team, data, *, uid=None):
        """Take one submission, score it and record it, or refuse it.

        A refused submission costs nothing: the team may try again at once.

        Parameters
        ----------
        team : str
        data : bytes
            The file.
        uid : int or None
            OS user who submits; None, which only the holder of this object can say, may submit
            for every team.

        Returns
        -------
        Receipt

        Raises
        ------
        ContestError
            One line: the first bad line of the file, a team that is unknown or somebody else's,
            the day not over, the contest ended.
        """
        quiz, test = self._scores(read_submission(data, self._sections, self._scale))
        digest = hashlib.sha256(data).hexdigest()
        with self._ledger.transaction() as book:
            now = self.clock.now()
            team = self._may_submit(book, team, uid, now)
            book.add_submission(team, now, digest, quiz, test)
            if published(quiz) <= self._facts["line"]:
                self._start_last_call(book, now)
            ends = self._ends(book)
        return Receipt(team, now, published(quiz), improvement(quiz, self._facts["baseline_quiz"]),
                       digest, now + self.rules.pause, ends)

    def _start_last_call(self, book, now):
        if book.fact("last_call") is None:
            book.set_fact("last_call", stamp(now))

    def merge(self, name, first, second):
        """Make one team of two, as the teacher does when both ask for it.

        The new team has all submissions of both: the better score stands for it, and its next day
        counts from the later of their last submissions.

        Parameters
        ----------
        name : str
            A new name, or that of one of the two.
        first, second : str
            The teams; their names go out of use.
        """
        with self._ledger.transaction() as book:
            now = self.clock.now()
            self._still_open(book, now)
            teams.merge(book, name, first, second, now)

    def status(self):
        """Return the rules and where the contest stands: what everyone may know, as a dict."""
        with self._ledger.transaction() as book:
            called, ends = book.fact("last_call"), self._ends(book)
            n_teams = len(set(book.heads().values()))
        return {"contest": self._facts["name"], "baseline": self._facts["baseline_quiz"],
                "line": self._facts["line"], "per cent": self.rules.improvement,
                "hours between submissions": self.rules.hours_between,
                "teams": n_teams, "last call": instant(called), "ends": ends,
                "over": ends is not None and self.clock.now() >= ends}

    def _by_team(self, book):
        """Map each team of today to its submissions, in order; teams without any included."""
        found = {head: [] for head in book.heads().values()}
        for entry in book.submissions():
            found[entry["head"]].append(entry)
        return found

    def board(self):
        """Return the public leaderboard, best first: a list of dicts.

        Each row has the place, the team, its best quiz RMSE, the improvement in per cent, the time
        of that submission (the earliest of equal ones) and the number of submissions. Equal scores
        stand in the order in which they were reached.
        """
        with self._ledger.transaction() as book:
            return self._ranked(book, "quiz", self._facts["baseline_quiz"])

    def _ranked(self, book, part, baseline):
        rows = []
        for team, entries in self._by_team(book).items():
            if entries:
                best = min(entries, key=lambda entry: (published(entry[part]), entry["id"]))
                rows.append({"team": team, part: published(best[part]), "improvement":
                             improvement(best[part], baseline), "time": best["time"],
                             "submissions": len(entries), "id": best["id"]})
        rows.sort(key=lambda row: (row[part], row["id"]))
        return [{"place": place} | {key: value for key, value in row.items() if key != "id"}
                for place, row in enumerate(rows, 1)]

    def history(self):
        """Return every accepted submission in order, as dicts: team of today, time and quiz.

        Once the contest is over they carry test as well.
        """
        with self._ledger.transaction() as book:
            ends = self._ends(book)
            parts = ["quiz"] + ["test"] * (ends is not None and self.clock.now() >= ends)
            return [{"team": entry["head"], "entered as": entry["team"], "time": entry["time"]}
                    | {part: published(entry[part]) for part in parts}
                    for entry in book.submissions()]

    def close(self):
        """End the contest now, for good."""
        with self._ledger.transaction() as book:
            now = self.clock.now()
            self._still_open(book, now)
            book.set_fact("closed", stamp(now))

    def reveal(self):
        """Return the final standing by test, the winner first: a list of dicts.

        A team is judged by its best test RMSE at four decimals, as the contest was. Of equal ones
        the earlier submission wins. ``won`` is true for the first team if it also reached the line
        on test: the improvement asked for, against the baseline's own test RMSE.

        Raises
        ------
        ContestError
            Before the contest is over.
        """
        with self._ledger.transaction() as book:
            ends = self._ends(book)
            if ends is None or self.clock.now() < ends:
                until = "it has no end yet" if ends is None else f"it ends at {_utc(ends)}"
                raise ContestError(f"test scores stay hidden until the contest is over: {until}")
            rows = self._ranked(book, "test", self._facts["baseline_test"])
        goal = line(self._facts["baseline_test"], self.rules.improvement)
        return [row | {"won": row["place"] == 1 and row["test"] <= goal} for row in rows]
