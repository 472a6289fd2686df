"""Our kernels at the work of `benchmarks.peers`, with nothing around them."""

import numba
import numpy as np

from benchmarks.peers import Contender
from rslib.kernels import (
    deal_blocks,
    feature_sgd_epoch,
    predict_pairs,
    ridge_rows,
    ridge_rows_cg,
    rules,
    sgd_epoch,
)
from rslib.kernels.neighbours import neighbour_deviations
from rslib.kernels.similarity import similarity_blocks
from rslib.kernels.states import BiasedMFState, FeatureState, Steps
from rslib.models import Baseline, BiasedMF, ImplicitALS, TimeSVDpp
from rslib.models.descent import session_descent
from rslib.models.parts.features import implicit_features, joined, own_features
from rslib.ratings import Ratings

__all__ = ["GibbsSampler", "als", "fit", "gram_task", "implicit", "implicit_objective",
           "neighbours", "sgd", "sgd_objective", "start", "svdpp", "time_svdpp"]


def start(ratings, k, scale=0.05):
    """Draw the factors of users and items from which contenders start, float32."""
    rng = np.random.default_rng(0)
    return [(scale * rng.random((n, k))).astype(np.float32)
            for n in (ratings.n_users, ratings.n_items)]


def sgd(ratings, k, *, n_blocks=None, n_threads=None):
    """Run epochs of biased matrix factorisation by stochastic gradient descent."""
    blocks, rng = deal_blocks(ratings, 0, n_blocks), np.random.default_rng(0)
    state = BiasedMFState(np.zeros(ratings.n_users, np.float32),
                          np.zeros(ratings.n_items, np.float32), *start(ratings, k))
    steps = Steps(float(ratings.values.mean(dtype=np.float64)), 0.01, 0.1, 0.02)
    n_threads = n_threads or numba.get_num_threads()

    def epoch():
        all_threads = numba.get_num_threads()
        numba.set_num_threads(n_threads)
        sgd_epoch(rules.biased_mf, blocks, rng.permutation(ratings.n_users), state, steps)
        numba.set_num_threads(all_threads)
    return Contender(epoch, f"sgd_epoch, {blocks.n_blocks} x {blocks.n_blocks} blocks, "
                     f"{n_threads} threads, float32", lambda: state)


def svdpp(ratings, k):
    """Run epochs of SVD++."""
    rng, (users, items) = np.random.default_rng(0), start(ratings, k)
    features_of = joined(implicit_features(ratings, None), own_features(ratings, ratings.n_items))
    state = FeatureState(np.zeros(ratings.n_users, np.float32),
                         np.zeros(ratings.n_items, np.float32), np.concatenate([items, users]),
                         items.copy())
    steps = Steps(float(ratings.values.mean(dtype=np.float64)), 0.007, 0.02, 0.02)

    def epoch():
        feature_sgd_epoch(ratings.by_user, rng.permutation(ratings.n_users), features_of, state,
                          steps)
    return Contender(epoch, "feature_sgd_epoch, 1 thread, float32", lambda: state)


def time_svdpp(ratings, k):
    """Run epochs of timeSVD++."""
    model = TimeSVDpp(n_factors=k)
    one_epoch, _ = session_descent(model, model.standardise(ratings))
    return Contender(lambda: one_epoch(1), "session_sgd_epoch, 1 thread, float32")


def sgd_objective(ratings, state):
    """Return the objective of `BiasedMF` at the settings of `sgd`."""
    model = BiasedMF(n_factors=state[2].shape[1], reg=0.1, reg_bias=0.02)
    model._world(ratings)
    model.global_mean_ = float(ratings.values.mean(dtype=np.float64))
    model.user_bias_, model.item_bias_, model.user_factors_, model.item_factors_ = state
    return model.objective(ratings)


def als(ratings, k, *, reg=0.1, n_threads=None):
    """Run sweeps of alternating least squares on what a baseline leaves over, both sides."""
    baseline = Baseline(solver="decoupled", reg_user=5, reg_item=5).fit(ratings)
    residuals = ratings.values - baseline.predict(ratings.pairs)
    sides = [(side.indptr, side.ids, residuals[side.rows])
             for side in (ratings.by_user, ratings.by_item)]
    ridges = [np.repeat(reg * np.diff(side[0]), k).reshape(-1, k).astype(np.float32)
              for side in sides]
    factors = start(ratings, k)
    n_threads = n_threads or numba.get_num_threads()

    def sweep():
        all_threads = numba.get_num_threads()
        numba.set_num_threads(n_threads)
        for mine, other in ((0, 1), (1, 0)):
            factors[mine] = ridge_rows(*sides[mine], factors[other], ridges[mine])
        numba.set_num_threads(all_threads)
    return Contender(sweep, f"ridge_rows, {n_threads} threads, float32, Cholesky",
                     lambda: factors)


def gram_task(k, n_rows=200, length=20_000, n_features=8_000):
    """Return a call of `ridge_rows` whose rows are so long that only Gram matrices cost time.

    Returns
    -------
    task : callable
    n_ratings : int
    """
    rng, n_ratings = np.random.default_rng(0), n_rows * length
    arguments = (np.arange(n_rows + 1) * length,
                 rng.integers(0, n_features, n_ratings, np.int32),
                 rng.standard_normal(n_ratings, np.float32),
                 rng.standard_normal((n_features, k), np.float32),
                 np.ones((n_rows, k), np.float32))

    def task():
        ridge_rows(*arguments)
    return task, n_ratings


def implicit(confidence, begin, reg, *, use_cg=False):
    """Run sweeps of implicit ALS from ``begin``; ``confidence`` is sparse, users by items."""
    sides = [csr for csr in (confidence.tocsr(), confidence.T.tocsr())]
    factors = [factor.copy() for factor in begin]

    def half(mine, other):
        x, side = factors[other], sides[mine]
        base, ridge = x.T @ x, np.full(factors[mine].shape, reg, np.float32)
        rows = side.indptr.astype(np.int64), side.indices, side.data, x, ridge
        weights = side.data - 1
        factors[mine] = (ridge_rows_cg(*rows, factors[mine], weights=weights, base_gram=base)
                         if use_cg else ridge_rows(*rows, weights=weights, base_gram=base))

    def sweep():
        half(0, 1)
        half(1, 0)
    how = "ridge_rows_cg, 3 steps" if use_cg else "ridge_rows, Cholesky"
    return Contender(sweep, f"{how}, {numba.get_num_threads()} threads, float32",
                     lambda: factors)


def implicit_objective(confidence, factors, reg):
    """Return the objective of `ImplicitALS` at the settings of `implicit`, over all pairs."""
    pairs = confidence.tocoo()
    ratings = Ratings(pairs.row, pairs.col, values=pairs.data - 1, n_users=confidence.shape[0],
                      n_items=confidence.shape[1])
    model = ImplicitALS(factors[0].shape[1], alpha=1.0, alpha0=1.0, reg=reg, nu=0.0)
    model._world(ratings)
    model.user_factors_, model.item_factors_ = factors
    return model.objective(ratings)


class GibbsSampler:
    r"""Bayesian factorisation with biases: the model and the priors of myFM for users and items.

    .. math:: r_{ui} \sim N(w_0 + b_u + b_i + p_u \cdot q_i, 1 / \alpha), \qquad
              [b_u, p_u]_f \sim N(\mu_f, 1 / \lambda_f)

    and the same for items, with :math:`\alpha, \lambda_f \sim \Gamma(1/2, 1/2)` and
    :math:`\mu_f \sim N(0, 1 / \lambda_f)`. Bias and factors of a user are drawn together, which
    mixes faster than one coordinate after another.

    Parameters
    ----------
    ratings : Ratings
    k : int
    seed : int
    """

    def __init__(self, ratings, k, seed=0):
        self.ratings, self.rng = ratings, np.random.default_rng(seed)
        self.mean, self.alpha = float(ratings.values.mean(dtype=np.float64)), 1.0
        self.users, self.items = (0.1 * self.rng.standard_normal((n, k + 1), np.float32)
                                  for n in (ratings.n_users, ratings.n_items))

    def _prior(self, weights):
        """Draw mean and precision of each column of one side."""
        n = len(weights)
        mean = weights.mean(axis=0, dtype=np.float64)
        squares = ((weights - mean) ** 2).sum(axis=0) + n / (n + 1) * mean ** 2
        precision = self.rng.gamma((1 + n) / 2, 2 / (1 + squares))
        centre = self.rng.normal(n * mean / (n + 1), 1 / np.sqrt(precision * (n + 1)))
        return centre, precision

    def _draw(self, side, mine, other):
        """Draw bias and factors of every row of one side; everything is divided by alpha."""
        centre, precision = self._prior(mine)
        features = other.copy()
        features[:, 0] = 1
        targets = side.values - np.float32(self.mean) - other[side.ids, 0]
        noise = self.rng.standard_normal(mine.shape, np.float32) / np.float32(self.alpha ** 0.5)
        return ridge_rows(side.indptr, side.ids, targets, features, np.zeros_like(mine),
                          base_gram=np.diag(precision / self.alpha),
                          base_rhs=centre * precision / self.alpha, draws=noise)

    def sweep(self):
        """Draw everything once: users, items, the mean and the precision of the noise."""
        self.users = self._draw(self.ratings.by_user, self.users, self.items)
        self.items = self._draw(self.ratings.by_item, self.items, self.users)
        errors = self.ratings.values - self.predict(self.ratings)
        n = len(errors)
        shift = self.rng.normal(errors.mean(dtype=np.float64), (self.alpha * n) ** -0.5)
        self.mean += shift
        squares = float(((errors - np.float32(shift)) ** 2).sum(dtype=np.float64))
        self.alpha = self.rng.gamma((1 + n) / 2, 2 / (1 + squares))

    def predict(self, pairs):
        """Return the predictions of the present draw, in stars."""
        return predict_pairs(pairs.users, pairs.items, self.mean,
                             np.ascontiguousarray(self.users[:, 0]),
                             np.ascontiguousarray(self.items[:, 0]),
                             np.ascontiguousarray(self.users[:, 1:]),
                             np.ascontiguousarray(self.items[:, 1:]))


def neighbours(ratings, pairs, k):
    """Fit a baseline and all item similarities, and predict ``pairs`` from k neighbours."""
    by_item, by_user, predictions = ratings.by_item, ratings.by_user, np.empty(len(pairs))

    def run():
        baseline = Baseline(reg_user=15, reg_item=10, n_epochs=10).fit(ratings)
        residuals = ratings.values - baseline.predict(ratings.pairs)
        mine = residuals[by_user.rows]
        blocks = similarity_blocks(by_item, by_user, residuals[by_item.rows], mine,
                                   kind="cosine", shrinkage=100)
        similarities = np.concatenate([block for _, block in blocks])
        predictions[:] = baseline.predict(pairs) + neighbour_deviations(
            pairs.users, pairs.items, by_user, mine, similarities, k)
    return Contender(run, f"similarity_blocks, neighbour_deviations, k={k}, "
                     f"{numba.get_num_threads()} threads, float32", lambda: predictions)


def fit(ratings, solver, k):
    """Fit `BiasedMF` for one epoch: what the memory of a fit is measured on."""
    return BiasedMF(n_factors=k, solver=solver, n_epochs=1).fit(ratings)
