"""timeSVD++: the temporal baseline, and factors of users that change from day to day."""

from dataclasses import dataclass, replace

import numpy as np

from rslib.backend import array_module
from rslib.kernels import feature_sums, ridge_rows
from rslib.models.feature_sums import implicit_and_own, implicit_features
from rslib.models.session_sums import SessionSums
from rslib.models.temporal_baseline import TemporalBaseline
from rslib.ratings import Pairs, Ratings

FOLD_ROUNDS = 30        # rounds over all parts of a user that is folded in


@dataclass(kw_only=True)
class TimeSVDpp(SessionSums):
    r"""Predict the temporal baseline plus the match of an item with a user as of that day.

    .. math:: \hat r_{ui}(t) = b_{ui}(t) + q_i \cdot \Big( p_u + v\,\mathrm{dev}_u(t)\, \alpha_u
              + o\, p_{ut} + |N(u)|^{-1/2} \sum_{j \in N(u)} y_j \Big)

    with :math:`b_{ui}(t)` of `TemporalBaseline`, without the scale c.

    .. math:: J = \sum_{(u,i,t) \in R} \Big[ (r_{ui} - \hat r_{ui}(t))^2
                  + \lambda \big( \lVert q_i \rVert^2 + \lVert p_u \rVert^2
                  + \lVert \alpha_u \rVert^2 + \lVert p_{ut} \rVert^2
                  + \sum_{j \in N(u)} \lVert y_j \rVert^2 \big) \Big]
                  + \sum_g \lambda_g \sum_{\theta \in g} \theta^2

    g the kinds of biases. A part that enters with the weight v or o is stepped :math:`v^2` or
    :math:`o^2` times as far and shrunk that much harder than :math:`p_u`: 0 leaves it out.

    Parameters
    ----------
    n_factors : int, at least 1
    reg : float, above 0
        :math:`\lambda`, on the squared factors, per rating.
    drift_weight, day_weight : float, at least 0
        v and o.
    n_epochs : int, at least 1
        Passes over the ratings.
    learning_rate : float
    decay : float in (0, 1]
        Factor on the step after each pass.
    init_std : float, above 0
        Standard deviation of the factors at the start.
    seed : int
        Start, and order of the users.
    calendar_days, item_bin_days, drift, day_bias, frequency, beta, spline_decay, frequency_base,
    reg_user, reg_item, reg_calendar, reg_bin, reg_drift, reg_day, reg_frequency
        See `TemporalBaseline`; the penalties of the biases are charged in equal shares to their
        ratings.

    Attributes
    ----------
    user_factors_, drift_factors_ : float32 arrays (n_users, n_factors), on the device of train
        p and alpha.
    day_factors_ : float32 array (n_sessions, n_factors)
        p_ut.
    item_factors_, implicit_factors_ : float32 arrays (n_items, n_factors)
        q and y.
    user_sums_ : float32 array (n_users, n_factors)
        p plus the implicit part, which follows from p and y.
    global_mean_, user_bias_, item_bias_, calendar_bias_, item_bins_, item_frequencies_, drift_,
    day_bias_, session_keys_, session_sizes_, user_days_, first_day_, last_day_
        See `TemporalBaseline`.

    Notes
    -----
    A day never seen has no p_ut; for the rest see `TemporalBaseline`. Cost of an epoch:
    O((n_ratings + n_sessions + |N|) k), on one thread. Agreement: statistical. Determinism: same
    seed, same bits on one machine's CPU, whatever the order of the rows. Differs from the source
    in: the factors share one learning rate and one penalty, and the weights v and o say how freely
    the parts that depend on the day may move; the biases start at the temporal baseline.

    References
    ----------
    Koren, Collaborative Filtering with Temporal Dynamics (KDD 2009), section 4,
    doi:10.1145/1557019.1557072.
    """

    scale: bool = False
    frequency: bool = False
    n_factors: int = 128
    reg: float = 0.04
    drift_weight: float = 0.5
    day_weight: float = 0.3
    n_epochs: int = 40
    learning_rate: float = 0.015
    decay: float = 0.95
    init_std: float = 0.01
    seed: int = 0

    _derived = (*SessionSums._derived, "user_sums_")
    _learned = ("item_factors_", "implicit_factors_", "user_factors_", "drift_factors_",
                "day_factors_", "user_sums_", *TemporalBaseline._learned)

    def _features_of(self, ratings, seen):
        """N(u), and the user's own factors with weight one."""
        return implicit_and_own(ratings, seen)

    def _parts(self, train, rng, **tables):
        """Factors of items and users small and random, those that depend on the day zero."""
        xp, n_users, n_items = array_module(train.users), train.n_users, train.n_items
        user_rated, item_rated = (
            xp.bincount(ids, minlength=n)[:, None] > 0
            for ids, n in ((train.users, n_users), (train.items, n_items)))
        self.item_factors_ = self._draw(xp, rng, n_items) * item_rated
        features = self._draw(xp, rng, n_items + n_users)
        self.implicit_factors_, self.user_factors_ = features[:n_items], features[n_items:]
        self.user_factors_ *= user_rated        # a view of the features
        n_sessions = len(self.session_keys_)
        self.drift_factors_, self.day_factors_ = (
            xp.zeros((n if weight else 0, self.n_factors), xp.float32)
            for n, weight in ((n_users, self.drift_weight), (n_sessions, self.day_weight)))
        return super()._parts(train, rng, features=features, item_factors=self.item_factors_,
                              drift=self.drift_factors_, days=self.day_factors_, **tables)

    def _draw(self, xp, rng, n):
        return xp.asarray(rng.normal(0, self.init_std, (n, self.n_factors)).astype(np.float32))

    def _settle(self, features_of, state):
        self.user_sums_ = feature_sums(features_of, state[2])

    def _factors(self, users, when):
        """Return the factors of these users on these days, (n, n_factors)."""
        xp, factors = array_module(users), self.user_sums_[users]
        if self.drift_weight:
            weights = self.drift_weight * when.deviations[:, None]
            factors = factors + weights * self.drift_factors_[users]
        if self.day_weight:
            weights = np.float32(self.day_weight) * (when.sessions >= 0)[:, None]
            factors = factors + weights * self.day_factors_[when.sessions]
        return factors.astype(xp.float32)

    def predict(self, pairs: Pairs):
        """Return the prediction of each pair on its day, in stars, not clipped."""
        self._check(pairs)
        return self._biases(pairs) + self._match(pairs)

    def fold_in(self, ratings: Ratings) -> "TimeSVDpp":
        """Return the model for the users of ``ratings``, new to it, with the items as they are.

        N(u) is what they rated. Given the items J is quadratic: biases, p and alpha are set to
        their minimum in turn until they settle. The factors of single days stay zero: in the fit
        they are held back by few and small steps, and J by itself holds them too little.
        """
        xp, pairs = array_module(ratings.values), ratings.pairs
        new = self._with_users(ratings.n_users)
        new._start_users(ratings, None)
        when, k = new._when(pairs), self.n_factors
        implicit = feature_sums(implicit_features(ratings, None), self.implicit_factors_)
        new.user_sums_ = implicit
        parts = {"user_factors_": xp.ones_like(when.deviations)}
        if self.drift_weight:
            parts["drift_factors_"] = self.drift_weight * when.deviations
        for name in parts:
            setattr(new, name, xp.zeros((ratings.n_users, k), xp.float32))
        n_days = len(new.session_keys_) if self.day_weight else 0
        new.day_factors_ = xp.zeros((n_days, k), xp.float32)
        biases = {term.name for term in new._user_terms(ratings.users, when)}
        for _ in range(FOLD_ROUNDS):
            new._alternate(replace(ratings, values=ratings.values - new._match(pairs)), 1,
                           names=biases)
            for name, weights in parts.items():
                q = self.item_factors_[ratings.items]
                own = weights * xp.einsum("nk,nk->n", getattr(new, name)[ratings.users], q)
                errors = ratings.values - new.predict(pairs) + own
                setattr(new, name, self._regress(ratings, errors, weights))
                new.user_sums_ = implicit + new.user_factors_
        return new

    def _regress(self, ratings, errors, weights):
        """Regress the errors of each user on the items' factors times ``weights``."""
        xp, side = array_module(errors), ratings.by_user
        ridge = self.reg * xp.diff(side.indptr)[:, None] * xp.ones(self.n_factors, np.float32)
        return ridge_rows(side.indptr, side.ids, (weights * errors)[side.rows].astype(np.float32),
                          self.item_factors_, ridge.astype(np.float32),
                          weights=(weights ** 2)[side.rows])

    def objective(self, ratings: Ratings, *, seen: Pairs | None = None) -> float:
        """Return J of the docstring on ``ratings``, in stars squared."""
        xp = array_module(ratings.values)
        when, features_of = self._when(ratings.pairs), self._features_of(ratings, seen)
        table = xp.concatenate([self.implicit_factors_, self.user_factors_])
        lengths = feature_sums(features_of._replace(weights=xp.ones_like(features_of.weights)),
                               (table ** 2).sum(1)[:, None])[:, 0][ratings.users]
        lengths = lengths + (self.item_factors_ ** 2).sum(1)[ratings.items]
        if self.drift_weight:
            lengths = lengths + (self.drift_factors_ ** 2).sum(1)[ratings.users]
        if self.day_weight:
            lengths = lengths + (self.day_factors_ ** 2).sum(1)[when.sessions]
        return super().objective(ratings) + self.reg * float(lengths.sum(dtype=xp.float64))
