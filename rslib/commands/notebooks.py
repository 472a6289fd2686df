"""``rslib run``, ``sweep`` and ``ladder``: notebooks, once, over a grid, and all of them."""

import hashlib
import sys
from argparse import SUPPRESS, BooleanOptionalAction
from pathlib import Path

from rslib import HOME
from rslib.commands.parser import add_jobs, add_notebook_help, add_parameters
from rslib.commands.reading import add_reading, reading, require_data
from rslib.files import require_writable

__all__ = ["add_commands"]

_RUNS = "set RSLIB_RUNS to a folder for records that can be"


def _tell(failures):
    """Print one line for each failure and return the exit code."""
    for failure in failures:
        print(f"rslib: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _help(arguments):
    """Print the help of a command and, where a notebook is named, its parameters."""
    from rslib.plots import Table
    from rslib.runs.parameters import described

    about = None
    if arguments.notebook is not None and arguments.notebook.suffix == ".ipynb":
        rows = [{"-p": name, "default": repr(default), "what it is": comment}
                for name, default, comment in described(arguments.notebook)]
        about = Table(rows) if rows else "it has none"
    print(arguments.help(), end="")
    if about is not None:
        print(f"\nparameters of {arguments.notebook}:\n{about}")
    return 0


def _run(arguments):
    from rslib.runs.execute import NotebookFailed, refresh, run_notebook
    from rslib.runs.parameters import parse, with_options
    from rslib.runs.records import runs_root

    if arguments.help:
        return _help(arguments)
    notebook = arguments.notebook
    if notebook is None:
        raise ValueError("run: name a notebook, as in rslib run notebooks/02_neighbours.ipynb")
    parameters = with_options(notebook, parse(notebook, arguments.parameter), reading(arguments))
    if arguments.in_place and (parameters or arguments.out):
        raise ValueError("--in-place keeps the parameters of the notebook; leave out -p, -o and "
                         "what says how data are read")
    out = arguments.out or HOME / "reports" / "executed" / notebook.name
    if out.is_dir():
        raise ValueError(f"{out}: is a folder; name the notebook to write with -o, as "
                         f"{out / notebook.name}")
    require_writable(out.absolute().parent, "name another place with -o")
    require_writable(runs_root(), _RUNS)
    if arguments.in_place:
        require_writable(notebook.absolute().parent, "copy it to where it can be")
    require_data(notebook, [parameters])
    try:
        print(refresh(notebook) if arguments.in_place else run_notebook(notebook, parameters, out))
    except NotebookFailed as failure:
        return _tell([failure])
    return 0


def _sweep_spec(arguments):
    """Notebook, grid, shared parameters and folder from the YAML file and the command line."""
    from rslib.runs.parameters import parse, parse_grid, with_options
    from rslib.runs.sweep import Sweep, from_yaml

    if arguments.notebook is None:
        raise ValueError("sweep: name a notebook, or a YAML file that names one, as in "
                         "rslib sweep notebooks/02_neighbours.ipynb -g SHRINKAGE=10,100")
    files = [arguments.notebook, *([arguments.grid_file] if arguments.grid_file else [])]
    notebook = files.pop(0) if files[0].suffix == ".ipynb" else None
    yaml_notebook, parameters, grid = from_yaml(files[0]) if files else (None, {}, {})
    notebook = notebook or yaml_notebook
    if notebook is None:
        raise ValueError(f"{files[0]}: no notebook; add the key notebook or name it before")
    grid = grid | parse_grid(notebook, arguments.grid)
    parameters = with_options(notebook, parameters | parse(notebook, arguments.parameter),
                              reading(arguments))
    short = files[0].stem if files else hashlib.sha256(repr(grid).encode()).hexdigest()[:8]
    folder = arguments.out or HOME / "reports" / "sweeps" / f"{notebook.stem}-{short}"
    return Sweep(notebook, grid, parameters, folder)


def _sweep(arguments):
    from rslib.runs.sweep import run_sweep

    if arguments.help:
        return _help(arguments)
    sweep = _sweep_spec(arguments)
    require_writable(sweep.folder, "name another folder with --out")
    require_data(sweep.notebook, sweep.runs.values())
    table, failures = run_sweep(sweep, jobs=arguments.jobs, quiz_and_test=arguments.quiz_and_test)
    print(table)
    print(f"\n{sweep.folder / 'results.csv'}")
    if not arguments.quiz_and_test:
        print("Scores on probe, to choose by; --quiz-and-test adds the two that nobody may choose "
              "by.")
    return _tell(failures)


def _tunes(arguments):
    """Whether settings are chosen on probe: on files of one's own and on counts, unless told
    otherwise."""
    from rslib.sources import PUBLISHED

    name = arguments.dataset
    rated = (not PUBLISHED[name].counts if name in PUBLISHED else
             name.startswith("synthetic") and not name.startswith("synthetic-purchases"))
    return not rated if arguments.tune is None else arguments.tune


def _ladder(arguments):
    from rslib.runs.ladder import run_ladder
    from rslib.runs.page import table
    from rslib.runs.records import RECORDED, runs_root
    from rslib.runs.shelf import keep

    beside = arguments.beside
    if beside is None:
        beside = "synthetic-100k" if arguments.dataset == "ml-latest-small" else "none"
    require_writable(arguments.out or HOME / "reports" / "ladder", "name another with --out")
    require_writable(runs_root(), _RUNS)
    if arguments.keep:
        require_writable(RECORDED, "leave out --keep")
    ladder = run_ladder(arguments.dataset, None if beside == "none" else beside,
                        options=reading(arguments), tune=_tunes(arguments), jobs=arguments.jobs,
                        out=arguments.out)
    if arguments.keep and not ladder.failures:
        keep(ladder.dataset, ladder.folder / "ladder.png")
        if ladder.second:
            keep(ladder.second)
    print(table(ladder))
    print(f"\n{ladder.folder / 'index.html'}, after {ladder.seconds / 60:.1f} minutes")
    return _tell(ladder.failures.values())


def _add_run(commands):
    run = commands.add_parser("run", help="run one notebook", add_help=False)
    run.add_argument("notebook", type=Path, nargs="?", metavar="NOTEBOOK")
    add_notebook_help(run)
    add_parameters(run)
    run.add_argument("-o", dest="out", type=Path, metavar="OUT",
                     help="executed notebook (default in reports/executed)")
    run.add_argument("--in-place", action="store_true",
                     help="keep the new outputs in the notebook itself, to commit")
    add_reading(run)
    run.set_defaults(command=_run)


def _add_sweep(commands):
    sweep = commands.add_parser("sweep", help="run one notebook over a grid of parameters",
                                add_help=False)
    sweep.add_argument("notebook", type=Path, nargs="?", metavar="NOTEBOOK",
                       help="the notebook, or a YAML file that names it")
    sweep.add_argument("grid_file", type=Path, nargs="?", metavar="GRID.yaml",
                       help="YAML file with the keys notebook, parameters and grid")
    add_notebook_help(sweep)
    sweep.add_argument("-g", dest="grid", action="append", default=[], metavar="NAME=VALUE,VALUE",
                       help="a parameter to sweep; may be repeated")
    add_parameters(sweep)
    add_jobs(sweep)
    sweep.add_argument("--out", type=Path, help="folder (default in reports/sweeps)")
    sweep.add_argument("--quiz-and-test", action="store_true",
                       help="show these scores beside those on probe, which alone may choose")
    add_reading(sweep)
    sweep.set_defaults(command=_sweep)


def _add_ladder(commands):
    ladder = commands.add_parser("ladder", help="run every numbered notebook, write the page")
    ladder.add_argument("--dataset", default="ml-latest-small", metavar="NAME|PATH",
                        help="default ml-latest-small")
    ladder.add_argument("--beside", metavar="NAME|none",
                        help="a second data set, run after the first and shown beside it; default "
                             "synthetic-100k beside ml-latest-small, else none")
    ladder.add_argument("--second", dest="beside", help=SUPPRESS)       # its name until now
    ladder.add_argument("--out", type=Path, metavar="FOLDER",
                        help="where the page goes (default reports/ladder); README.md is left "
                             "alone then")
    ladder.add_argument("--tune", action=BooleanOptionalAction,
                        help="choose a few penalties on the probe set of these ratings first "
                             "(default for a file of your own and for counts, not for known sets "
                             "of ratings)")
    ladder.add_argument("--keep", action="store_true",
                        help="copy the records to reports/recorded, for committing")
    add_jobs(ladder)
    add_reading(ladder)
    ladder.set_defaults(command=_ladder)


def add_commands(commands):
    """Add the three parsers."""
    _add_run(commands)
    _add_sweep(commands)
    _add_ladder(commands)
