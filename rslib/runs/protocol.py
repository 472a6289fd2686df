"""The protocol of the contest: what a model may see, and what it is asked."""

import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from rslib.backend import asnumpy, synchronize
from rslib.metrics import clip

__all__ = ["Final", "HeldOut", "held_out_of", "predict_held_out", "predict_probe",
           "require_numbers"]


class HeldOut(NamedTuple):
    """Quiz rows, then test rows: user, rating and clipped prediction in stars, and which part."""

    users: np.ndarray           # (n,) uint32
    values: np.ndarray          # (n,) float32
    predictions: np.ndarray     # (n,) float32
    is_test: np.ndarray         # (n,) bool


class Final(NamedTuple):
    """What the fit that is scored once left behind."""

    predictions: np.ndarray     # (n_quiz + n_test,) stars, not clipped, on the host
    n_parameters: int
    fit_seconds: float


def predict_probe(model, split, *, seen=False):
    """Fit a copy of a model on train, and return what it predicts for probe.

    With ``seen`` it is told the pairs of probe, their ratings unknown.

    Returns
    -------
    array (n_probe,)
        Stars, not clipped, on the host.
    """
    fitted = replace(model).fit(split.train, seen=split.probe.pairs if seen else None)
    return asnumpy(fitted.predict(split.probe.pairs))


def predict_held_out(model, split, *, seen=False):
    """Fit a copy of a model on train and probe together, and predict quiz, then test.

    With ``seen`` it is told the pairs of quiz and test, their ratings unknown. The seconds hold
    the work queued on a device.

    Returns
    -------
    Final
    """
    asked = split.asked if seen else None
    synchronize(split.final.values)
    start = time.perf_counter()
    fitted = replace(model).fit(split.final, seen=asked)
    synchronize(split.final.values)
    seconds = time.perf_counter() - start
    parts = [part for part in (split.quiz, split.test) if len(part)]
    predictions = np.concatenate([asnumpy(fitted.predict(part.pairs)) for part in parts])
    return Final(predictions, int(fitted.n_parameters), seconds)


def held_out_of(split, predictions):
    """Put predictions of quiz and test, in that order, beside what they are compared with."""
    return HeldOut(asnumpy(split.held_out.users).astype(np.uint32), asnumpy(split.held_out.values),
                   clip(predictions, split.final.scale).astype(np.float32), split.is_test)


def require_numbers(name, predictions, n):
    """Return ``n`` predictions on the host, or raise ValueError saying what is wrong with them."""
    predictions = asnumpy(predictions)
    if predictions.shape != (n,):
        raise ValueError(f"{name}: predictions of shape {predictions.shape} for {n} ratings; "
                         "give one number for each")
    if not np.isfinite(predictions).all():
        row = int(np.argmin(np.isfinite(predictions)))
        raise ValueError(f"{name}: the prediction of row {row} is {predictions[row]}, not a rating")
    return predictions
