"""Command line: run a notebook, a sweep or the ladder, see data and models, hold a contest."""

import argparse
import hashlib
import inspect
import sys
from pathlib import Path

from rslib import HOME


def _run(arguments):
    from rslib.runs.execute import NotebookFailed, refresh, run_notebook
    from rslib.runs.parameters import parse

    parameters = parse(arguments.notebook, arguments.parameter)
    if arguments.in_place and (parameters or arguments.out):
        raise ValueError("--in-place keeps the parameters of the notebook; leave out -p and -o")
    try:
        print(refresh(arguments.notebook) if arguments.in_place
              else run_notebook(arguments.notebook, parameters, arguments.out))
    except NotebookFailed as failure:
        return _tell([failure])
    return 0


def _sweep_spec(arguments):
    """Notebook, grid, shared parameters and folder from the YAML file and the command line."""
    from rslib.runs.parameters import parse, parse_grid
    from rslib.runs.sweep import Sweep, from_yaml

    files = [arguments.notebook, *([arguments.grid_file] if arguments.grid_file else [])]
    notebook = files.pop(0) if files[0].suffix == ".ipynb" else None
    yaml_notebook, parameters, grid = from_yaml(files[0]) if files else (None, {}, {})
    notebook = notebook or yaml_notebook
    if notebook is None:
        raise ValueError(f"{files[0]}: no notebook; add the key notebook or name it before")
    grid = grid | parse_grid(notebook, arguments.grid)
    parameters = parameters | parse(notebook, arguments.parameter)
    short = files[0].stem if files else hashlib.sha256(repr(grid).encode()).hexdigest()[:8]
    folder = arguments.out or HOME / "reports" / "sweeps" / f"{notebook.stem}-{short}"
    return Sweep(notebook, grid, parameters, folder)


def _sweep(arguments):
    from rslib.runs.sweep import run_sweep

    sweep = _sweep_spec(arguments)
    table, failures = run_sweep(sweep, jobs=arguments.jobs)
    print(table)
    print(f"\n{sweep.folder / 'results.csv'}")
    return _tell(failures)


def _ladder(arguments):
    from rslib.runs.ladder import run_ladder
    from rslib.runs.page import table
    from rslib.runs.shelf import keep

    second = arguments.second
    if second is None:
        second = "synthetic-100k" if arguments.dataset == "ml-latest-small" else "none"
    ladder = run_ladder(arguments.dataset, None if second == "none" else second,
                        jobs=arguments.jobs)
    if arguments.keep and not ladder.failures:
        keep(ladder.dataset, ladder.folder / "ladder.png")
        if ladder.second:
            keep(ladder.second)
    print(table(ladder))
    print(f"\n{ladder.folder / 'index.html'}, after {ladder.seconds / 60:.1f} minutes")
    return _tell(ladder.failures.values())


def _option(words):
    """Return name and value of NAME=VALUE as `load` takes them."""
    name, equals, text = words.partition("=")
    if not equals:
        raise ValueError(f"-o {words}: write NAME=VALUE, as in -o delimiter=';'")
    if name == "scale":
        return name, tuple(float(part) for part in text.split(","))
    plain = {"None": None, "True": True, "False": False, "\\t": "\t"}
    position = name in ("user", "item", "rating", "time") and text.isdigit()
    return name, int(text) if position else plain.get(text, text)


def _data(arguments):
    from rslib.plots import Table
    from rslib.sources import PUBLISHED, describe, load
    from rslib.sources.download import here

    if arguments.dataset is None:
        print(Table([{"data set": name, "here": here(name)} for name in PUBLISHED]
                    + [{"data set": "synthetic-1m", "here": "made on request, of any size"}]))
        return 0
    try:
        ratings = load(arguments.dataset, **dict(map(_option, arguments.option)))
    except TypeError as error:      # an option that load does not have
        raise ValueError(str(error)) from None
    lines = describe(ratings)
    width = max(len(name) for name, _ in lines) + 2
    print("\n".join(f"{name:{width}}{words}" for name, words in lines))
    return 0


def _models(arguments):
    from rslib import load_model
    from rslib.models import MODELS
    from rslib.plots import Table

    if not arguments.files:
        print(Table([{"model": kind.__name__, "": inspect.getdoc(kind).partition("\n")[0]}
                     for kind in MODELS]))
        return 0
    files = [file for place in arguments.files
             for file in (sorted(place.glob("*.npz")) if place.is_dir() else [place])]
    if not files:
        raise ValueError(f"{arguments.files[0]}: no .npz file in this folder")
    for file in files:
        model = load_model(file)
        numbered = "with raw ids" if model.numbering_ is not None else "without raw ids"
        print(f"{file}: {model}, of {model.n_users_:,} users and {model.n_items_:,} items, "
              f"{model.n_parameters:,} parameters, {numbered}")
    return 0


def _contest(arguments):
    from rslib.contest import commands
    from rslib.plots import Table

    if arguments.action == "opened":
        from rslib import models, sources, splits

        baseline = models.Baseline("ridge", 4, 6)
        said = commands.opened(
            arguments, lambda seed: splits.netflix(sources.load(arguments.dataset), seed=seed),
            baseline.fit)
    else:
        said = getattr(commands, arguments.action)(arguments)
    if said is not None:
        print(said if isinstance(said, str) else Table(said, digits={"improvement": 2}))
    return 0


def _tell(failures):
    """Print one line for each failure and return the exit code."""
    for failure in failures:
        print(f"rslib: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _add_jobs(command):
    command.add_argument("--jobs", type=int, default=2, metavar="N",
                         help="notebooks at the same time (default 2)")


def _add_parameters(command):
    command.add_argument("-p", dest="parameter", action="append", default=[],
                         metavar="NAME=VALUE", help="a parameter of the notebook; may be repeated")


def _add_contest(commands):
    contest = commands.add_parser("contest", help="hold a contest with hidden labels")
    contest.set_defaults(command=_contest)
    actions = contest.add_subparsers(required=True, metavar="ACTION")

    def add(name, action, words, **places):
        parser = actions.add_parser(name, help=words)
        parser.set_defaults(action=action)
        for place, about in places.items():
            parser.add_argument(place, type=Path, metavar=place.upper(), help=about)
        return parser

    folder = "the prize master's folder"
    anywhere = f"socket of the prize master, or (the teacher) {folder}"
    opening = add("open", "opened", "deal a data set into labels and a hand-out",
                  master=f"{folder}, new", handout="folder for the competitors, new")
    opening.add_argument("--dataset", default="ml-latest-small", metavar="NAME|PATH")
    for option, default, words in (("hours", 24, "between two submissions of a team"),
                                   ("improvement", 10, "per cent that start the last call"),
                                   ("last-call-days", 30, "from then to the end")):
        opening.add_argument(f"--{option}", type=float, default=default, metavar="N",
                             help=f"{words} (default {default})")
    opening.add_argument("--ends", metavar="DATE", help="the end if nobody reaches the line")
    opening.add_argument("--teams-per-user", type=int, default=1, metavar="N",
                         help="that an OS user may join (default 1)")
    joining = add("join", "join", "register a team", place=anywhere)
    joining.add_argument("team", metavar="TEAM")
    joining.add_argument("--user", help="OS user it belongs to, where the teacher registers it")
    handing = add("submit", "submit", "hand in predictions", place=anywhere)
    handing.add_argument("team", metavar="TEAM")
    handing.add_argument("file", type=Path, metavar="FILE")
    add("board", "board", "show the leaderboard", place=anywhere)
    merging = add("merge", "merge", "make one team of two", master=folder)
    merging.add_argument("name", metavar="NEW")
    merging.add_argument("teams", nargs=2, metavar="TEAM")
    add("serve", "served", "answer competitors", master=folder, socket="Unix socket, new")
    revealing = add("reveal", "reveal", "show the test scores, once it is over", place=anywhere)
    revealing.add_argument("--close", action="store_true", help="end the contest now (the teacher)")


def _parser():
    parser = argparse.ArgumentParser("rslib", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run one notebook")
    run.add_argument("notebook", type=Path)
    _add_parameters(run)
    run.add_argument("-o", dest="out", type=Path, metavar="OUT",
                     help="executed notebook (default in reports/executed)")
    run.add_argument("--in-place", action="store_true",
                     help="keep the new outputs in the notebook itself, to commit")
    run.set_defaults(command=_run)

    sweep = commands.add_parser("sweep", help="run one notebook over a grid of parameters")
    sweep.add_argument("notebook", type=Path, metavar="NOTEBOOK",
                       help="the notebook, or a YAML file that names it")
    sweep.add_argument("grid_file", type=Path, nargs="?", metavar="GRID.yaml",
                       help="YAML file with the keys notebook, parameters and grid")
    sweep.add_argument("-g", dest="grid", action="append", default=[], metavar="NAME=VALUE,VALUE",
                       help="a parameter to sweep; may be repeated")
    _add_parameters(sweep)
    _add_jobs(sweep)
    sweep.add_argument("--out", type=Path, help="folder (default in reports/sweeps)")
    sweep.set_defaults(command=_sweep)

    ladder = commands.add_parser("ladder", help="run every numbered notebook, write the page")
    ladder.add_argument("--dataset", default="ml-latest-small", metavar="NAME|PATH",
                        help="default ml-latest-small")
    ladder.add_argument("--second", metavar="NAME|none",
                        help="a second column; default synthetic-100k beside ml-latest-small")
    ladder.add_argument("--keep", action="store_true",
                        help="copy the records to reports/recorded, for committing")
    _add_jobs(ladder)
    ladder.set_defaults(command=_ladder)

    data = commands.add_parser("data", help="list the data sets, or load one and print what was "
                                            "understood of it")
    data.add_argument("dataset", nargs="?", metavar="NAME|PATH")
    data.add_argument("-o", dest="option", action="append", default=[], metavar="NAME=VALUE",
                      help="an option of sources.load, as time_unit=minutes; may be repeated")
    data.set_defaults(command=_data)

    models = commands.add_parser("models", help="list the models, or say what saved ones are")
    models.add_argument("files", nargs="*", type=Path, metavar="FILE|FOLDER",
                        help="a saved model, or a folder of them")
    models.set_defaults(command=_models)
    _add_contest(commands)
    return parser


def main(words=None):
    """Run one command; return its exit code: 0, 1 a notebook failed, 2 bad input, 130 Ctrl-C."""
    arguments = _parser().parse_args(words)
    try:
        return arguments.command(arguments)
    except (ValueError, ArithmeticError, OSError, ModuleNotFoundError) as error:
        print(f"rslib: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("rslib: stopped; what had finished is kept", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
