"""Linear blends whose weights depend on the pair: on features, or on how much is known of it."""

from dataclasses import dataclass

import numpy as np

from rslib.blend.blender import spread_of
from rslib.blend.linear import Ridge, moments, solve_ridge

__all__ = ["Binned", "FeatureWeighted"]


@dataclass
class FeatureWeighted(Ridge):
    r"""Predict a weighted sum of the members with weights that are linear in side features.

    .. math:: \hat r = b + \sum_f a_f z_f
              + \sum_m \Big( w_m + \sum_f v_{mf} z_f \Big) (x_m - \bar x)

    .. math:: J = \sum_{n=1}^{N} (r_n - \hat r_n)^2 + \lambda s^2 \sum_m (w_m - w^0_m)^2
                  + \lambda_z \Big( \sum_f a_f^2 + s^2 \sum_{m,f} v_{mf}^2 \Big)

    with :math:`s^2` the variance of the ratings, z the side features, each less its mean and over
    its standard deviation, and :math:`\bar x` the mean over all members and pairs. A ridge
    regression on the members, the
    features and their products: interactions of members with, say, the support of a user, at the
    price of M F more weights.

    Parameters
    ----------
    reg, toward
        As in `Ridge`.
    reg_side : float, above 0
        :math:`\lambda_z`, on all squared weights that multiply a feature, in pairs.

    Attributes
    ----------
    weights_ : float64 array (n_members,)
        w: the weights of the average pair.
    side_weights_ : float64 array (n_features,)
        a, in points of the ratings a standard deviation.
    interactions_ : float64 array (n_members, n_features)
        v.
    intercept_ : float
        Points.

    References
    ----------
    Sill, Takács, Mackey and Lin, Feature-Weighted Linear Stacking (2009),
    arXiv:0911.0460.
    """

    reg_side: float = 3000.0

    _takes_side = _needs_side = True

    def _fit(self, predictions, targets, side):
        m, f = predictions.shape[1], side.shape[1]
        if not self.reg_side > 0:
            raise ValueError(f"reg_side must be above 0, not {self.reg_side}")
        self.level_, self.side_spread_ = predictions.mean(), spread_of(side)
        unit, table = spread_of(targets)[1], self._products(predictions, side)
        table[:, m:m + f] *= unit       # so that a / s is what is charged
        penalty = np.repeat([self.reg, self.reg_side], [m, f + m * f])
        prior = np.append(self._prior(m), np.zeros(f + m * f))
        self.intercept_, every = solve_ridge(moments(table, targets), penalty, prior)
        self.weights_, self.side_weights_ = every[:m], every[m:m + f] * unit
        self.interactions_ = every[m + f:].reshape(m, f)

    def _products(self, predictions, side):
        """Members less their level, features in standard deviations, and products of both."""
        x, (mean, deviation) = predictions - self.level_, self.side_spread_
        z = (side - mean) / deviation
        products = x[:, :, None] * z[:, None, :]
        return np.hstack([x, z, products.reshape(len(x), -1)])

    def _predict(self, predictions, side):
        every = np.concatenate([self.weights_, self.side_weights_, self.interactions_.ravel()])
        return self.intercept_ + self._products(predictions, side) @ every


@dataclass
class Binned(Ridge):
    r"""Predict by a linear blend of the bin that a side feature puts the pair in.

    .. math:: J_g = \sum_{n \in g} \Big( r_n - b_g - \sum_m w_{gm} x_{nm} \Big)^2
                    + \lambda_g s_g^2 \sum_m (w_{gm} - w_m)^2

    with :math:`s_g^2` the variance of the ratings of the bin and w the weights of `Ridge` on all
    pairs. Bins hold equally many pairs of the fit.

    Parameters
    ----------
    reg, toward
        As in `Ridge`, for w.
    column : int
        Which side feature decides.
    n_bins : int, at least 1
    shrinkage : float, above 0
        :math:`\lambda_g`, in variances of the ratings.

    Attributes
    ----------
    edges_ : float64 array (n_bins - 1,)
        A bin begins at its edge.
    bin_weights_, bin_intercepts_ : float64 arrays (n_bins, n_members), (n_bins,)

    References
    ----------
    Töscher, Jahrer and Bell, The BigChaos Solution to the Netflix Grand Prize (2009)
    (binned linear blends, by support, date and frequency).
    """

    column: int = 0
    n_bins: int = 3
    shrinkage: float = 100.0

    _takes_side = _needs_side = True

    def _fit(self, predictions, targets, side):
        if self.n_bins < 1:
            raise ValueError(f"n_bins must be at least 1, not {self.n_bins}")
        if not 0 <= self.column < side.shape[1]:
            raise ValueError(f"there is no column {self.column} among {side.shape[1]} side "
                             "features: choose one of them")
        super()._fit(predictions, targets, side)
        shares = np.arange(1, self.n_bins) / self.n_bins
        self.edges_ = np.unique(np.quantile(side[:, self.column], shares))
        bins = self._bins(side)
        of_bin = [self._fit_bin(predictions[bins == each], targets[bins == each])
                  for each in range(len(self.edges_) + 1)]
        self.bin_intercepts_, self.bin_weights_ = map(np.array, zip(*of_bin, strict=True))

    def _bins(self, side):
        return np.searchsorted(self.edges_, side[:, self.column], side="right")

    def _fit_bin(self, predictions, targets):
        if not len(targets):
            return self.intercept_, self.weights_
        return solve_ridge(moments(predictions, targets), self.shrinkage, self.weights_)

    def _predict(self, predictions, side):
        bins = self._bins(side)
        return self.bin_intercepts_[bins] + (predictions * self.bin_weights_[bins]).sum(axis=1)
