"""Other libraries at the same work: one adapter for each library and task.

An adapter imports its library, builds that library's own data structures and returns a contender:
what is timed is one epoch, sweep or prediction run, not the conversion of the data. All get the
same ratings, the same number of factors and the same number of threads, where they let us say so.
"""

import contextlib
import io
import os
from collections import defaultdict
from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple

import numpy as np
import scipy.sparse

__all__ = ["PEERS", "Contender", "available"]


class Contender(NamedTuple):
    """A task for `benchmarks.timing.interleaved`, how it was set, and what it has learned."""

    run: Callable
    settings: str
    learned: Callable = None


def cornac_sgd(ratings, k, n_threads):
    """Run an epoch of cornac's MF: the compiled loop that its fit calls once."""
    from cornac.models.mf import backend_cpu

    rng = np.random.default_rng(0)
    factors = [rng.normal(0, 0.05, (n, k)).astype(np.float32)
               for n in (ratings.n_users, ratings.n_items)]
    biases = [np.zeros(n, np.float32) for n in (ratings.n_users, ratings.n_items)]
    ids = ratings.users.astype(np.int64), ratings.items.astype(np.int64)
    mean = float(ratings.values.mean(dtype=np.float64))

    def epoch():
        backend_cpu.fit_sgd(*ids, ratings.values, *factors, *biases, 0.01, 0.1, mean, 1,
                            n_threads, True, False, False)
    return Contender(epoch, f"MF, use_bias, {n_threads} threads without locks, float32")


def _surprise_trainset(ratings):
    """Surprise's own tables, with our ids."""
    from surprise import Trainset

    by_user, by_item = defaultdict(list), defaultdict(list)
    columns = ratings.users.tolist(), ratings.items.tolist(), ratings.values.tolist()
    for user, item, value in zip(*columns, strict=True):
        by_user[user].append((item, value))
        by_item[item].append((user, value))
    names = [{n: n for n in range(size)} for size in (ratings.n_users, ratings.n_items)]
    return Trainset(by_user, by_item, ratings.n_users, ratings.n_items, len(ratings),
                    ratings.scale, *names)


def surprise_sgd(ratings, k, n_threads):
    """Run an epoch of Surprise's SVD, its start included."""
    from surprise import SVD

    model, trainset = SVD(n_factors=k, n_epochs=1, random_state=0), _surprise_trainset(ratings)
    model.trainset = trainset
    return Contender(lambda: model.sgd(trainset), "SVD, biased, 1 thread, float64")


def surprise_svdpp(ratings, k, n_threads):
    """Run an epoch of Surprise's SVD++, its start included."""
    from surprise import SVDpp

    trainset = _surprise_trainset(ratings)
    model = SVDpp(n_factors=k, n_epochs=1, random_state=0, cache_ratings=True)
    model.trainset = trainset
    return Contender(lambda: model.sgd(trainset), "SVDpp, cached ratings, 1 thread, float64")


def libmf_sgd(ratings, k, n_threads, n_epochs=(2, 12)):
    """Run LIBMF for few and for more epochs; the difference is the epochs between."""
    with contextlib.redirect_stdout(io.StringIO()):     # it prints where it lies
        from libmf import mf

    few, many = n_epochs
    data = np.stack([ratings.users, ratings.items, ratings.values], axis=1).astype(np.float32)

    def fit(n):
        start = perf_counter()
        mf.MF(k=k, nr_threads=n_threads, nr_iters=n, lambda_p2=0.1, lambda_q2=0.1, eta=0.01,
              nr_bins=26, quiet=True).fit(data)
        return perf_counter() - start

    return Contender(lambda: max((fit(many) - fit(few)) / (many - few), 1e-9),
                     f"L2 loss, no biases, {n_threads} threads, float32; fit of {many} epochs "
                     f"less fit of {few}")


def lenskit_als(ratings, k, n_threads):
    """Run a sweep of LensKit's BiasedMF: its trainer's own step, both sides."""
    os.environ.update(LK_NUM_THREADS=str(n_threads), LK_NUM_BACKEND_THREADS=str(n_threads))
    import pandas as pd
    from lenskit.als import BiasedMFScorer
    from lenskit.data import from_interactions_df
    from lenskit.training import TrainingOptions

    frame = pd.DataFrame({"user_id": ratings.users, "item_id": ratings.items,
                          "rating": ratings.values})
    scorer = BiasedMFScorer(embedding_size=k, regularization=0.1)
    trainer = scorer.create_trainer(from_interactions_df(frame), TrainingOptions(rng=0))

    def sweep():
        trainer.train_epoch()
    return Contender(sweep, f"BiasedMFScorer, {n_threads} threads, float32, Cholesky")


def _implicit(use_cg):
    def adapter(confidence, start, reg, n_threads):
        """Run a sweep of implicit's ALS from ``start``: the solver that its fit calls."""
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits

        users, items = (factors.copy() for factors in start)
        model = AlternatingLeastSquares(users.shape[1], use_cg=use_cg, num_threads=n_threads)
        sides = confidence.tocsr(), confidence.T.tocsr()

        def sweep():
            with threadpool_limits(1, "blas"):          # its threads are over rows
                model.solver(sides[0], users, items, reg, num_threads=n_threads)
                model.solver(sides[1], items, users, reg, num_threads=n_threads)
        how = "3 conjugate-gradient steps" if use_cg else "Cholesky"
        return Contender(sweep, f"cpu ALS, {how}, {n_threads} threads, float32",
                         lambda: (users, items))
    return adapter


def _one_hot(pairs):
    """One row a pair, with a one for its user and a one for its item."""
    n = len(pairs)
    columns = np.stack([pairs.users, pairs.items + pairs.n_users], axis=1).ravel()
    return scipy.sparse.csr_matrix((np.ones(2 * n), columns, np.arange(0, 2 * n + 1, 2)),
                                   shape=(n, pairs.n_users + pairs.n_items))


def myfm_gibbs(train, test, k, n_sweeps, n_kept):
    """Sample with myFM; after each of its sweeps it is the turn of the others."""
    from myfm import MyFMRegressor

    rows, test_rows = _one_hot(train), _one_hot(test)
    model = MyFMRegressor(rank=k, random_seed=0)

    def run(turn_of_others):
        times, start = [], perf_counter()

        def after_sweep(*_):
            nonlocal start
            times.append(perf_counter() - start)
            turn_of_others()
            start = perf_counter()
            return False, None
        with contextlib.redirect_stderr(io.StringIO()):     # its progress bar
            model.fit(rows, train.values.astype(np.float64), n_iter=n_sweeps,
                      n_kept_samples=n_kept, group_shapes=[train.n_users, train.n_items],
                      callback=after_sweep)
        return times
    return Contender(run, "MyFMRegressor, users and items as two groups, 1 thread, float64",
                     lambda: model.predict(test_rows))


def surprise_neighbours(ratings, pairs, k):
    """Fit Surprise's KNNBaseline, its baseline included, and estimate ``pairs``."""
    from surprise import KNNBaseline

    trainset = _surprise_trainset(ratings)
    columns = pairs.users.tolist(), pairs.items.tolist()
    estimates = []

    def run():
        model = KNNBaseline(k=k, verbose=False,
                            sim_options={"name": "pearson_baseline", "user_based": False})
        with contextlib.redirect_stdout(io.StringIO()):
            model.fit(trainset)
        estimates[:] = [model.predict(user, item, clip=False).est
                        for user, item in zip(*columns, strict=True)]
    return Contender(run, f"KNNBaseline, pearson_baseline, items, k={k}, 1 thread, float64",
                     lambda: np.array(estimates))


PEERS = {
    "sgd": {"cornac": cornac_sgd, "Surprise": surprise_sgd, "LIBMF": libmf_sgd},
    "svdpp": {"Surprise": surprise_svdpp},
    "als": {"LensKit": lenskit_als},
    "implicit": {"implicit": _implicit(use_cg=False)},
    "implicit cg": {"implicit": _implicit(use_cg=True)},
    "gibbs": {"myFM": myfm_gibbs},
    "neighbours": {"Surprise": surprise_neighbours},
}


def available(task, *arguments):
    """Return the contenders of ``task`` by name, and the others with what is not installed."""
    contenders, absent = {}, []
    for name, adapter in PEERS[task].items():
        try:
            contenders[name] = adapter(*arguments)
        except ModuleNotFoundError as error:
            absent.append(f"{name}: {error}")
    return contenders, absent
