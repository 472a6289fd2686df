"""The integrated model: SVD++ and global interpolation weights, learned together."""

from dataclasses import dataclass

from rslib.models.additive import Additive
from rslib.models.descent import descend
from rslib.models.domains import Count, NonNegative, Positive, Share, Whole
from rslib.models.parts.bias import biases_per_rating
from rslib.models.parts.factors import Factors, Implicit, Own
from rslib.models.parts.neighbourhood import (
    ExplicitWeights,
    ImplicitWeights,
    explain,
    remember_newcomers,
)
from rslib.models.parts.newcomers import fold_in_factors


@dataclass
class Integrated(Additive):
    r"""Predict by factors, for broad taste, and by weights between items, for close relatives.

    .. math:: \hat r_{ui} = \mu + b_u + b_i + q_i \cdot \Big( p_u
              + |N(u)|^{-1/2} \sum_{j \in N(u)} y_j \Big)
              + |R(u) \setminus i|^{-1/2} \sum_{j \in R(u) \setminus i}
              w_{ij} (r_{uj} - \tilde b_{uj})
              + |N(u) \setminus i|^{-1/2} \sum_{j \in N(u) \setminus i} c_{ij}

    The objective is that of `SVDpp` with, for each rating, :math:`\lambda_w` times the squared
    weights that speak for it, as in `GlobalWeights`.

    Parameters
    ----------
    n_factors, reg, reg_bias, n_epochs, learning_rate, decay, init_std, seed
        See `SVDpp`.
    reg_weights : float, at least 0
        :math:`\lambda_w`, on the squared weights, per rating.
    learning_rate_weights : float, at least 0
        Step of the weights.
    reg_user, reg_item : float, at least 0
        Of the fixed baseline :math:`\tilde b`, in ratings.

    Attributes
    ----------
    global_mean_, unit_, user_bias_, item_bias_, user_factors_, item_factors_, implicit_factors_,
    user_sums_
        See `SVDpp`.
    weights_, implicit_weights_, baseline_item_bias_, rated_indptr_, rated_ids_,
    rated_deviations_, seen_indptr_, seen_ids_
        See `GlobalWeights`.

    Raises
    ------
    ValueError
        If the weights would take more than 4 GB.

    Notes
    -----
    Cost of an epoch: O(sum of |R(u)|^2 + |R(u)| |N(u)|, and n_ratings k) on one thread. Agreement:
    statistical. Determinism: same seed, same bits on one machine's CPU.

    References
    ----------
    Koren, Factorization Meets the Neighborhood (KDD 2008), section 5, equation 16,
    doi:10.1145/1401890.1401944.
    """

    n_factors: Count = 128
    reg: NonNegative = 0.03
    reg_bias: NonNegative = 0.04
    n_epochs: Count = 12
    learning_rate: Positive = 0.04
    decay: Share = 0.95
    init_std: NonNegative = 0.01
    seed: Whole = 0
    reg_weights: NonNegative = 0.01
    learning_rate_weights: NonNegative = 0.01
    reg_user: NonNegative = 4.0
    reg_item: NonNegative = 6.0

    def parts(self):
        """b_u, b_i, factors as in `SVDpp`, and the sums over w_ij and over c_ij."""
        return [*biases_per_rating(self.reg_bias),
                Factors(self.reg, (Implicit(), Own())),
                ExplicitWeights(self.reg_weights, self.reg_user, self.reg_item),
                ImplicitWeights(self.reg_weights)]

    def _fit(self, train, seen, on_epoch):
        return descend(self, train, seen, on_epoch,
                       learning_rate_weights=self.learning_rate_weights)

    def _fold_in(self, ratings):
        """What the weights say is known at once; the rest is as in `SVDpp`, for what is left."""
        new = self._newcomers(ratings)
        remember_newcomers(self, new, ratings)
        explicit, implicit = (part.value(new, ratings.pairs) for part in self.parts()[-2:])
        residuals = ratings.values - (explicit + implicit)
        return fold_in_factors(new, ratings.with_values(residuals))

    def _explain(self, user, item):
        """Return what each item that the user rated adds to one prediction by its weights.

        Returns
        -------
        list of Reason
        """
        return explain(self, user, item)
