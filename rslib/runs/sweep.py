"""Run one notebook over a grid of parameters: in parallel, resumable, ending in one table."""

import csv
import hashlib
import itertools
import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path

from rslib.extras import needs
from rslib.files import code_digest, new_file, remove_stale, scratch_folder, write_text
from rslib.plots import Table
from rslib.plots import sweep as draw_sweep
from rslib.runs.execute import NotebookFailed, run_notebook
from rslib.runs.parameters import check, code_cells, defaults, require_file
from rslib.runs.pool import run_many
from rslib.runs.rungs import RUNGS
from rslib.runs.shelf import load_record
from rslib.sources import stamps_of

__all__ = ["Sweep", "from_yaml", "run_sweep"]


@dataclass(frozen=True)
class Sweep:
    """A grid over one notebook.

    Parameters
    ----------
    notebook : Path
    grid : dict of str to list
        Values of each swept parameter.
    parameters : dict
        Values that all runs share.
    folder : Path
        Where runs, table and plot go.

    Raises
    ------
    ValueError
        If a name or a type does not fit the notebook, or there is nothing to sweep.
    """

    notebook: Path
    grid: dict
    parameters: dict
    folder: Path

    def __post_init__(self):
        if not self.grid or not all(isinstance(each, list) and each for each in self.grid.values()):
            raise ValueError(f"{self.notebook}: a sweep needs a grid with a list of values for "
                             "each parameter: -g NAME=VALUE,VALUE or a YAML file")
        for parameters in self.runs.values():
            check(self.notebook, parameters)

    @cached_property
    def runs(self):
        """Parameters of every run by its key, in the order of the grid."""
        code = _digest(code_cells(self.notebook), code_digest())
        points = [dict(zip(self.grid, values, strict=True))
                  for values in itertools.product(*self.grid.values())]
        parameters = [{**self.parameters, **point} for point in points]
        known = defaults(self.notebook)
        return {_digest(code, each, _stamps(known | each)): each for each in parameters}


def _digest(*parts):
    text = json.dumps(parts, sort_keys=True, default=repr)      # a YAML date is refused later
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _stamps(parameters):
    """What changes with the ratings that parameters name, be they a set, a file or a folder."""
    return {name: stamps_of(value) for name, value in parameters.items() if isinstance(value, str)}


def from_yaml(path):
    """Return notebook (or None), parameters and grid of a YAML file, whose paths are its own."""
    with needs("notebooks"):
        import yaml

    require_file(path, "a notebook, or of a YAML file with the keys notebook, parameters and grid")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: not a readable YAML file: "
                         f"{' '.join(str(error).split())}") from None
    kinds = {"notebook": (str, "a path"), "parameters": (dict, "NAME: value"),
             "grid": (dict, "NAME: [value, value]")}
    if not isinstance(content, dict):
        raise ValueError(f"{path}: no keys in it; use notebook, parameters and grid")
    unknown = sorted(map(str, content.keys() - kinds))
    if unknown:
        raise ValueError(f"{path}: unknown key {unknown[0]}; use notebook, parameters and grid")
    for key, value in content.items():
        kind, form = kinds[key]
        if value is not None and not isinstance(value, kind):
            raise ValueError(f"{path}: {key} must be {form}, not {value!r}")
    notebook = content.get("notebook")
    return (notebook and path.parent / notebook, content.get("parameters") or {},
            content.get("grid") or {})


def _run_one(notebook, parameters, target):
    """Run one point of the grid into ``target``, or ``target.failed``."""
    failed = target.with_name(f"{target.name}.failed")
    shutil.rmtree(failed, ignore_errors=True)
    with scratch_folder(target) as folder:
        out = folder / notebook.name
        try:
            run_notebook(notebook, parameters, out, runs=folder / "runs")
        except NotebookFailed:
            out.with_suffix(".failed").rename(failed)
            raise
        folder.rename(target)


def _name(sweep, parameters):
    return " ".join(f"{name}={parameters[name]}" for name in sweep.grid)


def _results(sweep, quiz_and_test):
    """One row a run and rung: the swept parameters and the scores."""
    order = list(RUNGS)
    parts = ("probe", "quiz", "test") if quiz_and_test else ("probe",)
    for key, parameters in sweep.runs.items():
        point = {name: parameters[name] for name in sweep.grid}
        records = [load_record(path.parent)
                   for path in (sweep.folder / key).glob("runs/*/*/record.json")]
        for record in sorted(records, key=lambda each: order.index(each.rung)):
            scores = {part: getattr(record, f"{part}_rmse") for part in parts}
            yield point | {"rung": record.rung} | scores | {"run": key}
        if not records:
            run = key if (sweep.folder / key).is_dir() else f"{key}.failed"
            yield point | {"rung": None} | dict.fromkeys(parts) | {"run": run}


def _write_csv(path, rows):
    file = StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, file.getvalue())


def _moved(rows):
    """Rungs whose score the swept parameters change; all of them if none does."""
    scores = {}
    for row in rows:
        scores.setdefault(row["rung"], set()).add(row["probe"])
    return [rung for rung, found in scores.items() if len(found) > 1] or list(scores)


def _draw(path, rows, names):
    """One plot: the rungs over one parameter, or a map for each rung over two."""
    with needs("notebooks"):
        from matplotlib.figure import Figure

    rungs = _moved(rows)
    rows = [row for row in rows if row["rung"] in rungs]
    panels = [rows] if len(names) == 1 else [[row for row in rows if row["rung"] == rung]
                                            for rung in rungs]
    figure = Figure(figsize=(6, 3.6 * len(panels)), layout="constrained")
    for ax, panel in zip(figure.subplots(len(panels), squeeze=False).flat, panels, strict=True):
        draw_sweep(ax, panel, names)
    with new_file(path) as file:
        figure.savefig(file, format="png", dpi=150)


def _conclude(sweep, quiz_and_test):
    rows = list(_results(sweep, quiz_and_test))
    _write_csv(sweep.folder / "results.csv", rows)
    scored = [row for row in rows if row["probe"] is not None]
    if scored and len(sweep.grid) <= 2:
        _draw(sweep.folder / "sweep.png", scored, list(sweep.grid))
    return Table([row | {name: str(row[name]) for name in sweep.grid} for row in rows])


def run_sweep(sweep, *, jobs=2, quiz_and_test=False):
    """Run what is missing of a sweep and put its results in one table.

    Every run is kept under a key made of the notebook's code, the source of this package and the
    parameters, and appears by one rename; a key that is there is not run again. A run that fails
    leaves its notebook and reason in ``<key>.failed`` and is tried again by the next call.

    Parameters
    ----------
    sweep : Sweep
    jobs : int
        Runs at the same time.
    quiz_and_test : bool
        Whether the table and ``results.csv`` hold these scores too. Without it they hold those on
        probe, so that nobody chooses a setting by what stands for the unknown.

    Returns
    -------
    table : Table
    failures : list of NotebookFailed
    """
    sweep.folder.mkdir(parents=True, exist_ok=True)
    remove_stale(sweep.folder)
    tasks = {_name(sweep, parameters): (_run_one, sweep.notebook, parameters, sweep.folder / key)
             for key, parameters in sweep.runs.items() if not (sweep.folder / key).is_dir()}
    outcomes = run_many(tasks, jobs=jobs, title="sweep")
    failures = [each for each in outcomes.values() if isinstance(each, NotebookFailed)]
    return _conclude(sweep, quiz_and_test), failures
