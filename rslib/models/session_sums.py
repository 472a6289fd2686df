"""What timeSVD++ and the decaying neighbourhoods share: parts that are summed up by session."""

import numpy as np

from rslib.backend import array_module, starts_of
from rslib.kernels import predict_pairs, session_sgd_epoch
from rslib.kernels.features import Features
from rslib.kernels.sessions import Visits
from rslib.models.sessions import days_of, keys_of
from rslib.models.temporal_baseline import TemporalBaseline
from rslib.ratings import Pairs, Ratings

START = 20              # rounds of the temporal baseline before the first step


class SessionSums(TemporalBaseline):
    """Base of the models in which a rating is a sum of parts of its user, its item and its day.

    The biases start at the minimum of `TemporalBaseline` and are stepped on, the calendar stays.
    A subclass says by `_parts` what it adds to them.
    """

    def fit(self, train: Ratings, *, seen: Pairs | None = None, on_epoch=None):
        """Fit biases and all that the model adds to them, and return self.

        Parameters
        ----------
        train : Ratings
        seen : Pairs or None
            Pairs known to be rated, their ratings unknown: they join N(u), and their days count
            in F.
        on_epoch : callable (epoch, model) or None
            Called after every epoch; stops the fit by returning True.
        """
        one_epoch, settle = self._ready(train, seen)
        for epoch in range(1, self.n_epochs + 1):
            one_epoch(self.decay ** (epoch - 1))
            if on_epoch is not None:
                settle()
                if on_epoch(epoch, self):
                    break
        settle()
        return self

    def _ready(self, train, seen=None):
        """Start from the temporal baseline; return what runs an epoch, and what ends the fit."""
        if self.scale:
            raise ValueError(f"{type(self).__name__} has no scale c_u(t): leave scale False")
        self._start(train, seen)
        self._alternate(train, START)
        visits, features_of = self._visits(train), self._features_of(train, seen)
        rng = np.random.default_rng(self.seed)
        state, terms = self._parts(train, rng), self._terms_and_columns(train)
        shares = self._shares(train)

        def one_epoch(decay):
            factors, weights, rates = self._rates(decay)
            kept = (1 / (1 + np.float32(factors[0]) * share) for share in shares)
            session_sgd_epoch(visits, rng.permutation(train.n_users), features_of, state,
                              (self.global_mean_, *factors, *terms, *kept, *weights), rates)
        return one_epoch, lambda: self._settle(features_of, state)

    # what a subclass may say

    def _features_of(self, ratings, seen):
        """Which features each user is the sum of: none."""
        xp = array_module(ratings.users)
        return Features(xp.zeros(ratings.n_users + 1, xp.int64), xp.zeros(0, xp.int32),
                        xp.zeros(0, xp.float32))

    def _parts(self, train, rng, **tables):
        """Return the state of `session_sgd_epoch`; ``tables`` are those that are not empty."""
        xp, k = array_module(train.users), getattr(self, "n_factors", 0)
        empty = {"features": (0, k), "item_factors": (train.n_items, k), "drift": (0, k),
                 "days": (0, k), "weights": (train.n_items, 0), "implicit": (train.n_items, 0),
                 "faded": (0, k), "log_rates": train.n_users}
        state = [tables.get(name, xp.zeros(shape, xp.float32)) for name, shape in empty.items()]
        return (*self._join_terms(xp), *state)

    def _rates(self, decay):
        """Return the steps of an epoch: learning rate and reg of factors and biases, of weights,
        and of the rates of fading with the value to which those are pulled."""
        step = self.learning_rate * decay
        return (step, self.reg), (step, self.reg), (0.0, 0.0, 0.0)

    def _remember(self, indptr, items, days, x):
        """Keep what each user rated, where predictions need it."""

    def _settle(self, features_of, state):
        """Derive from the state what predictions need."""

    # what they share

    def _visits(self, train):
        """Lay the ratings out by user, day and item."""
        xp, n_users = array_module(train.users), train.n_users
        when = self._when(train.pairs)
        order = xp.lexsort(xp.stack([train.items.astype(np.int64), when.sessions]))
        errors = (train.values - self._biases(train.pairs))[order]
        n_sessions, users = len(self.session_keys_), train.users[order]
        counts = xp.bincount(users, minlength=n_users)
        share = (xp.maximum(counts, 1) ** -0.5).astype(np.float32)[users]
        starts = starts_of(xp.bincount(when.sessions, minlength=n_sessions))
        x, items = errors * share, train.items[order]
        self._remember(starts_of(counts), items, when.days[order], x)
        days, deviations = self.session_days_, self._deviations(self.session_users_,
                                                                self.session_days_)
        calendar = 0
        if self.calendar_days:
            calendar = self.calendar_bias_[(when.days[order] - self.first_day_)
                                           // self.calendar_days]
        return Visits(starts_of(xp.bincount(self.session_users_, minlength=n_users)), starts,
                      items, train.values[order] - calendar, days.astype(np.float32),
                      deviations * np.float32(getattr(self, "drift_weight", 0)),
                      xp.full(n_sessions, getattr(self, "day_weight", 0), np.float32),
                      x, share)

    def _join_terms(self, xp):
        """Lay the biases out as the rule wants them, and leave views of them in their places."""
        user_terms, item_terms = _joined(xp, vars(self))
        n_users, drift, n_bins = len(self.user_bias_), self.drift_.shape, self.item_bins_.shape[1]
        self.user_bias_ = user_terms[:n_users]
        self.drift_ = user_terms[n_users:n_users + drift[0] * drift[1]].reshape(drift)
        self.day_bias_ = user_terms[n_users + drift[0] * drift[1]:]
        self.item_bias_ = item_terms[:, 0]
        self.item_bins_ = item_terms[:, 1:1 + n_bins]
        self.item_frequencies_ = item_terms[:, 1 + n_bins:]
        return user_terms, item_terms

    def _terms_and_columns(self, train):
        """Return the terms and columns of each session, as the rule takes them."""
        xp, n_users = array_module(train.users), train.n_users
        sessions = Pairs(self.session_users_, xp.zeros(len(self.session_keys_), np.int32),
                         self.session_days_, n_users, train.n_items)
        when = self._when(sessions)._replace(sessions=xp.arange(len(self.session_keys_)),
                                             sizes=self.session_sizes_)
        first = {"user_bias_": 0, "drift_": n_users, "day_bias_": n_users + self.drift_.size}
        terms = self._user_terms(sessions.users, when)
        ids = xp.stack([first[term.name] + term.ids for term in terms], axis=1)
        x = xp.stack([xp.ones(len(ids), np.float32) if term.weights is None else term.weights
                      for term in terms], axis=1)
        n_bins, columns = self.item_bins_.shape[1], [xp.zeros(len(ids), int)]
        if n_bins:
            columns += [1 + (when.days - self.first_day_) // self.item_bin_days]
        if self.frequency:
            columns += [1 + n_bins + self._level(when.sizes)]
        return (xp.arange(len(ids) + 1) * ids.shape[1], ids.ravel().astype(np.int64), x.ravel(),
                xp.stack(columns, axis=1).astype(np.int64))

    def _shares(self, train):
        """Return the share of one rating in the penalty of every parameter of users and items."""
        xp, shares = array_module(train.users), {}
        every = self._terms(train.pairs, self._when(train.pairs))
        for name in ("user_bias_", "drift_", "day_bias_", "item_bias_", "item_bins_",
                     "item_frequencies_"):
            parameters = getattr(self, name)
            terms = [term for term in every if term.name == name]
            counts = sum(xp.bincount(term.ids, minlength=parameters.size) for term in terms)
            reg = terms[0].reg if terms else 0
            shares[name] = (reg / xp.maximum(counts, 1) * xp.ones(parameters.size)).astype(
                np.float32).reshape(parameters.shape)
        return _joined(xp, shares)

    def _moments(self, pairs):
        """Return the users and days that occur in ``pairs``, and which of them each row is of."""
        xp, when = array_module(pairs.users), self._when(pairs)
        keys = keys_of(pairs, days_of(pairs, self.last_day_))
        _, first, moment = xp.unique(keys, return_index=True, return_inverse=True)
        return pairs.users[first], type(when)(*(column[first] for column in when)), moment

    def _match(self, pairs):
        """Return the product of the factors of each pair on its day, in stars."""
        xp, (users, when, moments) = array_module(pairs.users), self._moments(pairs)
        return predict_pairs(moments, pairs.items, 0.0, xp.zeros(len(users), np.float32),
                             xp.zeros(self.n_items_, np.float32), self._factors(users, when),
                             self.item_factors_)


def _joined(xp, parts):
    """Lay the parameters of users out in a line, and those of items in columns."""
    return (xp.concatenate([parts[name].ravel() for name in
                            ("user_bias_", "drift_", "day_bias_")]),
            xp.concatenate([parts["item_bias_"][:, None], parts["item_bins_"],
                            parts["item_frequencies_"]], axis=1))
