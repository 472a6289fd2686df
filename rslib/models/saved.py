"""What a fitted model is on disk: plain arrays and JSON in one .npz, never pickle."""

import json
from dataclasses import asdict
from typing import NamedTuple

import numpy as np

from rslib.files import new_file
from rslib.ratings import Numbering


class Saved(NamedTuple):
    """What a file holds of a model."""

    parameters: dict            # the fields
    arrays: dict                # what was learned, by name
    n_users_: int
    n_items_: int
    numbering_: Numbering | None


def write(path, model, arrays):
    """Write the fields of a fitted model, its numbering, and ``arrays`` by name, by one rename."""
    header = {"model": type(model).__name__, "parameters": asdict(model),
              "n_users": model.n_users_, "n_items": model.n_items_}
    if model.numbering_ is not None:
        header["first_day"] = model.numbering_.first_day
        arrays = arrays | {f"numbering.{name}": array
                           for name, array in model.numbering_.arrays().items()}
    with new_file(path) as file:
        np.savez(file, header=np.array(json.dumps(header)), **arrays)


def read(path, name):
    """Return what `write` wrote of a model of this class.

    Raises
    ------
    ValueError
        If the file holds a model of another class.
    """
    with np.load(path, allow_pickle=False) as file:
        header = json.loads(str(file["header"]))
        if header["model"] != name:
            raise ValueError(f"{path} holds a {header['model']}, not a {name}")
        arrays = {key: file[key] for key in file if key != "header"}
    names = {key: key.removeprefix("numbering.") for key in arrays if key.startswith("numbering.")}
    known = {names[key]: arrays.pop(key) for key in names}
    numbering = Numbering.from_arrays(known, header["first_day"]) if "first_day" in header else None
    return Saved(header["parameters"], arrays, header["n_users"], header["n_items"], numbering)
