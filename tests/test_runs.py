"""Notebooks run one by one, as a sweep and as the ladder."""

import json
import os
import signal
import subprocess
import sys

import nbformat
import pytest
from toy import toy
from waiting import HANG, wait_until

import rslib.runs.ladder as ladder_module
from rslib import runs
from rslib.__main__ import main
from rslib.runs.execute import refresh
from rslib.runs.parameters import check, defaults, parse, parse_grid

PARAMETERS = '''DATASET = "toy"   # name
REG = 0.5         # stars
N_FACTORS = 8     # number
FAIL = 0.75       # value of REG at which the notebook fails'''
WORK = '''
import sys
sys.path.insert(0, {tests!r})
from toy import Shifted, toy
from rslib import runs, splits
assert REG != FAIL, "too much of it"
'''
RECORD = "runs.record({rung!r}, Shifted(REG), splits.netflix(toy(DATASET)))"


def write_notebook(path, *sources):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each, id=f"c{i}")
                                               for i, each in enumerate(sources)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3",
                                    "language": "python"}
    notebook.cells[0].metadata.tags = ["parameters"]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def notebook(tmp_path):
    return write_notebook(tmp_path / "toy.ipynb", PARAMETERS,
                          WORK.format(tests=os.path.dirname(__file__)),
                          RECORD.format(rung="mf-als"))


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("RSLIB_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


# parameters, checked before a kernel starts


def test_parameters_are_the_literals_of_the_tagged_cell(notebook):
    assert defaults(notebook) == {"DATASET": "toy", "REG": 0.5, "N_FACTORS": 8, "FAIL": 0.75}
    assert parse(notebook, ["DATASET=100", "REG=1"]) == {"DATASET": "100", "REG": 1}
    assert parse_grid(notebook, ["REG=0.1,1e-3", "DATASET=a,b"]) == {
        "REG": [0.1, 0.001], "DATASET": ["a", "b"]}


@pytest.mark.parametrize("parameters, words", [
    ({"N_FACTOR": 8}, "did you mean N_FACTORS"), ({"SEED": 1}, "it has DATASET, REG"),
    ({"N_FACTORS": 8.5}, "must be int"), ({"N_FACTORS": True}, "must be int"),
    ({"REG": "0.1"}, "must be float"), ({"DATASET": None}, "must be str")])
def test_wrong_parameters_are_refused(notebook, parameters, words):
    with pytest.raises(ValueError, match=words):
        check(notebook, parameters)


@pytest.mark.parametrize("words, said", [
    (["run", "toy.ipynb", "-p", "N_FACTOR=8"], "no parameter N_FACTOR"),
    (["run", "toy.ipynb", "-p", "REG"], "'REG' is not NAME=VALUE"),
    (["run", "none.ipynb"], "none.ipynb: does not exist"),
    (["sweep", "toy.ipynb"], "a sweep needs a grid"),
    (["sweep", "toy.ipynb", "-g", "REGG=1,2"], "no parameter REGG"),
    (["sweep", "toy.ipynb", "-g", "N_FACTORS=1,x"], "must be int"),
    (["sweep", "toy.ipynb", "grid.yaml"], "unknown key gird"),
    (["ladder", "--dataset", "none.csv"], "none.csv"),
    (["data", "none.csv"], "none.csv")])
def test_a_user_error_is_one_line_and_exit_code_2(
        notebook, monkeypatch, capsys, tmp_path, words, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("papermill.execute_notebook", None)      # any kernel would raise
    (tmp_path / "grid.yaml").write_text("gird: {REG: [1, 2]}\n")
    before = sorted(tmp_path.iterdir())
    assert main(words) == 2
    captured = capsys.readouterr()
    assert said in captured.err and captured.err.count("\n") == 1 and not captured.out
    assert sorted(tmp_path.iterdir()) == before


# one notebook


def test_a_notebook_runs_in_this_python_with_one_thread(tmp_path, monkeypatch):
    stranger = tmp_path / "home" / "kernels" / "python3"         # another python3 of the user
    stranger.mkdir(parents=True)
    (stranger / "kernel.json").write_text('{"argv": ["/nowhere"], "display_name": "x"}')
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "home"))
    path = write_notebook(tmp_path / "env.ipynb", "A = 1", "import os, sys\nprint("
                          "A, sys.prefix, *(os.environ[f'{x}_NUM_THREADS'] for x in "
                          "('OMP', 'OPENBLAS', 'MKL', 'NUMBA')), os.environ['RSLIB_RUNS'])")
    executed = runs.run_notebook(path, {"A": 7}, tmp_path / "out" / "env.ipynb",
                                 runs=tmp_path / "elsewhere")
    printed = nbformat.read(executed, as_version=4).cells[-1].outputs[0].text.split()
    assert printed == ["7", sys.prefix, *"1111", str(tmp_path / "elsewhere")]
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["env.ipynb"]


def test_a_failing_notebook_is_kept_with_its_reason(notebook, tmp_path):
    with pytest.raises(runs.NotebookFailed) as caught:
        runs.run_notebook(notebook, {"REG": 0.75}, tmp_path / "out" / "toy.ipynb")
    message = str(caught.value)
    assert message == f"{notebook}: cell [2]: AssertionError: too much of it"
    failed = tmp_path / "out" / "toy.failed"
    assert (failed / "error.txt").read_text() == f"{message}\n"
    assert "too much of it" in (failed / "toy.ipynb").read_text()
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["toy.failed"]


@pytest.mark.parametrize("n_failures, message", [(1, None), (2, "no kernel started")])
def test_a_kernel_that_does_not_start_is_tried_once_more(
        notebook, tmp_path, monkeypatch, n_failures, message):
    calls = []

    def execute(source, out, **options):
        calls.append(out)
        if len(calls) <= n_failures:
            raise RuntimeError("Kernel didn't respond in 60 seconds")
        nbformat.write(nbformat.read(source, as_version=4), out)

    monkeypatch.setattr("papermill.execute_notebook", execute)
    out = tmp_path / "out.ipynb"
    if message is None:
        assert runs.run_notebook(notebook, out=out) == out and out.is_file()
    else:
        with pytest.raises(runs.NotebookFailed, match=message):
            runs.run_notebook(notebook, out=out)
    assert len(calls) == 2


def test_refreshed_outputs_carry_nothing_of_the_run(tmp_path):
    path = write_notebook(tmp_path / "one.ipynb", "A = 2", "A + 2")
    refresh(path)
    notebook = nbformat.read(path, as_version=4)
    assert notebook.cells[1].outputs[0].data["text/plain"] == "4"
    assert notebook.cells[1].metadata == {} and "papermill" not in notebook.metadata


# sweeps


def finished(folder):
    """Inode and time of every published result."""
    return {path.parents[3].name: (path.stat().st_ino, path.stat().st_mtime_ns)
            for path in folder.glob("[0-9a-f]*/runs/*/*/record.json")}


def sweep_command(notebook, folder, grid):
    return [sys.executable, "-m", "rslib", "sweep", str(notebook), "-g", grid,
            "--out", str(folder)]


def test_a_killed_sweep_goes_on_where_it_was(notebook, tmp_path):
    folder, gate = tmp_path / "sweep", tmp_path / "gate"
    write_notebook(notebook, PARAMETERS, WORK.format(tests=os.path.dirname(__file__)),
                   f"import pathlib, time\nwhile REG > 0.35 and not pathlib.Path({str(gate)!r})"
                   ".exists():\n    time.sleep(0.02)", RECORD.format(rung="mf-als"))
    command = sweep_command(notebook, folder, "REG=0.1,0.2,0.3,0.4,0.5,0.6")
    started = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    wait_until(lambda: len(finished(folder)) == 3, started)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    before = finished(folder)
    assert len(before) == 3
    gate.touch()
    second = subprocess.run(command, capture_output=True, text=True, check=True)
    after = finished(folder)
    assert len(after) == 6 and {key: after[key] for key in before} == before
    assert len((folder / "results.csv").read_text().splitlines()) == 7
    assert (folder / "sweep.png").is_file() and f"{6 - len(before)}/" in second.stderr
    assert not list(folder.glob(".rslib-*"))


def heed_ctrl_c():
    """A shell's background job ignores Ctrl-C, and so would all that its tests start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_stops_workers_and_kernels_at_once(notebook, tmp_path):
    folder, pid = tmp_path / "sweep", tmp_path / "pid"
    write_notebook(notebook, PARAMETERS, f"import os, pathlib, time\npathlib.Path({str(pid)!r})"
                                         ".write_text(str(os.getpid()))\n"
                                         f"time.sleep({10 * HANG})")
    started = subprocess.Popen(sweep_command(notebook, folder, "REG=0.1"), text=True,
                               start_new_session=True, stderr=subprocess.PIPE,
                               preexec_fn=heed_ctrl_c)
    wait_until(lambda: pid.exists() and pid.read_text(), started)
    os.killpg(started.pid, signal.SIGINT)
    _, said = started.communicate(timeout=HANG)      # a tenth of what its cell would sleep
    assert started.returncode == 130 and "stopped" in said and "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert list(folder.iterdir()) == []


def test_a_failing_run_does_not_stop_the_others(notebook, tmp_path):
    folder = tmp_path / "sweep"
    (tmp_path / "grid.yaml").write_text(
        "notebook: toy.ipynb\nparameters: {N_FACTORS: 4}\n"
        "grid: {REG: [0.5, 0.75], DATASET: [a]}\n")
    ended = subprocess.run([sys.executable, "-m", "rslib", "sweep", str(tmp_path / "grid.yaml"),
                            "--out", str(folder)], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].endswith("cell [2]: AssertionError: too much of it")
    failed, = folder.glob("*.failed")
    assert "too much of it" in (failed / "error.txt").read_text()
    assert (failed / "toy.ipynb").is_file() and len(finished(folder)) == 1
    header, good, bad = (folder / "results.csv").read_text().splitlines()
    assert header == "REG,DATASET,rung,probe,run"
    assert good.startswith("0.5,a,mf-als,1.") and bad.startswith("0.75,a,,,")


# the ladder


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A small repository with two numbered notebooks, of which the second fails on 0.75."""
    work = WORK.format(tests=os.path.dirname(__file__))
    write_notebook(tmp_path / "notebooks" / "01_means.ipynb", PARAMETERS, work,
                   RECORD.format(rung="global-mean").replace("REG", "1.0"))
    write_notebook(tmp_path / "notebooks" / "02_factors.ipynb", PARAMETERS, work,
                   RECORD.format(rung="mf-als"))
    write_notebook(tmp_path / "notebooks" / "90_ladder.ipynb",
                   'DATASET = "toy"\nSECOND = "none"', "(DATASET, SECOND)")
    (tmp_path / "README.md").write_text(
        "before\n<!-- ladder:toy -->\nold\n<!-- /ladder -->\n"
        "<!-- lecture:toy -->\nold\n<!-- /lecture -->\nafter\n")
    monkeypatch.setattr(ladder_module, "load", lambda name, **options: toy(name))
    monkeypatch.setattr("rslib.runs.shelf.is_own", lambda record, chosen: True)
    return tmp_path


def test_the_ladder_ends_in_a_page_that_needs_nothing_else(home):
    ladder = ladder_module.run_ladder("toy", home=home)
    assert not ladder.failures and [row["rung"] for row in ladder.rows] == ["global-mean", "mf-als"]
    page = (ladder.folder / "index.html").read_text()
    assert "data:image/png;base64," in page and "http" not in page and "Biased factors" in page
    for link in ("toy/01_means.html", "toy/02_factors.html", "90_ladder.html"):
        assert f'href="notebooks/{link}"' in page and (ladder.folder / "notebooks" / link).is_file()
    rows = json.loads((ladder.folder / "ladder.json").read_text())["rows"]
    assert rows[1]["step"]["high"] < 0 and rows[1]["resolved"] == "yes"
    assert "The ladder of the lecture" in page and "minutes" in page and ladder.seconds > 0
    top = (home / "reports" / "ladder" / "index.html").read_text()
    assert "<h1>The ladder on toy</h1>" in top and 'href="toy/notebooks/toy/01_means.html"' in top
    readme = (home / "README.md").read_text()
    assert readme.startswith("before\n") and readme.endswith("\nafter\n") and "old" not in readme
    assert "| Biased factors, ALS |" in readme and "Fit (s)" not in readme
    assert "| Grand Prize | 0.8563 | 10.00 | Blend |" in readme


def test_a_failing_notebook_leaves_the_results_of_the_others(home):
    broken = home / "notebooks" / "02_factors.ipynb"
    broken.write_text(broken.read_text().replace("FAIL = 0.75", "FAIL = 0.50"))
    ladder = ladder_module.run_ladder("toy", home=home)
    assert list(ladder.failures) == ["02_factors on toy"]
    assert "02_factors.ipynb: cell [2]: AssertionError" in ladder.failures["02_factors on toy"]
    page = (ladder.folder / "index.html").read_text()
    assert "too much of it" in page and "Global average" in page
    assert "old" in (home / "README.md").read_text()


def test_a_rung_that_was_recorded_with_other_settings_is_named(home, monkeypatch):
    os.rename(home / "notebooks" / "02_factors.ipynb", home / "notebooks" / "08_factors.ipynb")
    monkeypatch.setattr("rslib.runs.shelf.is_own", lambda record, chosen: record.rung != "mf-als")
    ladder = ladder_module.run_ladder("toy", home=home)
    assert ladder.failures == {"08_factors on toy": "Biased factors, ALS: recorded with other "
                                                    "settings than the rung's, so it is not shown"}
    assert "not shown" in (ladder.folder / "index.html").read_text()


def test_a_notebook_without_a_data_set_stops_the_ladder_before_it_runs(home):
    write_notebook(home / "notebooks" / "03_odd.ipynb", "REG = 0.1", "REG")
    with pytest.raises(ValueError, match="no parameter DATASET"):
        ladder_module.run_ladder("toy", home=home)
    assert not (home / "reports").exists()


def test_the_plot_of_a_sweep_leaves_out_what_did_not_move():
    from rslib.runs.sweep import _moved
    still = [{"rung": "mf-als", "probe": 0.9}, {"rung": "mf-als", "probe": 0.9}]
    moved = [{"rung": "mf-sgd", "probe": 0.9}, {"rung": "mf-sgd", "probe": 0.8}]
    assert _moved(still + moved) == ["mf-sgd"]
    assert _moved(still) == ["mf-als"]
