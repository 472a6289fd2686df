"""The races of the speed notebook: which data, which work, which bars."""

from dataclasses import asdict, dataclass
from functools import lru_cache

import numba
import numpy as np
import scipy.sparse

from benchmarks import bare_kernels, peers, timing
from rslib import splits
from rslib.metrics import rmse
from rslib.sources import load

__all__ = ["Plan", "measure"]

ALPHA, REG_IMPLICIT = 1.0, 0.1      # confidence is 1 + ALPHA * stars


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Parameters
    ----------
    data : str
        Data set of most races, for `rslib.sources.load`.
    large : str
        Data set of the races on many ratings.
    sessions : str
        Data set of many short sessions, as the contest's were.
    sizes : tuple of int
        Numbers of synthetic ratings for the cost against size, in thousands.
    factors : tuple of int
        Numbers of factors for the cost against factors.
    repetitions : int
        Turns of each race.
    n_sweeps, n_kept : int
        Sweeps of Gibbs sampling, and how many of the last are averaged.
    n_pairs : int
        Pairs predicted from neighbours.
    gram_length : int
        Ratings in each of 200 rows where Gram matrices are timed alone.
    """

    data: str = "ml-1m"
    large: str = "synthetic-10m"
    sessions: str = "synthetic-1m"
    sizes: tuple = (100, 300, 1000, 3000, 10000)
    factors: tuple = (16, 32, 64, 128)
    repetitions: int = 5
    n_sweeps: int = 60
    n_kept: int = 40
    n_pairs: int = 50_000
    gram_length: int = 20_000


@lru_cache(maxsize=1)
def _large(name):
    return load(name)


@lru_cache(maxsize=1)
def _data(name):
    return load(name)


def _race(contenders, plan, absent=(), work=None):
    """Let contenders take turns, with a matrix product and a copy among them as yardsticks."""
    matrix, flops = timing.matrix_task()
    copy, n_bytes = timing.copy_task()
    tasks = {name: contender.run for name, contender in contenders.items()}
    times = timing.interleaved(tasks | {"matrix product": matrix, "copy": copy}, plan.repetitions)
    return {"seconds": times, "absent": list(absent),
            "settings": {name: contender.settings for name, contender in contenders.items()},
            "work": {"matrix product": {"flops": flops}, "copy": {"bytes": n_bytes}} | (work or {})}


def _sgd(plan, k, order=""):
    ratings = _data(plan.data)
    if order:       # as a random split leaves them; ours sorts them by user before the clock runs
        ratings = ratings[np.random.default_rng(0).permutation(len(ratings))]
    others, absent = peers.available("sgd", ratings, k, numba.get_num_threads())
    work = {"flops": len(ratings) * (10 * k + 10), "bytes": len(ratings) * (8 * k + 16)}
    return _race({"ours": bare_kernels.sgd(ratings, k)} | others, plan, absent, {"ours": work})


def _svdpp(plan, k):
    ratings = _data(plan.data)
    others, absent = peers.available("svdpp", ratings, k, numba.get_num_threads())
    mine = {"ours": bare_kernels.svdpp(ratings, k),
            "ours, no implicit part": bare_kernels.sgd(ratings, k, n_threads=1)}
    return _race(mine | others, plan, absent)


def _time(plan, name, k):
    ratings = load(name)
    return _race({"ours": bare_kernels.time_svdpp(ratings, k),
                  "SVD++": bare_kernels.svdpp(ratings, k)}, plan) | {
        "ratings a session": len(ratings) / len(np.unique(
            ratings.users.astype("i8") * 2**32 + ratings.days))}


def _als(plan, name, k):
    ratings = _large(name) if name == plan.large else _data(name)
    others, absent = peers.available("als", ratings, k, numba.get_num_threads())
    n_rows = ratings.n_users + ratings.n_items
    work = {"flops": 2 * len(ratings) * k * (k + 3) + n_rows * (k**3 // 3 + 2 * k**2),
            "bytes": 2 * len(ratings) * (4 * k + 8)}
    return _race({"ours": bare_kernels.als(ratings, k)} | others, plan, absent, {"ours": work})


def _gram(plan, k):
    task, n = bare_kernels.gram_task(k, length=plan.gram_length)
    work = {"flops": n * k * (k + 1), "conventional flops": 2 * n * k**2, "bytes": n * (4 * k + 8)}
    contender = peers.Contender(task, f"ridge_rows, 200 rows of {plan.gram_length:,} ratings")
    return _race({"ours": contender}, plan, (), {"ours": work})


def _implicit(plan, k, task):
    ratings = _data(plan.data)
    confidence = scipy.sparse.coo_matrix(
        (1 + np.float32(ALPHA) * ratings.values, (ratings.users, ratings.items)),
        shape=(ratings.n_users, ratings.n_items))
    begin = bare_kernels.start(ratings, k, scale=0.01)
    others, absent = peers.available(task, confidence, begin, REG_IMPLICIT,
                                     numba.get_num_threads())
    mine = bare_kernels.implicit(confidence, begin, REG_IMPLICIT, use_cg="cg" in task)
    contenders = {"ours": mine} | others
    result = _race(contenders, plan, absent)
    result["objective"] = {
        name: bare_kernels.implicit_objective(confidence, contender.learned(), REG_IMPLICIT)
        for name, contender in contenders.items()}
    return result


def _gibbs(plan, k):
    ratings = _data(plan.data)
    held_out = np.random.default_rng(0).random(len(ratings)) < 0.1
    train, test = ratings[~held_out], ratings[held_out]
    sampler, sums, times = bare_kernels.GibbsSampler(train, k), np.zeros(len(test)), []

    def turn():
        times.append(timing.seconds(sampler.sweep))
        if len(times) > plan.n_sweeps - plan.n_kept:
            sums[:] += sampler.predict(test.pairs)

    arguments = train, test.pairs, k, plan.n_sweeps, plan.n_kept
    others, absent = peers.available("gibbs", *arguments)
    result = {"seconds": {}, "absent": absent, "rmse": {}, "work": {}, "settings": {
        "ours": f"GibbsSampler, {numba.get_num_threads()} threads, float32"}}
    for name, contender in others.items():
        result["seconds"][name] = contender.run(turn)[1:]
        result["rmse"][name] = rmse(contender.learned(), test.values)
        result["settings"][name] = contender.settings
    while len(times) < plan.n_sweeps:
        turn()
    result["seconds"]["ours"] = times[1:]       # the first sweep was the warm-up
    result["rmse"]["ours"] = rmse(sums / plan.n_kept, test.values)
    return result


def _neighbours(plan, k=40):
    split = splits.random(_data(plan.data))
    rows = np.random.default_rng(0).integers(0, len(split.test), plan.n_pairs)
    test = split.test[rows]
    others, absent = peers.available("neighbours", split.train, test.pairs, k)
    contenders = {"ours": bare_kernels.neighbours(split.train, test.pairs, k)} | others
    result = _race(contenders, plan, absent)
    result["rmse"] = {name: rmse(contender.learned(), test.values)
                      for name, contender in contenders.items()}
    return result


def _blocks(plan, k, n_epochs=10):
    ratings, objective = _data(plan.data), {}
    for n_blocks in (1, 8):
        contender = bare_kernels.sgd(ratings, k, n_blocks=n_blocks)
        for _ in range(n_epochs):
            contender.run()
        objective[str(n_blocks)] = bare_kernels.sgd_objective(ratings, contender.learned())
    return {"objective": objective, "n_epochs": n_epochs}


def _threads(plan, k):
    ratings, every = _data(plan.data), numba.get_num_threads()
    kernels = {"SGD": bare_kernels.sgd, "ALS": bare_kernels.als}
    contenders = {f"{name}, {n} threads": kernel(ratings, k, n_threads=n)
                  for name, kernel in kernels.items() for n in sorted({1, every})}
    return _race(contenders, plan)


def _against_size(plan, k):
    worlds = {size: load(f"synthetic-{size}k") for size in plan.sizes}
    contenders = {f"{name} {size}": kernel(world, k) for size, world in worlds.items()
                  for name, kernel in (("SGD", bare_kernels.sgd), ("ALS", bare_kernels.als),
                                       ("timeSVD++", bare_kernels.time_svdpp))}
    return _race(contenders, plan) | {"n_ratings": [1000 * size for size in plan.sizes]}


def _against_factors(plan):
    ratings = _data(plan.data)
    contenders = {f"{name} {k}": kernel(ratings, k) for k in plan.factors
                  for name, kernel in (("SGD", bare_kernels.sgd), ("ALS", bare_kernels.als))}
    return _race(contenders, plan)


def _memory(name, solver, k):
    ratings, tiny = load(name), load("synthetic-10k")
    columns = (ratings.users, ratings.items, ratings.days, ratings.values, ratings.ranks)
    held = sum(column.nbytes for column in columns if column is not None)
    factors = 4 * (k + 1) * (ratings.n_users + ratings.n_items)
    growth = timing.peak_memory(bare_kernels.fit, (_bare(ratings), solver, k),
                                (_bare(tiny), solver, k))
    return {"n_ratings": len(ratings), "columns": held, "factors": factors, "growth": growth}


def _bare(ratings):
    """The same columns without what only the source knows."""
    return type(ratings)(ratings.users, ratings.items, ratings.days, ratings.n_users,
                         ratings.n_items, ratings.values, ratings.ranks)


def _experiments(plan):
    """Yield (name, experiment), quick ones first; those on the large set stand together."""
    for k in (32, 64):
        for order in ("", " shuffled"):
            yield f"sgd{order} k={k}", lambda k=k, order=order: _sgd(plan, k, order)
    yield "svdpp k=20", lambda: _svdpp(plan, 20)
    for name in (plan.data, plan.sessions):
        for k in (20, 64):
            yield f"time {name} k={k}", lambda name=name, k=k: _time(plan, name, k)
    yield "gram k=64", lambda: _gram(plan, 64)
    yield "blocks k=32", lambda: _blocks(plan, 32)
    yield "threads k=32", lambda: _threads(plan, 32)
    yield "against factors", lambda: _against_factors(plan)
    for k in (64, 128):
        for task in ("implicit", "implicit cg"):
            yield f"{task} k={k}", lambda k=k, task=task: _implicit(plan, k, task)
    yield "als k=64", lambda: _als(plan, plan.data, 64)
    yield "gibbs k=32", lambda: _gibbs(plan, 32)
    yield "neighbours k=40", lambda: _neighbours(plan)
    for name in (plan.data, plan.large):
        for solver in ("sgd", "als"):
            yield f"memory {solver} {name}", lambda n=name, s=solver: _memory(n, s, 32)
    yield "against size", lambda: _against_size(plan, 32)
    yield "als large k=64", lambda: _als(plan, plan.large, 64)


def measure(path, plan=None):
    """Run all races of ``plan`` on this machine; a file that was begun is continued.

    Parameters
    ----------
    path : Path
        JSON to write, whole after each race.
    plan : Plan or None
        None takes the defaults.

    Returns
    -------
    dict
        The content of the file: machine, settings, results.
    """
    plan = plan or Plan()
    log = timing.Log(path, {name: list(value) if isinstance(value, tuple) else value
                            for name, value in asdict(plan).items()})
    for name, experiment in _experiments(plan):
        log.run(name, experiment)
    return log.content
