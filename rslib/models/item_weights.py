"""Learned interpolation weights: item by item, what its neighbours' ratings are worth."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rslib.backend import array_module, asnumpy, group_by, solve_spd
from rslib.kernels import predict_pairs, similar_items, weighted_sums
from rslib.kernels.top_k import rows_between
from rslib.models.base import Model
from rslib.models.baseline import baseline_of, folded_baseline
from rslib.models.domains import Count, NonNegative, Positive, number
from rslib.models.parts.neighbourhood import reasons, row_of

BLOCK = 1 << 26     # deviations laid out at a time: 256 MB of float32


@dataclass
class ItemWeights(Model):
    r"""Predict the baseline plus a weighted sum of the user's deviations on similar items.

    Similarities only choose the neighbours N(i) of an item, those most similar to it; how much
    each of them counts is learned. The weights need not sum to one and may be negative.

    .. math:: \hat r_{ui} = b_{ui} + \sum_{j \in N(i) \cap R(u)} w_{ij} (r_{uj} - b_{uj})

    .. math:: J(w) = \sum_{(u,i) \in R} (\hat r_{ui} - r_{ui})^2 + \lambda \sum_{ij} w_{ij}^2

    with the baseline b fixed. J is convex and falls apart into one ridge regression for each item:
    "ridge" solves their normal equations, "gd" walks down the whole gradient of each.

    Parameters
    ----------
    n_neighbours : int, at least 1
        Size of N(i).
    solver : {"ridge", "gd"}
    reg : float, above 0
        :math:`\lambda`, in variances of train.
    shrinkage : float, at least 0
        Of the similarities that choose N(i), in users; see `rslib.kernels.similarity`.
    n_epochs : int, at least 1
        Steps of "gd", at most.
    learning_rate : float in (0, 2)
        Step of "gd", in units of one over the bound on each item's curvature, the largest absolute
        row sum of its normal equations; from 2 on J may rise.
    tolerance : float, at least 0
        "gd" stops when no weight moves by more.
    reg_user, reg_item : float, at least 0
        Of the baseline, in ratings.

    Attributes
    ----------
    global_mean_ : float
        Stars.
    unit_ : float
        Stars; the deviation of the training ratings, in which the equations are reckoned and all
        below is given, see `rslib.models.units`.
    user_bias_, item_bias_ : float32 arrays (n_users,), (n_items,), on the device of train
        Of the baseline.
    neighbours_ : int32 array (n_items, n_neighbours)
        N(i), most similar first; fewer columns where there are not so many other items.
    weights_ : float32 array (n_items, n_neighbours)
        w, in the same order.
    rated_indptr_, rated_ids_, rated_deviations_ : arrays
        R(u) with the deviations from the baseline, as rows of a CSR.

    Notes
    -----
    Cost: O(n_ratings k^2 + n_items k^3) for k neighbours, and the similarities; a step of "gd"
    O(n_items k^2). Memory: n_items k^2 numbers. Agreement: exact to rounding on both devices.
    Determinism: same inputs, same bits. Users without ratings and items never rated get the
    baseline. Differs from the source in: the normal equations are sums over those who rated i,
    with zero for what they did not rate, so they are those of J; Bell and Koren average over those
    who rated both neighbours, shrink these averages, and solve again for every pair.

    References
    ----------
    Bell and Koren, Scalable Collaborative Filtering with Jointly Derived Neighborhood Interpolation
    Weights (ICDM 2007), section 4, doi:10.1109/ICDM.2007.90.
    """

    n_neighbours: Count = 30
    solver: Literal["ridge", "gd"] = "ridge"
    reg: Positive = 50.0
    shrinkage: NonNegative = 100.0
    n_epochs: Count = 200
    learning_rate: number(float, 0, 2, open_low=True, open_high=True) = 1.5
    tolerance: NonNegative = 1e-5
    reg_user: NonNegative = 4.0
    reg_item: NonNegative = 6.0

    standardised = True
    _derived = ("unit_", "neighbours_", "rated_indptr_", "rated_ids_", "rated_deviations_")
    _learned = ("weights_", "user_bias_", "item_bias_", "global_mean_", *_derived)

    def _fit(self, train, seen, on_epoch):
        baseline = baseline_of(self).fit(train)
        self._take(baseline, train)
        self.item_bias_ = baseline.item_bias_
        self.neighbours_ = self._choose(train)
        gram, rhs = self._normal_equations()
        if self.solver == "gd" and rhs.size:
            return self._descend(gram, rhs, on_epoch)
        self.weights_ = solve_spd(gram, rhs)

    def _take(self, baseline, ratings):
        """Remember the users of a baseline, and how far their ratings stand from it."""
        rated = ratings.by_user
        self.user_bias_ = baseline.user_bias_
        self.rated_indptr_, self.rated_ids_ = rated.indptr, rated.ids
        self.rated_deviations_ = (ratings.values - baseline.predict(ratings.pairs))[rated.rows]

    def _choose(self, train):
        """Return the items most similar to each, by the correlation of what the baseline left."""
        xp = array_module(train.values)
        if train.n_items == 1:      # which no other item can speak for
            return xp.zeros((1, 0), xp.int32)
        deviations = xp.zeros_like(train.values)
        deviations[train.by_user.rows] = self.rated_deviations_
        ids, _ = similar_items(train.by_item, train.by_user, deviations[train.by_item.rows],
                               self.rated_deviations_, min(self.n_neighbours, train.n_items - 1),
                               kind="cosine", shrinkage=self.shrinkage)
        return ids

    def normal_equations(self):
        r"""Return the normal equations of each item, which `fit` solves, of the users held.

        With X the deviations of those who rated the item on its neighbours, zero where they rated
        none, and d their deviations on the item itself.

        Returns
        -------
        gram : float32 array (n_items, n_neighbours, n_neighbours)
            :math:`X^T X + \lambda I`, in ``unit_`` squared.
        rhs : float32 array (n_items, n_neighbours)
            :math:`X^T d`, in ``unit_`` squared.
        """
        self.check_fitted()
        return self._normal_equations()

    def _normal_equations(self):
        xp, neighbours = array_module(self.neighbours_), self.neighbours_
        n_items, k = neighbours.shape
        gram, rhs = xp.zeros((n_items, k, k), xp.float32), xp.zeros((n_items, k), xp.float32)
        gram[:, xp.arange(k), xp.arange(k)] = self.reg
        step = max(1, BLOCK // n_items)
        for start in range(0, self.n_users_, step):
            stop = min(start + step, self.n_users_)
            entries = slice(int(self.rated_indptr_[start]), int(self.rated_indptr_[stop]))
            items, x = self.rated_ids_[entries], self.rated_deviations_[entries]
            users = rows_between(self.rated_indptr_, start, stop)
            dense = xp.zeros((stop - start, n_items), xp.float32)
            dense[users, items] = x
            indptr, order = group_by(items, n_items)
            indptr = asnumpy(indptr)
            for item in np.flatnonzero(np.diff(indptr)).tolist():
                raters = order[indptr[item]:indptr[item + 1]]
                features = dense[users[raters][:, None], neighbours[item]]      # (raters, k)
                gram[item] += features.T @ features
                rhs[item] += features.T @ x[raters]
        return gram, rhs

    def _descend(self, gram, rhs, on_epoch):
        """Walk down the gradient from zero until the weights stand still."""
        xp = array_module(gram)
        step = self.learning_rate / abs(gram).sum(axis=2).max(axis=1)[:, None]
        self.weights_ = xp.zeros_like(rhs)
        still = False

        def one_epoch(epoch):
            nonlocal still
            change = step * (rhs - (gram @ self.weights_[..., None])[..., 0])
            self.weights_ += change
            still = float(abs(change).max()) <= self.tolerance
        return self._run(one_epoch, lambda epoch, model: (
            on_epoch is not None and on_epoch(epoch, model)) or still)

    def _objective(self, ratings, seen):
        xp = array_module(ratings.values)
        errors = (ratings.values - self._predict(ratings.pairs)).astype(xp.float64)
        return float((errors ** 2).sum() + self.reg * (self.weights_ ** 2).sum(dtype=xp.float64))

    def _predict(self, pairs):
        sums, _ = weighted_sums(pairs.users, pairs.items, self.rated_indptr_, self.rated_ids_,
                                self.rated_deviations_, (self.neighbours_, self.weights_))
        return sums + predict_pairs(pairs.users, pairs.items, 0.0, self.user_bias_,
                                    self.item_bias_)

    def _fold_in(self, ratings):
        """Their bias is the baseline's, and the weights belong to the items."""
        new = self._with_users(ratings)
        new._take(folded_baseline(baseline_of(self), self, self.item_bias_, ratings), ratings)
        return new

    def _explain(self, user, item):
        """Return what each neighbour that the user rated adds to one prediction, largest first.

        Returns
        -------
        list of Reason
        """
        xp = array_module(self.weights_)
        ids, deviations = row_of(user, self.rated_indptr_, self.rated_ids_,
                                 self.rated_deviations_, self.n_items_)
        rated = xp.zeros(self.n_items_, xp.float32)
        rated[ids] = 1
        spoke = rated[self.neighbours_[item]] > 0
        x, weights = deviations[self.neighbours_[item]][spoke], self.weights_[item][spoke]
        return reasons(self.unit_, self.neighbours_[item][spoke], weights, x, weights * x)
