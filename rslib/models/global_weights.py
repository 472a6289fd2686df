"""Global interpolation weights: one for each pair of items, learned from all ratings at once."""

from dataclasses import dataclass

import numpy as np

from rslib.backend import array_module, sum_by
from rslib.kernels import deal_blocks, rules, sgd_epoch
from rslib.kernels.states import NeighbourhoodState, NeighbourhoodSteps
from rslib.models.additive import Additive
from rslib.models.descent import known_of
from rslib.models.domains import Count, NonNegative, Positive, Share, Whole
from rslib.models.parts.bias import biases_per_rating
from rslib.models.parts.neighbourhood import (
    ExplicitWeights,
    ImplicitWeights,
    explain,
    remember_newcomers,
)


@dataclass
class GlobalWeights(Additive):
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
    learning_rate : float, above 0
    decay : float in (0, 1]
        Factor on the step after each epoch.
    reg_user, reg_item : float, at least 0
        Of the fixed baseline, in ratings.
    seed : int, at least 0
        Order of the users.

    Attributes
    ----------
    global_mean_ : float
        Stars.
    unit_ : float
        Stars; the deviation of the training ratings, in which the equations are reckoned and all
        below is given, see `rslib.models.units`.
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

    reg: NonNegative = 0.002
    reg_bias: NonNegative = 0.02
    n_epochs: Count = 7
    learning_rate: Positive = 0.03
    decay: Share = 0.9
    reg_user: NonNegative = 4.0
    reg_item: NonNegative = 6.0
    seed: Whole = 0

    def parts(self):
        """b_u, b_i, and the sums over w_ij and over c_ij."""
        return [*biases_per_rating(self.reg_bias),
                ExplicitWeights(self.reg, self.reg_user, self.reg_item),
                ImplicitWeights(self.reg)]

    def _fit(self, train, seen, on_epoch):
        rng = np.random.default_rng(self.seed)
        self._start(train, seen, rng)
        blocks, known = deal_blocks(train, self.seed), known_of(self)
        state = NeighbourhoodState(self.user_bias_, self.item_bias_, self.weights_,
                                   self.implicit_weights_)

        def one_epoch(epoch):
            learning_rate = self.learning_rate * self.decay ** (epoch - 1)
            steps = NeighbourhoodSteps(0.0, learning_rate, self.reg, self.reg_bias, *known)
            order = rng.permutation(train.n_users)
            return sgd_epoch(rules.neighbourhood, blocks, order, state, steps) / len(train)

        def give_back():
            self.user_bias_, self.item_bias_, self.weights_, self.implicit_weights_ = state
        return self._run(one_epoch, on_epoch, give_back)

    def _fold_in(self, ratings):
        """R(u), N(u) are what they rated, the weights the items'; the bias is the minimum of J."""
        xp, n_users = array_module(ratings.values), ratings.n_users
        new = self._newcomers(ratings)
        remember_newcomers(self, new, ratings)
        residuals = sum_by(ratings.users, ratings.values - new._predict(ratings.pairs), n_users)
        counts = xp.maximum(xp.bincount(ratings.users, minlength=n_users), 1)
        new.user_bias_ = (residuals / (counts * (1 + self.reg_bias))).astype(xp.float32)
        return new

    def _explain(self, user, item):
        """Return what each item that the user rated adds to one prediction, largest first.

        Returns
        -------
        list of Reason
        """
        return explain(self, user, item)
