"""Record one run of a model on the protocol.

Records lie in ``<root>/<name>-<content>/<rung>~<settings>/``: by what was dealt, not by what it is
called, and by the hyper-parameters they were made with. So two files of one name, or two runs of
one rung, never meet; whether a record is the rung is asked when it is read (`rslib.runs.shelf`).
"""

import json
import os
import platform
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import rslib
from rslib.backend import asnumpy
from rslib.files import new_folder
from rslib.metrics import clipped_rmse, rmse
from rslib.plots import Table
from rslib.runs.protocol import (
    HeldOut,
    held_out_of,
    predict_held_out,
    predict_probe,
    require_numbers,
)
from rslib.runs.rungs import RUNGS, Rung
from rslib.runs.settings import digest

__all__ = ["RECORDED", "HeldOut", "Record", "place_of", "record", "record_predictions",
           "runs_root"]

RECORDED = rslib.HOME / "reports" / "recorded"
"""Committed records, which stand in for rungs that were not run here yet."""


def runs_root():
    """Return the folder that records go to: ``RSLIB_RUNS``, else reports/runs."""
    return Path(os.environ.get("RSLIB_RUNS") or rslib.HOME / "reports" / "runs")


@dataclass(frozen=True, repr=False)
class Record:
    """What one run of one model left behind; prints only what every machine agrees on.

    RMSE are in points of the data, clipped to its scale. ``held_out_rmse`` pools quiz and test;
    ``best_possible_rmse``, on the same rows, exists for planted data only.
    """

    rung: str
    dataset: str
    model: str
    params: dict
    n_parameters: int
    n_ratings: int
    probe_rmse: float
    quiz_rmse: float
    test_rmse: float
    held_out_rmse: float
    best_possible_rmse: float | None
    fit_seconds: float
    created: str
    commit: str | None
    versions: dict
    folder: Path = field(compare=False)
    seen: bool = False          # whether the model was told which pairs are held out
    content: str = ""           # of the split, as `Split.content`
    own_label: str | None = None
    measure: str = "stars"      # what a rating of the data counts

    @property
    def about(self):
        """The `Rung` that this is a record of; a model of the user's own makes one of its own."""
        return RUNGS.get(self.rung) or Rung(self.own_label, None, None, "")

    @property
    def label(self):
        return self.about.label

    @property
    def published(self):
        """RMSE published for the same rung on the data of the contest, in stars, or None."""
        return self.about.published

    @property
    def is_recorded_copy(self):
        """True for a committed record, False for one that was run here."""
        return RECORDED in self.folder.parents

    @property
    def held_out(self):
        """Predictions of quiz and test, read from the disk."""
        with np.load(self.folder / "predictions.npz") as arrays:
            return HeldOut(**arrays)

    def _scores(self):
        return {"probe": self.probe_rmse, "quiz": self.quiz_rmse, "test": self.test_rmse}

    def __repr__(self):
        scores = ", ".join(f"{part} {value:.4f}" for part, value in self._scores().items())
        return f"{self.label}: RMSE {scores}"

    def _repr_html_(self):
        return Table([{"RMSE": self.label, **self._scores()}])._repr_html_()


def _scores(held_out, split):
    _, values, predictions, is_test = held_out
    expected = split.final.info.extra.get("expected")
    if expected is not None:
        expected = expected[split.rows["held_out"]]
    return {"quiz_rmse": rmse(predictions[~is_test], values[~is_test]),
            "test_rmse": rmse(predictions[is_test], values[is_test]),
            "held_out_rmse": rmse(predictions, values),
            "best_possible_rmse": None if expected is None else rmse(expected, values)}


def _commit():
    if shutil.which("git") is None:
        return None
    answer = subprocess.run(["git", "-C", str(rslib.HOME), "rev-parse", "HEAD"],
                            capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else None


def _circumstances():
    return {"created": datetime.now(UTC).isoformat(timespec="microseconds"), "commit": _commit(),
            "versions": {"rslib": rslib.__version__, "python": platform.python_version(),
                         "numpy": np.__version__}}


def record(rung, model, split, *, final=None, seen=False, label=None):
    """Fit and score a model by the protocol and keep the result.

    A fresh copy is fitted on train and scored on probe; another is fitted on train and probe
    together, with the clock running (the first fit has paid for compilation), and scored once on
    quiz and test. The result goes to a folder of its own below ``RSLIB_RUNS`` or reports/runs,
    replacing an older one of the same split, rung and hyper-parameters. The ladder shows it where
    these are the rung's own; see `others` for the rest.

    Parameters
    ----------
    rung : str
        A key of `RUNGS`; or, for a model of your own, a name of small letters, digits and hyphens.
    model : dataclass
        A model; its hyper-parameters are used, what it has learned is not.
    split : Split
        Of ratings that carry their ``info``.
    final : dataclass or None
        Model for the second fit, where tuning on probe changed a hyper-parameter; None takes
        ``model``.
    seen : bool
        Tell the model which pairs are held out, without their ratings, as the contest did by its
        qualifying set: those of probe for the first fit, of quiz and test for the second.
    label : str or None
        What tables and pictures call a model of your own.

    Returns
    -------
    Record

    Raises
    ------
    ValueError
        If ``rung`` is not on the ladder and has no label, or is and has one.
    """
    _require_rung(rung, label)
    final = model if final is None else final
    probe = predict_probe(model, split, seen=seen)
    held_out, n_parameters, seconds = predict_held_out(final, split, seen=seen)
    return record_predictions(rung, split, probe=probe, held_out=held_out,
                              model=type(final).__name__, params=asdict(final),
                              n_parameters=n_parameters, fit_seconds=seconds, seen=seen,
                              label=label)


def record_predictions(rung, split, *, probe, held_out, model, params, n_parameters, fit_seconds,
                       seen=False, label=None):
    """Score predictions that are there already, such as those of a blend, and keep the result.

    They are clipped to the scale of the data, scored and kept as `record` does.

    Parameters
    ----------
    rung, label : str
        As `record` takes them.
    split : Split
        Of ratings that carry their ``info``.
    probe : float array (n_probe,)
        Stars. Those of a blend are out-of-fold: probe is what it was fitted on.
    held_out : float array (n_quiz + n_test,)
        Stars; quiz, then test.
    model : str
        Name of what predicted.
    params : dict
        Its hyper-parameters, as JSON can hold them.
    n_parameters : int
    fit_seconds : float
    seen : bool
        Whether anything in it was told which pairs are held out.

    Returns
    -------
    Record

    Raises
    ------
    ValueError
        If there is not one finite number for each rating, or ``rung`` and ``label`` are not as
        `record` takes them.
    """
    _require_rung(rung, label)
    probe = require_numbers("probe", probe, len(split.probe))
    held_out = require_numbers("held_out", held_out, len(split.held_out))
    rows, dataset = held_out_of(split, held_out), split.final.info.name
    probe_rmse = clipped_rmse(probe, asnumpy(split.probe.values), split.train.scale)
    params = json.loads(json.dumps(params))
    place = place_of(runs_root(), dataset, split.content)
    result = Record(rung=rung, dataset=dataset, model=model, params=params, own_label=label,
                    n_parameters=int(n_parameters), n_ratings=len(split.final), seen=seen,
                    measure=split.final.measure, probe_rmse=probe_rmse, fit_seconds=fit_seconds,
                    content=split.content, folder=place / f"{rung}~{digest([model, params, seen])}",
                    **_scores(rows, split), **_circumstances())
    _write(result, rows)
    return result


def _require_rung(rung, label):
    if rung in RUNGS and label is not None:
        raise ValueError(f"{rung!r} is a rung of the ladder; give a model of your own a name of "
                         "its own, or leave out label=")
    if rung not in RUNGS and label is None:
        raise ValueError(f"{rung!r} is not a rung of the ladder; choose from {', '.join(RUNGS)}, "
                         "or pass label= for a model of your own")
    if rung not in RUNGS and not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rung):
        raise ValueError(f"{rung!r}: name a model of your own by small letters, digits and hyphens")


def place_of(root, name, content):
    """Return where the records of one split of one data set lie."""
    return Path(root) / f"{name}-{content[:8]}"


def _write(result, rows):
    facts = {name: value for name, value in vars(result).items() if name != "folder"}
    with new_folder(result.folder) as written:
        np.savez_compressed(written / "predictions.npz", **rows._asdict())
        (written / "record.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
