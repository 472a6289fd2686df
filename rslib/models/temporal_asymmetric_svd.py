"""The temporal neighbourhood, factorised: features of what was rated that fade with the days."""

from dataclasses import dataclass

from rslib.models.descent import descend_by_session
from rslib.models.domains import Count, NonNegative, Positive, Share, Whole
from rslib.models.parts.fading import FadingFactors
from rslib.models.parts.time import time_biases
from rslib.models.temporal import Temporal


@dataclass(kw_only=True)
class TemporalAsymmetricSVD(Temporal):
    r"""Predict the temporal baseline plus the match of an item with what the user rated of late.

    The weights of `TemporalWeights` as products of factors, :math:`w_{ij} = q_i \cdot x_j` and
    :math:`c_{ij} = q_i \cdot y_j`: no user has parameters but biases and a rate.

    .. math:: \hat r_{ui}(t) = b_{ui}(t) + q_i \cdot |R(u)|^{-1/2} \sum_{j \in R(u)}
              e^{-\beta_u |t - t_{uj}|} \big( (r_{uj} - \tilde b_{uj}) x_j + y_j \big)

    with :math:`b_{ui}(t)` of `TemporalBaseline`.

    .. math:: J = \sum_{(u,i,t) \in R} \Big[ (r_{ui} - \hat r_{ui}(t))^2 + \lambda \big(
                  \lVert q_i \rVert^2 + \sum_{j \in R(u)} (\lVert x_j \rVert^2
                  + \lVert y_j \rVert^2) \big) \Big]
                  + \lambda_\beta \sum_u (\ln \beta_u - \ln \beta_0)^2
                  + \sum_g \lambda_g \sum_{\theta \in g} \theta^2

    g the kinds of biases.

    Parameters
    ----------
    n_factors : int, at least 1
    reg : float, at least 0
        :math:`\lambda`, on the squared factors, per rating.
    forgetting_rate : float, above 0
        :math:`\beta_0`, per day.
    learning_rate_forgetting : float, at least 0
        Step of :math:`\ln \beta_u`; 0 leaves all at ``forgetting_rate``.
    reg_forgetting : float, at least 0
        :math:`\lambda_\beta`.
    n_epochs : int, at least 1
        Passes over the ratings.
    learning_rate : float, above 0
    decay : float in (0, 1]
        Factor on the steps after each pass.
    init_std : float, at least 0
        Standard deviation of the factors at the start.
    seed : int, at least 0
        Start, and order of the users.
    calendar_days, item_bin_days, drift, day_bias, frequency, beta, spline_decay, frequency_base,
    reg_user, reg_item, reg_calendar, reg_bin, reg_drift, reg_day, reg_frequency
        See `TemporalBaseline`.

    Attributes
    ----------
    item_factors_ : float32 array (n_items, n_factors), on the device of train
        q.
    rated_factors_ : float32 array (2, n_items, n_factors)
        x, then y.
    log_rates_ : float32 array (n_users,)
        :math:`\ln \beta_u`, of days to the power -1.
    rated_indptr_, rated_ids_, rated_days_, rated_x_
        See `Fading`.
    global_mean_, unit_, user_bias_, item_bias_, calendar_bias_, item_bins_, item_frequencies_,
    drift_, day_bias_, session_keys_, session_users_, session_days_, session_sizes_, user_days_,
    first_day_, last_day_
        See `TemporalBaseline`.

    Notes
    -----
    A pair of a day never seen, or outside the span of training: see `TemporalBaseline`; what was
    rated fades to the nearest day inside. Cost of an epoch: O(n_ratings k + sum over users of
    |R(u)| times sessions, k), on one thread. Agreement: statistical. Determinism: same seed, same
    bits on one machine's CPU, whatever the order of the rows. Differs from the source in: steps
    after every session, where it steps after every user; the logarithm of beta is learned.

    References
    ----------
    Koren, Collaborative Filtering with Temporal Dynamics (KDD 2009), section 5,
    doi:10.1145/1557019.1557072. Koren, Factor in the Neighbors (TKDD 2010), section 4, for the
    factorised neighbourhood, doi:10.1145/1644873.1644874.
    """

    n_factors: Count = 16
    reg: NonNegative = 0.005
    forgetting_rate: Positive = 0.0002
    learning_rate_forgetting: NonNegative = 0.1
    reg_forgetting: NonNegative = 1.0
    n_epochs: Count = 12
    learning_rate: Positive = 0.052
    decay: Share = 0.85
    init_std: NonNegative = 0.05
    seed: Whole = 0

    def parts(self):
        """b_ui(t), and q_i times the sum over x_j and y_j."""
        return [*time_biases(self),
                FadingFactors(self.reg, self.forgetting_rate, self.reg_forgetting)]

    def _fit(self, train, seen, on_epoch):
        return descend_by_session(self, train, seen, on_epoch,
                                  learning_rate_forgetting=self.learning_rate_forgetting)
