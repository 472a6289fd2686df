"""What the recorded races say: each bar as a ratio with its spread, and shares of the machine."""

from itertools import product

import numpy as np

from benchmarks.timing import ratios, spread

__all__ = ["bars", "share"]


def share(result, name="ours", of="matrix product", work="flops"):
    """Return the rate of ``name`` over that of a yardstick of the same race, turn by turn.

    Parameters
    ----------
    result : dict
        One race with its ``seconds`` and ``work``.
    name, of : str
        Contender and yardstick.
    work : str
        What both are counted in: "flops" or "bytes"; the yardstick in its own.

    Returns
    -------
    list of float
    """
    unit = "bytes" if of == "copy" else "flops"
    amount = result["work"][name][work] / result["work"][of][unit]
    return [amount * ratio for ratio in ratios(result["seconds"][of], result["seconds"][name])]


def _row(work, against, at_least, values):
    """One line of the table; values of None say that the contender was absent."""
    if not values:
        return {"work": work, "against": against, "at least": at_least, "met": "not installed"}
    return {"work": work, "against": against, "at least": at_least, **spread(values),
            "met": "yes" if np.median(values) >= at_least else "no"}


def _faster(results, key, work, other, at_least):
    times = results[key]["seconds"]
    return _row(work, other, at_least, ratios(times[other], times["ours"])
                if other in times else [])


def _same(value, other):
    """How near two objectives or errors are: the smaller over the larger."""
    return [min(value, other) / max(value, other)]


def _races(results):
    for order, k in product(("", " shuffled"), (32, 64)):
        for other, at_least in (("cornac", 2.0), ("Surprise", 30.0), ("LIBMF", 1.0)):
            yield _faster(results, f"sgd{order} k={k}", f"SGD epoch{order}, k={k}", other, at_least)
    yield _faster(results, "svdpp k=20", "SVD++ epoch, k=20", "Surprise", 100.0)
    for key, result in results.items():
        if key.startswith("time "):
            seconds = result["seconds"]
            yield _row(f"timeSVD++ epoch, {key.removeprefix('time ')}", "SVD++", 0.5,
                       ratios(seconds["SVD++"], seconds["ours"]))
    for key, where in (("als k=64", "small"), ("als large k=64", "large")):
        yield _faster(results, key, f"ALS sweep, k=64, {where}", "LensKit", 3.0)
    yield _row("Gram matrices, k=64", "matrix rate", 0.4, share(results["gram k=64"]))
    for task, solver in (("implicit", "Cholesky"), ("implicit cg", "CG")):
        for k in (64, 128):
            work = f"implicit ALS sweep, {solver}, k={k}"
            yield _faster(results, f"{task} k={k}", work, "implicit", 1.0)
    yield _faster(results, "gibbs k=32", "Gibbs sweep, k=32", "myFM", 5.0)
    yield _faster(results, "neighbours k=40", "similarity + predictions", "Surprise", 10.0)


def _agreements(results):
    pairs = [(f"{task} k={k}", "objective", "implicit", 0.99)
             for task in ("implicit", "implicit cg") for k in (64, 128)]
    pairs += [("gibbs k=32", "rmse", "myFM", 0.99), ("neighbours k=40", "rmse", "Surprise", 0.99)]
    for key, figure, other, at_least in pairs:
        both = results[key][figure]
        yield _row(f"same {figure.upper() if figure == 'rmse' else figure}, {key}", other,
                   at_least, _same(both["ours"], both[other]) if other in both else [])
    one, eight = results["blocks k=32"]["objective"].values()
    yield _row("same objective, 8 x 8 blocks", "1 block", 0.99, _same(one, eight))


def _memory(results):
    """Three times columns and factors over the peak: above one where the peak is smaller."""
    for key, result in results.items():
        if key.startswith("memory "):
            allowed = 3 * (result["columns"] + result["factors"])
            peak = result["columns"] + result["growth"]
            yield _row(f"peak, {key}", "3 x columns and factors", 1.0, [allowed / peak])


def bars(results):
    """Return one row for each bar: work, against whom, the bar, min, median, max, and if met.

    Parameters
    ----------
    results : dict
        As `benchmarks.speed.measure` returns it under ``results``.

    Returns
    -------
    list of dict
        Ratios above one where ours took less; "met" compares the median with the bar.
    """
    return [*_races(results), *_agreements(results), *_memory(results)]
