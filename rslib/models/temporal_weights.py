"""The temporal neighbourhood: global interpolation weights that fade with the days between."""

from dataclasses import dataclass

import numpy as np

from rslib.backend import array_module
from rslib.kernels import weighted_sums
from rslib.models.fading import Fading
from rslib.models.global_weights import require_room, squared_weights
from rslib.models.temporal_baseline import TemporalBaseline
from rslib.ratings import Pairs, Ratings


@dataclass(kw_only=True)
class TemporalWeights(Fading):
    r"""Predict the temporal baseline plus what every other rating says, the older the less.

    .. math:: \hat r_{ui}(t) = b_{ui}(t) + |R(u)|^{-1/2} \sum_{j \in R(u) \setminus i}
              e^{-\beta_u |t - t_{uj}|} \big( w_{ij} (r_{uj} - \tilde b_{uj}) + c_{ij} \big)

    with :math:`b_{ui}(t)` of `TemporalBaseline`, without the scale c.

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
    rate : float, above 0
        :math:`\beta_0`, per day: after 1/rate days a rating has lost 63 per cent of its voice.
    learning_rate_rate : float
        Step of :math:`\ln \beta_u`; 0 leaves all at ``rate``.
    reg_rate : float, at least 0
        :math:`\lambda_\beta`.
    n_epochs : int, at least 1
        Passes over the ratings.
    learning_rate : float
    decay : float in (0, 1]
        Factor on the steps after each pass.
    seed : int
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
    global_mean_, user_bias_, item_bias_, calendar_bias_, item_bins_, item_frequencies_, drift_,
    day_bias_, session_keys_, session_sizes_, user_days_, first_day_, last_day_
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

    scale: bool = False
    frequency: bool = False
    reg: float = 0.002
    rate: float = 0.001
    learning_rate_rate: float = 0.1
    reg_rate: float = 1.0
    n_epochs: int = 40
    learning_rate: float = 0.01
    decay: float = 0.99
    seed: int = 0

    _derived = (*Fading._derived, *Fading._rated)
    _learned = ("weights_", "implicit_weights_", "log_rates_", *TemporalBaseline._learned,
                *Fading._rated)

    def _parts(self, train, rng, **tables):
        xp, shape = array_module(train.values), (train.n_items, train.n_items)
        require_room(type(self).__name__, train.n_items, "TemporalAsymmetricSVD")
        self.weights_ = xp.zeros(shape, xp.float32)
        self.implicit_weights_ = xp.zeros(shape, xp.float32)
        return super()._parts(train, rng, weights=self.weights_, implicit=self.implicit_weights_,
                              **tables)

    def predict(self, pairs: Pairs):
        """Return the prediction of each pair on its day, in stars, not clipped."""
        self._check(pairs)
        return self._biases(pairs) + self._said(pairs)

    def _said(self, pairs):
        """Return what the weights add to each pair, in stars."""
        xp, (users, when, moments) = array_module(pairs.users), self._moments(pairs)
        said = xp.zeros(len(pairs), xp.float32)
        order = xp.argsort(moments, kind="stable")
        ends = xp.searchsorted(moments[order], xp.arange(len(users)), side="right")
        first = 0
        for part, indptr, ids, x, d in self._faded(users, when.days):
            last = int(ends[min(part.stop, len(users)) - 1])
            rows, first = order[first:last], last
            for values, table in ((x, self.weights_), (d, self.implicit_weights_)):
                said[rows] += weighted_sums(moments[rows] - part.start, pairs.items[rows], indptr,
                                            ids, values, table)[0]
        return said

    def objective(self, ratings: Ratings) -> float:
        """Return J of the docstring on ``ratings``, in stars squared."""
        return super().objective(ratings) + self._penalty(ratings)

    def _penalty(self, ratings):
        """Return what J charges the weights that speak for ``ratings``, and the rates."""
        _, (_, reg), _ = self._rates(1.0)
        xp = array_module(ratings.values)
        squares = sum(squared_weights(ratings, self.rated_indptr_, self.rated_ids_, table)
                      for table in (self.weights_, self.implicit_weights_))
        rated = xp.diff(self.rated_indptr_) > 0
        away = ((self.log_rates_ - np.log(self.rate)) ** 2)[rated].sum(dtype=xp.float64)
        return reg * squares + self.reg_rate * float(away)
