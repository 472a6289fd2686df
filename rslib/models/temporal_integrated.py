"""The integrated model with time: timeSVD++ and the temporal neighbourhood, learned together."""

from dataclasses import dataclass

from rslib.models.temporal_weights import TemporalWeights
from rslib.models.time_svdpp import TimeSVDpp
from rslib.ratings import Pairs, Ratings


@dataclass(kw_only=True)
class TemporalIntegrated(TimeSVDpp, TemporalWeights):
    r"""Predict by factors that drift, and by what every other rating says, the older the less.

    .. math:: \hat r_{ui}(t) = b_{ui}(t) + q_i \cdot \Big( p_u + v\,\mathrm{dev}_u(t)\, \alpha_u
              + o\, p_{ut} + |N(u)|^{-1/2} \sum_{j \in N(u)} y_j \Big)
              + |R(u)|^{-1/2} \sum_{j \in R(u) \setminus i} e^{-\beta_u |t - t_{uj}|}
              \big( w_{ij} (r_{uj} - \tilde b_{uj}) + c_{ij} \big)

    The objective is that of `TimeSVDpp` with, for each rating, :math:`\lambda_w` times the squared
    weights that speak for it, and the penalty of :math:`\ln \beta_u`, as in `TemporalWeights`.

    Parameters
    ----------
    n_factors, reg, drift_weight, day_weight, n_epochs, learning_rate, decay, init_std, seed
        See `TimeSVDpp`.
    rate, learning_rate_rate, reg_rate
        See `TemporalWeights`.
    reg_weights : float, at least 0
        :math:`\lambda_w`, on the squared weights, per rating.
    learning_rate_weights : float
        Step of the weights.
    calendar_days, item_bin_days, drift, day_bias, frequency, beta, spline_decay, frequency_base,
    reg_user, reg_item, reg_calendar, reg_bin, reg_drift, reg_day, reg_frequency
        See `TemporalBaseline`.

    Attributes
    ----------
    All of `TimeSVDpp` and of `TemporalWeights`.

    Raises
    ------
    ValueError
        If the weights would take more than 4 GB.

    Notes
    -----
    Cost of an epoch: O(sum of |R(u)|^2, and n_ratings k) on one thread. Agreement: statistical.
    Determinism: same seed, same bits on one machine's CPU, whatever the order of the rows.

    References
    ----------
    Koren, The BellKor Solution to the Netflix Grand Prize (2009), section V.
    """

    reg_weights: float = 0.01
    learning_rate_weights: float = 0.002

    _derived = (*TimeSVDpp._derived, *TemporalWeights._rated)
    _learned = ("weights_", "implicit_weights_", "log_rates_", *TimeSVDpp._learned,
                *TemporalWeights._rated)

    def _rates(self, decay):
        factors, _, rates = super()._rates(decay)
        return factors, (self.learning_rate_weights * decay, self.reg_weights), rates

    def predict(self, pairs: Pairs):
        """Return the prediction of each pair on its day, in stars, not clipped."""
        return super().predict(pairs) + self._said(pairs)

    def fold_in(self, ratings: Ratings):
        """Raise: see `Model.fold_in`."""
        return TemporalWeights.fold_in(self, ratings)
