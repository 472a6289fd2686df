"""The table of the ladder: one row a rung, each compared with the rung below."""

import numpy as np

from rslib.metrics import paired_bootstrap, standard_error
from rslib.runs.records import read

__all__ = ["columns", "ladder_rows"]


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


def _second(records):
    """Columns of the second data set, by rung."""
    steps = _steps(records)
    return {record.rung: {"second_held_out": record.held_out_rmse,
                          "second_step": steps[record.rung],
                          "second_resolved": _resolved(steps[record.rung]),
                          "second_best": record.best_possible_rmse} for record in records}


def _row(record, step):
    return {"rung": record.rung, "label": record.label, "published": record.published,
            "probe": record.probe_rmse, "quiz": record.quiz_rmse, "test": record.test_rmse,
            "held_out": record.held_out_rmse, "half_width": _half_width(record),
            "best": record.best_possible_rmse, "step": step, "resolved": _resolved(step),
            "n_parameters": record.n_parameters, "fit_seconds": record.fit_seconds}


def ladder_rows(dataset, second=None, *, root=None):
    """Return the table of the ladder as a list of dicts, lowest rung first.

    A step is the difference in RMSE, in stars, to the rung below on quiz and test pooled, with its
    95 per cent interval from resampled users; negative is better. ``resolved`` is "yes" when the
    interval lies below zero, "worse" above it, "no" when it holds zero.

    Parameters
    ----------
    dataset : str
        Name of the data set.
    second : str or None
        Another data set, whose figures are added as columns named ``second_...``.
    root : path or None
        See `rslib.runs.read`.

    Returns
    -------
    list of dict
    """
    records = read(dataset, root)
    steps = _steps(records)
    rows = [_row(record, steps[record.rung]) for record in records]
    others = _second(read(second, root)) if second else {}
    empty = dict.fromkeys(("second_held_out", "second_step", "second_resolved", "second_best"))
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
    shown = {"label": "Rung", "published": "Netflix", "quiz": "Quiz", "test": "Test",
             "held_out": "Both", "step": "Change [95 %]", "resolved": "Resolved",
             "n_parameters": "Parameters"}
    if seconds:
        shown["fit_seconds"] = "Fit (s)"
    if rows and "second_step" in rows[0]:
        shown |= {"second_held_out": second, "second_step": "Change [95 %]",
                  "second_resolved": "Resolved"}
    return shown
