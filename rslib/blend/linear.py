"""Linear blends: the same weights for every pair."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from rslib.blend.blender import Blender

__all__ = ["Average", "NonNegative", "Ridge"]


@dataclass
class Average(Blender):
    r"""Predict the average of the members; learn nothing.

    .. math:: \hat r = \frac{1}{M} \sum_m x_m
    """

    def _fit(self, predictions, targets, side):
        self.intercept_, self.weights_ = 0.0, np.full(self.n_members_, 1 / self.n_members_)

    def _predict(self, predictions, side):
        return self.intercept_ + predictions @ self.weights_


def moments(table, targets):
    """Return the sums of products of ones, columns and targets: all that a ridge needs."""
    rows = np.column_stack([np.ones(len(table)), table, targets])
    return rows.T @ rows


def solve_ridge(sums, penalty, prior):
    """Return the intercept and the weights that minimise J of `Ridge`, from its `moments`.

    Parameters
    ----------
    sums : array (m + 2, m + 2)
    penalty : float or array (m,), above 0
        In variances of the targets, so that it means the same on every scale of ratings.
    prior : array (m,)
        Weights of an infinite penalty.
    """
    means = sums[0] / sums[0, 0]
    spread = sums / sums[0, 0] - np.outer(means, means)
    gram, right, variance = spread[1:-1, 1:-1], spread[1:-1, -1], spread[-1, -1]
    unit = variance if variance > 1e-12 * means[-1] ** 2 else 1.0       # targets may be all equal
    charged = gram + np.diag(np.broadcast_to(unit * penalty, len(gram))) / sums[0, 0]
    weights = prior + np.linalg.solve(charged, right - gram @ prior)
    return means[-1] - means[1:-1] @ weights, weights


@dataclass
class Ridge(Average):
    r"""Predict a weighted sum of the members and an intercept, by ridge regression.

    .. math:: \hat r = b + \sum_m w_m x_m

    .. math:: J(b, w) = \sum_{n=1}^{N} \Big( r_n - b - \sum_m w_m x_{nm} \Big)^2
                        + \lambda s^2 \sum_m (w_m - w^0_m)^2

    with :math:`s^2` the variance of the ratings :math:`r_n`. The penalty stands outside the sum:
    :math:`\lambda s^2` is the variance of a rating's error over the variance with which weights
    scatter around :math:`w^0`, and more pairs outweigh it. Members agree on
    almost everything, and what a probe tells about their differences is little; so
    :math:`w^0 = 1/M` is the default, the average, which is right for members that nothing tells
    apart.

    Parameters
    ----------
    reg : float, above 0
        :math:`\lambda`, on the squared distance of the weights from where they are pulled, in
        variances of the ratings.
    toward : {"average", "zero"}
        :math:`w^0`: 1/M, or 0 as in the literature.

    Attributes
    ----------
    weights_ : float64 array (n_members,)
    intercept_ : float
        Stars.

    Notes
    -----
    Cost: O(N M^2 + M^3). Agreement: exact, on the host. Differs from the source in: centred, so
    the intercept is not shrunk; the average as the target of shrinkage.

    References
    ----------
    Breiman, Stacked Regressions (Machine Learning 1996), doi:10.1007/BF00117832. Töscher, Jahrer
    and Bell, The BigChaos Solution to the Netflix Grand Prize (2009) (ridge on probe).
    """

    reg: float = 28.0
    toward: str = "average"

    def _prior(self, n_members):
        if self.toward not in ("average", "zero"):
            raise ValueError(f"toward must be 'average' or 'zero', not {self.toward!r}")
        if not self.reg > 0:
            raise ValueError(f"reg must be above 0, not {self.reg}")
        return np.full(n_members, 1 / n_members if self.toward == "average" else 0.0)

    def from_moments(self, sums):
        """Return intercept and weights from the `moments` of predictions and targets."""
        return solve_ridge(sums, self.reg, self._prior(len(sums) - 2))

    def _fit(self, predictions, targets, side):
        self.intercept_, self.weights_ = self.from_moments(moments(predictions, targets))


@dataclass
class NonNegative(Average):
    r"""Predict a sum of the members with weights of zero or more, and an intercept.

    .. math:: \min_{b,\, w \ge 0} \sum_n \Big( r_n - b - \sum_m w_m x_{nm} \Big)^2

    and, if so asked, :math:`\sum_m w_m = 1`. A member can be left out but never turned against, so
    many weights are exactly zero, and there is nothing to tune.

    Parameters
    ----------
    sum_to_one : bool
        Weights are shares of a whole.

    Attributes
    ----------
    weights_ : float64 array (n_members,), at least 0
    intercept_ : float
        Stars.

    Notes
    -----
    Cost: O(N M^2) and one active-set search. Agreement: exact, on the host. With shares the errors
    :math:`e_m = r - x_m` blend like the predictions, and
    :math:`\min_v \lVert E v \rVert^2 + (1 - \sum_m v_m)^2` over :math:`v \ge 0` has the direction
    of the best w, which is then scaled to one: for :math:`v = s w` the best s leaves
    :math:`q / (1 + q)`, which rises with :math:`q = \lVert E w \rVert^2`.

    References
    ----------
    Breiman, Stacked Regressions (Machine Learning 1996; weights of zero or more),
    doi:10.1007/BF00117832. Lawson and Hanson, Solving Least Squares Problems (1974), chapter 23.
    """

    sum_to_one: bool = True

    def _fit(self, predictions, targets, side):
        solve = self._shares if self.sum_to_one else self._weights
        self.weights_ = solve(predictions - predictions.mean(axis=0), targets - targets.mean())
        self.intercept_ = targets.mean() - predictions.mean(axis=0) @ self.weights_

    def _weights(self, x, r):
        return nnls(x, r)[0]

    def _shares(self, x, r):
        errors = (r[:, None] - x) / np.sqrt(len(r))     # so that q above is of the size of one
        ones = np.ones((1, x.shape[1]))
        direction = nnls(np.vstack([errors, ones]), np.append(np.zeros(len(r)), 1.0))[0]
        return direction / direction.sum()
