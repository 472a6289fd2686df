"""Options on the command line as notebooks get them; what is said meanwhile, and of a failure."""

import os

import nbformat
import pytest
from test_runs import WORK, write_notebook

from rslib import runs
from rslib.__main__ import main
from rslib.commands import notebooks
from rslib.runs.execute import run_notebook
from rslib.runs.ladder import run_ladder

TAKING = '''DATASET = "ml-latest-small"     # a name, or a path
OPTIONS = {}                    # how a file is read
SEED = 0                        # of nothing
'''
READING = '''from toy import Shifted
from rslib import sources, splits
ratings = sources.load(DATASET, **OPTIONS)
print(OPTIONS, len(ratings))
runs.record({rung!r}, Shifted(float(SEED)), splits.netflix(ratings))'''
ROWS = "".join(f'"u{user}"; {item};{1 + (user * item) % 4},5;{12000 + item}\n'
               for user in range(30) for item in range(40))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A small repository: two numbered notebooks that read the user's table, and the report."""
    work = WORK.format(tests=os.path.dirname(__file__)).replace("assert REG", "# ")
    for name, rung in (("01_means", "global-mean"), ("02_factors", "mf-als")):
        write_notebook(tmp_path / "notebooks" / f"{name}.ipynb", TAKING, work,
                       READING.format(rung=rung))
    write_notebook(tmp_path / "notebooks" / "90_ladder.ipynb",
                   'DATASET = "ml-latest-small"\nOPTIONS = {}\nSECOND = "none"',
                   "(DATASET, SECOND)")
    (tmp_path / "mine.csv").write_text("who;what;stars;day\n" + ROWS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RSLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("RSLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(notebooks, "HOME", tmp_path)
    monkeypatch.setattr("rslib.runs.shelf.is_own", lambda record, chosen: True)
    monkeypatch.setitem(run_ladder.__kwdefaults__, "home", tmp_path)
    return tmp_path


FLAGS = ["--user", "who", "--item", "1", "--rating", "stars", "--time", "day", "--delimiter", ";",
         "--decimal", ",", "--quoting", "yes", "--scale", "1,5", "--time-unit", "days"]
GIVEN = {"user": "who", "item": 1, "rating": "stars", "time": "day", "delimiter": ";",
         "decimal": ",", "quoting": True, "scale": [1.0, 5.0], "time_unit": "days"}


def printed(path):
    return nbformat.read(path, as_version=4).cells[-1].outputs[0].text.strip()


def test_a_run_gets_the_options(home, capsys):
    assert main(["run", "notebooks/01_means.ipynb", "-p", "DATASET=mine.csv", *FLAGS]) == 0
    out = capsys.readouterr().out.strip()
    assert out == str(home / "reports" / "executed" / "01_means.ipynb")
    assert printed(out) == f"{GIVEN} 1200"
    record, = runs.read("mine", home / "runs")
    assert record.dataset == "mine"


@pytest.mark.parametrize("mark", ["\t", "'", "\\"])
def test_a_delimiter_that_python_writes_in_another_way(mark, home, tmp_path):
    (home / "odd.txt").write_text(mark.join(["user", "item", "rating"]) + "\n" + "".join(
        mark.join([f"u{user}", f"{item}", "3.5"]) + "\n" for user in range(30)
        for item in range(20)))
    given = {"delimiter": mark, "quoting": None, "drop_zeros": False}
    out = run_notebook(home / "notebooks" / "01_means.ipynb",
                       {"DATASET": str(home / "odd.txt"), "OPTIONS": given}, tmp_path / "o.ipynb")
    assert printed(out) == f"{given} 600"


def test_a_sweep_gets_the_options_and_shows_probe_alone(home, capsys):
    words = ["sweep", "notebooks/02_factors.ipynb", "-p", "DATASET=mine.csv", "-g", "SEED=0,1",
             "--out", "swept", *FLAGS]
    assert main(words) == 0
    out, err = capsys.readouterr()
    header, *rows = (home / "swept" / "results.csv").read_text().splitlines()
    assert header == "SEED,rung,probe,run" and len(rows) == 2
    assert out.splitlines()[0].split() == ["SEED", "rung", "probe", "run"]
    assert "--quiz-and-test adds the two that nobody may choose by" in out
    assert "done: SEED=0" in err and "(2 of 2)" in err
    executed, *_ = (home / "swept").glob("*/02_factors.ipynb")
    assert printed(executed) == f"{GIVEN} 1200"
    assert main([*words, "--quiz-and-test"]) == 0           # nothing is run again
    out, err = capsys.readouterr()
    header, *rows = (home / "swept" / "results.csv").read_text().splitlines()
    assert header == "SEED,rung,probe,quiz,test,run" and "nobody may choose" not in out
    assert "done:" not in err


def test_the_ladder_gets_the_options_for_the_first_set_which_comes_first(home, capsys):
    options = "--dataset", "mine.csv", "--beside", "ml-latest-small", "--jobs", "1"
    assert main(["ladder", *options, *FLAGS, "--out", "pages"]) == 0
    out, err = capsys.readouterr()
    said = [line.partition("; about")[0].partition("; less")[0].rpartition(",")[0]
            for line in err.replace("\r", "\n").splitlines() if line.startswith("done: ")]
    assert {*said[:2]} == {"done: 01 means on mine", "done: 02 factors on mine"}
    assert {*said[2:4]} == {"done: 01 means on ml-latest-small",
                            "done: 02 factors on ml-latest-small"}
    assert "(4 of 4)" in err and "left" in err
    pages = home / "pages" / "mine"
    assert str(pages / "index.html") in out and not (home / "reports").exists()
    assert printed(pages / "notebooks" / "mine" / "01_means.ipynb") == f"{GIVEN} 1200"
    assert printed(pages / "notebooks" / "ml-latest-small" / "01_means.ipynb") == "{} 100836"


def test_a_notebook_that_takes_no_options_stops_the_ladder_before_it_runs(home, capsys):
    write_notebook(home / "notebooks" / "03_old.ipynb", 'DATASET = "x"', "DATASET")
    assert main(["ladder", "--dataset", "mine.csv", *FLAGS]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "03_old.ipynb: takes no options of a data set (user" in err
    assert not (home / "reports").exists()


@pytest.mark.parametrize("cells, parameters", [
    (["A = 1", "", "A", "assert A == 0, A\nA"], {"A": 2}), (["A = 1", "", "A", "1 / 0"], {}),
    (["A = 1", "A", "import os; os._exit(1)", "A"], {"A": 2}),
    (["A = 1", "A", "import os; os._exit(1)", "A"], {})])
def test_the_cell_that_failed_has_its_number_in_the_notebook(cells, parameters, tmp_path):
    """Empty cells have none, as in JupyterLab, nor has the cell that papermill adds."""
    path = write_notebook(tmp_path / "a.ipynb", *cells)
    with pytest.raises(runs.NotebookFailed, match=r"a.ipynb: cell \[3\]: "):
        run_notebook(path, parameters, tmp_path / "out" / "a.ipynb", runs=tmp_path)
    copy = nbformat.read(tmp_path / "out" / "a.failed" / "a.ipynb", as_version=4)
    third, = [cell for cell in copy.cells if cell.get("execution_count") == 3]
    assert third.source == [cell for cell in cells if cell][2]
    assert "In [4]" not in str(copy.cells) and len(copy.cells) >= 4 + bool(parameters)
    banner = "".join(cell.source for cell in copy.cells if cell.cell_type == "markdown")
    assert "os._exit" in third.source or "In [3]" in banner
