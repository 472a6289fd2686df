"""The temporal neighbourhood: global interpolation weights that fade with the days between."""

from dataclasses import dataclass

from rslib.models.descent import descend_by_session
from rslib.models.domains import Count, NonNegative, Positive, Share, Whole
from rslib.models.parts.fading import FadingWeights
from rslib.models.parts.time import time_biases
from rslib.models.temporal import Temporal


@dataclass(kw_only=True)
class TemporalWeights(Temporal):
    r"""Predict the temporal baseline plus what every other rating says, the older the less.

    .. math:: \hat r_{ui}(t) = b_{ui}(t) + |R(u)|^{-1/2} \sum_{j \in R(u) \setminus i}
              e^{-\beta_u |t - t_{uj}|} \big( w_{ij} (r_{uj} - \tilde b_{uj}) + c_{ij} \big)

    with :math:`b_{ui}(t)` of `TemporalBaseline`.

    .. math:: J = \sum_{(u,i,t) \in R} \Big[ (r_{ui} - \hat r_{ui}(t))^2
                  + \lambda \sum_{j \in R(u) \setminus i} (w_{ij}^2 + c_{ij}^2) \Big]
                  + \lambda_\beta \sum_u (\ln \beta_u - \ln \beta_0)^2
                  + \sum_g \lambda_g \sum_{\theta \in g} \theta^2

    g the kinds of biases. The deviations from :math:`\tilde b` stay those of the temporal baseline
    that the fit starts from; w, c, the biases and the logarithms of :math:`\beta_u` are learned
    together.

    Parameters
    ----------
    reg : float, at least 0
        :math:`\lambda`, on the squared weights, per rating.
    forgetting_rate : float, above 0
        :math:`\beta_0`, per day: after 1 / rate days a rating has lost 63 per cent of its voice.
    learning_rate_forgetting : float, at least 0
        Step of :math:`\ln \beta_u`; 0 leaves all at ``forgetting_rate``.
    reg_forgetting : float, at least 0
        :math:`\lambda_\beta`.
    n_epochs : int, at least 1
        Passes over the ratings.
    learning_rate : float, above 0
    decay : float in (0, 1]
        Factor on the steps after each pass.
    seed : int, at least 0
        Order of the users.
    calendar_days, item_bin_days, drift, day_bias, frequency, beta, spline_decay, frequency_base,
    reg_user, reg_item, reg_calendar, reg_bin, reg_drift, reg_day, reg_frequency
        See `TemporalBaseline`.

    Attributes
    ----------
    weights_, implicit_weights_ : float32 arrays (n_items, n_items), on the device of train
        w and c; row i belongs to the item that is predicted, the diagonals are zero.
    log_rates_ : float32 array (n_users,)
        :math:`\ln \beta_u`, of days to the power -1.
    rated_indptr_, rated_ids_, rated_days_, rated_x_
        See `Fading`.
    global_mean_, unit_, user_bias_, item_bias_, calendar_bias_, item_bins_, item_frequencies_,
    drift_, day_bias_, session_keys_, session_users_, session_days_, session_sizes_, user_days_,
    first_day_, last_day_
        See `TemporalBaseline`.

    Raises
    ------
    ValueError
        If both matrices of weights would take more than 4 GB, which is at 22,000 items.

    Notes
    -----
    A pair of a day never seen, or outside the span of training: see `TemporalBaseline`; neighbours
    fade to the nearest day inside. Cost of an epoch: O(sum of |R(u)|^2) on one thread. Agreement:
    statistical. Determinism: same seed, same bits on one machine's CPU, whatever the order of the
    rows. Differs from the source in: the logarithm of beta is learned, so beta stays positive; all
    items are neighbours; c runs over R(u), whose days are known.

    References
    ----------
    Koren, Collaborative Filtering with Temporal Dynamics (KDD 2009), section 5, equation 14,
    doi:10.1145/1557019.1557072.
    """

    reg: NonNegative = 0.002
    forgetting_rate: Positive = 0.0002
    learning_rate_forgetting: NonNegative = 0.1
    reg_forgetting: NonNegative = 1.0
    n_epochs: Count = 8
    learning_rate: Positive = 0.075
    decay: Share = 0.85
    seed: Whole = 0

    def parts(self):
        """b_ui(t), and the sum over w_ij and c_ij."""
        return [*time_biases(self),
                FadingWeights(self.reg, self.forgetting_rate, self.reg_forgetting)]

    def _fit(self, train, seen, on_epoch):
        return descend_by_session(self, train, seen, on_epoch,
                                  learning_rate_weights=self.learning_rate,
                                  learning_rate_forgetting=self.learning_rate_forgetting)
