"""timeSVD++: the temporal baseline, and factors of users that change from day to day."""

from dataclasses import dataclass

import numpy as np

from rslib.backend import array_module
from rslib.kernels import feature_sums, ridge_rows
from rslib.models.descent import descend_by_session
from rslib.models.domains import Count, NonNegative, Positive, Share, Whole
from rslib.models.parts.factors import Factors, Implicit, Own, daily_factors
from rslib.models.parts.features import implicit_features
from rslib.models.parts.part import alternate
from rslib.models.parts.time import time_biases
from rslib.models.temporal import Temporal

FOLD_ROUNDS = 30        # rounds over all parts of a user that is folded in


@dataclass(kw_only=True)
class TimeSVDpp(Temporal):
    r"""Predict the temporal baseline plus the match of an item with a user as of that day.

    .. math:: \hat r_{ui}(t) = b_{ui}(t) + q_i \cdot \Big( p_u + v\,\mathrm{dev}_u(t)\, \alpha_u
              + o\, p_{ut} + |N(u)|^{-1/2} \sum_{j \in N(u)} y_j \Big)

    with :math:`b_{ui}(t)` of `TemporalBaseline`.

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
    reg : float, at least 0
        :math:`\lambda`, on the squared factors, per rating.
    drift_weight, day_weight : float, at least 0
        v and o.
    n_epochs : int, at least 1
        Passes over the ratings.
    learning_rate : float, above 0
    decay : float in (0, 1]
        Factor on the step after each pass.
    init_std : float, at least 0
        Standard deviation of the factors at the start.
    seed : int, at least 0
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
    global_mean_, unit_, user_bias_, item_bias_, calendar_bias_, item_bins_, item_frequencies_,
    drift_, day_bias_, session_keys_, session_users_, session_days_, session_sizes_, user_days_,
    first_day_, last_day_
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

    n_factors: Count = 128
    reg: NonNegative = 0.03
    drift_weight: NonNegative = 1.0
    day_weight: NonNegative = 0.3
    n_epochs: Count = 45
    learning_rate: Positive = 0.017
    decay: Share = 0.95
    init_std: NonNegative = 0.01
    seed: Whole = 0

    def parts(self):
        """b_ui(t), and q_i times p_u, alpha_u, p_ut and the sum of y_j."""
        return [*time_biases(self),
                Factors(self.reg, (Implicit(), Own()),
                        daily_factors(self.drift_weight, self.day_weight))]

    def _fit(self, train, seen, on_epoch):
        return descend_by_session(self, train, seen, on_epoch)

    def _fold_in(self, ratings):
        """N(u) is what they rated. Given the items J is quadratic: biases, p and alpha are set to
        their minimum in turn until they settle. The factors of single days stay zero: in the fit
        they are held back by few and small steps, and J by itself holds them too little.
        """
        xp, pairs, n_users = array_module(ratings.values), ratings.pairs, ratings.n_users
        new = self._newcomers(ratings)
        at, factors = new.at(pairs), new.parts()[-1]
        implicit = feature_sums(implicit_features(ratings, None), self.implicit_factors_)
        new.user_sums_, weights = implicit, {"user_factors_": xp.ones_like(at.deviations)}
        if self.drift_weight:
            weights["drift_factors_"] = self.drift_weight * at.deviations
        new.learn({name: xp.zeros((n_users, self.n_factors), xp.float32) for name in weights})
        if self.day_weight:
            new.day_factors_ = xp.zeros((len(new.session_keys_), self.n_factors), xp.float32)
        for _ in range(FOLD_ROUNDS):
            values = ratings.values - factors.value(new, at)
            alternate(new, ratings.with_values(values), 1, parts=new._of_users())
            for name, weight in weights.items():
                q = self.item_factors_[ratings.items]
                own = weight * xp.einsum("nk,nk->n", new.learned(name)[ratings.users], q)
                residuals = ratings.values - new._predict(pairs) + own
                new.learn({name: self._regress(ratings, residuals, weight)})
                new.user_sums_ = implicit + new.user_factors_
        return new

    def _regress(self, ratings, residuals, weights):
        """Regress the residuals of each user on the items' factors times ``weights``."""
        xp, side = array_module(residuals), ratings.by_user
        ridge = self.reg * xp.diff(side.indptr)[:, None] * xp.ones(self.n_factors, np.float32)
        targets = (weights * residuals)[side.rows].astype(np.float32)
        return ridge_rows(side.indptr, side.ids, targets, self.item_factors_,
                          ridge.astype(np.float32), weights=(weights ** 2)[side.rows])
