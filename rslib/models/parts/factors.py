"""Factors: the match of an item's vector with a sum of vectors that stands for its user."""

from dataclasses import dataclass

import numpy as np

from rslib.backend import array_module
from rslib.kernels import feature_sums, predict_pairs
from rslib.kernels.features import Features
from rslib.models.parts.features import (
    implicit_features,
    joined,
    own_features,
    shrunken_means,
)
from rslib.models.parts.part import Part
from rslib.models.parts.sessions import keys_of


class Implicit:
    """|N(u)|^-1/2 sum y_j: what the choice of items to rate gives away."""

    table, side = "implicit_factors_", "item"
    learned = ()

    def start(self, model, train):
        """Learn what `features` needs to know of the training ratings."""

    def features(self, model, ratings, seen, first):
        """Return which rows of the table each user is the sum of; the first has this number."""
        return implicit_features(ratings, seen, first)


class Own(Implicit):
    """p_u: what ratings have taught about a user."""

    table, side = "user_factors_", "user"

    def features(self, model, ratings, seen, first):
        return own_features(ratings, first)


@dataclass(frozen=True)
class Rated(Implicit):
    """|R(u)|^-1/2 sum (r_uj - b_uj) x_j: how much more than expected each item was liked.

    b is a decoupled baseline, fixed before the fit: shrunken means of items, then of what they
    leave over of users.
    """

    reg_item: float     # ratings
    reg_user: float

    table, side = "rated_factors_", "item"
    learned = ("fixed_item_bias_",)

    def start(self, model, train):
        model.fixed_item_bias_ = shrunken_means(train.items, train.values, train.n_items,
                                                self.reg_item)

    def features(self, model, ratings, seen, first):
        xp, side = array_module(ratings.values), ratings.by_user
        deviations = ratings.values - model.fixed_item_bias_[ratings.items]
        bias = shrunken_means(ratings.users, deviations, ratings.n_users, self.reg_user)
        root = xp.sqrt(xp.maximum(xp.diff(side.indptr), 1))[ratings.users]
        weights = ((deviations - bias[ratings.users]) / root).astype(xp.float32)
        return Features(side.indptr, side.ids + first, weights[side.rows])


@dataclass(frozen=True)
class Drifting:
    """v dev_u(t) alpha_u: a taste that moves from one end of the span to the other."""

    weight: float       # v

    table, learned = "drift_factors_", ("drift_factors_",)

    def n_rows(self, model):
        return model.n_users_

    def add(self, model, factors, when):
        """Return ``factors`` (n, k) with the part of each user and day added."""
        return factors + (self.weight * when.deviations)[:, None] * model.drift_factors_[when.users]

    def lengths(self, model, when):
        """Return the squared length of the vector that each row reads."""
        return (model.drift_factors_ ** 2).sum(1)[when.users]


@dataclass(frozen=True)
class Daily:
    """o p_ut: a taste of one day; a day never seen has none."""

    weight: float       # o

    table, learned = "day_factors_", ("day_factors_",)

    def n_rows(self, model):
        return max(1, len(model.session_keys_))     # one of nobody, where there are no ratings

    def add(self, model, factors, when):
        weights = np.float32(self.weight) * (when.sessions >= 0)[:, None]
        return factors + weights * model.day_factors_[when.sessions]

    def lengths(self, model, when):
        return (model.day_factors_ ** 2).sum(1)[when.sessions]


def daily_factors(drift_weight, day_weight):
    """Return what depends on the day; a weight of zero leaves it out."""
    return ((Drifting(drift_weight),) if drift_weight else ()) + (
        (Daily(day_weight),) if day_weight else ())


def drawn(model, xp, rng, n):
    """Return ``n`` small random vectors."""
    return xp.asarray(rng.normal(0, model.init_std, (n, model.n_factors)).astype(np.float32))


def occurs(ids, n):
    """Return whether each of ``n`` ids occurs, as a column."""
    return array_module(ids).bincount(ids, minlength=n)[:, None] > 0


@dataclass(frozen=True)
class UserFactors(Part):
    r"""The match of an item's factors with its user's, :math:`p_u \cdot q_i`.

    ``reg`` is charged in each rating for the squared factors of both.
    """

    reg: float

    name = "factors"
    learned = lends = ("user_factors_", "item_factors_")

    def start(self, model, train, seen, rng):
        xp = array_module(train.values)
        model.user_factors_, model.item_factors_ = (
            drawn(model, xp, rng, n) * occurs(ids, n)
            for ids, n in ((train.users, train.n_users), (train.items, train.n_items)))

    def value(self, model, at):
        return products(at.users, at.items, model.user_factors_, model.item_factors_)

    def scores(self, model, users):
        return model.user_factors_[users] @ model.item_factors_.T

    def penalty(self, model, ratings, seen):
        lengths = ((model.user_factors_ ** 2).sum(1)[ratings.users]
                   + (model.item_factors_ ** 2).sum(1)[ratings.items])
        return self.reg * float(lengths.sum(dtype=np.float64))


@dataclass(frozen=True)
class Factors(Part):
    r"""The match of an item with its user.

    .. math:: q_i \cdot \Big( \sum_{j} s_{uj} y_j + \text{what depends on the day} \Big)

    The features y that a user is the sum of lie in one table for each of ``features``; their sum
    is kept in ``user_sums_``. Factors of items and users without ratings start at zero.

    Parameters
    ----------
    reg : float
        Penalty, in each rating, on the squared vectors that speak in it.
    features : tuple of Implicit, Own, Rated
    daily : tuple of Drifting, Daily
    """

    reg: float
    features: tuple
    daily: tuple = ()

    name, derived = "factors", ("user_sums_",)

    @property
    def learned(self):
        tables = [kind.table for kind in self.features]
        more = [name for kind in (*self.features, *self.daily) for name in kind.learned]
        return ("item_factors_", *tables, *more, "user_sums_")

    def start(self, model, train, seen, rng):
        xp = array_module(train.values)
        model.item_factors_ = drawn(model, xp, rng, train.n_items) * occurs(train.items,
                                                                            train.n_items)
        table = drawn(model, xp, rng, sum(self.sizes(train)))
        self.split(model, table, self.sizes(train))
        if "user_factors_" in self.learned:
            model.user_factors_ *= occurs(train.users, train.n_users)       # a view of the table
        for kind in self.features:
            kind.start(model, train)
        for kind in self.daily:
            model.learn({kind.table: xp.zeros((kind.n_rows(model), model.n_factors), xp.float32)})

    def sizes(self, ratings):
        """Return the number of rows of each table of features."""
        return [ratings.n_items if kind.side == "item" else ratings.n_users
                for kind in self.features]

    def features_of(self, model, ratings, seen):
        """Return which features each user is the sum of."""
        firsts = np.cumsum([0, *self.sizes(ratings)])
        return joined(*(kind.features(model, ratings, seen, int(first)) for kind, first in
                        zip(self.features, firsts, strict=False)))

    def table(self, model):
        """Return all features of a model in one table, a copy."""
        return array_module(model.item_factors_).concatenate(
            [model.learned(kind.table) for kind in self.features])

    def split(self, model, table, sizes):
        """Make the attributes of the model views of ``table``."""
        for kind, last, size in zip(self.features, np.cumsum(sizes), sizes, strict=True):
            model.learn({kind.table: table[last - size:last]})

    @property
    def lends(self):
        return ("item_factors_", *(kind.table for kind in self.daily))

    def lend(self, model):
        return super().lend(model) | {"features": self.table(model)}

    def give_back(self, model, arrays):
        super().give_back(model, arrays)
        self.split(model, arrays["features"], [len(model.learned(kind.table))
                                               for kind in self.features])

    def user_vectors(self, model, when):
        """Return what stands for the users of some rows on their days, (n, k)."""
        vectors = model.user_sums_[when.users]
        for kind in self.daily:
            vectors = kind.add(model, vectors, when)
        return vectors.astype(np.float32)

    def value(self, model, at):
        if not self.daily:
            return products(at.users, at.items, model.user_sums_, model.item_factors_)
        once, moments = moments_of(at)
        return products(moments, at.items, self.user_vectors(model, once), model.item_factors_)

    def scores(self, model, users):
        return model.user_sums_[users] @ model.item_factors_.T

    def penalty(self, model, ratings, seen):
        xp, at = array_module(ratings.values), model.at(ratings.pairs)
        features_of = self.features_of(model, ratings, seen)
        ones = features_of._replace(weights=xp.ones_like(features_of.weights))
        lengths = feature_sums(ones, (self.table(model) ** 2).sum(1)[:, None])[at.users, 0]
        lengths = lengths + (model.item_factors_ ** 2).sum(1)[at.items]
        for kind in self.daily:
            lengths = lengths + kind.lengths(model, at)
        return self.reg * float(lengths.sum(dtype=xp.float64))


def products(users, items, user_vectors, item_factors):
    """Return the product of a user's and an item's vector for each row."""
    xp = array_module(user_vectors)
    none = (xp.zeros(len(table), item_factors.dtype) for table in (user_vectors, item_factors))
    return predict_pairs(users, items, 0.0, *none, user_vectors, item_factors)


def moments_of(when):
    """Return one row for each user and day that occurs, and which of them each row is of."""
    keys = 2 * keys_of(when, when.days) + (when.sessions >= 0)      # a day outside has no session
    xp = array_module(keys)
    _, first, moments = xp.unique(keys, return_index=True, return_inverse=True)
    return type(when)(*(column[first] for column in when)), moments
