"""The prize master: scores by hand, the rules, and everything that somebody might try on it."""

import json
import os
import pickle
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from worlds import planted_world

from rslib import metrics, sources, splits
from rslib.__main__ import main
from rslib.contest import (
    Client,
    ContestError,
    PrizeMaster,
    Rules,
    SimulatedClock,
    open_contest,
    read_handout,
    serve,
    write_submission,
)
from rslib.contest.rules import improvement, line, published
from rslib.contest.service import answer
from rslib.ratings import Info, Ratings

NOBODY = 65534


def stars_world(**options):
    """A planted world in whole stars, with ids and dates as a source has them."""
    ratings, _ = planted_world(60, 40, **options)
    info = Info("planted", np.arange(60) * 7 + 3, np.arange(40) + 1, first_day="2005-01-01")
    return replace(ratings, values=np.clip(np.rint(ratings.values), 1, 5), info=info)


def mean_of(ratings):
    return lambda pairs: np.full(len(pairs), ratings.values.mean())


class Game:
    """A contest in a folder, with the labels that the test may know."""

    def __init__(self, folder, split=None, **rules):
        self.split = split or splits.netflix(stars_world(), seed=5)
        self.folder, self.clock = folder, SimulatedClock()
        open_contest(folder / "master", folder / "handout", self.split,
                     mean_of(self.split.final), rules=Rules(**rules))
        self.master, self.handout = self.restart(), read_handout(folder / "handout")
        stored = np.load(folder / "master" / "labels.npz")
        self.values, self.is_test = stored["values"], stored["is_test"]

    def restart(self):
        return PrizeMaster(self.folder / "master", clock=self.clock)

    def file(self, predictions):
        """A submission as bytes."""
        path = write_submission(self.folder / "mine.txt", self.handout, predictions)
        return path.read_bytes()

    def guess(self, away=0.5, on_test=None):
        """A submission that is ``away`` stars from every label, on test by another distance."""
        off = np.where(self.is_test, away if on_test is None else on_test, away)
        return self.file(self.values + np.where(self.values > 3, -off, off))


@pytest.fixture
def game(tmp_path):
    return Game(tmp_path)


def refused(call, *parts):
    """Assert one line that holds ``parts``."""
    with pytest.raises(ContestError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message and not [part for part in parts if part not in message], message


# Scores and rules


def test_scores_by_hand(tmp_path):
    pairs = np.array([0, 1, 0, 1, 0, 1, 0, 1]), np.array([0, 0, 1, 1, 2, 2, 3, 3])
    ratings = Ratings(*pairs, values=[5, 4, 3, 2, 1, 2, 3, 5], days=np.arange(8),
                      info=Info("eight", np.array([1, 2]), np.array([1, 2, 3, 4])))
    parts = [np.array(rows) for rows in ([0, 1], [2], [3, 4], [5, 6, 7])]
    names = "train", "probe", "quiz", "test"
    split = splits.Split(**{name: ratings[rows] for name, rows in zip(names, parts, strict=True)},
                         final=ratings[:3], rows={})
    master = open_contest(tmp_path / "master", tmp_path / "handout", split,
                          lambda pairs: np.full(len(pairs), 3.0))
    text = (tmp_path / "handout" / "qualifying.txt").read_text()
    assert text.split() == ["2:", "2,1970-01-04", "3:", "1,1970-01-05", "2,1970-01-06",
                            "4:", "1,1970-01-07", "2,1970-01-08"]
    master.join("us")
    receipt = master.submit("us", b"2:\n3\n3:\n2.0\n4\n4:\n4\n3\n")
    assert receipt.quiz_rmse == 1.0                     # errors 1 (label 2) and 1 (label 1)
    assert master.status()["baseline"] == 1.5811        # sqrt((1 + 4) / 2)
    assert receipt.improvement == 36.75
    master.close()
    assert master.reveal()[0]["test"] == 1.7321         # sqrt((4 + 1 + 4) / 3)


def test_published_figures_of_the_prize():
    assert line(0.9514, 10) == 0.8563
    assert (improvement(0.8558, 0.9514), improvement(0.8567, 0.9525)) == (10.05, 10.06)
    assert published(0.856704) == published(0.856714) == 0.8567


def test_handout_is_the_split_without_labels(game):
    split, handout = game.split, game.handout
    ids = split.final.info.user_ids, split.final.info.item_ids
    names = handout.final.info.user_ids.astype(int), handout.final.info.item_ids.astype(int)

    def rows(pairs, ids, *more):
        return sorted(zip(ids[0][pairs.users], ids[1][pairs.items], pairs.days, *more, strict=True))
    shift = (np.datetime64(handout.final.info.first_day) - np.datetime64("2005-01-01")).astype(int)
    for part in ("train", "probe", "final"):
        theirs, ours = getattr(split, part), getattr(handout, part)
        ours = replace(ours, days=ours.days + shift)
        assert rows(ours, names, ours.values) == rows(theirs, ids, theirs.values)
    asked = rows(replace(handout.qualifying, days=handout.qualifying.days + shift), names)
    assert asked == sorted(rows(split.quiz, ids) + rows(split.test, ids))
    assert len(sources.load(game.folder / "handout" / "training.csv",
                            cache=game.folder / "cache")) == len(split.final)


def test_handout_of_text_ids_without_days(tmp_path):
    world = stars_world()
    info = replace(world.info, user_ids=np.array([f"user {n}" for n in range(60)]))
    game = Game(tmp_path, splits.netflix(replace(world, days=None, info=info)))
    assert game.handout.final.days is None and game.handout.qualifying.days is None
    game.master.join("us")
    assert game.master.submit("us", game.guess(0.25)).quiz_rmse == 0.25
    info = replace(info, user_ids=np.array([f"user,{n}" for n in range(60)]))
    bad = splits.netflix(replace(world, info=info))
    refused(lambda: open_contest(tmp_path / "m", tmp_path / "h", bad, mean_of(bad.final)),
            "'user,0'", "comma")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["handout", "master", "mine.txt"]


def test_a_contest_is_not_overwritten(game):
    def again(master, handout):
        return lambda: open_contest(game.folder / master, game.folder / handout, game.split,
                                    mean_of(game.split.final))
    refused(again("master", "other"), "exists already")
    refused(again("other", "other/handout"), "inside the folder of the prize master")
    refused(lambda: PrizeMaster(game.folder), "no contest here")
    assert not (game.folder / "other").exists()


def test_one_submission_in_24_hours(game):
    master, clock = game.master, game.clock
    master.join("us")
    first = master.submit("us", game.guess(0.8))
    assert first.next_time == clock.now() + timedelta(hours=24)
    clock.advance(hours=23, minutes=59)
    refused(lambda: master.submit("us", game.guess(0.5)), "'us'", "24 hours", "next from")
    refused(lambda: master.submit("us", b"no file"), "line 1")
    clock.advance(minutes=1)
    master.submit("us", game.guess(0.9))
    assert [row["quiz"] for row in master.board()] == [0.8]      # the best stands
    assert master.board()[0]["submissions"] == 2
    refused(lambda: clock.advance(hours=-1), "set back")


def test_merging(game):
    master, clock = game.master, game.clock
    for team in ("A", "B", "C"):
        master.join(team)
    master.submit("A", game.guess(0.6))
    clock.advance(hours=10)
    master.submit("B", game.guess(0.7))
    master.merge("A and B", "a", "B")
    assert [(row["team"], row["quiz"]) for row in master.board()] == [("A and B", 0.6)]
    refused(lambda: master.submit("A", game.guess()), "'A and B'", "go by that name")
    clock.advance(hours=20)         # 30 hours after A, 20 after B: the later one counts
    refused(lambda: master.submit("A and B", game.guess()), "next from")
    clock.advance(hours=4)
    master.submit("A and B", game.guess(0.5))
    master.merge("C", "A and B", "C")                               # under the name of one
    assert [(row["team"], row["quiz"]) for row in master.board()] == [("C", 0.5)]
    refused(lambda: master.merge("D", "C", "c"), "with itself")
    refused(lambda: master.merge("D", "C", "E"), "no team 'E'")
    assert {row["entered as"] for row in master.history()} == {"A", "B", "A and B"}


@pytest.mark.parametrize("name", ["", " A", "A\nB", "x" * 41, "\ud800", None, 7, "a\x00"])
def test_names_of_teams(game, name):
    refused(lambda: game.master.join(name), "printable")
    refused(lambda: game.master.submit(name, game.guess()), "no team")


def test_a_name_is_taken_once(game):
    game.master.join("BellKor")
    refused(lambda: game.master.join("bellkor"), "already")


def test_last_call_and_the_end(game):
    master, clock = game.master, game.clock
    for team in ("early", "late"):
        master.join(team)
    goal = master.status()["line"]
    assert goal == line(master.status()["baseline"], 10)
    master.submit("early", game.guess(goal + 0.0001))
    assert master.status()["ends"] is None
    refused(master.reveal, "hidden", "no end yet")
    clock.advance(days=1)
    called = clock.now()
    receipt = master.submit("late", game.guess(goal, on_test=goal - 0.01))
    assert receipt.quiz_rmse == goal and receipt.ends == called + timedelta(days=30)
    clock.advance(days=3)
    master.submit("early", game.guess(goal - 0.1, on_test=goal))        # no second call
    assert master.status()["ends"] == called + timedelta(days=30)
    clock.advance(days=26, hours=23, minutes=59)
    refused(master.reveal, "hidden", "ends at")
    assert "test" not in master.history()[0]
    clock.advance(minutes=1)
    refused(lambda: master.submit("late", game.guess()), "ended at")
    refused(lambda: master.join("too late"), "ended at")
    assert [row["team"] for row in master.board()] == ["early", "late"]
    assert [(row["team"], row["won"]) for row in master.reveal()] == [("late", True),
                                                                     ("early", False)]
    assert "test" in master.history()[0]


def test_equal_at_the_published_precision_the_earlier_wins(game):
    master, clock = game.master, game.clock
    for team in ("pragmatic", "ensemble"):
        master.join(team)
    master.submit("pragmatic", game.guess(0.5, on_test=0.60004))
    clock.advance(minutes=20)
    master.submit("ensemble", game.guess(0.4, on_test=0.59996))         # better, by a hair
    master.close()
    assert master.board()[0]["team"] == "ensemble"
    assert [(row["team"], row["test"]) for row in master.reveal()] == [
        ("pragmatic", 0.6), ("ensemble", 0.6)]


def test_an_end_that_was_set_beforehand_and_no_prize(tmp_path):
    ends = datetime(2009, 7, 1, tzinfo=UTC)
    game = Game(tmp_path, ends=ends, improvement=99)
    game.master.join("us")
    game.master.submit("us", game.guess())
    game.clock.advance(days=10)
    assert game.restart().status()["ends"] == ends
    assert [row["won"] for row in game.restart().reveal()] == [False]
    refused(lambda: Rules(ends=datetime(2009, 7, 1)), "time zone")
    refused(lambda: Rules(improvement=0), "improvement")
    refused(lambda: Rules(hours_between=float("nan")), "hours_between")


def test_restart_keeps_everything(game):
    master = game.master
    for team in ("A", "B", "C"):
        master.join(team)
        master.submit(team, game.guess(0.5 + len(team) / 10))
    master.merge("AB", "A", "B")
    again = game.restart()
    assert again.board() == master.board() and again.history() == master.history()
    assert again.status() == master.status()
    refused(lambda: again.submit("AB", game.guess()), "24 hours")


# Files that are no submissions

BAD = {
    "empty": (b"", "0 lines, expected"),
    "another order": ("2:\n3.5\n", "line 1: expected the header '1:', found '2:'"),
    "no header": ("3.5\n", "line 1", "found '3.5'"),
    "text": (1, "good", "line 2: 'good' is not a number"),
    "a comma": (1, "3,5", "line 2: '3,5' is not a number"),
    "two numbers": (1, "3.5 4", "line 2: '3.5 4' is not a number"),
    "outer blank": (1, " 3.5", "not a number"),
    "underscore": (1, "1_0", "not a number"),
    "hexadecimal": (1, "0x2", "not a number"),
    "empty line": (1, "", "line 2: '' is not a number"),
    "nan": (1, "NaN", "line 2: 'NaN' is not finite"),
    "infinite": (1, "-inf", "line 2: '-inf' is not finite"),
    "overflow": (1, "1e99", "line 2: 1e99 is outside 1 to 5"),
    "low": (1, "0.99", "line 2: 0.99 is outside 1 to 5 stars; clip"),
    "high": (1, "5.0001", "line 2: 5.0001 is outside"),
    "null byte": (1, "3\x00", "not a number"),
    "other digits": (1, "３", "line 2: a byte that is no plain text"),
    "long line": (1, "3" * 5000, "outside"),
}


def spoil(good, change):
    """The good file with one line changed."""
    lines = good.decode().splitlines()
    lines[change[0]] = change[1]
    return "\n".join(lines).encode()


@pytest.mark.parametrize("name", BAD)
def test_malformed(game, name):
    change, *parts = BAD[name]
    if isinstance(change, int):
        data, parts = spoil(game.guess(), (change, parts[0])), parts[1:]
    else:
        data = change if isinstance(change, bytes) else change.encode()
    game.master.join("us")
    if name == "long line":
        parts = ["line 2"]
    refused(lambda: game.master.submit("us", data), *parts)
    game.master.submit("us", game.guess())        # the refused one cost nothing


def test_too_few_too_many_too_large(game):
    game.master.join("us")
    good = game.guess()
    n_lines = good.count(b"\n")
    for data, *parts in [(good + b"3\n", f"{n_lines + 1} lines, expected {n_lines}"),
                         (good[:good.rindex(b"\n", 0, -1)], f"{n_lines - 1} lines"),
                         (good + b"\n", f"{n_lines + 1} lines"),
                         (good.replace(b"\n2:\n", b"\n3\n2:\n"), "expected the header '2:'"),
                         (good.replace(b"1:\n", b"1:\n2:\n", 1), "after 0"),
                         (good * 100, "too many"), (b"\x1f\x8b" + good, "line 1: a byte")]:
        refused(lambda data=data: game.master.submit("us", data), *parts)
    assert game.master.submit("us", good.replace(b"\n", b"\r\n").rstrip()).quiz_rmse == 0.5


def mutant(good, rng):
    """A random change of a good file: of bytes, of lines, of numbers, or plain noise."""
    kind, data = rng.randrange(7), bytearray(good)
    if kind == 0:
        return rng.randbytes(rng.randrange(400))
    if kind == 1:
        for _ in range(rng.randrange(1, 5)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(data)
    if kind == 2:
        start = rng.randrange(len(data))
        return good[:start] + good[start + rng.randrange(1, 50):]
    if kind == 3:
        return good[:rng.randrange(len(good))]
    lines = good.split(b"\n")
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    if kind == 4:
        lines[at], lines[other] = lines[other], lines[at]
    elif kind == 5:
        lines.insert(at, lines[other])
    else:
        lines[at] = rng.choice([b"nan", b"1e400", b"-0", b"9", b"", b":", b"1:", b"3:4", b"\xff",
                                b"5.00000001", b"--3", b"3.", b"1e1", b"0x1p1", b"Infinity"])
    return b"\n".join(lines)


def by_eye(data, game):
    """Quiz RMSE of a well-formed file, without the prize master's reader."""
    numbers = [float(word) for word in data.decode().split() if not word.endswith(":")]
    errors = [(ours - theirs) ** 2 for ours, theirs, hidden in
              zip(numbers, game.values.tolist(), game.is_test.tolist(), strict=True) if not hidden]
    return round((sum(errors) / len(errors)) ** 0.5, 4)


def test_ten_thousand_malformed_submissions_move_no_score(game):
    """Of a file nothing is recorded, or, where the change left it well formed, its true score."""
    master, good, rng, n_accepted = game.master, game.guess(0.5), random.Random(0), 0
    for team in ("standing", "attacker"):
        master.join(team)
    master.submit("standing", good)
    standing = master.board()[0]
    for _ in range(10_000):
        data = mutant(good, rng)
        try:
            receipt = master.submit("attacker", data)
        except ContestError as refusal:
            assert "\n" not in str(refusal)
        else:
            n_accepted += 1
            assert receipt.quiz_rmse == pytest.approx(by_eye(data, game), abs=1.01e-4)
            game.clock.advance(days=1)
    assert 0 < n_accepted < 2000
    master = game.restart()
    assert [row for row in master.board() if row["team"] == "standing"] == [
        standing | {"place": row["place"]} for row in master.board() if row["team"] == "standing"]
    assert len(master.history()) == 1 + n_accepted


def test_ten_thousand_random_requests_move_no_score(game):
    master, good, rng, refusals = game.master, game.guess(0.5), random.Random(0), 0
    for team in ("standing", "attacker"):
        master.join(team)
        master.submit(team, good)
    board = master.board()
    for _ in range(10_000):
        data = mutant(good, rng)
        request = {"do": rng.choice(["submit"] * 9 + ["join", "reveal", "board", "drop", 3]),
                   "team": rng.choice(["attacker", "standing", "a\nb", 5, None, "\udfff"]),
                   "bytes": rng.choice([len(data)] * 9 + [-1, 10**9, "7", None, True])}
        line = rng.choice([json.dumps(request).encode()] * 9 + [rng.randbytes(40), b"[" * 4000])
        reply = answer(master, line, NOBODY, lambda n, data=data: data[:n])
        assert "\n" not in reply.get("error", "") and "failed" not in reply.get("error", "")
        refusals += "error" in reply
    assert refusals > 9000
    assert game.restart().board() == board and len(master.history()) == 2


# Labels


def test_no_label_in_any_file_of_the_competitors(tmp_path):
    """The hand-out of two contests that differ in every hidden label is the same, byte for byte."""
    split = splits.netflix(stars_world(), seed=5)
    turned = {part: replace(getattr(split, part), values=6 - getattr(split, part).values)
              for part in ("quiz", "test")}
    swapped = replace(split, quiz=split.test, test=split.quiz)
    for name, each in (("a", split), ("b", replace(split, **turned)), ("c", swapped)):
        open_contest(tmp_path / name, tmp_path / f"{name}-out", each, lambda p: np.full(len(p), 3))
    files = ["training.csv", "probe.txt", "qualifying.txt"]
    a, b, c = ([(tmp_path / f"{name}-out" / file).read_bytes() for file in files] for name in "abc")
    assert a == b == c          # nor does it tell quiz from test
    assert sorted(path.name for path in (tmp_path / "a-out").iterdir()) == sorted(
        [*files, "contest.json"])
    shown = json.loads((tmp_path / "a-out" / "contest.json").read_text())
    assert "test" not in json.dumps(shown) and shown["baseline_quiz"] == published(
        metrics.rmse(np.full(len(split.quiz), 3.0), split.quiz.values))


def test_only_the_owner_may_open_the_files_of_the_master(game):
    folder = game.folder / "master"
    assert folder.stat().st_mode & 0o777 == 0o700
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path


def test_replies_depend_on_test_in_nothing(tmp_path):
    """Two contests with other test labels give the same replies until the end."""
    split = splits.netflix(stars_world(), seed=5)
    other = replace(split, test=replace(split.test, values=6 - split.test.values))
    said = []
    for name, each in (("a", split), ("b", other)):
        (tmp_path / name).mkdir()
        game, replies = Game(tmp_path / name, each), []
        for request in ({"do": "join", "team": "us"}, {"do": "submit", "team": "us"},
                        {"do": "submit", "team": "us"}, {"do": "board"}, {"do": "status"},
                        {"do": "reveal"}, {"do": "history"}, {"do": "_scores"}):
            data = game.file(np.full(len(game.values), 3.5))
            line = json.dumps(request | {"bytes": len(data)}).encode()
            replies.append(answer(game.master, line, NOBODY, lambda n, data=data: data[:n]))
        said.append(pickle.dumps(replies))
    assert said[0] == said[1]


@pytest.fixture
def public():
    """A folder that every OS user may enter: sockets and hand-outs stand here."""
    with tempfile.TemporaryDirectory(prefix="contest-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def start_server(folder, path):
    """A prize master in a process of its own, listening."""
    code = ("import sys; from rslib.contest import *; master = PrizeMaster(sys.argv[1]); "
            "serve(master, sys.argv[2], ready=lambda server: print('ready', flush=True))")
    server = subprocess.Popen([sys.executable, "-c", code, folder, path], stdout=subprocess.PIPE)
    assert server.stdout.readline() == b"ready\n"
    return server


def in_a_child(action, uid=None):
    """Run ``action`` in a forked process, as another OS user; return what it returned."""
    read_end, write_end = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            if uid is not None:
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
            os.write(write_end, pickle.dumps(action()))
        finally:
            os._exit(0)
    os.close(write_end)
    with open(read_end, "rb") as pipe:
        found = pipe.read()
    os.waitpid(pid, 0)
    return pickle.loads(found)


def test_another_os_user_has_the_socket_and_nothing_else(public):
    if os.getuid() != 0:
        pytest.skip("needs root, to become another OS user")
    game = Game(public)
    good = game.guess()
    server = start_server(public / "master", public / "socket")

    def attack():
        client, seen = Client(public / "socket"), {}
        client.join("outsider")
        seen["receipt"] = client.submit("outsider", good)
        seen["board"] = client.board()
        seen["handout"] = len(read_handout(public / "handout").qualifying)
        for name, path in {"list": public / "master", "labels": public / "master" / "labels.npz",
                           "board": public / "master" / "board.sqlite",
                           "memory": Path(f"/proc/{server.pid}/mem"),
                           "descriptors": Path(f"/proc/{server.pid}/fd")}.items():
            try:
                seen[f"file {name}"] = len(os.listdir(path) if path.is_dir() else path.read_bytes())
            except PermissionError:
                seen[f"file {name}"] = "denied"
        for name, call in (("reveal", client.reveal),
                           ("steal", lambda: client.submit("ours", good)),
                           ("second team", lambda: client.join("again")),
                           ("master", lambda: PrizeMaster(public / "master"))):
            try:
                call()
            except ContestError as refusal:
                seen[name] = str(refusal)
        return seen
    try:
        Client(public / "socket").join("ours")      # belongs to root
        seen = in_a_child(attack, NOBODY)
    finally:
        server.kill()
        server.wait()
    assert {key: value for key, value in seen.items() if key.startswith("file ")} == dict.fromkeys(
        ("file list", "file labels", "file board", "file memory", "file descriptors"), "denied")
    assert set(seen["receipt"]) == {"team", "time", "quiz_rmse", "improvement", "sha256",
                                    "next_time", "ends"}
    assert seen["receipt"]["quiz_rmse"] == 0.5 and seen["handout"] == len(game.values)
    assert set(seen["board"][0]) == {"place", "team", "quiz", "improvement", "time", "submissions"}
    assert "hidden" in seen["reveal"] and "only the prize master" in seen["master"]
    assert "another OS user" in seen["steal"] and "merge" in seen["second team"]


# Two at once, and killed in the middle


def test_two_processes_submitting_at_once_lose_nothing(game):
    n_teams, files = 40, [game.guess(away) for away in (0.5, 0.6)]
    for number in range(n_teams):
        game.master.join(f"team {number}")
    game.master.join("contended")

    def submit(which):
        master, receipts = game.restart(), []
        for number in range(which, n_teams, 2):
            receipts.append(master.submit(f"team {number}", files[which]).team)
        try:
            receipts.append(master.submit("contended", files[which]).team)
        except ContestError as refusal:
            assert "next from" in str(refusal)
        return receipts
    found, threads = {}, []
    for which in (0, 1):
        threads.append(threading.Thread(target=lambda which=which: found.update(
            {which: in_a_child(lambda: submit(which))})))
        threads[-1].start()
    for thread in threads:
        thread.join()
    accepted = found[0] + found[1]
    assert sorted(accepted) == sorted([f"team {n}" for n in range(n_teams)] + ["contended"])
    assert sorted(row["team"] for row in game.restart().history()) == sorted(accepted)
    assert {row["quiz"] for row in game.restart().board()} == {0.5, 0.6}


def submit_for_ever(game, report):
    """Submit once a simulated day and report each receipt, until killed."""
    master = game.restart()
    game.clock.advance(days=10_000)
    while True:
        game.clock.advance(days=1)
        receipt = master.submit("us", game.guess(random.uniform(0.1, 0.9)))
        os.write(report, f"{receipt.sha256} {receipt.quiz_rmse}\n".encode())


def test_killed_in_the_middle_keeps_every_accepted_submission(tmp_path):
    game = Game(tmp_path, improvement=99)
    game.master.join("us")
    random.seed(0)
    told, n_kills = [], 25
    for _ in range(n_kills):
        read_end, write_end = os.pipe()
        if (pid := os.fork()) == 0:
            random.seed()
            submit_for_ever(game, write_end)
        os.close(write_end)
        time.sleep(random.uniform(0.02, 0.12))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with open(read_end) as pipe:
            told += pipe.read().splitlines()
        game.clock.advance(days=20_000)
        with sqlite3.connect(tmp_path / "master" / "board.sqlite") as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            kept = [f"{sha} {published(quiz)}" for sha, quiz in
                    db.execute("SELECT sha256, quiz FROM submissions ORDER BY id")]
        known = iter(kept)
        assert all(line in known for line in told)          # in order, none missing
    assert len(told) > n_kills and len(kept) - len(told) <= n_kills
    assert len(game.restart().history()) == len(kept)


@pytest.mark.parametrize("moment, n_kept", [("after the insert", 1), ("after the commit", 2)])
def test_killed_between_insert_and_answer(game, moment, n_kept, monkeypatch):
    game.master.join("us")
    game.master.submit("us", game.guess(0.9))
    game.clock.advance(days=1)
    if (pid := os.fork()) == 0:
        def die(*arguments):
            os.kill(os.getpid(), signal.SIGKILL)
        from rslib.contest import master
        monkeypatch.setattr(*((PrizeMaster, "_ends", lambda self, book: die() if len(
            book.submissions()) > 1 else None) if moment == "after the insert"
            else (master, "Receipt", die)))
        game.master.submit("us", game.guess(0.5))
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    again = game.restart()
    assert len(again.history()) == n_kept
    assert again.board()[0]["quiz"] == {1: 0.9, 2: 0.5}[n_kept]
    if n_kept == 1:
        assert again.submit("us", game.guess(0.5)).quiz_rmse == 0.5     # it cost nothing


# The socket


def test_server_killed_and_started_again(public):
    game = Game(public, teams_per_user=2)
    server = start_server(public / "master", public / "socket")
    client = Client(public / "socket")
    client.join("us")
    receipt = client.submit("us", game.guess())
    refused(lambda: client.submit("us", b"x" * 10_000_000), "bytes")
    refused(lambda: client.submit("us", game.guess()[:-9]), "expected")
    refused(lambda: serve(game.master, public / "socket"), "answers here already")
    server.kill()
    server.wait()
    refused(client.board, "no prize master answers")
    server = start_server(public / "master", public / "socket")
    try:
        assert [row["time"] for row in client.board()] == [receipt["time"]]
        assert client.status()["teams"] == 1
    finally:
        server.kill()
        server.wait()
    (public / "file").write_text("mine")
    refused(lambda: serve(game.master, public / "file"), "no socket")
    assert (public / "file").read_text() == "mine"


def test_a_file_cut_short_on_its_way_is_refused(game):
    good = game.guess()
    game.master.join("us", uid=NOBODY)
    line = json.dumps({"do": "submit", "team": "us", "bytes": len(good)}).encode()
    reply = answer(game.master, line, NOBODY, lambda n: good[:-3])      # 3.50 for 3.500000
    assert "bytes arrived" in reply["error"] and not game.master.history()


def test_what_fails_inside_is_not_told(game, monkeypatch, capsys):
    def fail(*arguments, **options):
        raise RuntimeError(f"labels are {game.values}")
    monkeypatch.setattr(game.master, "board", fail)
    reply = answer(game.master, b'{"do": "board"}', NOBODY, None)
    assert reply["error"].startswith("the prize master failed") and "labels are" not in str(reply)
    assert "labels are" in capsys.readouterr().err


def test_a_board_that_is_gone_or_broken_is_told_in_one_line(game):
    board = game.folder / "master" / "board.sqlite"
    kept = board.read_bytes()
    board.write_bytes(b"no database at all" * 400)
    refused(game.master.board, "board cannot be read")
    board.unlink()
    refused(game.master.board, "board cannot be read")
    assert not board.exists()
    board.write_bytes(kept)
    assert game.master.board() == []


# The command line

def said(capsys, *words, code=0):
    """Run ``rslib contest`` and return what it printed, one line if it refused."""
    assert main(["contest", *map(str, words)]) == code
    out, err = capsys.readouterr()
    assert not err if code == 0 else (err.count("\n") == 1 and err.startswith("rslib: "))
    return out or err


def test_a_class_on_the_command_line(tmp_path, capsys, public):
    master, out, file = tmp_path / "master", tmp_path / "out", tmp_path / "mine.txt"
    opening = "open", master, out, "--improvement", 5, "--ends", "2999-01-01"
    assert "the line is at" in said(capsys, *opening)
    assert "exists already" in said(capsys, *opening, code=2)
    handout = read_handout(out)
    write_submission(file, handout, np.full(len(handout.qualifying), 3.5))
    assert "Nobody" in said(capsys, "board", master)
    said(capsys, "join", master, "A")
    assert "A: quiz RMSE 1." in said(capsys, "submit", master, "A", file)
    assert "24 hours" in said(capsys, "submit", master, "A", file, code=2)
    server = start_server(master, public / "socket")
    try:
        said(capsys, "join", public / "socket", "B")
        assert "quiz RMSE 1." in said(capsys, "submit", public / "socket", "B", file)
        assert "teacher" in said(capsys, "merge", public / "socket", "AB", "A", "B", code=2)
        assert "hidden" in said(capsys, "reveal", public / "socket", code=2)
        file.write_text("1:\nfive stars\n")
        handing_in = "submit", public / "socket", "B", file
        assert "line 2: 'five stars'" in said(capsys, *handing_in, code=2)
        said(capsys, "merge", master, "AB", "A", "B")
        assert "AB" in said(capsys, "board", public / "socket")
        assert "won" in said(capsys, "reveal", master, "--close")
        assert "won" in said(capsys, "reveal", public / "socket")
    finally:
        server.kill()
        server.wait()
    for words in (["board", tmp_path / "nothing"], ["submit", master, "A", tmp_path / "nothing"],
                  ["join", master, "C", "--user", "nobody at all"],
                  ["open", tmp_path / "m", tmp_path / "h", "--ends", "soon"],
                  ["open", tmp_path / "m", tmp_path / "h", "--hours", -1],
                  ["serve", tmp_path / "nothing", public / "other"]):
        said(capsys, *words, code=2)
    assert not (tmp_path / "m").exists()


def test_two_openings_deal_differently(tmp_path, capsys):
    for name in ("a", "b"):
        said(capsys, "open", tmp_path / name, tmp_path / f"{name}-out")
    a, b = ((tmp_path / f"{name}-out" / "probe.txt").read_bytes() for name in "ab")
    assert a != b
