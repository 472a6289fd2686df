"""The integrated model with time: timeSVD++ and the temporal neighbourhood, learned together."""

from dataclasses import dataclass

from rslib.models.descent import descend_by_session
from rslib.models.domains import Count, NonNegative, Positive, Share, Whole
from rslib.models.parts.factors import Factors, Implicit, Own, daily_factors
from rslib.models.parts.fading import FadingWeights
from rslib.models.parts.time import time_biases
from rslib.models.temporal import Temporal


@dataclass(kw_only=True)
class TemporalIntegrated(Temporal):
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
    forgetting_rate, learning_rate_forgetting, reg_forgetting
        See `TemporalWeights`.
    reg_weights : float, at least 0
        :math:`\lambda_w`, on the squared weights, per rating.
    learning_rate_weights : float, at least 0
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

    n_factors: Count = 64
    reg: NonNegative = 0.03
    drift_weight: NonNegative = 1.0
    day_weight: NonNegative = 0.3
    n_epochs: Count = 15
    learning_rate: Positive = 0.042
    decay: Share = 0.95
    init_std: NonNegative = 0.01
    seed: Whole = 0
    forgetting_rate: Positive = 0.0002
    learning_rate_forgetting: NonNegative = 0.1
    reg_forgetting: NonNegative = 1.0
    reg_weights: NonNegative = 0.008
    learning_rate_weights: NonNegative = 0.01

    def parts(self):
        """b_ui(t), factors as in `TimeSVDpp`, and the sum over w_ij and c_ij."""
        return [*time_biases(self),
                Factors(self.reg, (Implicit(), Own()),
                        daily_factors(self.drift_weight, self.day_weight)),
                FadingWeights(self.reg_weights, self.forgetting_rate, self.reg_forgetting)]

    def _fit(self, train, seen, on_epoch):
        return descend_by_session(self, train, seen, on_epoch,
                                  learning_rate_weights=self.learning_rate_weights,
                                  learning_rate_forgetting=self.learning_rate_forgetting)
