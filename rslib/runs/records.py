"""Record one run of a model on the protocol, and read the records back in ladder order."""

import json
import os
import platform
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import rslib
from rslib.backend import asnumpy
from rslib.files import new_file, new_folder
from rslib.metrics import clipped_rmse, rmse
from rslib.plots import Table
from rslib.runs.protocol import (
    HeldOut,
    held_out_of,
    predict_held_out,
    predict_probe,
    require_numbers,
)
from rslib.runs.rungs import RUNGS

__all__ = ["RECORDED", "HeldOut", "Record", "keep", "load_record", "read", "record",
           "record_predictions", "runs_root"]

RECORDED = rslib.HOME / "reports" / "recorded"
"""Committed records, which stand in for rungs that were not run here yet."""


def runs_root():
    """Return the folder that records go to: ``RSLIB_RUNS``, else reports/runs."""
    return Path(os.environ.get("RSLIB_RUNS") or rslib.HOME / "reports" / "runs")


@dataclass(frozen=True, repr=False)
class Record:
    """What one run of one model left behind; prints only what every machine agrees on.

    RMSE are in stars, of predictions clipped to the scale of the data. ``held_out_rmse`` pools
    quiz and test; ``best_possible_rmse``, on the same rows, exists for planted data only.
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
    seen: bool = False      # whether the model was told which pairs are held out

    @property
    def label(self):
        return RUNGS[self.rung].label

    @property
    def published(self):
        """RMSE published for the same rung on the data of the contest, in stars, or None."""
        return RUNGS[self.rung].published

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
    return {"created": datetime.now(UTC).isoformat(timespec="seconds"), "commit": _commit(),
            "versions": {"rslib": rslib.__version__, "python": platform.python_version(),
                         "numpy": np.__version__}}


def record(rung, model, split, *, final=None, seen=False):
    """Fit and score a model by the protocol and keep the result.

    A fresh copy is fitted on train and scored on probe; another is fitted on train and probe
    together, with the clock running (the first fit has paid for compilation), and scored once on
    quiz and test. The result goes to ``<root>/<data set>/<rung>/``, replacing an older one, where
    root is ``RSLIB_RUNS`` or reports/runs.

    Parameters
    ----------
    rung : str
        A key of `RUNGS`.
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

    Returns
    -------
    Record

    Raises
    ------
    ValueError
        If ``rung`` is not on the ladder.
    """
    _require_rung(rung)
    final = model if final is None else final
    probe = predict_probe(model, split, seen=seen)
    held_out, n_parameters, seconds = predict_held_out(final, split, seen=seen)
    return record_predictions(rung, split, probe=probe, held_out=held_out,
                              model=type(final).__name__, params=asdict(final),
                              n_parameters=n_parameters, fit_seconds=seconds, seen=seen)


def record_predictions(rung, split, *, probe, held_out, model, params, n_parameters, fit_seconds,
                       seen=False):
    """Score predictions that are there already, such as those of a blend, and keep the result.

    They are clipped to the scale of the data, scored and kept as `record` does.

    Parameters
    ----------
    rung : str
        A key of `RUNGS`.
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
        If ``rung`` is not on the ladder, or there is not one finite number for each rating.
    """
    _require_rung(rung)
    probe = require_numbers("probe", probe, len(split.probe))
    held_out = require_numbers("held_out", held_out, len(split.held_out))
    rows, dataset = held_out_of(split, held_out), split.final.info.name
    probe_rmse = clipped_rmse(probe, asnumpy(split.probe.values), split.train.scale)
    result = Record(rung=rung, dataset=dataset, model=model, params=params,
                    n_parameters=int(n_parameters), n_ratings=len(split.final), seen=seen,
                    probe_rmse=probe_rmse, fit_seconds=fit_seconds,
                    folder=runs_root() / dataset / rung, **_scores(rows, split),
                    **_circumstances())
    _write(result, rows)
    return result


def _require_rung(rung):
    if rung not in RUNGS:
        raise ValueError(f"{rung!r} is not a rung of the ladder; choose from {', '.join(RUNGS)}, "
                         "or add it in rslib/runs/rungs.py")


def _write(result, rows):
    facts = {name: value for name, value in vars(result).items() if name != "folder"}
    with new_folder(result.folder) as written:
        np.savez_compressed(written / "predictions.npz", **rows._asdict())
        (written / "record.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")


def load_record(folder):
    """Read one record folder."""
    facts = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    return Record(**facts, folder=folder)


def read(dataset, root=None):
    """Read the records of one data set, in ladder order.

    Parameters
    ----------
    dataset : str
        Name of the data set, as in ``ratings.info.name``.
    root : path or None
        Folder of runs. None reads `runs_root`, and for a rung that was not run here the committed
        copy in reports/recorded (``record.is_recorded_copy`` says which).

    Returns
    -------
    list of Record
        Empty when nothing has been recorded.
    """
    roots = [runs_root(), RECORDED] if root is None else [Path(root)]
    found = {}
    for key in RUNGS:
        folders = [each / dataset / key for each in roots]
        found[key] = next((load_record(folder) for folder in folders
                           if (folder / "record.json").is_file()), None)
    return [each for each in found.values() if each is not None]


def keep(dataset, picture=None):
    """Copy the records of ``dataset`` that were run here to reports/recorded, for committing.

    Parameters
    ----------
    dataset : str
    picture : path or None
        The picture of the ladder, kept beside them.
    """
    for each in read(dataset, runs_root()):
        with new_folder(RECORDED / dataset / each.rung) as copy:
            shutil.copytree(each.folder, copy, dirs_exist_ok=True)
    if picture is not None:
        with new_file(RECORDED / dataset / "ladder.png") as copy:
            copy.write(Path(picture).read_bytes())
