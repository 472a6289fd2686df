"""The command line: every mistake is one line, exit code 2, and nothing is written."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from test_runs import write_notebook

import rslib
from rslib.__main__ import main
from rslib.commands import notebooks, reading
from rslib.files import require_writable
from rslib.runs.ladder import run_ladder

PARAMETERS = '''DATASET = "toy"   # name of a data set
REG = 0.5         # penalty, stars
N_FACTORS = 8     # number'''
TAKING = '''DATASET = "mine.csv"    # path
OPTIONS = {}            # how it is read'''
FILES = {
    "mine.csv": "who;what;stars\n1;10;4,5\n1;11;3,0\n2;10;1,0\n",
    "clicks.csv": "user,item\n1,10\n", "plays.csv": "user,item,plays\n1,10,3\n",
    "cut.csv": "user,item,rating\n1,10\n",
    "text.ipynb": "no JSON", "list.ipynb": "[1]", "number.ipynb": '{"cells": 5}',
    "file": "neither a folder nor a table",
    "gird.yaml": "gird: {REG: [1, 2]}\n", "list.yaml": "- REG\n", "word.yaml": "REG\n",
    "broken.yaml": "grid: {REG: [1\n", "nameless.yaml": "grid: {REG: [1, 2]}\n",
    "date.yaml": "notebook: toy.ipynb\ngrid: {REG: [2020-01-01]}\n",
    "flat.yaml": "notebook: toy.ipynb\ngrid: {REG: 0.5}\n",
    "odd.yaml": "notebook: 5\ngrid: {REG: [0.5]}\n",
    "named.yaml": "notebook: toy.ipynb\nparameters: [REG]\ngrid: {REG: [0.5]}\n",
    "lost.yaml": "notebook: elsewhere/toy.ipynb\ngrid: {REG: [0.5]}\n",
    "model.npz": "not a model",
}

WRONG = [       # words, and what the line says
    # no command, or none that there is
    ("", "rslib: the following arguments are required: COMMAND; rslib --help says more"),
    ("ladders", "no command 'ladders'; did you mean ladder?"),
    ("fit", "no command 'fit'; there are run, sweep, ladder, data, models, recommend, predict, "
     "contest"),
    ("--verbose data", "no option --verbose"),
    ("contest", "contest: the following arguments are required: ACTION"),
    ("contest opne", "no action 'opne'; did you mean open?"),
    # run
    ("run", "run: name a notebook, as in rslib run"),
    ("run none.ipynb", "none.ipynb: does not exist; give the path of an .ipynb"),
    ("run tyo.ipynb", "tyo.ipynb: does not exist; did you mean toy.ipynb?"),
    ("run toy", "toy: does not exist; did you mean toy.ipynb?"),
    ("run empty", "empty: is a folder; give the path of an .ipynb"),
    ("run file", "file: not a readable notebook"),
    ("run text.ipynb", "text.ipynb: not a readable notebook"),
    ("run list.ipynb", "list.ipynb: not a readable notebook"),
    ("run number.ipynb", "number.ipynb: not a readable notebook"),
    ("run code.ipynb", "line 2 of the parameters cell is not NAME = literal"),
    ("run syntax.ipynb", "line 1 of the parameters cell is not NAME = literal"),
    ("run toy.ipynb more.ipynb", "what is 'more.ipynb' for?"),
    ("run toy.ipynb -p REG", "'REG' is not NAME=VALUE"),
    ("run toy.ipynb -p =1", "'=1' is not NAME=VALUE"),
    ("run toy.ipynb -p", "-p: expected one argument"),
    ("run toy.ipynb -p N_FACTOR=8", "no parameter N_FACTOR; did you mean N_FACTORS?"),
    ("run toy.ipynb -p SEED=1", "no parameter SEED; it has DATASET, REG, N_FACTORS"),
    ("run toy.ipynb -p N_FACTORS=8.5", "N_FACTORS = 8.5 must be int"),
    ("run toy.ipynb -p N_FACTORS=many", "N_FACTORS = 'many' must be int"),
    ("run toy.ipynb --in-place -p REG=1", "--in-place keeps the parameters"),
    ("run toy.ipynb --in-place -o out.ipynb", "--in-place keeps the parameters"),
    ("run toy.ipynb --inplace", "no option --inplace; did you mean --in-place?"),
    ("run toy.ipynb -o empty", "empty: is a folder; name the notebook to write with -o"),
    ("run toy.ipynb -o file/out.ipynb", "is not a folder; name another place with -o"),
    ("run toy.ipynb --delimiter ;", "toy.ipynb: takes no options of a data set (delimiter)"),
    ("run taking.ipynb --delimiter ab", "delimiter must be one character or '::'"),
    ("run taking.ipynb -p DATASET=ml-1n", "did you mean ml-1m?"),
    ("run taking.ipynb -p DATASET=none.csv", "none.csv: no such file"),
    ("run taking.ipynb -p DATASET=cut.csv", "cut.csv: row 2: has 2 columns"),
    ("run taking.ipynb -p OPTIONS={'usr':1}", "there is no option usr="),
    ("run taking.ipynb -p OPTIONS=user", "OPTIONS = 'user' must be dict"),
    ("run none.ipynb --help", "none.ipynb: does not exist"),
    # sweep
    ("sweep", "sweep: name a notebook, or a YAML file"),
    ("sweep none.ipynb -g REG=1,2", "none.ipynb: does not exist"),
    ("sweep toy.ipynb", "a sweep needs a grid"),
    ("sweep toy.ipynb -g REGG=1,2", "no parameter REGG; did you mean REG?"),
    ("sweep toy.ipynb -g REG", "'REG' is not NAME=VALUE"),
    ("sweep toy.ipynb -g N_FACTORS=1,x", "N_FACTORS = 'x' must be int"),
    ("sweep toy.ipynb -g REG=1,2 -p N_FACTORS=x", "N_FACTORS = 'x' must be int"),
    ("sweep toy.ipynb none.yaml", "none.yaml: does not exist"),
    ("sweep none.yaml", "none.yaml: does not exist"),
    ("sweep gird.yml", "gird.yml: does not exist"),
    ("sweep empty", "empty: is a folder"),
    ("sweep toy.ipynb gird.yaml", "unknown key gird; use notebook, parameters and grid"),
    ("sweep list.yaml", "list.yaml: no keys in it"),
    ("sweep word.yaml", "word.yaml: no keys in it"),
    ("sweep broken.yaml", "broken.yaml: not a readable YAML file"),
    ("sweep binary.yaml", "binary.yaml: not a readable YAML file"),
    ("sweep nameless.yaml", "nameless.yaml: no notebook"),
    ("sweep date.yaml", "must be float"),
    ("sweep flat.yaml", "a sweep needs a grid"),
    ("sweep odd.yaml", "odd.yaml: notebook must be a path, not 5"),
    ("sweep named.yaml", "parameters must be NAME: value, not ['REG']"),
    ("sweep lost.yaml", "elsewhere/toy.ipynb: does not exist"),
    ("sweep toy.ipynb -g REG=1,2 --jobs 0", "--jobs: must be a whole number from 1 on, not '0'"),
    ("sweep toy.ipynb -g REG=1,2 --jobs=-2", "--jobs: must be a whole number from 1 on"),
    ("sweep toy.ipynb -g REG=1,2 --out file", "file is not a folder; name another folder"),
    ("sweep toy.ipynb -g REG=1,2 --user who", "takes no options of a data set (user)"),
    ("sweep taking.ipynb -g DATASET=mine.csv,none.csv", "mine.csv: row 1: no user column"),
    # ladder
    ("ladder mine.csv", "what is 'mine.csv' for?"),
    ("ladder --dataset none.csv", "none.csv: no such file"),
    ("ladder --dataset ML-1M", "did you mean ml-1m?"),
    ("ladder --dataset empty", "empty: no ratings in a known format"),
    ("ladder --dataset file", "not a file that can be read"),
    ("ladder --dataset mine.csv --user whom", "no column 'whom' (given as user=)"),
    ("ladder --dataset https://a.example/b.csv", "an address, not a file"),
    ("ladder --beside none.csv", "none.csv: no such file"),
    ("ladder --beside mine/ml-latest-small.csv", "are both called ml-latest-small"),
    ("ladder --jobs 0", "--jobs: must be a whole number from 1 on"),
    ("ladder --jobs two", "--jobs: must be a whole number from 1 on, not 'two'"),
    ("ladder --out file", "file is not a folder; name another with --out"),
    ("ladder --dataset", "--dataset: expected one argument"),
    ("ladder --delimiter 1", "delimiter must be one character"),
    # data
    ("data none.csv", "none.csv: no such file"),
    ("data syntetic-1m", "did you mean synthetic?"),
    ("data empty", "empty: no ratings in a known format"),
    ("data mine.csv", "mine.csv: row 1: no user column"),
    ("data mine.csv cut.csv", "what is 'cut.csv' for?"),
    ("data --delimiter ;", "name the file that the options are for"),
    ("data mine.csv --delimeter ;", "no option --delimeter; did you mean --delimiter?"),
    ("data mine.csv --decimal ;", "decimal must be one of '.', ','"),
    ("data mine.csv --quoting perhaps", "quoting is yes or no, not 'perhaps'"),
    ("data mine.csv --header 1", "header is yes or no, not '1'"),
    ("data mine.csv --scale 5", "scale must be (lowest, highest)"),
    ("data mine.csv --scale 5,1", "scale must be (lowest, highest)"),
    ("data mine.csv --scale low,high", "scale must be LOW,HIGH, as 1,5, not 'low,high'"),
    ("data mine.csv --time-unit fortnights", "time_unit must be one of seconds"),
    ("data mine.csv --duplicates none", "duplicates must be one of 'last', 'first'"),
    ("data mine.csv --duplicates sum", "pass interactions=True too"),
    ("data mine.csv --interactions --scale 1,5", "scale is for ratings"),
    ("data clicks.csv", "if each row is a click, pass interactions=True"),
    ("data plays.csv", "rating='plays' reads 'plays' as ratings, interactions=True as counts"),
    ("data mine.csv --user 7", "no column 7 (given as user=)"),
    ("data mine.csv -o decimal", "-o decimal: write NAME=VALUE"),
    ("data mine.csv -o decimals=,", "did you mean decimal="),
    ("data synthetic-2k --user who", "synthetic-2k: planted sets are drawn, not read"),
    ("data synthetic-2k --interactions", "synthetic-2k: planted sets are drawn, not read"),
    ("data ml-latest-small --user who", "columns of a published format are known"),
    # models
    ("models none.npz", "none.npz: No such file"),
    ("models empty", "empty: no .npz file in this folder"),
    ("models model.npz", "model.npz: not a saved model"),
    ("models mine.csv", "mine.csv: not a saved model"),
    # contest
    ("contest open m", "contest open: the following arguments are required: HANDOUT"),
    ("contest open m h --dataset none.csv", "none.csv: no such file"),
    ("contest open m h --dataset mine.csv --user 0 --item 9", "no column 9 (given as item=)"),
    ("contest open m h --scale 5,1", "scale must be (lowest, highest)"),
    ("contest open m h --hours soon", "--hours: invalid float value: 'soon'"),
    ("contest open m h --hours 0", "hours_between must be a positive number"),
    ("contest open m h --improvement 200", "improvement must lie between 0 and 100"),
    ("contest open m h --teams-per-user x", "--teams-per-user: invalid int value"),
    ("contest open m h --ends soon", "--ends soon: not a date"),
    ("contest open empty h", "empty: exists already"),
    ("contest open file/m h", "file is not a folder; name another place for it"),
    ("contest join nowhere A", "no prize master answers"),
    ("contest join empty A", "empty: no contest here"),
    ("contest submit empty A mine.csv", "empty: no contest here"),
    ("contest board file", "file: no prize master answers"),
    ("contest merge nowhere AB A B", "nowhere: not the folder of a prize master"),
    ("contest merge nowhere AB A", "the following arguments are required: TEAM"),
    ("contest serve nowhere socket", "nowhere: not the folder of a prize master"),
    ("contest reveal empty --close", "empty: no contest here"),
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder that is the home of the commands, with much in it that is wrong."""
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "binary.yaml").write_bytes(b"grid: \xff")
    (tmp_path / "empty").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "ml-latest-small.csv").write_text("user,item,rating\n1,1,5\n")
    for name, cell in (("toy", PARAMETERS), ("taking", TAKING), ("syntax", "A ="),
                       ("code", "A = 1\nB = A + 1")):
        write_notebook(tmp_path / f"{name}.ipynb", cell, "1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(notebooks, "HOME", tmp_path)
    monkeypatch.setitem(run_ladder.__kwdefaults__, "home", tmp_path)
    monkeypatch.setenv("RSLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("papermill.execute_notebook", None)      # any kernel would raise
    return tmp_path


@pytest.fixture(autouse=True)
def stores(tmp_path_factory, monkeypatch):
    """What is read is kept outside of the folders that are looked at."""
    monkeypatch.setenv("RSLIB_CACHE", str(tmp_path_factory.getbasetemp() / "stores"))


def listing(folder):
    return sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*"))


@pytest.mark.parametrize("words, said", WRONG, ids=[words or "nothing" for words, _ in WRONG])
def test_a_mistake_is_one_line_and_leaves_nothing(words, said, place, capsys):
    before = listing(place)
    assert main(words.split()) == 2
    out, err = capsys.readouterr()
    assert err.startswith("rslib: ") and err.count("\n") == 1 and not out
    assert said in err, err
    assert listing(place) == before


def test_a_folder_that_may_not_be_written_to_is_said_with_the_remedy(place, monkeypatch, capsys):
    for folder in ("reports", "records", "shut"):
        (place / folder).mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name not in (
        "reports", "records", "shut"))          # root may write wherever it likes
    monkeypatch.setenv("RSLIB_RUNS", str(place / "records" / "of" / "mine"))
    before = listing(place)
    for words, where, remedy in (
            ("run toy.ipynb", "reports", "another place with -o"),
            ("run toy.ipynb -o out.ipynb", "records", "set RSLIB_RUNS to a folder"),
            ("sweep toy.ipynb -g REG=1,2", "reports", "another folder with --out"),
            ("ladder", "reports", "another with --out"),
            ("ladder --out pages", "records", "set RSLIB_RUNS to a folder"),
            ("contest open shut/m h", "shut", "name another place for it")):
        assert main(words.split()) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and f"{place / where} may not be written to" in err, err
        assert remedy in err
    assert listing(place) == before


@pytest.mark.skipif(os.getuid() == 0, reason="root may write wherever it likes")
def test_permissions_are_seen(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="may not be written to; ask"):
        require_writable(tmp_path / "new" / "folder", "ask for it")
    tmp_path.chmod(0o700)
    require_writable(tmp_path / "new" / "folder", "ask for it")


# Options of load

OPTIONS = {     # what is written on the command line, and what load is given
    "--user who --item 1": {"user": "who", "item": 1},
    "--delimiter ;": {"delimiter": ";"}, "--delimiter tab": {"delimiter": "\t"},
    "--delimiter \\t": {"delimiter": "\t"}, "--decimal ,": {"decimal": ","},
    "--quoting no": {"quoting": False}, "--header no": {"header": False},
    "--scale 1,5": {"scale": [1.0, 5.0]}, "--scale -10,10": {"scale": [-10.0, 10.0]},
    "--scale=-0.5,.5": {"scale": [-0.5, 0.5]}, "--time-unit %d/%m/%Y": {"time_unit": "%d/%m/%Y"},
    "--drop-zeros": {"drop_zeros": True}, "--duplicates mean": {"duplicates": "mean"},
    "--wide": {"wide": True}, "--interactions": {"interactions": True},
    "--rating 2 --time when": {"rating": 2, "time": "when"},
}


@pytest.mark.parametrize("words", OPTIONS)
@pytest.mark.parametrize("command", ["run a.ipynb", "sweep a.ipynb", "ladder", "data",
                                     "contest open m h"])
def test_every_command_that_reads_data_takes_the_options_of_load(command, words):
    from rslib.__main__ import _parser
    arguments = _parser().parse_args([*command.split(), *words.split()])
    options = reading.reading(arguments)
    assert options == OPTIONS[words] == json.loads(json.dumps(options))


def test_there_is_an_option_for_each_of_load():
    from dataclasses import fields

    from rslib.sources.form import Form
    assert {*reading._OPTIONS} == {"user", "item", "rating", "time", "scale",
                                   *(field.name for field in fields(Form))}


def test_data_says_what_options_made_of_a_file(place, capsys):
    options = "--user who --item what --rating stars --decimal , --scale 1,5"
    assert main(["data", "mine.csv", *options.split()]) == 0
    by_flags = capsys.readouterr().out
    assert "user from `who`" in by_flags and "1 to 5 as declared" in by_flags
    synonyms = "-o user=who -o item=what -o rating=stars -o decimal=, -o scale=1,5"
    assert main(["data", "mine.csv", *synonyms.split()]) == 0
    assert capsys.readouterr().out == by_flags


def test_a_warning_is_a_note_of_one_line(place, capsys):
    (place / "twice.csv").write_text("user,item,rating\n1,2,3\n1,2,4\n")
    assert main(["data", "twice.csv"]) == 0
    err = capsys.readouterr().err
    assert err.startswith("rslib: note: ") and err.count("\n") == 1 and "1 duplicate" in err


@pytest.mark.parametrize("words", [
    "--user who --item 1 --rating stars --decimal ,", "--header no --delimiter tab --wide --user 0",
    "--quoting no --scale=-10,10 --time-unit '%d %m'", "--drop-zeros --duplicates mean",
    "--interactions --duplicates sum --rating n"])
def test_options_are_written_as_they_are_read(words):
    from rslib.__main__ import _parser

    def read(words):
        return reading.reading(_parser().parse_args(["data", "x", *shlex.split(words)]))
    assert read(reading.written(read(words))) == read(words)


def test_what_data_prints_as_options_reads_the_same(place, capsys):
    (place / "tabs.txt").write_text("7\t10\t4,5\n7\t11\t1\n")
    assert main("data tabs.txt --header no --decimal , --scale 1,5".split()) == 0
    out = capsys.readouterr().out
    options, = [line.removeprefix("options").strip() for line in out.splitlines()
                if line.startswith("options")]
    assert "--delimiter tab" in options and "--scale=1,5" in options
    assert main(["data", "tabs.txt", *shlex.split(options)]) == 0
    assert capsys.readouterr().out == out


def test_what_data_prints_as_options_of_interactions_reads_the_same(place, capsys):
    assert main("data plays.csv --interactions".split()) == 0
    out = capsys.readouterr().out
    assert "--rating plays" in out and "--interactions" in out and "\nplays       3\n" in out
    options, = [line for line in out.splitlines() if line.startswith("options")]
    assert main(["data", "plays.csv", *shlex.split(options)[1:]]) == 0
    assert capsys.readouterr().out == out


@pytest.mark.parametrize("dataset, tuned", [("mine.csv", True), ("lastfm-2k", True),
                                            ("ml-1m", False), ("synthetic-1m", False),
                                            ("synthetic-purchases-1m", True)])
def test_a_ladder_is_tuned_on_files_of_ones_own_and_on_counts(dataset, tuned):
    from rslib.__main__ import _parser
    for words, expected in (([], tuned), (["--tune"], True), (["--no-tune"], False)):
        arguments = _parser().parse_args(["ladder", "--dataset", dataset, *words])
        assert notebooks._tunes(arguments) is expected


def test_a_contest_is_opened_on_a_file_of_ones_own(place, capsys):
    rows = "".join(f"u{user};{item};{1 + (user * item) % 5}\n" for user in range(30)
                   for item in range(40))
    (place / "class.csv").write_text("who;what;stars\n" + rows)
    options = "--user who --item what --rating stars --scale 1,5"
    assert main(["contest", "open", "m", "h", "--dataset", "class.csv", *options.split()]) == 0
    assert "the line is at" in capsys.readouterr().out
    rules = json.loads((place / "h" / "contest.json").read_text())
    assert rules["scale"] == [1.0, 5.0] and rules["measure"] == "stars"


def test_a_contest_is_opened_on_plays(place, capsys):
    from rslib.contest import read_handout
    (place / "many.csv").write_text("user,item,plays\n" + "".join(
        f"u{user},{item},{1 + (user * item) % 7}\n" for user in range(30) for item in range(40)))
    assert main("contest open m h --dataset many.csv --interactions".split()) == 0
    assert "the line is at" in capsys.readouterr().out
    assert read_handout(place / "h").final.measure == "plays"


# What else the command line says



def test_whoever_reads_the_output_may_go_away():
    for words in ("data", "--help", "models"):
        command = f"{sys.executable} -m rslib {words} | head -1; exit ${{PIPESTATUS[0]}}"
        ended = subprocess.run(["bash", "-c", command.replace("| head -1", "| true")],
                               capture_output=True, text=True)
        assert not ended.stderr and ended.returncode in (0, 141), ended
        ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
        assert not ended.stderr and len(ended.stdout.splitlines()) == 1


def test_the_version(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert not ended.value.code and capsys.readouterr().out == f"rslib {rslib.__version__}\n"


@pytest.mark.parametrize("words", ["run --help toy.ipynb", "run toy.ipynb -h",
                                   "sweep toy.ipynb --help", "run toy.ipynb --help -p REG=1"])
def test_help_lists_the_parameters_of_a_notebook(words, place, capsys):
    assert main(words.split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("usage: rslib")
    at = lines.index("parameters of toy.ipynb:")
    assert [line.split() for line in lines[at + 2:]] == [
        ["DATASET", "'toy'", *"name of a data set".split()],
        ["REG", "0.5", *"penalty, stars".split()], ["N_FACTORS", "8", "number"]]


def test_help_without_a_notebook(place, capsys):
    assert main(["run", "--help"]) == 0
    assert "parameters of" not in capsys.readouterr().out
