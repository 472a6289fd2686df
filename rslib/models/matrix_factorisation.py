"""Matrix factorisation without biases: the lecture's latent factors, by three solvers."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rslib.backend import array_module
from rslib.kernels import deal_blocks, predict_pairs, ridge_rows, rules, sgd_epoch, truncated_svd
from rslib.kernels.features import Features, feature_sums
from rslib.kernels.states import MFState, SharedSteps
from rslib.models.base import Model
from rslib.models.domains import Count, NonNegative, Positive, Share, Whole


@dataclass
class MatrixFactorisation(Model):
    r"""Predict the dot product of a user's and an item's factors, and nothing else.

    .. math:: \hat r_{ui} = c + q_i \cdot p_u, \qquad c = 0, \text{ or the mean if centred}

    .. math:: J = \sum_{(u,i) \in R} (r_{ui} - \hat r_{ui})^2
                  + \lambda_1 \sum_u w_u \lVert p_u \rVert^2
                  + \lambda_2 \sum_i w_i \lVert q_i \rVert^2

    Each w is one, or, if weighted, the number of ratings of that user or item. All three solvers
    descend this J. It is not convex, and they may end in different valleys.

    Parameters
    ----------
    n_factors : int, at least 1
    solver : {"gd", "sgd", "als"}
        Descent along the whole gradient, along that of one rating after another, or alternating
        least squares.
    reg_user, reg_item : float, at least 0; above 0 for "als"
        :math:`\lambda_1` and :math:`\lambda_2`.
    weighted : bool
        Whether a penalty counts once for each rating (weighted lambda) or once.
    centred : bool
        Whether the mean of the ratings is taken off before they are factorised.
    n_epochs : int, at least 1
        Passes over the ratings.
    learning_rate : float, above 0
        Step along minus half the gradient: of one rating's share of J for "sgd", of all of J for
        "gd", which halves it, for good, whenever J would rise.
    decay : float in (0, 1]
        Factor on the step of "sgd" after each epoch.
    start : {"svd", "random"}
        Truncated SVD of the ratings less c, what is missing read as zero; or small and random.
    init_std : float, at least 0
        Standard deviation of the factors at a random start.
    seed : int, at least 0
        Start, and order of the users in "sgd".

    Attributes
    ----------
    global_mean_ : float
        Stars; the mean of the training ratings.
    unit_ : float
        Stars; the deviation of the training ratings, in which the equations are reckoned and all
        below is given, see `rslib.models.units`.
    user_factors_, item_factors_ : float32 arrays (n_users, n_factors), (n_items, n_factors)
        On the device of train; zero for a user or item without ratings.

    Raises
    ------
    numpy.linalg.LinAlgError
        From "als" with a penalty of zero, where a row has too few ratings.

    Notes
    -----
    Cost of an epoch: O(n_ratings k) for "gd" and "sgd"; O(n_ratings k^2 + (n_users + n_items) k^3)
    for "als". The SVD is computed on the host. Agreement: "gd" and "als" to rounding on both
    devices; "sgd" statistical. Determinism: same seed, same bits on one machine, but for "sgd" on a
    GPU. Pairs of which a side has no factors get the mean. Differs from the source in sharing the
    singular values equally between P and Q, whose product is the same, and in halving the step
    of "gd".

    References
    ----------
    Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 9.4; CS246 slides, Latent
    Factor Models. Zhou et al., Large-scale Parallel Collaborative Filtering for the Netflix Prize
    (AAIM 2008), section 3 (weighted lambda), doi:10.1007/978-3-540-68880-8_32.
    """

    n_factors: Count = 8
    solver: Literal["gd", "sgd", "als"] = "sgd"
    reg_user: NonNegative = 0.08
    reg_item: NonNegative = 0.08
    weighted: bool = True
    centred: bool = True
    n_epochs: Count = 40
    learning_rate: Positive = 0.02
    decay: Share = 0.97
    start: Literal["svd", "random"] = "svd"
    init_std: NonNegative = 0.05
    seed: Whole = 0

    standardised = True
    _learned = ("user_factors_", "item_factors_", "global_mean_", "unit_")
    _derived = ("unit_",)

    def _fit(self, train, seen, on_epoch):
        solve = {"gd": self._gd, "sgd": self._sgd, "als": self._als}[self.solver]
        rng = np.random.default_rng(self.seed)
        self._start(train, rng)
        return self._run(solve(train, rng), on_epoch)

    @property
    def _origin(self):
        return self.global_mean_ if self.centred else 0.0

    def _start(self, train, rng):
        """Factors at their start, zero where there are no ratings."""
        start = self._singular_vectors if self.start == "svd" else self._draws
        self.user_factors_, self.item_factors_ = start(train, rng)

    def _draws(self, train, rng):
        """Small random factors, zero where there are no ratings."""
        xp = array_module(train.values)
        for ids, n in ((train.users, train.n_users), (train.items, train.n_items)):
            draws = rng.normal(0, self.init_std, (n, self.n_factors)).astype(np.float32)
            yield xp.asarray(draws) * (_counts(ids, n) > 0)

    def _singular_vectors(self, train, rng):
        """Singular vectors of the ratings, each times the root of its singular value."""
        by_user, by_item = train.by_user, train.by_item
        u, lengths, v = truncated_svd(by_user, by_item, by_user.values, by_item.values,
                                      self.n_factors)
        xp = array_module(lengths)
        for vectors in (u, v):
            yield (vectors * xp.sqrt(lengths)).astype(xp.float32)

    def _penalties(self, ratings):
        """What J charges for each user's and for each item's squared factors, as columns."""
        xp = array_module(ratings.values)
        counts = _counts(ratings.users, ratings.n_users), _counts(ratings.items, ratings.n_items)
        return [(reg * (n if self.weighted else xp.ones_like(n))).astype(xp.float32)
                for reg, n in zip((self.reg_user, self.reg_item), counts, strict=True)]

    def _errors(self, ratings):
        """Rating less prediction, without a fallback for the unknown."""
        return ratings.values - self._products(ratings)

    def _downhill(self, train, errors, penalties):
        """Minus half the gradient of J with respect to both sides' factors."""
        sides = ((train.by_user, self.user_factors_, self.item_factors_),
                 (train.by_item, self.item_factors_, self.user_factors_))
        return [feature_sums(Features(side.indptr, side.ids, errors[side.rows]), other)
                - penalty * own
                for (side, own, other), penalty in zip(sides, penalties, strict=True)]

    def _gd(self, train, rng):
        """Return what runs one epoch of gradient descent: one step."""
        penalties, step = self._penalties(train), self.learning_rate
        errors = self._errors(train)

        def one_epoch(epoch):
            nonlocal step, errors
            objective = self._charged(errors, penalties)
            p, q = self.user_factors_, self.item_factors_
            down_p, down_q = self._downhill(train, errors, penalties)
            while True:
                self.user_factors_, self.item_factors_ = p + step * down_p, q + step * down_q
                errors = self._errors(train)
                if self._charged(errors, penalties) <= objective:     # infinity and NaN are not
                    break
                step /= 2
        return one_epoch

    def _sgd(self, train, rng):
        """Return what runs one epoch of stochastic gradient descent."""
        blocks, xp = deal_blocks(train, self.seed), array_module(train.values)
        state = MFState(self.user_factors_, self.item_factors_)
        shares = [(penalty / xp.maximum(_counts(ids, len(penalty)), 1))[:, 0].astype(xp.float32)
                  for penalty, ids in zip(self._penalties(train), (train.users, train.items),
                                          strict=True)]

        def one_epoch(epoch):
            learning_rate = self.learning_rate * self.decay ** (epoch - 1)
            return sgd_epoch(rules.mf, blocks, rng.permutation(train.n_users), state,
                             SharedSteps(0.0, learning_rate, *shares)) / len(train)
        return one_epoch

    def _als(self, train, rng):
        """Return what runs one epoch of alternating least squares."""
        of_users, of_items = self._penalties(train)

        def one_epoch(epoch):
            self.user_factors_ = self._solve(train.by_user, self.item_factors_, of_users)
            self.item_factors_ = self._solve(train.by_item, self.user_factors_, of_items)
        return one_epoch

    def _solve(self, side, others, penalty):
        """Ridge regressions for the factors of every row of one side, given the other side."""
        ridge = penalty * array_module(others).ones_like(others[:1])
        return ridge_rows(side.indptr, side.ids, side.values, others, ridge)

    def _charged(self, errors, penalties):
        xp = array_module(errors)
        lengths = sum((penalty * factors.astype(xp.float64) ** 2).sum() for penalty, factors in
                      zip(penalties, (self.user_factors_, self.item_factors_), strict=True))
        return float((errors.astype(xp.float64) ** 2).sum() + lengths)

    def _objective(self, ratings, seen):
        return self._charged(self._errors(ratings), self._penalties(ratings))

    def _products(self, pairs):
        """Return the dot product for each pair."""
        xp = array_module(pairs.users, self.user_factors_)
        no_bias = xp.zeros_like(self.user_factors_[:, 0]), xp.zeros_like(self.item_factors_[:, 0])
        return predict_pairs(pairs.users, pairs.items, 0.0, *no_bias, self.user_factors_,
                             self.item_factors_)

    def _predict(self, pairs):
        """The mean where a side is unknown."""
        known = _known(self.user_factors_)[pairs.users] & _known(self.item_factors_)[pairs.items]
        products = self._products(pairs)
        return array_module(products).where(known, products, np.float32(self._mean))

    def _score(self, users):
        known = _known(self.user_factors_)[users][:, None] & _known(self.item_factors_)
        products = self.user_factors_[users] @ self.item_factors_.T
        return array_module(products).where(known, products, np.float32(self._mean))

    def _fold_in(self, ratings):
        """J is quadratic in one user's factors: one ridge regression gives the exact minimum."""
        factors = self._solve(ratings.by_user, self.item_factors_, self._penalties(ratings)[0])
        return self._with_users(ratings, user_factors_=factors)


def _counts(ids, n):
    """Number of ratings of each user or item, as a column."""
    return array_module(ids).bincount(ids, minlength=n)[:, None]


def _known(factors):
    """Whether there were ratings to learn each row from: its factors are zero otherwise."""
    return (factors != 0).any(axis=1)
