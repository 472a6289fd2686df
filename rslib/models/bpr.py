"""Bayesian personalised ranking: factors that put what a user has before what the user has not."""

from dataclasses import dataclass

import numpy as np

from rslib.backend import array_module
from rslib.kernels import deal_owned, pairwise_epoch, predict_pairs
from rslib.kernels.states import BPRState, BPRSteps
from rslib.models.base import Model
from rslib.models.domains import Count, NonNegative, Positive, Share, Whole


@dataclass
class BPR(Model):
    r"""Rank what a user has above what the user has not, by a dot product and an item's bias.

    Only the order counts: every item that u has is set against those that u has not, and the
    chance that it wins is to be large. An epoch draws one opponent for each rating. Leave out the
    ratings that speak against an item before the fit.

    .. math:: \hat s_{ui} = b_i + p_u \cdot q_i

    .. math:: J = \sum_{(u,i) \in R} \frac{1}{n - |R(u)|} \sum_{j \notin R(u)} \Big[
                  -\ln \sigma(\hat s_{ui} - \hat s_{uj})
                  + \frac{\lambda_b}{2} (b_i^2 + b_j^2) + \frac{\lambda}{2} \big(
                  \lVert p_u \rVert^2 + \lVert q_i \rVert^2 + \lVert q_j \rVert^2 \big) \Big]

    with n the number of items and :math:`\sigma(x) = 1 / (1 + e^{-x})`. Two details are half of the
    model: it starts from small normal factors, and a drawn item that the user has is rejected and
    drawn again. The score is a preference, without points.

    Parameters
    ----------
    n_factors : int, at least 1
    bias : bool
        Whether items have a bias; without one it is zero.
    reg : float, at least 0
        :math:`\lambda`, on the squared factors, per step.
    reg_bias : float, at least 0
        :math:`\lambda_b`, on the squared biases, per step.
    n_epochs : int, at least 1
        Passes over the ratings, each with other opponents.
    learning_rate : float, above 0
    decay : float in (0, 1]
        Factor on the step after each epoch.
    init_std : float, at least 0
        Standard deviation of the factors at the start.
    seed : int, at least 0
        Start, opponents, and order of the users.

    Attributes
    ----------
    item_bias_ : float32 array (n_items,), on the device of train
    user_factors_, item_factors_ : float32 arrays (n_users, n_factors), (n_items, n_factors)
        Zero for a user without ratings; an item that nobody has is learned as an opponent.

    Raises
    ------
    FloatingPointError
        If the fit diverges: it names what to lower.

    Notes
    -----
    Cost of an epoch: O(n_ratings k); of the objective, O(n_ratings n_items).
    Agreement: statistical. Determinism: same seed, same bits on one machine's CPU, for any number
    of threads. A pair that is rated twice counts once; users who have every item teach nothing.
    What is ``seen`` is left alone. Differs from the source in: each rating counts the same, while
    the source draws evenly from all triples; users are visited in turn inside a block.

    References
    ----------
    Rendle, Freudenthaler, Gantner and Schmidt-Thieme, BPR: Bayesian Personalized Ranking from
    Implicit Feedback (UAI 2009), sections 4.1 to 4.3.1, doi:10.48550/arXiv.1205.2618.
    """

    n_factors: Count = 64
    bias: bool = True
    reg: NonNegative = 0.015
    reg_bias: NonNegative = 0.01
    n_epochs: Count = 100
    learning_rate: Positive = 0.05
    decay: Share = 0.99
    init_std: NonNegative = 0.1
    seed: Whole = 0

    preferences = True
    _learned = ("item_bias_", "user_factors_", "item_factors_")
    _why_no_fold_in = "a new user's factors are descended to, they have no closed form"

    def _fit(self, train, seen, on_epoch):
        rng, owned = np.random.default_rng(self.seed), deal_owned(train, self.seed)
        state = self._start(train, rng)

        def one_epoch(epoch):
            learning_rate = self.learning_rate * self.decay ** (epoch - 1)
            steps = BPRSteps(learning_rate, learning_rate * self.bias, self.reg, self.reg_bias)
            order, draws = rng.permutation(train.n_users), rng.integers(2 ** 63)
            return pairwise_epoch(owned, order, state, steps, draws) / len(train)

        def give_back():
            self.item_bias_, self.user_factors_, self.item_factors_ = state
        return self._run(one_epoch, on_epoch, give_back)

    def _start(self, train, rng):
        """Biases of zero, and small random factors; those of a user without ratings are zero."""
        xp = array_module(train.values)
        users, items = (xp.asarray(rng.normal(0, self.init_std, (n, self.n_factors)).astype(
            np.float32)) for n in (train.n_users, train.n_items))
        users *= (xp.bincount(train.users, minlength=train.n_users) > 0)[:, None]
        return BPRState(xp.zeros(train.n_items, xp.float32), users, items)

    def _predict(self, pairs):
        nothing = array_module(pairs.users).zeros_like(self.user_factors_[:, 0])
        return predict_pairs(pairs.users, pairs.items, 0.0, nothing, self.item_bias_,
                             self.user_factors_, self.item_factors_)

    def _score(self, users):
        return self.user_factors_[users] @ self.item_factors_.T + self.item_bias_

    def _objective(self, ratings, seen):
        """User by user, all that the user has against all that the user has not."""
        xp, by_user = array_module(ratings.values), ratings.by_user
        b, p, q = (table.astype(xp.float64) for table in (
            self.item_bias_, self.user_factors_, self.item_factors_))
        charges = self.reg_bias / 2 * b ** 2 + self.reg / 2 * (q ** 2).sum(axis=1)
        total = xp.zeros(1, xp.float64)[0]
        for user in range(ratings.n_users):
            has = by_user.ids[int(by_user.indptr[user]):int(by_user.indptr[user + 1])]
            others = xp.ones(ratings.n_items, xp.bool_)
            others[has] = False
            if not len(has) or not bool(others.any()):
                continue
            scores = b + q @ p[user]
            margins = scores[has][:, None] - scores[others]
            losses = xp.maximum(-margins, 0) + xp.log(1 + xp.exp(-abs(margins)))
            total = total + losses.mean(axis=1).sum() + charges[has].sum() + len(has) * (
                charges[others].mean() + self.reg / 2 * (p[user] ** 2).sum())
        return float(total)
