"""The baseline: a global mean, and how far each user and item stands from it."""

from dataclasses import dataclass

import numpy as np

from rslib.backend import array_module, sum_by
from rslib.kernels import deal_blocks, predict_pairs, rules, sgd_epoch
from rslib.models.base import Model
from rslib.ratings import Pairs, Ratings


@dataclass
class Baseline(Model):
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
    learning_rate : float
        First step of "sgd".
    decay : float in (0, 1]
        Factor on the step of "sgd" after each epoch.
    seed : int
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

    solver: str = "ridge"
    reg_user: float = 5.0
    reg_item: float = 3.0
    n_epochs: int = 20
    learning_rate: float = 0.03
    decay: float = 0.85
    seed: int = 0

    _learned = ("user_bias_", "item_bias_", "global_mean_")

    def fit(self, train: Ratings, *, seen: Pairs | None = None, on_epoch=None) -> "Baseline":
        """Fit the biases and return self.

        Parameters
        ----------
        train : Ratings
        seen : Pairs or None
            Not used: the baseline has no implicit term.
        on_epoch : callable (epoch, model) or None
            Called after every epoch; stops the fit by returning True.
        """
        self._world(train)
        fit = {"ridge": self._fit_ridge, "sgd": self._fit_sgd,
               "decoupled": self._fit_decoupled}.get(self.solver)
        if fit is None:
            raise ValueError(f"solver must be 'ridge', 'sgd' or 'decoupled', not {self.solver!r}")
        xp = array_module(train.values)
        self.global_mean_ = float(train.values.mean(dtype=xp.float64))
        self.user_bias_ = xp.zeros(train.n_users, xp.float32)
        self.item_bias_ = xp.zeros(train.n_items, xp.float32)
        fit(train, on_epoch or (lambda epoch, model: None))
        return self

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

    def _fit_decoupled(self, train, on_epoch):
        self._fit_items(train)
        self._fit_users(train)
        on_epoch(1, self)

    def _fit_ridge(self, train, on_epoch):
        for epoch in range(1, self.n_epochs + 1):
            self._fit_decoupled(train, lambda *_: None)
            if on_epoch(epoch, self):
                break

    def _fit_sgd(self, train, on_epoch):
        xp, rng = array_module(train.values), np.random.default_rng(self.seed)
        shrinkage = [(reg / xp.maximum(xp.bincount(ids, minlength=n), 1)).astype(xp.float32)
                     for reg, ids, n in ((self.reg_user, train.users, train.n_users),
                                         (self.reg_item, train.items, train.n_items))]
        learning_rate, blocks = self.learning_rate, deal_blocks(train, self.seed)
        for epoch in range(1, self.n_epochs + 1):
            sgd_epoch(rules.baseline, blocks, rng.permutation(train.n_users),
                      (self.user_bias_, self.item_bias_),
                      (self.global_mean_, learning_rate, *shrinkage))
            learning_rate *= self.decay
            if on_epoch(epoch, self):
                break

    def objective(self, ratings: Ratings) -> float:
        """Return J of the docstring on ``ratings``, in stars squared."""
        xp = array_module(ratings.values)
        errors = (ratings.values - self.predict(ratings.pairs)).astype(xp.float64)
        return float((errors ** 2).sum() + self.reg_user * (self.user_bias_ ** 2).sum()
                     + self.reg_item * (self.item_bias_ ** 2).sum())

    def predict(self, pairs: Pairs):
        """Return the baseline of each pair, in stars, not clipped."""
        self._check(pairs)
        return predict_pairs(pairs.users, pairs.items, self.global_mean_,
                             self.user_bias_, self.item_bias_)

    def fold_in(self, ratings: Ratings) -> "Baseline":
        """Return the model for the users of ``ratings``, new to it, with the items as they are."""
        new = self._with_users(ratings.n_users)
        new._fit_users(ratings)
        return new


def baseline_of(model):
    """Return the ridge baseline with the penalties of another model, not fitted."""
    return Baseline("ridge", reg_user=model.reg_user, reg_item=model.reg_item)


def folded_baseline(baseline, model, item_bias, ratings):
    """Return ``baseline`` with the mean and items of a fitted model and new users of its own."""
    baseline.n_users_, baseline.n_items_ = model.n_users_, model.n_items_
    baseline.global_mean_, baseline.item_bias_ = model.global_mean_, item_bias
    return baseline.fold_in(ratings)
