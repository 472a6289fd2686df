"""Record one run of a model on the protocol, and read the records back in ladder order."""

import json
import os
import platform
import shutil
import subprocess
import time
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

import rslib
from rslib.backend import array_module, asnumpy, synchronize
from rslib.metrics import clip, rmse
from rslib.plots import Table
from rslib.ratings import Pairs
from rslib.runs.files import new_folder
from rslib.runs.rungs import RUNGS

__all__ = ["RECORDED", "HeldOut", "Record", "keep", "load_record", "read", "record", "runs_root"]

RECORDED = rslib.HOME / "reports" / "recorded"
"""Committed records, which stand in for rungs that were not run here yet."""


def runs_root():
    """Return the folder that records go to: ``RSLIB_RUNS``, else reports/runs."""
    return Path(os.environ.get("RSLIB_RUNS") or rslib.HOME / "reports" / "runs")


class HeldOut(NamedTuple):
    """Quiz rows, then test rows: user, rating and clipped prediction in stars, and which part."""

    users: np.ndarray           # (n,) uint32
    values: np.ndarray          # (n,) float32
    predictions: np.ndarray     # (n,) float32
    is_test: np.ndarray         # (n,) bool


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


def _pairs_of(*parts):
    """Pairs of several parts of one split, one after another."""
    first, xp = parts[0], array_module(parts[0].users)
    columns = [None if getattr(first, name) is None
               else xp.concatenate([getattr(part, name) for part in parts])
               for name in ("users", "items", "days")]
    return Pairs(*columns, n_users=first.n_users, n_items=first.n_items)


def _fit_and_probe(model, split, seen):
    """Probe RMSE of a copy that saw the training part only, and if asked which pairs are held."""
    pairs = _pairs_of(split.probe) if seen else None
    fitted = replace(model).fit(split.train, seen=pairs)
    predictions = asnumpy(clip(fitted.predict(split.probe.pairs), split.train.scale))
    return rmse(predictions, asnumpy(split.probe.values))


def _timed_fit(model, ratings, seen):
    """Fitted copy and the seconds it took, the work queued on a device included."""
    synchronize(ratings.values)
    start = time.perf_counter()
    fitted = replace(model).fit(ratings, seen=seen)
    synchronize(ratings.values)
    return fitted, time.perf_counter() - start


def _predict(fitted, split):
    parts = (split.quiz, split.test)
    predictions = np.concatenate([asnumpy(fitted.predict(part.pairs)) for part in parts])
    return HeldOut(
        np.concatenate([asnumpy(part.users) for part in parts]).astype(np.uint32),
        np.concatenate([asnumpy(part.values) for part in parts]),
        clip(predictions, split.final.scale).astype(np.float32),
        np.repeat([False, True], [len(part) for part in parts]))


def _scores(held_out, split):
    _, values, predictions, is_test = held_out
    expected = split.final.info.extra.get("expected")
    if expected is not None:
        expected = np.concatenate([expected[split.rows[part]] for part in ("quiz", "test")])
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
    if rung not in RUNGS:
        raise ValueError(f"{rung!r} is not a rung of the ladder; choose from {', '.join(RUNGS)}, "
                         "or add it in rslib/runs/rungs.py")
    final = model if final is None else final
    probe_rmse = _fit_and_probe(model, split, seen)
    qualifying = _pairs_of(split.quiz, split.test) if seen else None
    fitted, seconds = _timed_fit(final, split.final, qualifying)
    held_out = _predict(fitted, split)
    dataset = split.final.info.name
    folder = runs_root() / dataset / rung
    result = Record(rung=rung, dataset=dataset, model=type(final).__name__, params=asdict(final),
                    n_parameters=int(fitted.n_parameters), n_ratings=len(split.final),
                    seen=seen, probe_rmse=probe_rmse, fit_seconds=seconds, folder=folder,
                    **_scores(held_out, split), **_circumstances())
    with new_folder(folder) as written:
        np.savez_compressed(written / "predictions.npz", **held_out._asdict())
        facts = {name: value for name, value in vars(result).items() if name != "folder"}
        (written / "record.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return result


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
        shutil.copyfile(picture, RECORDED / dataset / "ladder.png")
