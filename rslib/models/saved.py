"""What a fitted model is on disk: plain arrays and JSON in one .npz, never pickle."""

import json
import zlib
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import NamedTuple
from zipfile import BadZipFile

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


@contextmanager
def _opened(path):
    """Yield the header and the file of a saved model; what goes wrong says that it is none."""
    try:
        with np.load(path, allow_pickle=False) as file:
            yield json.loads(str(file["header"])), file
    except FileNotFoundError:
        raise
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, BadZipFile,
            zlib.error):
        raise ValueError(f"{path}: not a saved model, or a damaged one; "
                         "write it by model.save(path)") from None


def kind_of(path):
    """Return the name of the class of the model that a file holds; see `read` for what it raises.
    """
    with _opened(path) as (header, _):
        return header.get("model")


def _number_or_array(array):
    return array if array.ndim else array.item()


def read(path, name):
    """Return what `write` wrote of a model of this class.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, holds something else, or a model of another class.
    """
    with _opened(path) as (header, file):
        arrays = {key: _number_or_array(file[key]) for key in file if key != "header"}
    if not {"model", "parameters", "n_users", "n_items"} <= header.keys():
        raise ValueError(f"{path}: not a saved model: its header holds {', '.join(header)}")
    if header["model"] != name:
        raise ValueError(f"{path} holds a {header['model']}, not a {name}")
    names = {key: key.removeprefix("numbering.") for key in arrays if key.startswith("numbering.")}
    known = {names[key]: arrays.pop(key) for key in names}
    numbering = Numbering.from_arrays(known, header["first_day"]) if "first_day" in header else None
    return Saved(header["parameters"], arrays, header["n_users"], header["n_items"], numbering)


def restored(kind, path, parameters, arrays, world):
    """Return a fitted model of this class.

    Parameters
    ----------
    kind : type
    path : path
        What messages call the file.
    parameters, arrays : dict
        Its fields, and what it learned.
    world : Saved
        Size and numbering.

    Raises
    ------
    ValueError
        If the class has no such fields or the file lacks arrays: another version wrote it.
    """
    unknown = parameters.keys() - {field.name for field in fields(kind)}
    if unknown:
        raise ValueError(f"{path}: {kind.__name__} has no field {', '.join(sorted(unknown))}: "
                         "another version wrote the file; fit and save the model anew")
    model = kind(**parameters)
    missing = [name for name in model._learned if name not in arrays]
    if missing:
        raise ValueError(f"{path}: without {', '.join(missing)}; fit and save the model anew")
    model._same_world(world)
    model.learn(arrays)
    return model
