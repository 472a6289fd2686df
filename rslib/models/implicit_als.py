"""Implicit alternating least squares: a preference for every pair, more certain where seen."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rslib.backend import array_module
from rslib.kernels import predict_pairs, ridge_rows, ridge_rows_cg
from rslib.models.base import Model
from rslib.models.domains import Count, NonNegative, Positive, Share, Whole


@dataclass
class ImplicitALS(Model):
    r"""Factorise who has what: one for the pairs that are there, zero, less surely, for all others.

    What a user has not is evidence, too, but weak: it may be unknown rather than disliked. So all
    pairs count, each with a confidence that grows with the value of the rating, such as a number
    of plays. Leave out the ratings that speak against an item before the fit.

    .. math:: \hat s_{ui} = p_u \cdot q_i, \qquad c_{ui} = 1 + \alpha r_{ui}

    .. math:: J = \sum_{(u,i) \in R} c_{ui} (1 - \hat s_{ui})^2
                  + \alpha_0 \sum_{(u,i) \notin R} \hat s_{ui}^2
                  + \lambda \sum_u (|R(u)| + \alpha_0 n_I)^\nu \lVert p_u \rVert^2
                  + \lambda \sum_i (|R(i)| + \alpha_0 n_U)^\nu \lVert q_i \rVert^2

    with :math:`n_U, n_I` the numbers of users and items. It is a preference, around one for what a
    user would have and zero otherwise, without points; only its order is meant to be read.

    Parameters
    ----------
    n_factors : int, at least 1
    solver : {"cholesky", "cg"}
        Solve each row exactly, or improve it by some steps of conjugate gradients, which is
        quicker where factors are many.
    alpha : float, at least 0
        :math:`\alpha`, confidence for each unit of the value; 0 leaves the values unread.
    alpha0 : float in (0, 1]
        :math:`\alpha_0`, confidence in a pair that is not there.
    reg : float, above 0
        :math:`\lambda`, on the squared factors.
    nu : float, at least 0
        :math:`\nu`, how the penalty grows with the number of pairs: 0 not, 1 in proportion.
    n_epochs : int, at least 1
        Sweeps over users and items.
    n_steps : int, at least 1
        Steps of "cg" for a row, in each sweep.
    init_std : float, above 0
        Standard deviation of the factors at the start, times the root of their number.
    seed : int, at least 0
        Start.

    Attributes
    ----------
    user_factors_, item_factors_ : float32 arrays (n_users, n_factors), (n_items, n_factors)
        On the device of train; zero for a user or item without ratings.

    Raises
    ------
    ValueError
        If a value is so far below zero that a pair would count less than one that is not there.

    Notes
    -----
    Cost of an epoch: O(n_ratings k^2 + (n_users + n_items) k^3) for "cholesky", O(steps (n_ratings
    k + (n_users + n_items) k^2)) for "cg": the Gram matrix of all items is shared by all users, so
    pairs that are not there cost nothing, and no array is larger than the ratings or the factors.
    Agreement: to rounding on both devices. Determinism: same seed, same bits on one machine. With
    "cholesky" no half of a sweep raises J, and whoever is folded in gets the exact minimum. What is
    ``seen`` is left alone; where a side is unknown, the preference is zero.
    Differs from the source in: with alpha0 of 1 and nu of 0 this is J of Hu et al. Rendle et al.
    sum the second term over all pairs, which with values unread is the same up to scale, this
    :math:`\alpha_0` over :math:`1 - \alpha_0` being theirs.

    References
    ----------
    Hu, Koren and Volinsky, Collaborative Filtering for Implicit Feedback Datasets (ICDM 2008),
    equations 3-5, doi:10.1109/ICDM.2008.22. Rendle, Krichene, Zhang and Koren, Revisiting the
    Performance of iALS on Item Recommendation Benchmarks (RecSys 2022), section 2,
    doi:10.1145/3523227.3548486. "cg": Takács, Pilászy and Tikk (RecSys 2011),
    doi:10.1145/2043932.2043987.
    """

    n_factors: Count = 64
    solver: Literal["cholesky", "cg"] = "cholesky"
    alpha: NonNegative = 0.0
    alpha0: Share = 0.1
    reg: Positive = 0.015
    nu: NonNegative = 1.0
    n_epochs: Count = 16
    n_steps: Count = 3
    init_std: Positive = 0.1
    seed: Whole = 0

    preferences = True
    _learned = ("user_factors_", "item_factors_")

    def _fit(self, train, seen, on_epoch):
        self._check_values(train)
        by_user, by_item = train.by_user, train.by_item
        self._start(train)

        def one_epoch(epoch):
            self.user_factors_ = self._solve(by_user, self.item_factors_, self.user_factors_)
            self.item_factors_ = self._solve(by_item, self.user_factors_, self.item_factors_)
        return self._run(one_epoch, on_epoch)

    def _check_values(self, ratings):
        lowest = float(ratings.values.min()) if len(ratings) else 0.0
        if 1 + self.alpha * lowest < self.alpha0:
            raise ValueError(f"{type(self).__name__}: a value of {lowest:g} has a confidence of "
                             f"{1 + self.alpha * lowest:g}, below that of a pair that is not there "
                             f"({self.alpha0:g}): values are counts, leave out those below zero")

    def _start(self, train):
        """Small random items, zero where there are no ratings; users follow from them."""
        xp, shape = array_module(train.values), (train.n_items, self.n_factors)
        draws = np.random.default_rng(self.seed).normal(
            0, self.init_std / self.n_factors ** 0.5, shape).astype(np.float32)
        known = xp.bincount(train.items, minlength=train.n_items) > 0
        self.item_factors_ = xp.asarray(draws) * known[:, None]
        self.user_factors_ = xp.zeros((train.n_users, self.n_factors), xp.float32)

    def _penalty(self, indptr, n_others):
        """What J charges for the squared factors of each row, as a column."""
        xp = array_module(indptr)
        counts = xp.diff(indptr) + self.alpha0 * n_others
        return (self.reg * counts ** self.nu).astype(xp.float32)[:, None]

    def _solve(self, side, others, start=None):
        """Minimise J over the factors of one side, or come closer by "cg", given the others."""
        xp = array_module(others)
        confidence = (1 + self.alpha * side.values).astype(xp.float32)
        ridge = self._penalty(side.indptr, len(others)) * xp.ones_like(others[:1])
        rows = side.indptr, side.ids, confidence, others, ridge
        shared = {"weights": confidence - self.alpha0, "base_gram": self.alpha0 * others.T @ others}
        if self.solver == "cg" and start is not None:
            return ridge_rows_cg(*rows, start, n_steps=self.n_steps, **shared)
        return ridge_rows(*rows, **shared)

    def _products(self, pairs, p, q):
        xp = array_module(pairs.users, p)
        nothing = xp.zeros(len(p), p.dtype), xp.zeros(len(q), q.dtype)
        return predict_pairs(pairs.users, pairs.items, 0.0, *nothing, p, q)

    def _objective(self, ratings, seen):
        """Over all pairs by the Gram matrices, less what those in R would add as if not there."""
        xp = array_module(ratings.values)
        p, q = (table.astype(xp.float64) for table in (self.user_factors_, self.item_factors_))
        s, confidence = self._products(ratings, p, q), 1 + self.alpha * ratings.values
        errors = (confidence * (1 - s) ** 2 - self.alpha0 * s ** 2).sum()
        everywhere = self.alpha0 * ((p.T @ p) * (q.T @ q)).sum()
        lengths = sum((self._penalty(side.indptr, n_others) * table ** 2).sum()
                      for side, n_others, table in ((ratings.by_user, len(q), p),
                                                    (ratings.by_item, len(p), q)))
        return float(errors + everywhere + lengths)

    def _predict(self, pairs):
        return self._products(pairs, self.user_factors_, self.item_factors_)

    def _score(self, users):
        return self.user_factors_[users] @ self.item_factors_.T

    def _fold_in(self, ratings):
        """J is quadratic in one user's factors: one ridge regression gives the exact minimum."""
        self._check_values(ratings)
        return self._with_users(ratings, user_factors_=self._solve(ratings.by_user,
                                                                   self.item_factors_))
