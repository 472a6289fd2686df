"""Neighbourhoods that fade: what was rated speaks the less, the longer ago it was rated."""

from dataclasses import dataclass

import numpy as np

from rslib.backend import array_module, rows_of, starts_of
from rslib.kernels import feature_sums, weighted_sums
from rslib.kernels.features import Features
from rslib.models.parts.factors import moments_of, occurs, products
from rslib.models.parts.neighbourhood import require_room, squared_weights
from rslib.models.parts.part import Part

ENTRIES = 1 << 22       # faded weights laid out at a time when pairs are predicted


@dataclass(frozen=True)
class Fading(Part):
    r"""Base of the parts in which a rating speaks by :math:`e^{-\beta_u |t - t_j|}`.

    It learns ``log_rates_`` float32 (n_users,), the logarithm of beta_u per day, and keeps what was
    rated, in order of user and day: ``rated_indptr_`` int64 (n_users + 1,), ``rated_ids_`` int32,
    ``rated_days_`` float32, and ``rated_x_`` float32, the deviations from the temporal baseline
    over |R(u)|^1/2, in units of the model.

    Parameters
    ----------
    reg : float
        Penalty, in each rating, on the squared numbers that speak in it.
    forgetting_rate : float, above 0
        beta_0, per day.
    reg_forgetting : float
        Penalty on :math:`(\ln \beta_u - \ln \beta_0)^2`.
    """

    reg: float
    forgetting_rate: float
    reg_forgetting: float

    derived = ("rated_indptr_", "rated_ids_", "rated_days_", "rated_x_")
    why_no_fold_in = "how fast a user forgets is learned together with the weights"

    def start(self, model, train, seen, rng):
        xp = array_module(train.values)
        model.log_rates_ = xp.full(train.n_users, np.log(self.forgetting_rate), xp.float32)

    def remember(self, model, indptr, items, days, x):
        """Keep what each user rated, in order of user and day."""
        model.rated_indptr_, model.rated_ids_, model.rated_x_ = indptr, items, x
        model.rated_days_ = days.astype(np.float32)

    def faded(self, model, once):
        """Lay out what was rated by these users, faded to these days, some moments at a time.

        Yields
        ------
        slice
            Of the moments.
        indptr, ids, x, d : arrays
            A CSR with a row for each of them: what was rated, its explicit and implicit weight.
        """
        xp, users, days = array_module(once.users), once.users, once.days
        lengths = xp.diff(model.rated_indptr_)[users]
        ends, first = xp.cumsum(lengths), 0
        rates = xp.exp(model.log_rates_)
        while first < len(users):
            done = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(xp.searchsorted(ends, done + ENTRIES, side="right")))
            part = slice(first, last)
            indptr = starts_of(lengths[part])
            rows = rows_of(indptr)
            entries = (model.rated_indptr_[users[part]] - indptr[:-1])[rows] + xp.arange(len(rows))
            gaps = abs(model.rated_days_[entries] - days[part][rows].astype(xp.float32))
            faded = xp.exp(-rates[users[part]][rows] * gaps)
            share = (xp.maximum(lengths[part], 1) ** -0.5)[rows]
            yield (part, indptr, model.rated_ids_[entries], faded * model.rated_x_[entries],
                   (faded * share).astype(xp.float32))
            first = last

    def of_rates(self, model):
        """Return what J charges the rates."""
        xp = array_module(model.log_rates_)
        away = (model.log_rates_ - np.log(self.forgetting_rate)) ** 2
        away = away[xp.diff(model.rated_indptr_) > 0]
        return self.reg_forgetting * float(away.sum(dtype=xp.float64))


@dataclass(frozen=True)
class FadingWeights(Fading):
    r"""Weights between items that fade.

    .. math:: |R(u)|^{-1/2} \sum_{j \in R(u) \setminus i} e^{-\beta_u |t - t_{uj}|}
              \big( w_{ij} (r_{uj} - \tilde b_{uj}) + c_{ij} \big)
    """

    name = "fading_weights"
    lends = ("weights_", "implicit_weights_", "log_rates_")
    learned = (*lends, *Fading.derived)

    def start(self, model, train, seen, rng):
        xp, shape = array_module(train.values), (train.n_items, train.n_items)
        require_room(type(model).__name__, train.n_items, "TemporalAsymmetricSVD")
        model.weights_, model.implicit_weights_ = (xp.zeros(shape, xp.float32) for _ in range(2))
        super().start(model, train, seen, rng)

    def value(self, model, at):
        xp, (once, moments) = array_module(at.users), moments_of(at)
        total = xp.zeros(len(at.users), xp.float32)
        order = xp.argsort(moments, kind="stable")
        ends = xp.searchsorted(moments[order], xp.arange(len(once.users)), side="right")
        first = 0
        for part, indptr, ids, x, d in self.faded(model, once):
            last = int(ends[min(part.stop, len(once.users)) - 1])
            rows, first = order[first:last], last
            for values, table in ((x, model.weights_), (d, model.implicit_weights_)):
                total[rows] += weighted_sums(moments[rows] - part.start, at.items[rows], indptr,
                                             ids, values, table)[0]
        return total

    def penalty(self, model, ratings, seen):
        squares = sum(squared_weights(ratings, model.rated_indptr_, model.rated_ids_, table)
                      for table in (model.weights_, model.implicit_weights_))
        return self.reg * squares + self.of_rates(model)


@dataclass(frozen=True)
class FadingFactors(Fading):
    r"""Features of what was rated that fade.

    .. math:: q_i \cdot |R(u)|^{-1/2} \sum_{j \in R(u)} e^{-\beta_u |t - t_{uj}|}
              \big( (r_{uj} - \tilde b_{uj}) x_j + y_j \big)

    ``rated_factors_`` float32 (2, n_items, n_factors) holds x, then y.
    """

    name = "factors"
    lends = ("item_factors_", "log_rates_")
    learned = (*lends, "rated_factors_", *Fading.derived)

    def start(self, model, train, seen, rng):
        xp, n_items = array_module(train.values), train.n_items
        draws = rng.normal(0, model.init_std, (3, n_items, model.n_factors)).astype(np.float32)
        draws = xp.asarray(draws) * occurs(train.items, n_items)
        model.item_factors_, model.rated_factors_ = draws[0], draws[1:]
        super().start(model, train, seen, rng)

    def lend(self, model):
        k = model.n_factors
        return super().lend(model) | {"faded": model.rated_factors_.reshape(-1, k)}

    def give_back(self, model, arrays):
        super().give_back(model, arrays)
        model.rated_factors_ = arrays["faded"].reshape(model.rated_factors_.shape)

    def user_vectors(self, model, once):
        """Return what these users have rated, faded to these days, (n, n_factors)."""
        xp = array_module(once.users)
        vectors = xp.zeros((len(once.users), model.n_factors), xp.float32)
        for part, indptr, ids, x, d in self.faded(model, once):
            for weights, table in ((x, model.rated_factors_[0]), (d, model.rated_factors_[1])):
                vectors[part] += feature_sums(Features(indptr, ids, weights), table)
        return vectors

    def value(self, model, at):
        once, moments = moments_of(at)
        return products(moments, at.items, self.user_vectors(model, once), model.item_factors_)

    def penalty(self, model, ratings, seen):
        xp = array_module(ratings.values)
        rated = Features(model.rated_indptr_, model.rated_ids_,
                         xp.ones(len(model.rated_ids_), xp.float32))
        lengths = feature_sums(rated, (model.rated_factors_ ** 2).sum((0, 2))[:, None])[:, 0]
        lengths = lengths[ratings.users] + (model.item_factors_ ** 2).sum(1)[ratings.items]
        return self.reg * float(lengths.sum(dtype=xp.float64)) + self.of_rates(model)
