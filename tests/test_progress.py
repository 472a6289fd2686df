"""What is said while notebooks run: the order, each as it ends, the time that is left."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from test_runs import write_notebook

from rslib.runs import ladder, progress
from rslib.runs.progress import Progress, title_of

ROOT = Path(__file__).parents[1]


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_nothing_is_said_of_time_before_something_has_ended(clock):
    told = Progress("abcd", 2, {"a": 40, "b": 40, "c": 20, "d": 20}, {"a": "01 First on toy"})
    for name in "ab":
        told.begin(name)
    assert told.seconds_left() is None
    clock[0] = 240.0
    assert told.end("a") == "done: 01 First on toy, 240 s (1 of 4); about 2 minutes left"
    assert told.seconds_left() == 120.0     # 6 s for each expected: b is due, c and d take 120
    told.begin("c")
    clock[0] = 300.0
    assert told.end("b") == "done: b, 300 s (2 of 4); about 2 minutes left"
    told.begin("d")
    clock[0] = 430.0
    assert told.end("c", "c.ipynb: cell [2]: boo") == (
        "FAILED: c, 190 s (3 of 4); less than a minute left: c.ipynb: cell [2]: boo")
    clock[0] = 440.0
    assert told.end("d") == "done: d, 140 s (4 of 4)"


@pytest.mark.parametrize("speed", [0.2, 1.0, 7.0])
def test_the_estimate_holds_on_a_machine_of_another_speed(clock, speed):
    """Where sizes are known, no estimate is off by more than a task, from the first one on."""
    sizes = {f"{n}": float(n) for n in range(30, 0, -1)}
    told, left, running = Progress(sizes, 1, sizes), [*sizes], None
    total = sum(sizes.values()) / speed
    while left:
        running = left.pop(0)
        told.begin(running)
        clock[0] += sizes[running] / speed
        told.end(running)
        if left:
            assert told.seconds_left() == pytest.approx(total - clock[0])


@pytest.mark.parametrize("seconds, words", [
    (5, "less than a minute left"), (50, "about a minute left"), (100, "about 2 minutes left"),
    (3600, "about 60 minutes left")])
def test_words(seconds, words):
    assert progress._minutes(seconds) == words


@pytest.mark.parametrize("name, heading, title", [
    ("08_biases", "# 08 Biases and interactions\nmore", "08 Biases and interactions"),
    ("00_data", "# 00 · The data and protocol", "00 The data and protocol"),
    ("01_averages", "# Averages and the baseline", "01 Averages and the baseline"),
    ("05_svd", "# 05 SVD: the decomposition", "05 SVD"), ("02_two_words", None, "02 two words")])
def test_titles(name, heading, title, tmp_path):
    path = write_notebook(tmp_path / f"{name}.ipynb", "A = 1")
    if heading:
        notebook = json.loads(path.read_text())
        notebook["cells"].insert(0, {"cell_type": "markdown", "source": [heading], "metadata": {}})
        path.write_text(json.dumps(notebook))
    assert title_of(path) == title


def executed(path, seconds):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"metadata": {"papermill": {"duration": seconds}}}))


def test_what_a_notebook_is_expected_to_take(tmp_path):
    """As the last time; else as on the bundled set, by size; else by the fits that are recorded."""
    notebooks = [tmp_path / f"{name}.ipynb" for name in ("02_a", "03_b", "18_c")]
    pages = tmp_path / "ladder"
    executed(pages / "mine" / "notebooks" / "mine" / "02_a.ipynb", 77.0)
    executed(pages / "ml-latest-small" / "notebooks" / "ml-latest-small" / "03_b.ipynb", 30.0)
    found = ladder._expected(notebooks, {"mine": 201_672, "other": 50_418}, pages / "mine")
    assert found["mine", notebooks[0]] == 77.0
    assert found["mine", notebooks[1]] == 10 + 2 * 20
    assert found["other", notebooks[1]] == 10 + 20 / 2
    assert found["other", notebooks[0]] == 10 + ladder._fit_seconds()["02"] / 2
    assert found["other", notebooks[2]] == 10       # no rung is recorded by it


def test_ones_own_data_come_first_the_longest_before_the_others(tmp_path):
    notebooks = [write_notebook(tmp_path / f"{name}.ipynb", 'DATASET = "x"\nREG = 1.0')
                 for name in ("01_a", "02_b")]
    expected = {("other", notebooks[0]): 500.0, ("other", notebooks[1]): 600.0,
                ("mine", notebooks[0]): 5.0, ("mine", notebooks[1]): 6.0}
    tasks, seconds, titles = ladder._tasks(expected, {"mine": {}, "other": {}}, tmp_path,
                                            {"mine": {"02": {"REG": 7.0, "ELSE": 1.0}}})
    assert list(tasks) == list(seconds) == ["02_b on mine", "01_a on mine", "02_b on other",
                                            "01_a on other"]
    assert titles["02_b on mine"] == "02 b on mine"
    assert [tasks[name][2] for name in tasks] == [{"REG": 7.0}, {}, {}, {}]     # what was chosen


# make


@pytest.fixture
def tree(tmp_path):
    """The Makefile with environments that only say how they were called."""
    for file in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / file).write_text((ROOT / file).read_text())
    for name, ready in ((".venv/bin/python", ".venv/.ready-notebooks"),
                        (".venv-lab/bin/jupyter", ".venv-lab/.ready-lab")):
        said = tmp_path / name
        said.parent.mkdir(parents=True)
        said.write_text("#!/bin/sh\nfor word; do echo \"[$word]\"; done\n")
        said.chmod(0o755)
        (tmp_path / ready).touch()
    return tmp_path


def make(tree, *words, user=1000):
    tools = tree / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "id").write_text(f"#!/bin/sh\necho {user}\n")
    (tools / "id").chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    inherited = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    return subprocess.run(["make", *words], cwd=tree, capture_output=True, text=True, check=True,
                          env=inherited | {"PATH": path}).stdout


def test_options_go_through_make_with_their_quotes(tree):
    said = make(tree, "ladder", "DATASET=my own.csv", "OPTIONS=--delimiter ';' --user \"who is\"")
    assert said.split("\n") == [
        "[-m]", "[rslib]", "[ladder]", "[--dataset]", "[my own.csv]", "[--jobs]", "[2]",
        "[--delimiter]", "[;]", "[--user]", "[who is]", ""]


@pytest.mark.parametrize("user, more", [(1000, []), (0, ["[--allow-root]", "[--no-browser]"])])
def test_lab_opens_for_root_too(tree, user, more):
    address, *words = make(tree, "lab", user=user).splitlines()
    assert "http://localhost:8888/lab" in address and words == ["[lab]", "[notebooks]", *more]
