"""The prize master: scores by hand, the rules, the files, the command line."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from prize import Game, mean_of, refused, stars_world, start_server

from rslib import sources, splits
from rslib.__main__ import main
from rslib.contest import PrizeMaster, Rules, open_contest, read_handout, write_submission
from rslib.contest.rules import improvement, line, published
from rslib.ratings import Info, Ratings

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


@pytest.mark.parametrize("measure", [None, "plays"])
def test_competitors_are_told_what_a_value_counts(measure, tmp_path):
    ratings = stars_world()
    ratings = replace(ratings, info=replace(ratings.info, measure=measure))
    game = Game(tmp_path, splits.netflix(ratings, seed=5))
    assert game.handout.final.measure == game.handout.probe.measure == (measure or "stars")


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
    info = replace(info, user_ids=np.array([f"user {n}" if n else "" for n in range(60)]))
    bad = splits.netflix(replace(world, info=info))
    refused(lambda: open_contest(tmp_path / "m", tmp_path / "h", bad, mean_of(bad.final)),
            "user 0 has an empty id")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["handout", "master", "mine.txt"]


@pytest.mark.parametrize("name", ["Zoë, «ж»", "映画: \"é\"", " 50 % ", "two\r\nlines", "\u2028²"])
def test_ids_of_any_script_stand_in_the_files(tmp_path, name):
    world = stars_world()
    users, items = ([f"{name}{n}{name}" for n in range(size)]
                    for size in (world.n_users, world.n_items))
    info = replace(world.info, user_ids=np.array(users), item_ids=np.array(items))
    game = Game(tmp_path, splits.netflix(replace(world, info=info, numbering=None)))
    final, theirs = game.split.final, game.handout.final
    for side in ("user", "item"):
        seen = set(getattr(theirs.info, f"{side}_ids").tolist())
        assert seen <= set(getattr(info, f"{side}_ids").tolist())
        assert len(seen) >= len(np.unique(getattr(final, f"{side}s")))
    game.master.join("us")
    assert game.master.submit("us", game.guess(0.25)).quiz_rmse == 0.25


def test_a_baseline_without_errors_leaves_nothing_to_improve_on():
    assert improvement(0.0, 0.0) == improvement(0.2, 0.00001) == 0.0


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


def test_a_hair_better_does_not_make_a_score_later(game):
    master, clock = game.master, game.clock
    for team in ("first", "second"):
        master.join(team)
    master.submit("first", game.guess(0.60004))
    clock.advance(minutes=20)
    master.submit("second", game.guess(0.60002))
    clock.advance(days=1)
    master.submit("first", game.guess(0.59998))         # 0.6000 again, so its time stays
    master.close()
    for rows in (master.board(), master.reveal()):
        assert [row["team"] for row in rows] == ["first", "second"]
        assert rows[0]["time"] < rows[1]["time"]


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
    "low": (1, "0.99", "line 2: 0.99 is outside 1 to 5; clip"),
    "high": (1, "5.0001", "line 2: 5.0001 is outside"),
    "null byte": (1, "3\x00", "not a number"),
    "other digits": (1, "３", "line 2: '３' is not a number"),
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
