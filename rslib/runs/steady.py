"""Find first steps with which no fit of the ladder runs away, whatever the ratings are like."""

from dataclasses import replace

from rslib.runs.rungs import RUNGS
from rslib.runs.settings import OWN, model_of, own_params

__all__ = ["steady"]

_MOST = 8           # times a first step is halved; then its notebook may fail and say so
_MIXED = "15"       # a notebook whose steps many models share
_CONTEST = ("18", "STEP")       # a parameter that multiplies the steps of many models


def _rates(rung):
    """Notebook and parameter of each first step of a rung, by the field that it sets."""
    return {name: (RUNGS[rung].notebook, parameter) for name, parameter in OWN[rung].reads.items()
            if name in ("learning_rate", "learning_rate_weights")}


def _holds(model, seen, parts):
    """Whether fits to these ratings, the pairs beside them known, hold."""
    try:
        for train, asked in parts:
            model.fit(train, seen=asked if seen else None)
    except FloatingPointError:
        return False
    except ValueError:
        return True     # too many items for all their weights: the notebook leaves the rung out
    return True


def _halvings(rung, split, on_fit):
    """How often the first steps of a rung have to be halved until its fits hold.

    Once more than that, if at all: its notebook fits variants, which may run away a little sooner.
    """
    model, params = model_of(rung), own_params(rung)
    for times in range(_MOST):
        on_fit(rung)
        shorter = {name: params[name] / 2**times for name in _rates(rung)}
        if _holds(replace(model, **shorter), OWN[rung].seen,
                  ((split.final, None), (split.train, split.probe.pairs))):
            return times + (times > 0)
    return _MOST


def steady(rungs, split, on_fit=lambda rung: None):
    """Return the first steps that must be shorter than the default, by notebook and parameter.

    Each is halved as long as a fit to train, or to train and probe together, runs away, and then
    once more, since notebooks fit variants of the rungs. The models that notebooks 15 and 18
    compare follow the shortest.

    Parameters
    ----------
    rungs : iterable of str
        Keys of `OWN`; those without steps are passed over.
    split : Split
    on_fit : callable (rung)
        Called before every fit.

    Returns
    -------
    dict of str to dict of str to float
    """
    times, defaults = {}, {_CONTEST: 1.0}
    for rung in (each for each in rungs if _rates(each)):
        found = _halvings(rung, split, on_fit)
        for name, rate in _rates(rung).items():
            times[rate] = max(found, times.get(rate, 0))
            defaults[rate] = own_params(rung)[name]
    most, shorter = max(times.values(), default=0), {}
    for (notebook, parameter), default in defaults.items():
        n = times.get((notebook, parameter), most) if notebook != _MIXED else most
        if n:
            shorter.setdefault(notebook, {})[parameter] = default / 2**n
    return shorter
