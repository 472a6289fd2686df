"""Global interpolation weights: one for each pair of items, learned from all ratings at once."""

from dataclasses import dataclass

import numpy as np

from rslib.backend import array_module, rows_of, sum_by
from rslib.kernels import deal_blocks, predict_pairs, rules, sgd_epoch, weighted_sums
from rslib.models.base import Model
from rslib.models.baseline import baseline_of, folded_baseline
from rslib.models.feature_sums import implicit_features
from rslib.models.learned_weights import laid_out, reasons
from rslib.ratings import Pairs, Ratings

BUDGET = 4_000_000_000      # bytes that both matrices of weights may take


def require_room(model, n_items, instead):
    """Raise unless two matrices of weights between so many items fit the budget."""
    if 8 * n_items ** 2 > BUDGET:
        raise ValueError(f"{model} needs {8e-9 * n_items ** 2:.0f} GB for the weights of {n_items} "
                         f"items: keep those rated most, or take {instead}")


def squared_weights(ratings, indptr, ids, table):
    """Return the sum over ratings of the squared weights that speak for each."""
    xp = array_module(ratings.values)
    sums, _ = weighted_sums(ratings.users, ratings.items, indptr, ids,
                            xp.ones(len(ids), table.dtype), table ** 2)
    return float(sums.sum(dtype=xp.float64))


def neighbourhood_steps(rated, deviations, seen):
    """Return the arrays that the rule `neighbourhood` takes after its four numbers.

    Parameters
    ----------
    rated : CSR by user
    deviations : float32 array (n_ratings,)
        Of the ratings from their fixed baseline, in the order of ``rated``.
    seen : Features
        N(u): what each user is known to have rated.
    """
    xp = array_module(deviations)

    def share(indptr):      # of one of a user's other entries: the item at hand is one of them
        others = xp.maximum(xp.diff(indptr) - 1, 1)
        return (others ** -0.5)[rows_of(indptr)].astype(xp.float32)
    return (rated.indptr, rated.ids, deviations * share(rated.indptr),
            seen.indptr, seen.ids, share(seen.indptr))


@dataclass
class GlobalWeights(Model):
    r"""Predict the baseline plus what every other rating of the user says, by learned weights.

    No similarity enters: a weight is what the ratings make it. Explicit weights w multiply how far
    a rating stood from its baseline, implicit weights c count that the item was rated at all.

    .. math:: \hat r_{ui} = \mu + b_u + b_i
              + |R(u) \setminus i|^{-1/2} \sum_{j \in R(u) \setminus i}
              w_{ij} (r_{uj} - \tilde b_{uj})
              + |N(u) \setminus i|^{-1/2} \sum_{j \in N(u) \setminus i} c_{ij}

    .. math:: J = \sum_{(u,i) \in R} \Big[ (r_{ui} - \hat r_{ui})^2 + \lambda_b (b_u^2 + b_i^2)
                  + \lambda \Big( \sum_{j \in R(u) \setminus i} w_{ij}^2
                  + \sum_{j \in N(u) \setminus i} c_{ij}^2 \Big) \Big]

    R(u) holds the items that u rated, N(u) those and what ``seen`` says u rated. The baseline
    :math:`\tilde b` inside the sum stays what `Baseline` found, the biases outside it start there
    and are learned. J is convex.

    Parameters
    ----------
    reg : float, at least 0
        :math:`\lambda`, on the squared weights, per rating.
    reg_bias : float, at least 0
        :math:`\lambda_b`, on the squared biases, per rating.
    n_epochs : int, at least 1
        Passes over the ratings.
    learning_rate : float
    decay : float in (0, 1]
        Factor on the step after each epoch.
    reg_user, reg_item : float, at least 0
        Of the fixed baseline, in ratings.
    seed : int
        Order of the users.

    Attributes
    ----------
    global_mean_ : float
        Stars.
    user_bias_, item_bias_ : float32 arrays (n_users,), (n_items,), on the device of train
    weights_, implicit_weights_ : float32 arrays (n_items, n_items)
        w and c; row i belongs to the item that is predicted, the diagonals are zero.
    baseline_item_bias_ : float32 array (n_items,)
        Of the fixed baseline.
    rated_indptr_, rated_ids_, rated_deviations_, seen_indptr_, seen_ids_ : arrays
        R(u) with the deviations from the fixed baseline, and N(u), as rows of a CSR.

    Raises
    ------
    ValueError
        If both matrices of weights would take more than 4 GB, which is at 22,000 items.

    Notes
    -----
    Cost of an epoch: O(sum of |R(u)|^2 + |R(u)| |N(u)|). Memory: two dense matrices n_items x
    n_items. Agreement: statistical. Determinism: same seed, same bits on one machine's CPU, for
    any number of threads. Users without ratings and items never rated get the baseline. Differs
    from the source in: item i is left out of R(u) and N(u); all items are neighbours, which the
    source found best.

    References
    ----------
    Koren, Factorization Meets the Neighborhood (KDD 2008), section 3, equations 9-11,
    doi:10.1145/1401890.1401944.
    """

    reg: float = 0.002
    reg_bias: float = 0.02
    n_epochs: int = 40
    learning_rate: float = 0.01
    decay: float = 0.99
    reg_user: float = 5.0
    reg_item: float = 3.0
    seed: int = 0

    _derived = ("rated_indptr_", "rated_ids_", "rated_deviations_", "seen_indptr_", "seen_ids_")
    _learned = ("weights_", "implicit_weights_", "user_bias_", "item_bias_", "global_mean_",
                "baseline_item_bias_", *_derived)

    def fit(self, train: Ratings, *, seen: Pairs | None = None, on_epoch=None) -> "GlobalWeights":
        """Fit biases and weights and return self.

        Parameters
        ----------
        train : Ratings
        seen : Pairs or None
            Pairs known to be rated, their ratings unknown: they join N(u).
        on_epoch : callable (epoch, model) or None
            Called after every epoch; stops the fit by returning True.
        """
        self._world(train)
        rng, blocks = np.random.default_rng(self.seed), deal_blocks(train, self.seed)
        arrays = self._start(train, seen)
        state = self.user_bias_, self.item_bias_, self.weights_, self.implicit_weights_
        for epoch in range(1, self.n_epochs + 1):
            learning_rate = self.learning_rate * self.decay ** (epoch - 1)
            steps = self.global_mean_, learning_rate, self.reg, self.reg_bias, *arrays
            sgd_epoch(rules.neighbourhood, blocks, rng.permutation(train.n_users), state, steps)
            if on_epoch is not None and on_epoch(epoch, self):
                break
        return self

    def _start(self, train, seen):
        """Biases of the baseline, weights at zero; returns the arrays of the rule."""
        xp, shape = array_module(train.values), (train.n_items, train.n_items)
        require_room("GlobalWeights", train.n_items, "ItemWeights")
        baseline = baseline_of(self).fit(train)
        self.global_mean_ = baseline.global_mean_
        self.baseline_item_bias_ = baseline.item_bias_
        self.item_bias_, self.user_bias_ = baseline.item_bias_.copy(), baseline.user_bias_.copy()
        self.weights_ = xp.zeros(shape, xp.float32)
        self.implicit_weights_ = xp.zeros(shape, xp.float32)
        known = implicit_features(train, seen)
        self.__dict__.update(self._profiles(train, known, baseline))
        return neighbourhood_steps(train.by_user, self.rated_deviations_, known)

    def _profiles(self, ratings, known, baseline):
        """R(u) with its deviations, and N(u), under the names of the attributes."""
        rated = ratings.by_user
        deviations = (ratings.values - baseline.predict(ratings.pairs))[rated.rows]
        return dict(zip(self._derived, (rated.indptr, rated.ids, deviations, known.indptr,
                                        known.ids), strict=True))

    def objective(self, ratings: Ratings) -> float:
        """Return J of the docstring on ``ratings``, in stars squared."""
        xp = array_module(ratings.values)
        errors = (ratings.values - self.predict(ratings.pairs)).astype(xp.float64)
        biases = self.user_bias_[ratings.users] ** 2 + self.item_bias_[ratings.items] ** 2
        return float((errors ** 2).sum() + self.reg_bias * biases.sum(dtype=xp.float64)
                     + self.penalty(ratings))

    def penalty(self, ratings: Ratings) -> float:
        """Return the part of J that charges the weights which speak for ``ratings``."""
        return self.reg * sum(squared_weights(ratings, *part) for part in (
            (self.rated_indptr_, self.rated_ids_, self.weights_),
            (self.seen_indptr_, self.seen_ids_, self.implicit_weights_)))

    def predict(self, pairs: Pairs):
        """Return the prediction of each pair, in stars, not clipped."""
        self._check(pairs)
        explicit, implicit = self.said(pairs)
        return (predict_pairs(pairs.users, pairs.items, self.global_mean_, self.user_bias_,
                              self.item_bias_) + explicit + implicit)

    def said(self, pairs: Pairs):
        """Return what the explicit and what the implicit weights add to each pair, in stars."""
        xp = array_module(pairs.users)
        users, items = pairs.users, pairs.items
        explicit, n_rated = weighted_sums(users, items, self.rated_indptr_, self.rated_ids_,
                                          self.rated_deviations_, self.weights_)
        ones = xp.ones(len(self.seen_ids_), explicit.dtype)
        implicit, n_seen = weighted_sums(users, items, self.seen_indptr_, self.seen_ids_, ones,
                                         self.implicit_weights_)
        return (explicit / xp.sqrt(xp.maximum(n_rated, 1)).astype(explicit.dtype),
                implicit / xp.sqrt(xp.maximum(n_seen, 1)).astype(implicit.dtype))

    def fold_in(self, ratings: Ratings) -> "GlobalWeights":
        """Return the model for the users of ``ratings``, new to it, with the items as they are.

        What they rated is R(u) and N(u), weighted by weights that belong to the items; their bias
        is then the minimum of J.
        """
        xp, n_users = array_module(ratings.values), ratings.n_users
        baseline = folded_baseline(baseline_of(self), self, self.baseline_item_bias_, ratings)
        profiles = self._profiles(ratings, implicit_features(ratings, None), baseline)
        new = self._with_users(n_users, user_bias_=xp.zeros(n_users, xp.float32), **profiles)
        left = sum_by(ratings.users, ratings.values - new.predict(ratings.pairs), n_users)
        counts = xp.maximum(xp.bincount(ratings.users, minlength=n_users), 1)
        new.user_bias_ = (left / (counts * (1 + self.reg_bias))).astype(xp.float32)
        return new

    def explain(self, user, item):
        """Return what each item that the user rated adds to one prediction, largest first.

        Returns
        -------
        list of Reason
        """
        rated, deviations = laid_out(self, user)
        seen = self.seen_ids_[int(self.seen_indptr_[user]):int(self.seen_indptr_[user + 1])]
        others, n_rated = seen[seen != item], int((rated != item).sum())
        weights, x = self.weights_[item, others], deviations[others]
        contributions = (weights * x / max(n_rated, 1) ** 0.5
                         + self.implicit_weights_[item, others] / max(len(others), 1) ** 0.5)
        return reasons(others, weights, x, contributions)
