"""The main job: every numbered notebook on the data, then the table, the picture and the page."""

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

from rslib import HOME
from rslib.extras import needs
from rslib.files import write_text
from rslib.runs.execute import NotebookFailed, run_notebook
from rslib.runs.page import write_page
from rslib.runs.parameters import check
from rslib.runs.pool import run_many
from rslib.runs.records import runs_root
from rslib.runs.table import ladder_rows
from rslib.sources import PUBLISHED, load

__all__ = ["Ladder", "facts", "run_ladder"]


@dataclass(frozen=True)
class Ladder:
    """What a run of the ladder found.

    ``rows`` come from `ladder_rows`, ``facts`` describe the data set, ``failures`` maps the name
    of each task that failed to the reason, ``folder`` holds the page, and ``seconds`` is the time
    from the first notebook to the last.
    """

    dataset: str
    second: str | None
    facts: dict
    rows: list
    failures: dict
    folder: Path
    seconds: float


def facts(ratings):
    """Return what a reader wants to know of ratings before any model, as text by name."""
    density = len(ratings) / (ratings.n_users * ratings.n_items)
    low, high = ratings.scale
    found = {"ratings": f"{len(ratings):,}", "users": f"{ratings.n_users:,}",
             "items": f"{ratings.n_items:,}", "density": f"{100 * density:.2f} %",
             "mean": f"{float(ratings.values.mean(dtype='f8')):.4f} stars",
             "scale": f"{low:g} to {high:g} stars"}
    if ratings.days is not None:
        found["days"] = f"{int(ratings.days.max()) + 1:,} from {ratings.info.first_day}"
    return found


def _argument(dataset):
    """A path in full, so that it means the same to every kernel; a name as it is."""
    path = Path(dataset).expanduser()
    return str(path.absolute()) if path.exists() and dataset not in PUBLISHED else dataset


def _render(notebook, target):
    with needs("notebooks"):
        from nbconvert import HTMLExporter

    html, _ = HTMLExporter(embed_images=True, require_js_url="").from_filename(str(notebook))
    write_text(target, html)


def _run_and_render(notebook, parameters, out):
    """Run one notebook and make the page of what it left, whole or not."""
    try:
        run_notebook(notebook, parameters, out)
    except NotebookFailed:
        _render(out.with_suffix(".failed") / notebook.name, out.with_suffix(".html"))
        raise
    _render(out, out.with_suffix(".html"))


def _last_duration(out):
    """Seconds that a notebook took the last time; without one it may be the longest."""
    try:
        metadata = json.loads(out.read_text(encoding="utf-8"))["metadata"]
        return float(metadata["papermill"]["duration"])
    except (OSError, ValueError, KeyError, TypeError):
        return math.inf


def _tasks(notebooks, arguments, folder):
    """One task a notebook and data set, longest first."""
    tasks = {}
    for name, argument in reversed(arguments.items()):
        for notebook in notebooks:
            out = folder / "notebooks" / name / notebook.name
            tasks[f"{notebook.stem} on {name}"] = (_run_and_render, notebook,
                                                   {"DATASET": argument}, out)
    return dict(sorted(tasks.items(), key=lambda task: -_last_duration(task[1][-1])))


def _failures(outcomes):
    return {name: str(error) for name, error in outcomes.items()
            if isinstance(error, NotebookFailed)}


def run_ladder(dataset="ml-latest-small", second=None, *, jobs=2, home=HOME):
    """Run every numbered notebook on one or two data sets and write the page of the ladder.

    Parameters
    ----------
    dataset : str
        Name of a data set or path of a user's file.
    second : str or None
        Another data set, shown beside the first.
    jobs : int
        Notebooks at the same time.
    home : Path
        Folder with notebooks/, reports/ and README.md.

    Returns
    -------
    Ladder

    Raises
    ------
    ValueError, OSError
        If a data set cannot be read or a notebook takes no DATASET; nothing has run then.
    """
    given = [each for each in (dataset, second) if each]
    worlds = {each: load(each) for each in given}
    arguments = {ratings.info.name: _argument(each) for each, ratings in worlds.items()}
    if len(arguments) < len(given):
        raise ValueError(f"{dataset} and {second} are both called {worlds[dataset].info.name}; "
                         "rename one of the files")
    name, *others = arguments
    notebooks = sorted((home / "notebooks").glob("[0-8]*.ipynb"))
    for notebook in notebooks:
        check(notebook, {"DATASET": name})
    folder = home / "reports" / "ladder" / name
    start = time.perf_counter()
    failures = _failures(run_many(_tasks(notebooks, arguments, folder), jobs=jobs, title="ladder"))

    other = others[0] if others else None
    report = (_run_and_render, home / "notebooks" / "90_ladder.ipynb",
              {"DATASET": arguments[name], "SECOND": arguments[other] if other else "none"},
              folder / "notebooks" / "90_ladder.ipynb")
    failures |= _failures(run_many({"90_ladder": report}, title="report"))
    result = Ladder(name, other, facts(worlds[dataset]),
                    ladder_rows(*worlds.values(), root=runs_root()), failures, folder,
                    time.perf_counter() - start)
    write_page(result, home)
    return result
