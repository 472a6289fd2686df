"""Find first steps with which no fit of the ladder runs away, whatever the ratings are like."""

from rslib import models
from rslib.runs.rungs import RUNGS
from rslib.runs.settings import BLEND_STEP, OWN, own_params

__all__ = ["steady"]

_PASSES = 5         # in which a fit that runs away mostly does so: later steps are shorter
_MOST = 8           # times a first step is halved; then its notebook may fail and say so
_MIXED = "15"       # a notebook whose steps many models share


def _rates(rung):
    """Notebook and parameter of each first step of a rung, by the field that it sets."""
    return {name: (RUNGS[rung].notebook, parameter) for name, parameter in OWN[rung].reads.items()
            if name in ("learning_rate", "learning_rate_weights")}


def _holds(model, seen, parts, passes):
    """Whether fits to these ratings, the pairs beside them known, hold for so many passes."""
    try:
        for train, asked in parts:
            model.fit(train, seen=asked if seen else None,
                      on_epoch=lambda epoch, _: epoch >= passes)
    except FloatingPointError:
        return False
    except ValueError:
        return True     # too many items for all their weights: the notebook leaves the rung out
    return True


def _halvings(rung, split, on_fit):
    """How often the first steps of a rung have to be halved until its fit holds.

    First in a few passes over train and probe together; if it ran away there, in all of them.
    """
    params, own = own_params(rung), OWN[rung]
    every = (split.final, None), (split.train, split.probe.pairs)
    for times in range(_MOST):
        on_fit(rung)
        shorter = params | {name: params[name] / 2**times for name in _rates(rung)}
        if _holds(getattr(models, own.model)(**shorter), own.seen, every[:1 if times == 0 else 2],
                  _PASSES if times == 0 else params["n_epochs"]):
            return times
    return _MOST


def steady(rungs, split, on_fit=lambda rung: None):
    """Return the first steps that must be shorter than the default, by notebook and parameter.

    Each is halved as long as a fit to train, or to train and probe together, runs away. The
    members of the blend, and the models that notebook 15 compares, follow the shortest.

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
    times, defaults = {}, {BLEND_STEP: 1.0}
    for rung in (each for each in rungs if _rates(each)):
        found = _halvings(rung, split, on_fit)
        for name, rate in _rates(rung).items():
            times[rate] = max(found, times.get(rate, 0))
            defaults[rate] = own_params(rung)[name]
    most, shorter = max(times.values(), default=0), {}
    for (notebook, parameter), default in defaults.items():
        n = most if notebook in (_MIXED, BLEND_STEP[0]) else times[notebook, parameter]
        if n:
            shorter.setdefault(notebook, {})[parameter] = default / 2**n
    return shorter
