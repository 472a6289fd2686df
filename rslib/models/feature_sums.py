"""What SVD++ and its relatives share: users who are weighted sums of features."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rslib.backend import array_module, rows_of, starts_of
from rslib.kernels import feature_sgd_epoch, feature_sums, predict_pairs, ridge_rows, rules
from rslib.kernels.features import Features
from rslib.models.base import Model
from rslib.ratings import Pairs, Ratings


def implicit_features(ratings, seen, first=0):
    r"""Return N(u), what each user rated or is known to have rated, each with weight |N(u)|^-1/2.

    Parameters
    ----------
    ratings : Ratings
    seen : Pairs or None
        More pairs known to be rated, their ratings unknown.
    first : int
        Number of the feature that stands for item 0.
    """
    xp = array_module(ratings.users)
    known = [ratings] if seen is None else [ratings, seen]
    pairs = xp.unique(xp.concatenate([part.users.astype(xp.int64) * ratings.n_items + part.items
                                      for part in known]))
    users, items = pairs // ratings.n_items, pairs % ratings.n_items
    lengths = xp.bincount(users, minlength=ratings.n_users)
    weights = (lengths[users] ** -0.5).astype(xp.float32)
    return Features(starts_of(lengths), (first + items).astype(xp.int32), weights)


def joined(*parts):
    """Join several `Features` of the same users into one: a user's entries of all of them."""
    xp = array_module(parts[0].weights)
    order = xp.argsort(xp.concatenate([rows_of(part.indptr) for part in parts]), kind="stable")
    ids, weights = (xp.concatenate(column)[order] for column in
                    ([part.ids for part in parts], [part.weights for part in parts]))
    return Features(sum(part.indptr for part in parts), ids, weights)


def implicit_and_own(ratings, seen):
    """Return N(u), items first, and then the user's own feature with weight one."""
    xp, n_users = array_module(ratings.users), ratings.n_users
    own = Features(xp.arange(n_users + 1), xp.arange(n_users, dtype=xp.int32) + ratings.n_items,
                   xp.ones(n_users, xp.float32))
    return joined(implicit_features(ratings, seen), own)


class Beside(NamedTuple):
    """What a model learns beside the sums of features, and the rule that learns both."""

    rule: Callable
    state: tuple = ()
    steps: Callable = lambda decay: ()


class FeatureSums(Model):
    """Base of NSVD, asymmetric SVD and SVD++.

    A subclass names its tables of features in ``_tables``, each with the side that its rows stand
    for, and says by `_features_of` which of them make up each user.
    """

    _derived = ("user_sums_",)

    def fit(self, train: Ratings, *, seen: Pairs | None = None, on_epoch=None):
        """Fit biases, item factors and features, and return self.

        Parameters
        ----------
        train : Ratings
        seen : Pairs or None
            Pairs known to be rated, their ratings unknown: they join N(u).
        on_epoch : callable (epoch, model) or None
            Called after every epoch; stops the fit by returning True.
        """
        self._world(train)
        rng = np.random.default_rng(self.seed)
        features = self._start(train, rng)
        features_of, beside = self._features_of(train, seen), self._beside(train, seen)
        state = (self.user_bias_, self.item_bias_, features, self.item_factors_, *beside.state)
        for epoch in range(1, self.n_epochs + 1):
            decay = self.decay ** (epoch - 1)
            steps = (self.global_mean_, self.learning_rate * decay, self.reg, self.reg_bias,
                     *beside.steps(decay))
            feature_sgd_epoch(train.by_user, rng.permutation(train.n_users), features_of, state,
                              steps, beside.rule)
            if on_epoch is not None:
                self.user_sums_ = feature_sums(features_of, features)
                if on_epoch(epoch, self):
                    break
        self.user_sums_ = feature_sums(features_of, features)
        return self

    def _start(self, train, rng):
        """Biases at zero, item factors and features small and random; returns all features."""
        xp = array_module(train.values)
        self.global_mean_ = float(train.values.mean(dtype=xp.float64))
        self.user_bias_ = xp.zeros(train.n_users, xp.float32)
        self.item_bias_ = xp.zeros(train.n_items, xp.float32)
        rated = xp.bincount(train.items, minlength=train.n_items) > 0
        self.item_factors_ = self._draw(xp, rng, train.n_items) * rated[:, None]
        sizes = [getattr(train, f"n_{side}s") for _, side in self._tables]
        features = self._draw(xp, rng, sum(sizes))
        for (name, _), last, size in zip(self._tables, np.cumsum(sizes), sizes, strict=True):
            setattr(self, name, features[last - size:last])
        return features

    def _beside(self, train, seen):
        return Beside(rules.feature_mf)

    def _draw(self, xp, rng, n):
        return xp.asarray(rng.normal(0, self.init_std, (n, self.n_factors)).astype(np.float32))

    def objective(self, ratings: Ratings, *, seen: Pairs | None = None) -> float:
        """Return J of the docstring on ``ratings``, in stars squared."""
        xp = array_module(ratings.values)
        errors = (ratings.values - self.predict(ratings.pairs)).astype(xp.float64)
        n_u = xp.bincount(ratings.users, minlength=ratings.n_users)
        n_i = xp.bincount(ratings.items, minlength=ratings.n_items)
        features_of = self._features_of(ratings, seen)
        table = xp.concatenate([getattr(self, name) for name, _ in self._tables])
        lengths = feature_sums(features_of._replace(weights=xp.ones_like(features_of.weights)),
                               (table ** 2).sum(1)[:, None])[:, 0]
        biases = n_u @ self.user_bias_ ** 2 + n_i @ self.item_bias_ ** 2
        factors = n_u @ lengths + n_i @ (self.item_factors_ ** 2).sum(1)
        return float((errors ** 2).sum() + self.reg_bias * biases + self.reg * factors)

    def predict(self, pairs: Pairs):
        """Return the prediction of each pair, in stars, not clipped."""
        self._check(pairs)
        return predict_pairs(pairs.users, pairs.items, self.global_mean_, self.user_bias_,
                             self.item_bias_, self.user_sums_, self.item_factors_)

    def score(self, users):
        """Return the predicted stars of every item for each of ``users``: (n, n_items)."""
        return (self.global_mean_ + self.user_bias_[users][:, None] + self.item_bias_
                + self.user_sums_[users] @ self.item_factors_.T)

    def fold_in(self, ratings: Ratings):
        """Return the model for the users of ``ratings``, new to it, with the items as they are.

        What they rated gives their features at once; the bias is then the minimum of J.
        """
        xp = array_module(ratings.values)
        features_of = self._features_of(ratings, None)
        table = xp.concatenate([getattr(self, name) for name, _ in self._tables])
        sums = feature_sums(features_of, table)
        bias = self._ridge(ratings, sums, xp.ones_like(self.item_bias_)[:, None])
        return self._with_users(ratings.n_users, user_bias_=bias[:, 0], user_sums_=sums)

    def _ridge(self, ratings, sums, regressors):
        """Regress what ``sums`` leave over of each user's ratings: bias first, then factors."""
        xp, side = array_module(ratings.values), ratings.by_user
        users = rows_of(side.indptr)
        known = predict_pairs(users, side.ids, self.global_mean_,
                              xp.zeros(ratings.n_users, xp.float32), self.item_bias_, sums,
                              self.item_factors_)
        penalty = xp.full(regressors.shape[1], self.reg, xp.float32)
        penalty[0] = self.reg_bias
        ridge = xp.diff(side.indptr).astype(xp.float32)[:, None] * penalty
        return ridge_rows(side.indptr, side.ids, side.values - known, regressors, ridge)
