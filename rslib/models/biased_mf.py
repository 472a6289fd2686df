"""Biased matrix factorisation: the baseline plus a match between taste and traits."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rslib.backend import array_module
from rslib.kernels import deal_blocks, ridge_rows, rules, sgd_epoch
from rslib.kernels.states import BiasedMFState, Steps
from rslib.models.additive import Additive
from rslib.models.domains import Count, NonNegative, Positive, Share, Whole
from rslib.models.parts.bias import biases_per_rating
from rslib.models.parts.factors import UserFactors


@dataclass
class BiasedMF(Additive):
    r"""Predict the baseline plus the dot product of a user's and an item's factors.

    .. math:: \hat r_{ui} = \mu + b_u + b_i + p_u \cdot q_i

    .. math:: J = \sum_{(u,i) \in R} \Big[ (r_{ui} - \hat r_{ui})^2
                  + \lambda_b (b_u^2 + b_i^2)
                  + \lambda (\lVert p_u \rVert^2 + \lVert q_i \rVert^2) \Big]

    The penalty stands inside the sum, so a user with n ratings is shrunk n times: what stochastic
    gradient descent does by itself, and what alternating least squares calls weighted lambda. Both
    solvers so descend the same J. It is not convex, and they may end in different valleys.

    Parameters
    ----------
    n_factors : int, at least 1
    solver : {"sgd", "als"}
    reg : float, at least 0
        :math:`\lambda`, on the squared factors, per rating.
    reg_bias : float, at least 0
        :math:`\lambda_b`, on the squared biases, per rating.
    n_epochs : int, at least 1
        Passes over the ratings.
    learning_rate : float, above 0
        Step of "sgd".
    decay : float in (0, 1]
        Factor on the step of "sgd" after each epoch.
    init_std : float, at least 0
        Standard deviation of the factors at the start.
    seed : int, at least 0
        Start, and order of the users in "sgd".

    Attributes
    ----------
    global_mean_ : float
        Stars; the mean of the training ratings.
    unit_ : float
        Stars; the deviation of the training ratings, in which the equations are reckoned and all
        below is given, see `rslib.models.units`.
    user_bias_, item_bias_ : float32 arrays (n_users,), (n_items,), on the device of train
    user_factors_, item_factors_ : float32 arrays (n_users, n_factors), (n_items, n_factors)

    Notes
    -----
    Cost of an epoch: O(n_ratings k) for "sgd"; O(n_ratings k^2 + (n_users + n_items) k^3) for
    "als". Agreement: "als" exact to rounding on both devices; "sgd" statistical. Determinism: same
    seed, same bits on one machine, but for "sgd" on a GPU. Users and items without ratings keep
    bias zero and factors zero, so they get the rest of the baseline.

    References
    ----------
    Koren, Bell and Volinsky, Matrix Factorization Techniques (IEEE Computer 2009), equations 4-5,
    doi:10.1109/MC.2009.263. Zhou et al., Large-scale Parallel Collaborative Filtering for the
    Netflix Prize (AAIM 2008), section 3 (weighted lambda), doi:10.1007/978-3-540-68880-8_32.
    """

    n_factors: Count = 64
    solver: Literal["sgd", "als"] = "sgd"
    reg: NonNegative = 0.07
    reg_bias: NonNegative = 0.06
    n_epochs: Count = 60
    learning_rate: Positive = 0.011
    decay: Share = 0.99
    init_std: NonNegative = 0.05
    seed: Whole = 0

    def parts(self):
        """b_u, b_i, and p_u times q_i."""
        return [*biases_per_rating(self.reg_bias), UserFactors(self.reg)]

    def _fit(self, train, seen, on_epoch):
        rng = np.random.default_rng(self.seed)
        self._start(train, seen, rng)
        if self.solver == "als":
            return self._run(self._als(train), on_epoch)
        return self._sgd(train, rng, on_epoch)

    def _sgd(self, train, rng, on_epoch):
        """Run the epochs of stochastic gradient descent."""
        blocks = deal_blocks(train, self.seed)
        state = BiasedMFState(self.user_bias_, self.item_bias_, self.user_factors_,
                              self.item_factors_)

        def one_epoch(epoch):
            learning_rate = self.learning_rate * self.decay ** (epoch - 1)
            steps = Steps(0.0, learning_rate, self.reg, self.reg_bias)
            order = rng.permutation(train.n_users)
            return sgd_epoch(rules.biased_mf, blocks, order, state, steps) / len(train)

        def give_back():
            self.user_bias_, self.item_bias_, self.user_factors_, self.item_factors_ = state
        return self._run(one_epoch, on_epoch, give_back)

    def _als(self, train):
        """Return what runs one epoch of alternating least squares."""
        def one_epoch(epoch):
            self.user_bias_, self.user_factors_ = self._solve(
                train.by_user, self.item_bias_, self.item_factors_)
            self.item_bias_, self.item_factors_ = self._solve(
                train.by_item, self.user_bias_, self.user_factors_)
        return one_epoch

    def _solve(self, side, other_bias, other_factors):
        """Least squares for bias and factors of every row of one side, given the other side."""
        xp = array_module(other_factors)
        features = xp.concatenate([xp.ones_like(other_bias)[:, None], other_factors], axis=1)
        targets = side.values - other_bias[side.ids]
        penalty = xp.full(features.shape[1], self.reg, xp.float32)
        penalty[0] = self.reg_bias
        ridge = xp.diff(side.indptr).astype(xp.float32)[:, None] * penalty
        weights = ridge_rows(side.indptr, side.ids, targets, features, ridge)
        return xp.ascontiguousarray(weights[:, 0]), xp.ascontiguousarray(weights[:, 1:])

    def _fold_in(self, ratings):
        """The objective is quadratic in one user's bias and factors, so one ridge regression on the
        user's own ratings gives the exact minimum.
        """
        bias, factors = self._solve(ratings.by_user, self.item_bias_, self.item_factors_)
        return self._with_users(ratings, user_bias_=bias, user_factors_=factors)
