"""Columns of members on the disk, so that an interrupted run takes up where it was."""

import hashlib
import json
import zipfile
import zlib
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rslib.backend import asnumpy
from rslib.files import code_digest, new_folder

__all__ = ["Column", "keep", "kept", "key_of", "split_digest"]

_CODE = ("backend.py", "ratings.py", "splits", "kernels", "models", "blend/chain.py",
         "runs/protocol.py")


class Column(NamedTuple):
    """What one member predicted."""

    probe: np.ndarray           # (n_probe,) float64, stars, not clipped
    held_out: np.ndarray        # (n_quiz + n_test,)
    n_parameters: int
    fit_seconds: float


def split_digest(split):
    """Digest of all that members are fitted on and asked: values of quiz and test are not."""
    digest = hashlib.sha256()
    for part, names in (("train", ("users", "items", "days", "values")),
                        ("probe", ("users", "items", "days", "values")),
                        ("quiz", ("users", "items", "days")), ("test", ("users", "items", "days"))):
        ratings = getattr(split, part)
        digest.update(f"{part} {ratings!r}".encode())
        for name in names:
            column = getattr(ratings, name)
            digest.update(b"none" if column is None else asnumpy(column).tobytes())
    return digest.hexdigest()


def _described(model):
    """Class and hyper-parameters of a model, those of models inside it included."""
    if isinstance(model, tuple | list):
        return [_described(each) for each in model]
    if not is_dataclass(model):
        return model
    return {type(model).__qualname__: {each.name: _described(getattr(model, each.name))
                                       for each in fields(model)}}


def key_of(model, data, seen):
    """Return what says whether a kept column is the one: model, data, code, and what was seen."""
    return json.dumps({"model": _described(model), "data": data, "code": code_digest(_CODE),
                       "seen": bool(seen)}, sort_keys=True)


def _place(folder, key):
    model = next(iter(json.loads(key)["model"]))
    return Path(folder) / f"{model}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def keep(folder, key, column):
    """Write a column by one rename."""
    facts = {"key": key, "n_parameters": column.n_parameters, "fit_seconds": column.fit_seconds}
    with new_folder(_place(folder, key)) as written:
        np.savez(written / "column.npz", facts=np.array(json.dumps(facts)), probe=column.probe,
                 held_out=column.held_out)


def kept(folder, key, n_probe, n_held_out):
    """Return the column kept under ``key``, or None: not there, of other ratings, or damaged."""
    try:
        with np.load(_place(folder, key) / "column.npz", allow_pickle=False) as file:
            facts = json.loads(str(file["facts"]))
            probe, held_out = file["probe"], file["held_out"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    right = (facts.pop("key", None) == key and probe.shape == (n_probe,)
             and held_out.shape == (n_held_out,)
             and np.isfinite(probe).all() and np.isfinite(held_out).all())
    return Column(probe, held_out, **facts) if right else None
