"""The temporal neighbourhood, factorised: features of what was rated that fade with the days."""

from dataclasses import dataclass

import numpy as np

from rslib.backend import array_module
from rslib.kernels import feature_sums
from rslib.kernels.features import Features
from rslib.models.fading import Fading
from rslib.models.temporal_baseline import TemporalBaseline
from rslib.ratings import Pairs, Ratings


@dataclass(kw_only=True)
class TemporalAsymmetricSVD(Fading):
    r"""Predict the temporal baseline plus the match of an item with what the user rated of late.

    The weights of `TemporalWeights` as products of factors, :math:`w_{ij} = q_i \cdot x_j` and
    :math:`c_{ij} = q_i \cdot y_j`: no user has parameters but biases and a rate.

    .. math:: \hat r_{ui}(t) = b_{ui}(t) + q_i \cdot |R(u)|^{-1/2} \sum_{j \in R(u)}
              e^{-\beta_u |t - t_{uj}|} \big( (r_{uj} - \tilde b_{uj}) x_j + y_j \big)

    with :math:`b_{ui}(t)` of `TemporalBaseline`, without the scale c.

    .. math:: J = \sum_{(u,i,t) \in R} \Big[ (r_{ui} - \hat r_{ui}(t))^2 + \lambda \big(
                  \lVert q_i \rVert^2 + \sum_{j \in R(u)} (\lVert x_j \rVert^2
                  + \lVert y_j \rVert^2) \big) \Big]
                  + \lambda_\beta \sum_u (\ln \beta_u - \ln \beta_0)^2
                  + \sum_g \lambda_g \sum_{\theta \in g} \theta^2

    g the kinds of biases.

    Parameters
    ----------
    n_factors : int, at least 1
    reg : float, above 0
        :math:`\lambda`, on the squared factors, per rating.
    rate : float, above 0
        :math:`\beta_0`, per day.
    learning_rate_rate : float
        Step of :math:`\ln \beta_u`; 0 leaves all at ``rate``.
    reg_rate : float, at least 0
        :math:`\lambda_\beta`.
    n_epochs : int, at least 1
        Passes over the ratings.
    learning_rate : float
    decay : float in (0, 1]
        Factor on the steps after each pass.
    init_std : float, above 0
        Standard deviation of the factors at the start.
    seed : int
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
    global_mean_, user_bias_, item_bias_, calendar_bias_, item_bins_, item_frequencies_, drift_,
    day_bias_, session_keys_, session_sizes_, user_days_, first_day_, last_day_
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

    scale: bool = False
    frequency: bool = False
    n_factors: int = 64
    reg: float = 0.005
    rate: float = 0.001
    learning_rate_rate: float = 0.1
    reg_rate: float = 1.0
    n_epochs: int = 40
    learning_rate: float = 0.015
    decay: float = 0.95
    init_std: float = 0.05
    seed: int = 0

    _derived = (*Fading._derived, *Fading._rated)
    _learned = ("item_factors_", "rated_factors_", "log_rates_", *TemporalBaseline._learned,
                *Fading._rated)

    def _parts(self, train, rng, **tables):
        xp, n_items = array_module(train.values), train.n_items
        rated = xp.bincount(train.items, minlength=n_items)[:, None] > 0
        draws = rng.normal(0, self.init_std, (3, n_items, self.n_factors)).astype(np.float32)
        draws = xp.asarray(draws) * rated
        self.item_factors_, self.rated_factors_ = draws[0], draws[1:]
        return super()._parts(train, rng, item_factors=self.item_factors_,
                              faded=self.rated_factors_.reshape(2 * n_items, -1), **tables)

    def _factors(self, users, when):
        """Return what these users have rated, faded to these days, (n, n_factors)."""
        xp = array_module(users)
        factors = xp.zeros((len(users), self.n_factors), xp.float32)
        for part, indptr, ids, x, d in self._faded(users, when.days):
            for weights, table in ((x, self.rated_factors_[0]), (d, self.rated_factors_[1])):
                factors[part] += feature_sums(Features(indptr, ids, weights), table)
        return factors

    def predict(self, pairs: Pairs):
        """Return the prediction of each pair on its day, in stars, not clipped."""
        self._check(pairs)
        return self._biases(pairs) + self._match(pairs)

    def objective(self, ratings: Ratings) -> float:
        """Return J of the docstring on ``ratings``, in stars squared."""
        xp = array_module(ratings.values)
        rated = Features(self.rated_indptr_, self.rated_ids_,
                         xp.ones(len(self.rated_ids_), xp.float32))
        lengths = feature_sums(rated, (self.rated_factors_ ** 2).sum((0, 2))[:, None])[:, 0]
        lengths = lengths[ratings.users] + (self.item_factors_ ** 2).sum(1)[ratings.items]
        away = (self.log_rates_ - np.log(self.rate))[xp.diff(self.rated_indptr_) > 0] ** 2
        return (super().objective(ratings) + self.reg * float(lengths.sum(dtype=xp.float64))
                + self.reg_rate * float(away.sum(dtype=xp.float64)))
