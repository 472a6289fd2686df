"""With which settings each rung stands on the ladder, and which notebook parameter sets them."""

import hashlib
import json
from dataclasses import asdict, dataclass, field

from rslib import models
from rslib.runs.rungs import RUNGS

__all__ = ["BLEND", "BLEND_REG", "CHOSEN", "OWN", "Own", "chosen_for", "digest", "is_own",
           "model_of", "own_params"]

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
_SIMILAR = _REGS | _same("n_neighbours", "shrinkage")
_PER_RATING = {"reg_user": "REG_PER_RATING", "reg_item": "REG_PER_RATING"}
_SUMS = {"learning_rate": "SUMS_RATE", "n_factors": "SUMS_FACTORS", "reg": "SUMS_REG",
         "reg_bias": "SUMS_REG_BIAS", "n_epochs": "SUMS_EPOCHS", "init_std": "SUMS_INIT_STD"}
_TASTE = _same("n_factors", "reg", "reg_bias", "init_std")
_MACHINE = _SPEED | _same("visible", "n_hidden", "reg", "batch_size")

OWN = {
    "global-mean": Own("Mean", {"by": "global"}),
    "user-mean": Own("Mean", {"by": "user"}),
    "item-mean": Own("Mean", {"by": "item"}),
    "baseline-decoupled": Own("Baseline", {"solver": "decoupled", "reg_item": 12.0}, _DECOUPLED),
    "baseline-ridge": Own("Baseline", {}, _REGS | {"n_epochs": "N_ROUNDS"}),
    "baseline-sgd": Own("Baseline", {"solver": "sgd", "n_epochs": 60, "decay": 0.93},
                        _REGS | _SPEED | _same("decay")),
    "user-neighbours": Own("Neighbours", {"by": "user", "min_neighbours": 20},
                           _SIMILAR | {"min_neighbours": "MIN_USERS"}),
    "item-neighbours-plain": Own(
        "Neighbours", {"similarity": "adjusted-cosine", "deviations": False},
        _SIMILAR | {"min_neighbours": "MIN_ITEMS"}),
    "item-neighbours": Own("Neighbours", {}, _SIMILAR | {"min_neighbours": "MIN_ITEMS"}),
    "item-weights": Own("ItemWeights", {}, _same("n_neighbours", "reg")),
    "global-weights": Own("GlobalWeights", {}, _SPEED | _same("decay", reg="GLOBAL_REG")),
    "svd-imputed": Own("ImputedSVD", {}, _REGS | _same("n_factors", "shrinkage", "n_epochs")),
    "factors-gd": Own(
        "MatrixFactorisation", {"solver": "gd", "n_epochs": 100, "learning_rate": 0.01},
        _PER_RATING | _same("n_factors", n_epochs="GD_PASSES")),
    "factors-sgd": Own("MatrixFactorisation", {}, _PER_RATING | _same(
        "n_factors", "learning_rate", "decay", n_epochs="N_PASSES")),
    "factors-als": Own(
        "MatrixFactorisation", {"solver": "als", "n_factors": 16, "reg_user": 0.12,
                                "reg_item": 0.12, "n_epochs": 20, "start": "random"},
        _same("n_factors", "n_epochs", reg_user="REG", reg_item="REG")),
    "mf-als": Own("BiasedMF", {"solver": "als", "reg": 0.1, "n_epochs": 20}, {
        "n_factors": "ALS_FACTORS", "reg": "ALS_REG", "reg_bias": "ALS_REG_BIAS",
        "n_epochs": "ALS_EPOCHS"}),
    "mf-sgd": Own("BiasedMF", {}, _SPEED | _same("n_factors", "reg", "reg_bias")),
    "nsvd": Own("NSVD", {}, _SUMS),
    "asymmetric-svd": Own("AsymmetricSVD", {}, _SUMS),
    "svdpp": Own("SVDpp", {}, _SPEED | _TASTE),
    "integrated": Own("Integrated", {}, _TASTE | {
        "n_epochs": "INTEGRATED_EPOCHS", "learning_rate": "INTEGRATED_RATE",
        "learning_rate_weights": "STEP_WEIGHTS"}),
    "temporal-baseline": Own("TemporalBaseline", {}, _REGS | _same(
        "calendar_days", "item_bin_days", "beta", "frequency_base", "reg_calendar", "reg_bin",
        "reg_drift", "reg_day", "reg_scale", "reg_frequency", "n_epochs")),
    "time-svdpp": Own("TimeSVDpp", {}, _SPEED | _same(
        "n_factors", "reg", "init_std", "drift_weight", "day_weight", "calendar_days",
        "item_bin_days")),
    "temporal-weights": Own("TemporalWeights", {}, _SPEED | _same(
        "reg", "decay", forgetting_rate="RATE")),
    "temporal-asymmetric-svd": Own("TemporalAsymmetricSVD", {}, _same(
        "n_factors", "decay", reg="REG_FACTORS", forgetting_rate="RATE",
        n_epochs="FACTORS_EPOCHS", learning_rate="FACTORS_RATE")),
    "temporal-integrated": Own("TemporalIntegrated", {}, _SPEED | _same(
        "n_factors", learning_rate_weights="STEP_WEIGHTS")),
    "rbm": Own("RBM", {}, _MACHINE),
    "rbm-conditional": Own("RBM", {"conditional": True}, _MACHINE, seen=True),
}
"""Settings of each rung but the blend, by its key."""

FEWER = ("integrated", "temporal-integrated")
"""Rungs whose notebooks make fewer passes where the ratings of users are very many."""

BLEND = ("time-svdpp", "svdpp", "temporal-asymmetric-svd", "nsvd", "factors-sgd", "rbm-conditional",
         "item-neighbours", "user-neighbours", "item-weights", "temporal-baseline",
         "baseline-ridge", "user-mean")
"""Rungs whose models are the members of the blend; ratings without days have fewer.

Chosen once by what they add to a ridge blend, cross-fitted, on the probe sets of latest-small, 100K
and 1M together; rungs with a weight for every pair of items were left out as too large.
"""

BLEND_REG = 28.0
"""Penalty of its blender, which is the best of several on probe."""


def _plain(value):
    """A value as JSON writes it, whole numbers without a point: 4 and 4.0 are equal."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def digest(params):
    """Return eight letters that two sets of parameters share when they are equal."""
    text = json.dumps(_plain(params), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def model_of(rung, chosen=None):
    """Return the model of a rung, not fitted, with the settings that it has on the ladder.

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
    return getattr(models, own.model)(**changes)


def own_params(rung, chosen=None):
    """Return all hyper-parameters of `model_of`."""
    return asdict(model_of(rung, chosen))


def _member(rung, chosen):
    """What a record of the blend says of one member with its rung's own settings."""
    return json.loads(json.dumps({"model": OWN[rung].model} | own_params(rung, chosen)))


def _is_own_blend(record, chosen):
    members, reg = record.params["members"], record.params["blender"].get("reg", BLEND_REG)
    missing = set(BLEND) - members.keys()
    return (reg == BLEND_REG and members.keys() <= set(BLEND)
            and all(RUNGS[rung].part == "Time" for rung in missing)
            and all(each == _member(rung, chosen) for rung, each in members.items()))


def is_own(record, chosen=None):
    """Whether a record was made with its rung's own settings, or is of a model of the user's own.

    Parameters
    ----------
    record : Record
    chosen : dict or None
        As `model_of` takes it.
    """
    if record.rung == "blend":
        return _is_own_blend(record, chosen)
    if record.rung not in OWN:
        return record.own_label is not None
    own, params = OWN[record.rung], json.loads(json.dumps(own_params(record.rung, chosen)))
    if record.rung in FEWER:
        params["n_epochs"] = min(params["n_epochs"], record.params.get("n_epochs", 0))
    return (record.model, record.seen, record.params) == (own.model, own.seen, params)


def chosen_for(folders):
    """Return what was chosen for a data set, from the first of the folders that holds it."""
    for folder in folders:
        if (folder / CHOSEN).is_file():
            return json.loads((folder / CHOSEN).read_text(encoding="utf-8"))["parameters"]
    return None
