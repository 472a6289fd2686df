"""The baseline: a global mean, and how far each user and item stands from it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rslib.backend import array_module, sum_by
from rslib.kernels import deal_blocks, rules, sgd_epoch
from rslib.kernels.states import BaselineState, SharedSteps
from rslib.models.additive import Additive
from rslib.models.domains import Count, NonNegative, Positive, Share, Whole
from rslib.models.parts.bias import ItemBias, UserBias


@dataclass
class Baseline(Additive):
    r"""Predict the mean plus a bias of the user plus a bias of the item.

    Explains the level of a user and of an item, never the match between the two.

    .. math:: \hat r_{ui} = \mu + b_u + b_i

    .. math:: J(b) = \sum_{(u,i) \in R} (r_{ui} - \mu - b_u - b_i)^2
                     + \lambda_u \sum_u b_u^2 + \lambda_i \sum_i b_i^2

    with :math:`\mu` the mean of the training ratings. J is convex: "ridge" solves for one side
    given the other until they settle, "sgd" reaches the same minimum rating by rating, and
    "decoupled" takes one shrunken average after the other, which is quick and not the minimum.

    Parameters
    ----------
    solver : {"ridge", "sgd", "decoupled"}
    reg_user, reg_item : float, at least 0
        :math:`\lambda_u` and :math:`\lambda_i`, in ratings: a bias backed by that many ratings is
        halved.
    n_epochs : int, at least 1
        Rounds of alternation ("ridge") or passes over the ratings ("sgd").
    learning_rate : float, above 0
        First step of "sgd".
    decay : float in (0, 1]
        Factor on the step of "sgd" after each epoch.
    seed : int, at least 0
        Order of the users in "sgd".

    Attributes
    ----------
    global_mean_ : float
        Stars.
    user_bias_, item_bias_ : float32 arrays (n_users,), (n_items,), on the device of train
        Stars; zero for a user or item without ratings.

    Notes
    -----
    Cost: O(n_ratings) an epoch. Agreement: "ridge" and "decoupled" exact on both devices; "sgd"
    statistical. Determinism: same seed, same bits on one machine, but for "sgd" on a GPU.

    References
    ----------
    Koren, Factor in the Neighbors (TKDD 2010), section 2.1, doi:10.1145/1644873.1644874.
    Koren and Bell, Advances in Collaborative Filtering, section 5.2.1 (decoupled form).
    """

    solver: Literal["ridge", "sgd", "decoupled"] = "ridge"
    reg_user: NonNegative = 4.0
    reg_item: NonNegative = 6.0
    n_epochs: Count = 20
    learning_rate: Positive = 0.03
    decay: Share = 0.85
    seed: Whole = 0

    def parts(self):
        """b_u and b_i."""
        return [UserBias(reg=self.reg_user), ItemBias(reg=self.reg_item)]

    standardised = False        # it is equivariant by itself, and its biases are read as stars

    def _fit(self, train, seen, on_epoch):
        self._start(train, seen)
        if self.solver == "sgd":
            return self._sgd(train, on_epoch)
        n_rounds = 1 if self.solver == "decoupled" else self.n_epochs

        def one_round(epoch):
            self._fit_items(train)
            self._fit_users(train)
        return self._run(one_round, on_epoch, n_epochs=n_rounds)

    def _shrunken(self, ids, residuals, n, reg):
        """Sum of the residuals of each id over its number of ratings plus ``reg``."""
        xp = array_module(ids)
        counts = xp.bincount(ids, minlength=n)
        weights = xp.where(counts > 0, counts + reg, 1.0)
        return (sum_by(ids, residuals, n) / weights).astype(xp.float32)

    def _fit_items(self, train):
        residuals = train.values - self.global_mean_ - self.user_bias_[train.users]
        self.item_bias_ = self._shrunken(train.items, residuals, train.n_items, self.reg_item)

    def _fit_users(self, train):
        residuals = train.values - self.global_mean_ - self.item_bias_[train.items]
        self.user_bias_ = self._shrunken(train.users, residuals, train.n_users, self.reg_user)

    def _sgd(self, train, on_epoch):
        """Run the epochs of stochastic gradient descent."""
        xp, rng = array_module(train.values), np.random.default_rng(self.seed)
        state = BaselineState(self.user_bias_, self.item_bias_)
        blocks = deal_blocks(train, self.seed)
        shares = [(reg / xp.maximum(xp.bincount(ids, minlength=n), 1)).astype(xp.float32)
                  for reg, ids, n in ((self.reg_user, train.users, train.n_users),
                                      (self.reg_item, train.items, train.n_items))]
        learning_rate = self.learning_rate
        squares = float(((train.values - self.global_mean_) ** 2).sum(dtype=xp.float64))

        def one_epoch(epoch):
            nonlocal learning_rate
            met = sgd_epoch(rules.baseline, blocks, rng.permutation(train.n_users), state,
                            SharedSteps(self.global_mean_, learning_rate, *shares))
            learning_rate *= self.decay
            return met / squares if squares else met

        def give_back():
            self.user_bias_, self.item_bias_ = state
        return self._run(one_epoch, on_epoch, give_back)

    def _fold_in(self, ratings):
        new = self._with_users(ratings)
        new._fit_users(ratings)
        return new


def baseline_of(model):
    """Return the ridge baseline with the penalties of another model, not fitted."""
    return Baseline("ridge", reg_user=model.reg_user, reg_item=model.reg_item)


def folded_baseline(baseline, model, item_bias, ratings):
    """Return ``baseline`` with the mean and items of a fitted model and new users of its own."""
    baseline._same_world(model)
    baseline.global_mean_, baseline.item_bias_ = model._mean, item_bias
    return baseline._fold_in(ratings)
