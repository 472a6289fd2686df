"""Stochastic gradient descent on sums of parts: their arrays are lent to a kernel, and come back.

The arrays belong to the fit until it is over. Whenever somebody looks at the model, and at the end,
its attributes are set to them anew, so an attribute that was bound to something else meanwhile
cannot stop the learning.
"""

import math

import numpy as np

from rslib.backend import array_module, rows_of, starts_of
from rslib.kernels import feature_sgd_epoch, feature_sums, rules, session_sgd_epoch
from rslib.kernels.features import Features
from rslib.kernels.sessions import Visits
from rslib.kernels.states import (
    FeatureState,
    IntegratedState,
    IntegratedSteps,
    Known,
    SessionState,
    SessionSteps,
    Steps,
)
from rslib.models.parts.factors import Daily, Drifting, Factors
from rslib.models.parts.fading import Fading
from rslib.models.parts.neighbourhood import ExplicitWeights
from rslib.models.parts.part import Lookup, alternate, find, lookups_of, sum_of_lookups
from rslib.models.parts.sessions import Sessions
from rslib.models.parts.time import CalendarBias

START = 20              # rounds of the temporal baseline before the first step


def known_of(model):
    """Return what the rules of global weights read: R(u) with x, and N(u) with s."""
    xp = array_module(model.rated_deviations_)

    def share(indptr):      # of one of a user's other entries: the item at hand is one of them
        others = xp.maximum(xp.diff(indptr) - 1, 1)
        return (others ** -0.5)[rows_of(indptr)].astype(xp.float32)
    return Known(model.rated_indptr_, model.rated_ids_,
                 model.rated_deviations_ * share(model.rated_indptr_),
                 model.seen_indptr_, model.seen_ids_, share(model.seen_indptr_))


def descend(model, train, seen, on_epoch, *, learning_rate_weights=0.0):
    """Fit a model of biases and sums of features, with global weights or without; return it."""
    rng = np.random.default_rng(model.seed)
    model._start(train, seen, rng)
    parts, by_user = model.parts(), train.by_user
    factors, weights = find(parts, Factors), find(parts, ExplicitWeights)
    lent = {name: array for part in parts for name, array in part.lend(model).items()}
    kind, rule = ((IntegratedState, rules.integrated) if weights
                  else (FeatureState, rules.feature_mf))
    state = kind(*(lent[name] for name in kind._fields))
    features_of, known = factors.features_of(model, train, seen), weights and known_of(model)

    def one_epoch(epoch):
        decay = model.decay ** (epoch - 1)
        steps = Steps(0.0, model.learning_rate * decay, model.reg, model.reg_bias)
        if weights:
            steps = IntegratedSteps(*steps, learning_rate_weights * decay, weights.reg, *known)
        return feature_sgd_epoch(by_user, rng.permutation(train.n_users), features_of, state,
                                 steps, rule) / len(train)

    def give_back():
        for part in parts:
            part.give_back(model, lent)
        model.user_sums_ = feature_sums(features_of, lent["features"])
    return model._run(one_epoch, on_epoch, give_back)


class Layout:
    """The lookups of a model as `session_sgd_epoch` wants them.

    Numbers of users lie in one line, those of items in columns; each session reads some places of
    the line with weights, and some columns. The calendar is not among them: it stays.
    """

    def __init__(self, model):
        lookups = lookups_of(model)
        self.of_users = [part for part in lookups if part.of_users]
        self.of_items = [part for part in lookups
                         if not part.of_users and not isinstance(part, CalendarBias)]
        self.shapes = {part.table: part.numbers(model).shape for part in lookups}

    def lay_out(self, table_of):
        """Return the tables that ``table_of`` gives the lookups, as a line and as columns."""
        line = [table_of(part) for part in self.of_users]
        columns = [table_of(part) for part in self.of_items]
        xp = array_module(*line, *columns)
        return (xp.concatenate([table.ravel() for table in line]),
                xp.concatenate([table.reshape(len(table), -1) for table in columns], axis=1))

    def readings(self, model):
        """Return what each session reads: places and weights (n_sessions, n), and columns."""
        every = find(model.parts(), Sessions).every(model)
        xp, first, places, weights, columns = array_module(every.users), 0, [], [], []
        for part in self.of_users:
            for cells, x in part.cells(model, every):
                places.append(first + cells)
                weights.append(xp.ones(len(cells), np.float32) if x is None else x)
            first += math.prod(self.shapes[part.table])
        first = 0
        for part in self.of_items:
            columns += [first + cells for cells, _ in part.cells(model, every)]     # of item 0
            first += math.prod(self.shapes[part.table][1:])
        return (xp.stack(places, axis=1).astype(np.int64), xp.stack(weights, axis=1),
                xp.stack(columns, axis=1).astype(np.int64))

    def give_back(self, model, line, columns):
        """Make the tables of the model views of the line and the columns."""
        first = 0
        for part in self.of_users:
            shape = self.shapes[part.table]
            last = first + math.prod(shape)
            model.learn({part.table: line[first:last].reshape(shape)})
            first = last
        first = 0
        for part in self.of_items:
            shape = self.shapes[part.table]
            last = first + math.prod(shape[1:])
            table = columns[:, first:last] if len(shape) > 1 else columns[:, first]
            model.learn({part.table: table})
            first = last


def visits_of(model, train):
    """Lay the ratings out by user, day and item, with what each session brings to them."""
    xp, n_users, parts = array_module(train.users), train.n_users, model.parts()
    at = model.at(train.pairs)
    order = xp.lexsort(xp.stack([train.items.astype(np.int64), at.sessions]))
    n_sessions, users, items = len(model.session_keys_), train.users[order], train.items[order]
    counts = xp.bincount(users, minlength=n_users)
    share = (xp.maximum(counts, 1) ** -0.5).astype(np.float32)[users]
    values = train.values[order]
    x = (train.values - sum_of_lookups(model, at))[order] * share
    if calendar := find(parts, CalendarBias):
        values = values - calendar.value(model, at)[order]
    if fading := find(parts, Fading):
        fading.remember(model, starts_of(counts), items, at.days[order], x)
    factors, every = find(parts, Factors), find(parts, Sessions).every(model)
    drifting, daily = (find(factors.daily if factors else (), kind) for kind in (Drifting, Daily))
    return Visits(starts_of(xp.bincount(model.session_users_, minlength=n_users)),
                  starts_of(xp.bincount(at.sessions, minlength=n_sessions)), items, values,
                  every.days.astype(np.float32),
                  every.deviations * np.float32(drifting.weight if drifting else 0),
                  xp.full(n_sessions, daily.weight if daily else 0, np.float32), x, share)


def descend_by_session(model, train, seen, on_epoch, **learning_rates):
    """Fit a model whose parts depend on the day, and return it; see `session_descent`."""
    one_epoch, give_back = session_descent(model, train, seen, **learning_rates)
    return model._run(one_epoch, on_epoch, give_back)


def session_descent(model, train, seen=None, *, learning_rate_weights=0.0,
                    learning_rate_forgetting=0.0):
    """Start a model whose parts depend on the day; return what runs an epoch, and what ends it.

    The biases start at the minimum of the temporal baseline.
    """
    rng = np.random.default_rng(model.seed)
    model._start(train, seen, rng)
    alternate(model, train, START)
    xp, parts, layout = array_module(train.users), model.parts(), Layout(model)
    visits, factors, fading = visits_of(model, train), find(parts, Factors), find(parts, Fading)
    line, columns = layout.lay_out(lambda part: part.numbers(model))
    at = model.at(train.pairs)
    shares = layout.lay_out(lambda part: (part.reg / xp.maximum(part.n_readings(model, at), 1))
                            .astype(np.float32))
    places, weights, columns_read = layout.readings(model)
    indptr = xp.arange(len(places) + 1) * places.shape[1]
    features_of = factors.features_of(model, train, seen) if factors else Features(
        xp.zeros(train.n_users + 1, xp.int64), xp.zeros(0, xp.int32), xp.zeros(0, xp.float32))
    k = model.n_factors if "item_factors_" in model._learned else 0
    empty = {"features": (0, k), "item_factors": (train.n_items, k), "drift_factors": (0, k),
             "day_factors": (0, k), "weights": (train.n_items, 0),
             "implicit_weights": (train.n_items, 0), "faded": (0, k), "log_rates": train.n_users}
    lent = {name: array for part in parts for name, array in part.lend(model).items()}
    state = SessionState(line, columns, **{
        name: lent[name] if name in lent else xp.zeros(shape, np.float32)
        for name, shape in empty.items()})

    def one_epoch(epoch):
        decay = model.decay ** (epoch - 1)
        rate = model.learning_rate * decay
        kept = (1 / (1 + np.float32(rate) * share) for share in shares)
        steps = SessionSteps(0.0, rate, model.reg, indptr, places.ravel(), weights.ravel(),
                             columns_read, *kept)
        if fading:
            steps = steps._replace(
                learning_rate_weights=learning_rate_weights * decay, reg_weights=fading.reg,
                learning_rate_rates=learning_rate_forgetting * decay,
                reg_rates=fading.reg_forgetting, log_rate=np.log(fading.forgetting_rate))
        order = rng.permutation(train.n_users)
        return session_sgd_epoch(visits, order, features_of, state, steps) / len(train)

    def give_back():
        layout.give_back(model, line, columns)
        for part in parts:
            if not isinstance(part, Lookup):
                part.give_back(model, lent)
        if factors:
            model.user_sums_ = feature_sums(features_of, lent["features"])
    return one_epoch, give_back
