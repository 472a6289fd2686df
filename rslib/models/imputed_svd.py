"""Singular value decomposition of a rating matrix whose missing cells have been filled."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rslib.backend import array_module
from rslib.kernels import filled_products, predict_pairs, product_svd, ridge_rows, truncated_svd
from rslib.models.base import Model
from rslib.models.baseline import Baseline, folded_baseline
from rslib.models.domains import Count, NonNegative, Whole


@dataclass
class ImputedSVD(Model):
    r"""Fill the missing cells, decompose the filled matrix, and read predictions off the product.

    .. math:: \hat r_{ui} = b_{ui} + p_u \cdot q_i

    .. math:: J = \sum_{(u,i) \in C} (x_{ui} - p_u \cdot q_i)^2
                  + \lambda \Big( \sum_u \lVert p_u \rVert^2 + \sum_i \lVert q_i \rVert^2 \Big),
              \qquad x_{ui} = \begin{cases} r_{ui} - b_{ui} & (u,i) \in R \\ 0 & \text{else}
              \end{cases}

    The fill b is zero, the mean of the user or of the item, or the baseline :math:`\mu + b_u +
    b_i`. The cells C are all of them, so that J is the problem of the SVD and filled cells count
    as much as known ones; its minimum is known at once: the singular vectors of x, each singular
    value :math:`\lambda` smaller. "iterate" starts there, then fills the missing cells with its
    own last prediction and refits, again and again. That descends J with C the known cells only.

    Parameters
    ----------
    n_factors : int, at least 1
    fill : {"zero", "user", "item", "baseline", "iterate"}
        What stands in a missing cell; "iterate" begins with "baseline".
    shrinkage : float, at least 0
        :math:`\lambda`, in ``unit_``: taken off each singular value. Above 0 to fold users in with
        "iterate".
    reg_user, reg_item : float, at least 0
        Shrinkage of the means or biases of the fill, in ratings, as in `Baseline`.
    n_epochs : int, at least 0
        Times that "iterate" fills the matrix anew.
    seed : int, at least 0
        Random start of the decomposition, which does not depend on it beyond rounding.

    Attributes
    ----------
    global_mean_ : float
        Stars.
    unit_ : float
        Stars; the deviation of the training ratings, in which the equations are reckoned and all
        below is given, see `rslib.models.units`.
    user_bias_, item_bias_ : float32 arrays (n_users,), (n_items,), on the device of train
        The part of the fill that is not the same for all.
    user_factors_, item_factors_ : float32 arrays (n_users, n_factors), (n_items, n_factors)
        Orthogonal columns: singular vectors times the root of their shrunken singular value, by
        falling value; the entry of an item that is largest in size is positive.

    Notes
    -----
    Cost: O(n_ratings k) for each round of the decomposition, some dozens, and each epoch; the
    filled matrix is never written down. Agreement: exact to rounding on both devices. Determinism:
    same seed, same bits on the CPU. A user or item without ratings gets the baseline; with "zero"
    that is the global mean. Differs from the source in the baseline under the factors, and in
    refitting one side at a time, as in Hastie et al. (2015).

    References
    ----------
    Mazumder, Hastie and Tibshirani, Spectral Regularization Algorithms for Learning Large
    Incomplete Matrices (JMLR 11, 2010), section 3. Hastie, Mazumder, Lee and Zadeh, Matrix
    Completion and Low-Rank SVD via Fast Alternating Least Squares (JMLR 16, 2015), algorithm 3.1.
    Eckart and Young, The Approximation of One Matrix by Another of Lower Rank (Psychometrika 1936),
    doi:10.1007/BF02288367.
    """

    n_factors: Count = 8
    fill: Literal["zero", "user", "item", "baseline", "iterate"] = "iterate"
    shrinkage: NonNegative = 6.0
    reg_user: NonNegative = 4.0
    reg_item: NonNegative = 6.0
    n_epochs: Whole = 40
    seed: Whole = 0

    standardised = True
    _learned = ("user_factors_", "item_factors_", "user_bias_", "item_bias_", "global_mean_",
                "unit_")
    _derived = ("unit_",)

    @property
    def _origin(self):
        return 0.0 if self.fill == "zero" else self.global_mean_

    def _fit(self, train, seen, on_epoch):
        self._keep_fill(self._fill().fit(train))
        x = self._left_over(train)
        by_user, by_item = (side._replace(values=x[side.rows])
                            for side in (train.by_user, train.by_item))
        self._keep(truncated_svd(by_user, by_item, by_user.values, by_item.values,
                                 self.n_factors, self.seed), self.shrinkage)
        return self._run(lambda epoch: self._refit(by_user, by_item), on_epoch,
                         n_epochs=self.n_epochs * (self.fill == "iterate"))

    def _fill(self):
        """The baseline whose predictions fill the matrix: an infinite penalty is a bias of zero."""
        off_user, off_item = self.fill in ("zero", "item"), self.fill in ("zero", "user")
        return Baseline("ridge", np.inf if off_user else self.reg_user,
                        np.inf if off_item else self.reg_item)

    def _keep_fill(self, fill):
        self.user_bias_, self.item_bias_ = fill.user_bias_, fill.item_bias_

    def _left_over(self, ratings):
        """x of the docstring for each rating: what the fill does not explain."""
        if self.fill == "zero":
            return ratings.values
        return ratings.values - predict_pairs(ratings.users, ratings.items, self._mean,
                                              self.user_bias_, self.item_bias_)

    def _keep(self, svd, shrinkage=0.0):
        """Share out each singular value, shrunken, between both sides."""
        u, lengths, v = svd
        xp = array_module(lengths)
        roots = xp.sqrt(xp.maximum(lengths - shrinkage, 0))
        self.user_factors_ = (u * roots).astype(xp.float32)
        self.item_factors_ = (v * roots).astype(xp.float32)

    def _refit(self, by_user, by_item):
        """Fill with the predictions and refit the users, then the same for the items."""
        users = self._project(by_user, self.item_factors_, self.user_factors_)
        self._keep(product_svd(users, self.item_factors_))
        items = self._project(by_item, self.user_factors_, self.item_factors_)
        self._keep(product_svd(self.user_factors_, items))

    def _project(self, side, other, own=None):
        """Minimise J over one side, given the other, on the matrix filled with their products."""
        xp = array_module(other)
        charge = (other ** 2).sum(axis=0) + xp.float32(self.shrinkage)  # orthogonal columns
        inverse = xp.where(charge > 0, 1 / xp.where(charge > 0, charge, 1), 0)
        return filled_products(side, side.values, other, own) * inverse

    def _objective(self, ratings, seen):
        xp = array_module(ratings.values)
        p, q = (table.astype(xp.float64) for table in (self.user_factors_, self.item_factors_))
        x = self._left_over(ratings).astype(xp.float64)
        nothing = xp.zeros(len(p), xp.float64), xp.zeros(len(q), xp.float64)
        products = predict_pairs(ratings.users, ratings.items, 0.0, *nothing, p, q)
        errors = ((x - products) ** 2).sum()
        if self.fill != "iterate":      # a missing cell holds zero, so its error is the product
            errors += ((p.T @ p) * (q.T @ q)).sum() - (products ** 2).sum()
        return float(errors + self.shrinkage * ((p ** 2).sum() + (q ** 2).sum()))

    def _factors(self):
        """Both sides as predictions use them.

        A matrix filled with zeros has no baseline: one more factor takes the mean away again
        wherever user and item are both known.
        """
        if self.fill != "zero":
            return self.user_factors_, self.item_factors_
        xp = array_module(self.user_factors_)
        users, items = ((table ** 2).sum(axis=1)[:, None] > 0
                        for table in (self.user_factors_, self.item_factors_))
        mean = xp.float32(self._mean)
        return (xp.concatenate([self.user_factors_, users * -mean], axis=1),
                xp.concatenate([self.item_factors_, items.astype(xp.float32)], axis=1))

    def _predict(self, pairs):
        return predict_pairs(pairs.users, pairs.items, self._mean, self.user_bias_,
                             self.item_bias_, *self._factors())

    def _score(self, users):
        user_factors, item_factors = self._factors()
        return (self._mean + self.user_bias_[users][:, None] + self.item_bias_
                + user_factors[users] @ item_factors.T)

    def _fold_in(self, ratings):
        """With a fixed fill, project the filled row on the item vectors: the exact minimum of J.

        With "iterate" the fill depends on the answer; where filling and projecting come to rest,
        the user is a ridge regression on the known cells, which is the exact minimum too.
        """
        new = self._with_users(ratings)
        new._keep_fill(folded_baseline(self._fill(), self, self.item_bias_, ratings))
        x = new._left_over(ratings)[ratings.by_user.rows]
        side = ratings.by_user._replace(values=x)
        if self.fill == "iterate":
            xp = array_module(x)
            ridge = xp.full((ratings.n_users, self.n_factors), self.shrinkage, xp.float32)
            new.user_factors_ = ridge_rows(side.indptr, side.ids, x, self.item_factors_, ridge)
        else:
            new.user_factors_ = self._project(side, self.item_factors_)
        return new
