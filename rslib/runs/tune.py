"""Choose a few settings on the probe set of the data at hand, by a small fixed budget.

Before that, the first steps of fits that would run away on such ratings are shortened.
"""

import json
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from rslib.backend import asnumpy
from rslib.files import write_text
from rslib.metrics import clipped_rmse
from rslib.runs.protocol import predict_probe
from rslib.runs.records import place_of, runs_root
from rslib.runs.rungs import RUNGS
from rslib.runs.settings import CHOSEN, OWN, digest, model_of, own_params
from rslib.runs.steady import steady
from rslib.splits import Split

__all__ = ["MOST_RATINGS", "TUNED", "Choice", "choose", "forget", "own_model", "remember",
           "remembered"]

TUNED = {
    "baseline-ridge": ("REG_ITEM", "REG_USER"),
    "item-neighbours": ("SHRINKAGE",),
    "item-weights": ("REG",),
    "factors-sgd": ("REG_PER_RATING",),
    "mf-sgd": ("REG",),
    "asymmetric-svd": ("SUMS_REG",),
    "svdpp": ("REG",),
    "temporal-baseline": ("REG_DRIFT",),
    "time-svdpp": ("REG",),
}
"""Rungs whose penalties are looked for, and the parameters of their notebooks that set them."""

MOST_RATINGS = 500_000
"""Of more ratings, as many users are drawn at random as have about these."""

_SHARED = {"REG_USER": ("02", "05", "12"), "REG_ITEM": ("02", "05", "12")}     # as in notebook 01
_STEP, _MOST = 2.0, 2       # factor between two values, and how often it is taken
_SEARCH = 2                 # raise it when the search finds something else


class Choice(NamedTuple):
    """What was found for one parameter of one rung; RMSE of probe in the points of the ratings.

    A first step that was shortened was not scored with its default.
    """

    rung: str
    parameter: str
    default: float
    chosen: float
    default_rmse: float | None
    chosen_rmse: float
    fits: int


def _few_users(split, most, seed=0):
    """The same split of so many users, drawn at random, that about ``most`` ratings are left."""
    share = most / len(split.final)
    if share >= 1:
        return split
    kept = np.random.default_rng(seed).random(split.final.n_users) < share
    parts = {name: getattr(split, name)[kept[asnumpy(getattr(split, name).users)]]
             for name in ("train", "probe", "quiz", "test", "final")}
    return Split(**parts, rows={})


def _descend(score, start):
    """Walk from ``start`` by a factor to either side as long as the score falls."""
    found = {start: score(start)}
    for factor in (1 / _STEP, _STEP):
        for step in range(1, _MOST + 1):
            value = float(f"{start * factor ** step:.3g}")
            found[value] = score(value)
            if found[value] >= min(found[each] for each in found if each != value):
                break
        if min(found, key=found.get) != start:
            break
    return found


def _probe_rmse(rung, chosen, split):
    """RMSE of one rung on probe with notebook parameters; infinite where the fit diverges."""
    try:
        guess = predict_probe(model_of(rung, chosen), split, seen=OWN[rung].seen)
    except ArithmeticError:
        return np.inf
    return clipped_rmse(guess, asnumpy(split.probe.values), split.train.scale)


def _shortened(rungs, chosen, split):
    """Score the rungs whose first steps were shortened."""
    for rung in rungs:
        values = chosen.get(RUNGS[rung].notebook, {})
        found = {name: parameter for name, parameter in OWN[rung].reads.items()
                 if parameter in values}
        score = _probe_rmse(rung, chosen, split) if found else None
        for name, parameter in found.items():
            yield Choice(rung, parameter, own_params(rung)[name], values[parameter], None, score, 1)


def _search(rung, chosen, split, bar):
    """Look for the parameters of one rung, one after the other."""
    notebook = RUNGS[rung].notebook
    for parameter in TUNED[rung]:
        field = next(name for name, each in OWN[rung].reads.items() if each == parameter)
        start = own_params(rung, chosen)[field]

        def score(value, parameter=parameter):
            there = {**chosen, notebook: chosen.get(notebook, {}) | {parameter: value}}
            bar.set_postfix_str(f"{RUNGS[rung].label}, {parameter}={value:g}")
            bar.update()
            return _probe_rmse(rung, there, split)

        found = _descend(score, start)
        best = min(found, key=found.get)
        if best != start:
            for each in (notebook, *(_SHARED.get(parameter, ()) if notebook == "01" else ())):
                chosen.setdefault(each, {})[parameter] = best
        yield Choice(rung, parameter, start, best, found[start], found[best], len(found))


def choose(split):
    """Choose penalties of `TUNED` on probe, after fits on train; quiz and test are not looked at.

    Each parameter is halved, then doubled, at most twice either way, as long as probe gets better:
    three to five fits. A rung of time is left out where the ratings carry no days. Before that,
    first steps with which a fit runs away are halved until it holds, see `rslib.runs.steady`.

    Parameters
    ----------
    split : Split

    Returns
    -------
    parameters : dict
        Values that differ from the default, by notebook and parameter.
    choices : list of Choice
        Everything that was looked for.
    """
    few = _few_users(split, MOST_RATINGS)
    timeless = few.train.days is None
    rungs = [rung for rung in OWN if not (timeless and RUNGS[rung].part == "Time")]
    with tqdm(desc="choosing settings on probe", unit="fit", leave=False) as bar:
        def told(rung):
            bar.set_postfix_str(f"{RUNGS[rung].label}, first steps")
            bar.update()

        parameters = steady(rungs, few, told)
        choices = list(_shortened(rungs, parameters, few))
        for rung in (each for each in rungs if each in TUNED):
            choices += _search(rung, parameters, few, bar)
    return parameters, choices


def _search_digest():
    """What a search depends on beside the ratings: another one has to look again."""
    return digest([TUNED, MOST_RATINGS, _STEP, _MOST, _SEARCH,
                   {rung: own_params(rung) for rung in OWN}])


def _place(split):
    return place_of(runs_root(), split.final.info.name, split.content) / CHOSEN


def remember(split, parameters, choices):
    """Make what was chosen the rungs' own settings for these ratings."""
    path = _place(split)
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"search": _search_digest(), "parameters": parameters,
             "choices": [each._asdict() for each in choices]}
    write_text(path, json.dumps(facts, indent=1))


def remembered(split):
    """Return the parameters and choices that such a search left for these ratings, or None."""
    path = _place(split)
    if not path.is_file():
        return None
    facts = json.loads(path.read_text(encoding="utf-8"))
    if facts.get("search") != _search_digest():
        return None
    return facts["parameters"], [Choice(**each) for each in facts["choices"]]


def own_model(rung, split=None):
    """Return the model of a rung, not fitted, with the settings that it has on the ladder.

    Parameters
    ----------
    rung : str
        A key of `RUNGS`, but not "blend".
    split : Split or None
        Of the ratings whose probe set may have chosen some of the settings; None takes the
        defaults.
    """
    if rung not in OWN:
        raise ValueError(f"{rung!r} is no rung of one model; choose from {', '.join(OWN)}")
    known = None if split is None else remembered(split)
    return model_of(rung, known and known[0])


def forget(split):
    """Make the defaults the rungs' own settings again."""
    _place(split).unlink(missing_ok=True)
