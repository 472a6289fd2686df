"""Everything that somebody might try on the prize master, and what may happen to it."""

import json
import os
import pickle
import random
import signal
import sqlite3
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from prize import Game, in_a_child, refused, stars_world, start_server

from rslib import metrics, splits
from rslib.contest import (
    Client,
    ContestError,
    PrizeMaster,
    open_contest,
    read_handout,
    serve,
)
from rslib.contest.rules import published
from rslib.contest.service import answer

NOBODY = 65534


# Files and requests that are none


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


def test_a_class_of_thirty_at_once_through_the_socket(public):
    game, files = Game(public, teams_per_user=30), {}
    server = start_server(public / "master", public / "socket")

    def take_part(number):
        client = Client(public / "socket")
        client.join(f"team {number}")
        receipts.append(client.submit(f"team {number}", files[number]))
    receipts, students = [], []
    try:
        for number in range(30):
            files[number] = game.guess(0.1 + number / 100)
            students.append(threading.Thread(target=take_part, args=(number,)))
        for student in students:
            student.start()
        for student in students:
            student.join()
    finally:
        server.kill()
        server.wait()
    assert {row["team"]: row["quiz"] for row in game.restart().board()} == {
        f"team {number}": round(0.1 + number / 100, 4) for number in range(30)}
    assert len(receipts) == 30


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
    for number in range(n_kills):
        read_end, write_end = os.pipe()
        if (pid := os.fork()) == 0:
            random.seed()
            submit_for_ever(game, write_end)
        os.close(write_end)
        with open(read_end) as pipe:
            if number % 5:                      # once at work; else perhaps before the first
                told.append(pipe.readline().strip())
            time.sleep(random.uniform(0, 0.1))
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            told += pipe.read().splitlines()
        game.clock.advance(days=20_000)
        with sqlite3.connect(tmp_path / "master" / "board.sqlite") as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            kept = [f"{sha} {published(quiz)}" for sha, quiz in
                    db.execute("SELECT sha256, quiz FROM submissions ORDER BY id")]
        known = iter(kept)
        assert all(line in known for line in told)          # in order, none missing
    assert len(told) >= 4 * n_kills // 5 and len(kept) - len(told) <= n_kills
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
