"""Sums of terms: models that add up parameters by index, each kind set to its minimum in turn."""

from typing import NamedTuple

import numpy as np

from rslib.backend import array_module, sum_by


class Term(NamedTuple):
    """One sum of the model: each row adds weight * parameters[id]."""

    name: str                           # attribute that holds the parameters
    reg: float
    ids: np.ndarray                     # (n,) places in the flattened parameters
    weights: np.ndarray | None = None   # (n,); None for ones
    times: str = ""                     # "scale": multiplied by c; "item": a part of c


class Terms:
    r"""Mixin of a model that is a sum of terms, some of them multiplied by a scale c.

    .. math:: \hat r_n = \mu + \sum_a \theta^a_{g(n)} x^a_n
              + \Big( \sum_b \theta^b_{g(n)} \Big) \Big( 1 + \sum_c \theta^c_{g(n)} \Big)

    A minimum of one kind given the others is a shrunken average, for each parameter by itself:

    .. math:: \theta_g = \frac{\sum_{n \in g} x_n e_n}{\lambda + \sum_{n \in g} x_n^2}

    with e the errors without the term. The model says by ``_terms(pairs, when)`` what it sums.
    """

    def _of(self, term):
        """Return what the parameters of a term say in each row."""
        said = getattr(self, term.name).ravel()[term.ids]
        return said if term.weights is None else said * term.weights

    def _weights(self, term, terms):
        """Return what multiplies the parameters of a term in each row, or None for ones."""
        if not term.times:
            return term.weights
        parts = [self._of(other) for other in terms
                 if other.times and other.times != term.times]
        if term.times == "scale":
            return 1 + sum(parts) if parts else None
        return sum(parts)

    def _sum(self, terms):
        """Return the mean plus the terms in the order of the equation, in stars."""
        total = self.global_mean_
        for name in self._equation:
            of_name = [term for term in terms if term.name == name]
            if of_name:
                total = total + sum(self._of(term) if term.times != "scale" else self._scaled(
                    term, terms) for term in of_name)
        return total

    def _scaled(self, term, terms):
        weights, said = self._weights(term, terms), self._of(term)
        return said if weights is None else said * weights

    def _alternate(self, ratings, n_epochs, on_epoch=None, names=None):
        """Set the terms called ``names``, or all, one after the other to their minimum."""
        terms = self._terms(ratings.pairs, self._when(ratings.pairs))
        errors = ratings.values - self._sum(terms)
        for epoch in range(1, n_epochs + 1):
            for term in terms:
                if names is None or term.name in names:
                    errors = self._minimise(term, self._weights(term, terms), errors)
            if on_epoch is not None and on_epoch(epoch, self):
                break

    def _minimise(self, term, weights, errors):
        """Set the parameters of one term to their minimum, and return the new errors."""
        xp, parameters = array_module(errors), getattr(self, term.name)
        flat, n = parameters.ravel(), parameters.size
        ones = 1.0 if weights is None else weights
        errors = errors + ones * flat[term.ids]
        squares = xp.bincount(term.ids, minlength=n) if weights is None else sum_by(
            term.ids, weights.astype(xp.float64) ** 2, n)
        best = sum_by(term.ids, ones * errors, n) / (squares + term.reg)
        flat = xp.where(squares > 0, best, flat).astype(xp.float32)     # of this term, not others
        setattr(self, term.name, flat.reshape(parameters.shape))
        return errors - ones * flat[term.ids]
