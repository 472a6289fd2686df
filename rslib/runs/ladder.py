"""The main job: every numbered notebook on the data, then the table, the picture and the page."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rslib import HOME
from rslib.runs.execute import NotebookFailed, run_notebook
from rslib.runs.page import write_page
from rslib.runs.parameters import check, defaults, with_options
from rslib.runs.pool import run_many
from rslib.runs.progress import last_duration, title_of
from rslib.runs.records import RECORDED, runs_root
from rslib.runs.rungs import RUNGS
from rslib.runs.shelf import others, read
from rslib.runs.table import ladder_rows
from rslib.runs.tune import choose, forget, remember, remembered
from rslib.sources import PUBLISHED, load
from rslib.splits import netflix

__all__ = ["Ladder", "facts", "run_ladder"]

_BUNDLED, _N_BUNDLED = "ml-latest-small", 100_836
_START = 10.0       # seconds that a notebook takes on hardly any ratings: kernel and compilation


@dataclass(frozen=True)
class Ladder:
    """What a run of the ladder found.

    ``rows`` come from `ladder_rows`, ``facts`` describe the data set, ``failures`` maps the name
    of each task that failed to the reason, ``folder`` holds the page, ``seconds`` is the time from
    the first notebook to the last, ``measure`` is what a rating counts (`Ratings.measure`), and
    ``second_measure`` that of the second data set; ``choices`` are the settings that were looked
    for on probe, none of them where the defaults were taken.
    """

    dataset: str
    second: str | None
    facts: dict
    rows: list
    failures: dict
    folder: Path
    seconds: float
    measure: str = "stars"
    choices: tuple = ()
    second_measure: str | None = None


def facts(ratings):
    """Return what a reader wants to know of ratings before any model, as text by name."""
    density = len(ratings) / (ratings.n_users * ratings.n_items)
    low, high = ratings.scale
    found = {"ratings": f"{len(ratings):,}", "users": f"{ratings.n_users:,}",
             "items": f"{ratings.n_items:,}", "density": f"{100 * density:.2f} %",
             "mean": f"{float(ratings.values.mean(dtype='f8')):.4f} {ratings.measure}",
             "scale": f"{low:g} to {high:g} {ratings.measure}"}
    if ratings.days is not None:
        found["days"] = f"{int(ratings.days.max()) + 1:,} from {ratings.info.first_day}"
    return found


def _argument(dataset):
    """A path in full, so that it means the same to every kernel; a name as it is."""
    path = Path(dataset).expanduser()
    return str(path.absolute()) if path.exists() and dataset not in PUBLISHED else dataset


def _fit_seconds():
    """Seconds of the recorded fits of each notebook on the bundled ratings, by its number."""
    seconds = {}
    for record in read(_BUNDLED, RECORDED):
        number = RUNGS[record.rung].notebook
        seconds[number] = seconds.get(number, 0.0) + record.fit_seconds
    return seconds


def _expected(notebooks, sizes, folder):
    """Seconds that each notebook takes on each data set, by name of the data set and notebook.

    As the last time; else as on the bundled ratings, growing with the number of ratings; else by
    the recorded fits there, which weigh the notebooks against each other.
    """
    fits, expected = _fit_seconds(), {}
    for name, n_ratings in sizes.items():
        for notebook in notebooks:
            here = last_duration(folder / "notebooks" / name / notebook.name)
            there = last_duration(folder.with_name(_BUNDLED) / "notebooks" / _BUNDLED
                                  / notebook.name)
            beyond = fits.get(notebook.name[:2], 0.0) if there is None else max(there - _START, 0)
            expected[name, notebook] = here or _START + beyond * n_ratings / _N_BUNDLED
    return expected


def _tasks(expected, arguments, folder, chosen):
    """One task a notebook and data set, with seconds and titles: set by set, longest first."""
    tasks, seconds, titles = {}, {}, {}
    order = list(arguments)
    for name, notebook in sorted(expected, key=lambda each: (order.index(each[0]),
                                                             -expected[each])):
        task = f"{notebook.stem} on {name}"
        out = folder / "notebooks" / name / notebook.name
        known = defaults(notebook)
        settings = {parameter: value for parameter, value in
                    chosen.get(name, {}).get(notebook.name[:2], {}).items() if parameter in known}
        tasks[task] = (run_notebook, notebook, arguments[name] | settings, out)
        seconds[task] = expected[name, notebook]
        titles[task] = f"{title_of(notebook)} on {name}"
    return tasks, seconds, titles


def _failures(outcomes):
    return {name: str(error) for name, error in outcomes.items()
            if isinstance(error, NotebookFailed)}


def _strays(ratings, rows, notebooks, since):
    """Notebooks that recorded a rung since, but with settings that are not the rung's."""
    shown = {row["rung"] for row in rows}
    stems = {notebook.name[:2]: notebook.stem for notebook in notebooks}
    return {f"{stems[each.about.notebook]} on {ratings.info.name}":
            f"{each.label}: recorded with other settings than the rung's, so it is not shown"
            for each in others(ratings) if each.created >= since
            and each.rung not in shown and each.about.notebook in stems}


def _parameters(notebooks, dataset, options):
    """Parameters of every notebook for one data set, checked before any is run."""
    parameters = {"DATASET": _argument(dataset)}
    for notebook in notebooks:
        check(notebook, with_options(notebook, parameters, options))
    return parameters | ({"OPTIONS": options} if options else {})


def _settings(ratings, tune):
    """Choose settings on the probe set, unless they were already; or go back to the defaults."""
    split = netflix(ratings)
    if not tune:
        forget(split)
        return {}, ()
    known = remembered(split)
    parameters, choices = choose(split) if known is None else known
    if known is None:
        remember(split, parameters, choices)
    return parameters, tuple(choices)


def run_ladder(dataset="ml-latest-small", second=None, *, options=None, tune=False, jobs=2,
               out=None, home=HOME):
    """Run every numbered notebook on one or two data sets and write the page of the ladder.

    Parameters
    ----------
    dataset : str
        Name of a data set or path of a user's file.
    second : str or None
        Another data set, run after the first and shown beside it.
    options : dict or None
        How the first is read, as `rslib.sources.load` takes it and JSON can hold it.
    tune : bool
        Choose a few settings of the first on its own probe set before the notebooks run, see
        `rslib.runs.tune`; what was chosen there before is taken up.
    jobs : int
        Notebooks at the same time.
    out : path or None
        Folder of the pages; None is reports/ladder, and puts the tables in README.md too, where
        it has a place for them.
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
    how = {dataset: options or {}} | ({second: {}} if second and second != dataset else {})
    worlds = {each: load(each, **how[each]) for each in how}
    names = {each: ratings.info.name for each, ratings in worlds.items()}
    if len({*names.values()}) < len(names):
        raise ValueError(f"{dataset} and {second} are both called {names[dataset]}: name another "
                         "or rename the file")
    notebooks = sorted((home / "notebooks").glob("[0-8]*.ipynb"))
    arguments = {names[each]: _parameters(notebooks, each, how[each]) for each in how}
    name, *second_name = arguments
    folder = (home / "reports" / "ladder" if out is None else Path(out).absolute()) / name
    start, since = time.perf_counter(), datetime.now(UTC).isoformat(timespec="microseconds")
    chosen, choices = _settings(worlds[dataset], tune)
    sizes = {names[each]: len(ratings) for each, ratings in worlds.items()}
    tasks, seconds, titles = _tasks(_expected(notebooks, sizes, folder), arguments, folder,
                                    {name: chosen})
    failures = _failures(run_many(tasks, jobs=jobs, title="ladder", expected=seconds,
                                  titles=titles))

    other = second_name[0] if second_name else None
    report = (run_notebook, home / "notebooks" / "90_ladder.ipynb",
              arguments[name] | {"SECOND": arguments[other]["DATASET"] if other else "none"},
              folder / "notebooks" / "90_ladder.ipynb")
    failures |= _failures(run_many({"90_ladder": report}, title="report"))
    rows = ladder_rows(*worlds.values(), root=runs_root())
    failures = _strays(worlds[dataset], rows, notebooks, since) | failures
    result = Ladder(name, other, facts(worlds[dataset]), rows, failures, folder,
                    time.perf_counter() - start, worlds[dataset].measure, choices,
                    worlds[second].measure if other else None)
    write_page(result, home, readme=out is None)
    return result
