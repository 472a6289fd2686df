"""With which settings each rung stands on the ladder, and which notebook parameter sets them."""

import hashlib
import json
from dataclasses import asdict, dataclass, field

from rslib import models
from rslib.runs.rungs import RUNGS

__all__ = ["BLEND", "CHOSEN", "OWN", "Own", "chosen_for", "digest", "is_own", "own_params"]

CHOSEN = "settings.json"
"""File beside the records of a data set: the notebook parameters chosen on its probe set."""


@dataclass(frozen=True)
class Own:
    """The settings of one rung.

    Parameters
    ----------
    model : str
        Name of its class in `rslib.models`.
    changes : dict
        Fields that differ from the defaults of the class.
    reads : dict
        Parameter of the notebook for each field that the notebook sets by one.
    seen : bool
        Whether the model is told which pairs are held out.
    """

    model: str
    changes: dict = field(default_factory=dict)
    reads: dict = field(default_factory=dict)
    seen: bool = False


def _same(*names, **others):
    """Fields whose notebook parameter is their name in capitals, and others."""
    return {name: name.upper() for name in names} | others


_REGS = _same("reg_user", "reg_item")
_DECOUPLED = {"reg_user": "REG_USER_DECOUPLED", "reg_item": "REG_ITEM_DECOUPLED"}
_SPEED = _same("n_epochs", "learning_rate")
_NEIGHBOURS = _REGS | _same("n_neighbours", "shrinkage")
_RBM = _SPEED | _same("n_hidden", "reg", "batch_size", "visible")

OWN = {
    "global-mean": Own("Mean", {"by": "global"}),
    "user-mean": Own("Mean", {"by": "user"}),
    "item-mean": Own("Mean", {"by": "item"}),
    "baseline-ridge": Own("Baseline", {}, _REGS),
}
"""Settings of each rung but the blend, by its key."""


BLEND = "00000000"
"""`digest` of blender and members of the blend, as notebook 17 makes them."""


def digest(params):
    """Return eight letters that two sets of parameters share when they are equal."""
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:8]


def own_params(rung, chosen=None):
    """Return all hyper-parameters with which a rung stands on the ladder.

    Parameters
    ----------
    rung : str
        A key of `OWN`.
    chosen : dict or None
        Values by notebook and parameter, where some were chosen on the probe set of these ratings.
    """
    own, values = OWN[rung], (chosen or {}).get(RUNGS[rung].notebook, {})
    changes = own.changes | {name: values[parameter] for name, parameter in own.reads.items()
                             if parameter in values}
    return asdict(getattr(models, own.model)(**changes))


def is_own(record, chosen=None):
    """Whether a record was made with its rung's own settings, or is of a model of the user's own.

    Parameters
    ----------
    record : Record
    chosen : dict or None
        As `own_params` takes it.
    """
    if record.rung == "blend":
        return digest(record.params) == BLEND
    if record.rung not in OWN:
        return record.own_label is not None
    own = OWN[record.rung]
    return (record.model, record.seen, record.params) == (
        own.model, own.seen, json.loads(json.dumps(own_params(record.rung, chosen))))


def chosen_for(folders):
    """Return what was chosen for a data set, from the first of the folders that holds it."""
    for folder in folders:
        if (folder / CHOSEN).is_file():
            return json.loads((folder / CHOSEN).read_text(encoding="utf-8"))["parameters"]
    return None
