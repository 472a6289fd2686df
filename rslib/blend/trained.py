"""Blends that are not linear: boosted trees and a small neural network, beside a ridge."""

import warnings
from dataclasses import dataclass

import numpy as np

from rslib.blend.blender import extended, spread_of
from rslib.blend.linear import Ridge
from rslib.extras import needs

__all__ = ["Neural", "Trees"]


@dataclass
class Trees(Ridge):
    r"""Predict by boosted regression trees on members and side features.

    .. math:: \hat r = \hat r^{\mathrm{ridge}} + \eta \sum_{t=1}^{T} f_t(x, z)

    each tree :math:`f_t` grown on the errors that those before it left, squared. Trees find which
    member to believe when, but approximate a straight line by steps; so they start from the
    `Ridge`, whose errors are all they have to explain.

    Parameters
    ----------
    reg, toward
        As in `Ridge`.
    n_trees : int, at least 1
        T.
    learning_rate : float, above 0
        :math:`\eta`.
    n_leaves : int, at least 2
        Most leaves of a tree.
    min_leaf : int, at least 1
        Fewest pairs in a leaf.
    reg_leaf : float, at least 0
        Ridge on what a leaf says, in pairs.
    from_ridge : bool
        False starts from the mean of the targets.
    seed : int
        Drawn on for the edges of bins where there are more than 200,000 pairs.

    Attributes
    ----------
    trees_ : sklearn.ensemble.HistGradientBoostingRegressor

    Notes
    -----
    Cost: O(T N (M + F)). Determinism: same seed, same trees on one machine.

    References
    ----------
    Koren, The BellKor Solution to the Netflix Grand Prize (2009), section VII. Friedman, Greedy
    Function Approximation (Annals of Statistics 2001), algorithm 2, doi:10.1214/aos/1013203451.
    """

    n_trees: int = 100
    learning_rate: float = 0.03
    n_leaves: int = 4
    min_leaf: int = 50
    reg_leaf: float = 50.0
    from_ridge: bool = True
    seed: int = 0

    _takes_side = True

    def _fit(self, predictions, targets, side):
        with needs("notebooks"):        # and takes a second to import
            from sklearn.ensemble import HistGradientBoostingRegressor

        super()._fit(predictions, targets, side)
        if self.from_ridge:
            targets = targets - super()._predict(predictions, side)
        self.trees_ = HistGradientBoostingRegressor(
            max_iter=self.n_trees, learning_rate=self.learning_rate, max_leaf_nodes=self.n_leaves,
            min_samples_leaf=self.min_leaf, l2_regularization=self.reg_leaf,
            early_stopping=False, random_state=self.seed)
        self.trees_.fit(self._inputs(predictions, side), targets)

    def _inputs(self, predictions, side):
        return extended(predictions, side)

    def _predict(self, predictions, side):
        start = super()._predict(predictions, side) if self.from_ridge else 0.0
        return start + self.trees_.predict(self._inputs(predictions, side))


@dataclass
class Neural(Ridge):
    r"""Predict by small neural networks on members and side features, averaged over seeds.

    .. math:: \hat r = \hat r^{\mathrm{ridge}} + \frac{s}{S} \sum_{s=1}^{S}
              \Big( c_s + \sum_{h=1}^{H} v_{sh} \tanh (d_{sh} + u_{sh} \cdot y) \Big)

    with s the standard deviation of the ratings and y the ridge, how far each member stands from
    it, and the side features, each less its mean and over its standard deviation. Every network is
    trained on nine tenths of the pairs until the rest has not gained for ten epochs.

    Parameters
    ----------
    reg, toward
        As in `Ridge`.
    n_hidden : int, at least 1
        H.
    reg_network : float, at least 0
        Penalty on half the squared weights of a network, over the pairs of a minibatch, 200.
    learning_rate : float, above 0
        First step of Adam.
    n_epochs : int, at least 1
        Most passes over the pairs.
    n_seeds : int, at least 1
        S.
    seed : int
        Of the first network; the others count on from it.

    Attributes
    ----------
    networks_ : list of sklearn.neural_network.MLPRegressor

    Notes
    -----
    Cost: O(S epochs N H (M + F)). Determinism: same seed, same networks on one machine.

    References
    ----------
    Töscher, Jahrer and Bell, The BigChaos Solution to the Netflix Grand Prize (2009)
    (neural network blending).
    """

    n_hidden: int = 8
    reg_network: float = 1.0
    learning_rate: float = 0.003
    n_epochs: int = 200
    n_seeds: int = 5
    seed: int = 0

    _takes_side = True

    def _fit(self, predictions, targets, side):
        with needs("notebooks"):
            from sklearn.exceptions import ConvergenceWarning
            from sklearn.neural_network import MLPRegressor

        super()._fit(predictions, targets, side)
        self.input_spread_ = spread_of(self._beside(predictions, side))
        self.unit_ = float(spread_of(targets)[1])
        residuals = (targets - super()._predict(predictions, side)) / self.unit_
        inputs = self._inputs(predictions, side)
        self.networks_ = [MLPRegressor(
            hidden_layer_sizes=(self.n_hidden,), activation="tanh", alpha=self.reg_network,
            learning_rate_init=self.learning_rate, max_iter=self.n_epochs, early_stopping=True,
            random_state=self.seed + at) for at in range(self.n_seeds)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)         # n_epochs is the most
            for network in self.networks_:
                network.fit(inputs, residuals)

    def _beside(self, predictions, side):
        """The ridge, how far each member stands from it, and the features."""
        ridge = super()._predict(predictions, side)[:, None]
        return extended(np.hstack([ridge, predictions - ridge]), side)

    def _inputs(self, predictions, side):
        mean, deviation = self.input_spread_
        return (self._beside(predictions, side) - mean) / deviation

    def _predict(self, predictions, side):
        inputs = self._inputs(predictions, side)
        return super()._predict(predictions, side) + self.unit_ * np.mean(
            [network.predict(inputs) for network in self.networks_], axis=0)
