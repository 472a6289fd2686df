"""The table of the ladder: one row a rung, each compared with the rung below."""

import numpy as np

from rslib.metrics import paired_bootstrap, standard_error
from rslib.runs.rungs import GOAL, LECTURE, REFERENCES, RUNGS, SLIDES, STAND_IN
from rslib.runs.settings import OWN, is_own
from rslib.runs.shelf import read

__all__ = ["columns", "improvement", "ladder_rows", "lecture_columns", "lecture_rows", "marks"]

_CINEMATCH = REFERENCES["Cinematch"]


def improvement(rmse, zero):
    r"""Return by how many per cent an error is below another, None where that can't be told.

    .. math:: 100 \, (1 - \mathrm{RMSE} / \mathrm{RMSE}_0)

    Parameters
    ----------
    rmse, zero : float or None
        Stars; ``zero`` is the error of the system to beat. Where either is unknown, or there is no
        error left to beat, the improvement is None.
    """
    return None if rmse is None or not zero else 100 * (1 - rmse / zero)


def marks(rows):
    """Return the RMSE, in stars, that is 0 and `GOAL` per cent below the stand-in for Cinematch.

    Parameters
    ----------
    rows : list of dict
        From `ladder_rows`.

    Returns
    -------
    dict of float to float
        By improvement in per cent; empty where the stand-in has not been run.
    """
    zero = next((row["held_out"] for row in rows if row["rung"] == STAND_IN), None)
    return {} if not zero else {each: (1 - each / 100) * zero for each in (0.0, GOAL)}


def _same_rows(a, b):
    return np.array_equal(a.users, b.users) and np.array_equal(a.values, b.values)


def _steps(records):
    """Interval of each rung against the rung below; None at the foot, or where rows differ."""
    held_out = [record.held_out for record in records]
    steps = {record.rung: None for record in records}
    for record, ours, below in zip(records[1:], held_out[1:], held_out, strict=False):
        if _same_rows(ours, below):
            steps[record.rung] = paired_bootstrap(ours.predictions, below.predictions,
                                                  ours.values, ours.users)
    return steps


def _resolved(step):
    if step is None:
        return None
    return "no" if not step.resolved else "yes" if step.difference < 0 else "worse"


def _half_width(record):
    """Half of the 95 per cent interval of the held-out RMSE, in stars."""
    held_out = record.held_out
    return 1.96 * standard_error(held_out.predictions, held_out.values, held_out.users)


def _zero(records):
    """RMSE of the stand-in for Cinematch, or None."""
    return next((each.held_out_rmse for each in records if each.rung == STAND_IN), None)


def _second(records):
    """Columns of the second data set, by rung."""
    steps, zero = _steps(records), _zero(records)
    return {record.rung: {"second_held_out": record.held_out_rmse,
                          "second_improvement": improvement(record.held_out_rmse, zero),
                          "second_step": steps[record.rung],
                          "second_resolved": _resolved(steps[record.rung]),
                          "second_best": record.best_possible_rmse} for record in records}


def _settings(record):
    """Whether a rung has its default settings or some that were chosen; None of other models."""
    return None if record.rung not in OWN else "default" if is_own(record) else "chosen"


def _row(record, step, zero):
    return {"rung": record.rung, "label": record.label, "part": record.about.part,
            "in_lecture": record.rung in SLIDES and record.published == SLIDES[record.rung],
            "published": record.published,
            "published_improvement": improvement(record.published, _CINEMATCH),
            "probe": record.probe_rmse, "quiz": record.quiz_rmse, "test": record.test_rmse,
            "held_out": record.held_out_rmse, "half_width": _half_width(record),
            "improvement": improvement(record.held_out_rmse, zero),
            "best": record.best_possible_rmse, "step": step, "resolved": _resolved(step),
            "settings": _settings(record),
            "n_parameters": record.n_parameters, "fit_seconds": record.fit_seconds}


def ladder_rows(dataset, second=None, *, root=None):
    """Return the table of the ladder as a list of dicts, lowest rung first.

    A step is the difference in RMSE, in stars, to the rung below on quiz and test pooled, with its
    95 per cent interval from resampled users; negative is better. ``resolved`` is "yes" when the
    interval lies below zero, "worse" above it, "no" when it holds zero. ``improvement`` is in per
    cent below the rung that stands for Cinematch, ``published_improvement`` below Cinematch itself;
    None where either error is unknown. ``in_lecture`` tells whether the published error is the
    lecture's, ``settings`` whether the record was made with the default settings of its rung or
    with some that were chosen on probe.

    Parameters
    ----------
    dataset : Ratings or str
        As `rslib.runs.read` takes it.
    second : Ratings, str or None
        Another data set, whose figures are added as columns named ``second_...``.
    root : path or None
        See `rslib.runs.read`.

    Returns
    -------
    list of dict
    """
    records = read(dataset, root)
    steps, zero = _steps(records), _zero(records)
    rows = [_row(record, steps[record.rung], zero) for record in records]
    others = _second(read(second, root)) if second else {}
    empty = dict.fromkeys(("second_held_out", "second_improvement", "second_step",
                           "second_resolved", "second_best"))
    return [row | others.get(row["rung"], empty) if others else row for row in rows]


def columns(rows, second=None, *, seconds=True):
    """Return the columns shown of ``rows``, each with its heading.

    Parameters
    ----------
    rows : list of dict
        From `ladder_rows`.
    second : str or None
        Name of the second data set.
    seconds : bool
        Whether to show how long each fit took; False where a rerun must give the same text.
    """
    shown = {"label": "Rung", "published": "Netflix", "published_improvement": "%", "quiz": "Quiz",
             "test": "Test", "held_out": "Both", "improvement": "%", "step": "Change [95 %]",
             "n_parameters": "Parameters"}
    if seconds:
        shown["fit_seconds"] = "Fit (s)"
    if any(row.get("settings") == "chosen" for row in rows):
        shown["settings"] = "Settings"
    if rows and "second_step" in rows[0]:
        shown |= {"second_held_out": second, "second_improvement": "%",
                  "second_step": "Change [95 %]"}
    return _known(rows, shown)


def _known(rows, shown):
    """Leave out the per cents of a data set whose stand-in has not been run."""
    return {key: heading for key, heading in shown.items() if key not in
            ("improvement", "second_improvement") or any(row[key] is not None for row in rows)}


def lecture_rows(rows):
    """Return the ladder of the lecture, its published figures beside ours, in its order.

    Parameters
    ----------
    rows : list of dict
        From `ladder_rows`. What was not run is None, and so is everything of a second data set
        that ``rows`` do not have.

    Returns
    -------
    list of dict
        One row for each of `LECTURE`. The published error is that of the slide, `rungs.SLIDES`.
    """
    ours = {row["rung"]: row for row in rows}
    columns = ("held_out", "improvement", "second_held_out", "second_improvement")
    found = []
    for key, words in LECTURE.items():
        published = SLIDES[key]
        found.append({"slide": words, "published": published,
                      "published_improvement": improvement(published, _CINEMATCH),
                      "rung": key, "label": RUNGS[key].label,
                      **{column: ours.get(key, {}).get(column) for column in columns}})
    return found


def lecture_columns(rows, dataset, second=None):
    """Return the columns shown of ``rows`` from `lecture_rows`, each with its heading."""
    shown = {"slide": "Rung of the lecture", "published": "Netflix",
             "published_improvement": "Improvement, %", "label": "Ours", "held_out": dataset,
             "improvement": "Improvement, %"}
    if second:
        shown |= {"second_held_out": second, "second_improvement": "Improvement, %"}
    return _known(rows, shown)
