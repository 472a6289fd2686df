"""How a restricted Boltzmann machine learns: minibatches of cases, momentum, and its parts."""

from typing import NamedTuple

import numpy as np

from rslib.backend import array_module, asnumpy, group_by, rows_of, starts_of
from rslib.kernels import contrastive_divergence, feature_sums
from rslib.kernels.contrastive import Cases, hidden_means
from rslib.kernels.features import Features
from rslib.models.base import Model
from rslib.models.parts.features import implicit_features
from rslib.models.rating_levels import Bias, Levels
from rslib.ratings import Pairs


class Known(NamedTuple):
    """All that a fit goes over, case by case."""

    cases: Cases
    biases: list                    # of Bias, their ids in the order of the cases' ratings
    condition: Features | None      # what each case is known to have rated


def _rows(indptr, rows):
    """Return the starts of some rows of a CSR put together, and where their entries lie."""
    xp = array_module(indptr, rows)
    starts = starts_of(indptr[rows + 1] - indptr[rows])
    place = rows_of(starts)
    return starts, xp.arange(int(starts[-1])) - starts[place] + indptr[rows][place]


def _transposed(features, n_features):
    """Return the users of each feature, as the features of each user were given."""
    indptr, rows = group_by(features.ids, n_features)
    return Features(indptr, rows_of(features.indptr)[rows].astype(np.int32), features.weights[rows])


def _turned(pairs):
    """Return pairs with users in the place of items."""
    return Pairs(pairs.items, pairs.users, n_users=pairs.n_items, n_items=pairs.n_users)


class BoltzmannMachine(Levels, Model):
    """Base of `rslib.models.RBM`, which says what the fields and attributes are."""

    def _sides(self, pairs):
        """Return the visible unit and the case of each pair."""
        return ((pairs.items, pairs.users) if self.visible == "items"
                else (pairs.users, pairs.items))

    def _grouped(self, ratings):
        """Return ratings grouped by case."""
        return ratings.by_user if self.visible == "items" else ratings.by_item

    def _cases(self, ratings):
        side = self._grouped(ratings)
        return Cases(side.indptr, side.ids, self._level_of(side.values))

    def _condition(self, ratings, seen):
        """Return what each case is known to have rated, or None where the machine does not ask."""
        if not self.conditional:
            return None
        if self.visible == "users":
            ratings, seen = _turned(ratings), None if seen is None else _turned(seen)
        features = implicit_features(ratings, seen)
        xp = array_module(features.weights)
        return features._replace(weights=xp.ones_like(features.weights))

    def _known(self, ratings, seen):
        xp, pairs = array_module(ratings.values), ratings.pairs[self._grouped(ratings).rows]
        biases = [Bias(name, ids, xp.bincount(ids[ids >= 0], minlength=len(self.learned(name))))
                  for name, ids in self._bias_ids(pairs)]
        return Known(self._cases(ratings), biases, self._condition(ratings, seen))

    def _bias_ids(self, pairs):
        """Return the tables of biases that the model has, and the row of each pair in them."""
        visible, cases = self._sides(pairs)
        ids = [("visible_bias_", visible)]
        if self.case_bias:
            ids.append(("case_bias_", cases))
        if self.session_bias:
            ids.append(("session_bias_", self._sessions_of(pairs)))
        return ids

    def _start(self, train, rng):
        """Weights small and random where something was rated, everything else zero."""
        xp = array_module(train.values)
        self._learn_levels(train.values)
        visible, _ = self._sides(train)
        sizes = (train.n_items, train.n_users)
        n_visible, n_cases = sizes if self.visible == "items" else sizes[::-1]
        self._learn_sessions(train)
        self._start_biases(xp, n_visible, n_cases)
        self.hidden_bias_ = xp.zeros(self.n_hidden, xp.float32)
        self.condition_ = xp.zeros((n_visible if self.conditional else 0, self.n_hidden),
                                   xp.float32)
        rated = xp.bincount(visible, minlength=n_visible)[:, None, None] > 0
        self._start_weights(xp, rng, rated, (n_visible, len(self.levels_), self.n_hidden))

    def _start_weights(self, xp, rng, rated, shape):
        """Draw the weights, or the factors whose product is about as large."""
        def draw(*shape, std=self.init_std):
            return xp.asarray(rng.normal(0, std, shape).astype(np.float32))

        if self.rank:
            self.level_factors_ = (draw(*shape[:2], self.rank) * rated).reshape(-1, self.rank)
            self.hidden_factors_ = draw(self.rank, shape[2], std=self.rank ** -0.5)
            self.weights_ = (self.level_factors_ @ self.hidden_factors_).reshape(shape)
        else:
            self.level_factors_ = self.hidden_factors_ = xp.zeros((0, 0), xp.float32)
            self.weights_ = draw(*shape) * rated

    def _epoch(self, known, velocity, n_steps, decay, rng):
        """Visit all cases in random order, a batch at a time."""
        xp = array_module(self.weights_)
        rated = np.flatnonzero(np.diff(asnumpy(known.cases.indptr)))
        order = rng.permutation(rated)
        for first in range(0, len(order), self.batch_size):
            rows = xp.asarray(order[first:first + self.batch_size])
            self._step(known, rows, velocity, n_steps, decay, rng)

    def _step(self, known, rows, velocity, n_steps, decay, rng):
        """Move everything by what one batch of cases asks for."""
        xp, rate = array_module(rows), self.learning_rate * decay
        starts, entries = _rows(known.cases.indptr, rows)
        cases = Cases(starts, known.cases.ids[entries], known.cases.levels[entries])
        biases = [each._replace(ids=each.ids[entries]) for each in known.biases]
        condition = self._of_rows(known.condition, rows)
        contrast = contrastive_divergence(
            cases, self.weights_, self._offsets(biases), self._hidden_offsets(condition, len(rows)),
            *self._noise(xp, rng, n_steps, len(rows), len(cases.ids)),
            gaussian=self.hidden == "gaussian")
        self._step_biases(biases, contrast.levels, self.bias_rate)
        self._step_weights(contrast.weights, cases.ids, velocity, rate)
        self._move("hidden_bias_", contrast.hidden.sum(axis=0), velocity, rate)
        if condition is not None:
            by_visible = _transposed(condition, len(self.condition_))
            counts = xp.diff(by_visible.indptr)[:, None].astype(xp.float32)
            gradient = feature_sums(by_visible, contrast.hidden)
            gradient -= np.float32(self.reg) * counts * self.condition_
            self._move("condition_", gradient, velocity, rate * self.condition_rate)

    def _of_rows(self, condition, rows):
        if condition is None:
            return None
        starts, entries = _rows(condition.indptr, rows)
        return Features(starts, condition.ids[entries], condition.weights[entries])

    def _noise(self, xp, rng, n_steps, n_cases, n_ratings):
        """Draw what the hidden states need, and the visible ones if they are drawn."""
        draw = rng.standard_normal if self.hidden == "gaussian" else rng.random
        noise = xp.asarray(draw((n_steps, n_cases, self.n_hidden), dtype=np.float32))
        if not self.sampled:
            return noise, None
        return noise, xp.asarray(rng.random((n_steps, n_ratings), dtype=np.float32))

    def _hidden_offsets(self, condition, n_cases):
        """Return the input of each hidden unit without the ratings, (n_cases, n_hidden)."""
        xp = array_module(self.hidden_bias_)
        if condition is None:
            return xp.zeros((n_cases, self.n_hidden), dtype=xp.float32) + self.hidden_bias_
        return feature_sums(condition, self.condition_) + self.hidden_bias_

    def _step_weights(self, gradient, visible, velocity, rate):
        """Move the weights, or their factors, and hold them back once for each rating."""
        xp, shape = array_module(gradient), gradient.shape
        counts = np.float32(self.reg) * xp.bincount(visible, minlength=shape[0]).astype(xp.float32)
        if not self.rank:
            gradient -= counts[:, None, None] * self.weights_
            return self._move("weights_", gradient, velocity, rate)
        flat, a, b = gradient.reshape(-1, shape[2]), self.level_factors_, self.hidden_factors_
        counts = (counts[:, None] + xp.zeros(shape[1], dtype=xp.float32)).reshape(-1, 1)
        to_a, to_b = flat @ b.T - counts * a, a.T @ flat
        self._move("level_factors_", to_a, velocity, rate)
        self._move("hidden_factors_", to_b, velocity, rate)
        self.weights_ = (a @ b).reshape(shape)

    def _move(self, name, gradient, velocity, rate):
        """Take a step with momentum; the gradient is used up."""
        gradient *= np.float32(rate)
        if name in velocity:
            velocity[name] *= np.float32(self.momentum)
            velocity[name] += gradient
        else:
            velocity[name] = gradient
        parameters = self.learned(name)
        parameters += velocity[name]

    def _inputs(self, cases, condition):
        """Return the input of the hidden units of each case, (n_cases, n_hidden)."""
        xp, n_levels = array_module(cases.ids), self.weights_.shape[1]
        ids = cases.ids.astype(xp.int64) * n_levels + cases.levels
        rated = Features(cases.indptr, ids, xp.ones(len(ids), dtype=xp.float32))
        return (self._hidden_offsets(condition, len(cases.indptr) - 1)
                + feature_sums(rated, self.weights_.reshape(-1, self.n_hidden)))

    def _settle(self, known):
        """Learn what the hidden units of each case expect."""
        self.hidden_means_ = hidden_means(self._inputs(known.cases, known.condition),
                                          self.hidden == "gaussian")
