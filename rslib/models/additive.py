"""Models that are sums of parts: prediction, objective and reasons are written here, once."""

import numpy as np

from rslib.backend import array_module
from rslib.models.base import Model
from rslib.models.parts.part import alternate, find, lookups_of
from rslib.models.parts.sessions import Sessions
from rslib.ratings import Pairs


class Additive(Model):
    r"""Base of the models whose prediction is the mean plus a sum of parts.

    .. math:: \hat r = \mu + \sum_a v_a, \qquad J = \sum_{(u,i) \in R} (r_{ui} - \hat r_{ui})^2
              + \sum_a \mathrm{penalty}_a

    all of it in units of the deviation of train, see `rslib.models.units`, where the mean is zero;
    in stars only where a subclass sets ``standardised`` to False, as `Baseline` does.

    A subclass is its fields, its docstring and its list of `parts`, in the order of its equation.
    Where all parts are lookups, that is all: `fit` sets each to its minimum in turn, and `fold_in`
    does so for those of the users. Other models bring a ``fit`` and a ``fold_in`` of their own.
    """

    standardised = True

    def parts(self):
        """Return the parts of the model, in the order of its equation."""
        raise NotImplementedError

    @property
    def _learned(self):
        return ("global_mean_", "unit_", *(name for part in self.parts() for name in part.learned))

    @property
    def _derived(self):
        return ("unit_", *(name for part in self.parts() for name in part.derived))

    def at(self, pairs):
        """Return ``pairs`` with what the parts need to know of each: its day, for models of time.

        Returns
        -------
        Pairs or When
        """
        sessions = find(self.parts(), Sessions)
        return sessions.when(self, pairs) if sessions else pairs

    def _values(self, pairs):
        """Yield the terms beside the mean one after the other: name and array (n,)."""
        at = self.at(pairs)
        for part in self.parts():
            if part.name:
                yield part.name, part.value(self, at)

    def terms(self, pairs: Pairs):
        """Return the terms of the equation, in its order; they sum to the prediction.

        Parameters
        ----------
        pairs : Pairs

        Returns
        -------
        dict of str to float array (n,)
            Stars.
        """
        self.check_pairs(pairs)
        xp = array_module(pairs.users)
        mean = xp.full(len(pairs), self.global_mean_, xp.float32)
        return {"mean": mean} | {name: value * self.unit_ for name, value in self._values(pairs)}

    def _predict(self, pairs):
        """The sum of the terms."""
        total = array_module(pairs.users).full(len(pairs), self._mean, np.float32)
        for _, value in self._values(pairs):
            total = total + value
        return total

    def _score(self, users):
        parts = [part for part in self.parts() if part.name]
        if not all(hasattr(part, "scores") for part in parts):
            return super()._score(users)
        total = self._mean
        for part in parts:
            total = total + part.scores(self, users)
        return total

    def _objective(self, ratings, seen):
        xp = array_module(ratings.values)
        residuals = (ratings.values - self._predict(ratings.pairs)).astype(xp.float64)
        return float((residuals ** 2).sum()) + sum(part.penalty(self, ratings, seen)
                                                   for part in self.parts())

    def _start(self, train, seen=None, rng=None):
        """Set every part to where the fit starts."""
        self._world(train)
        for part in self.parts():
            part.start(self, train, seen, rng)

    def _fit(self, train, seen, on_epoch):
        """Set each part to its minimum in turn."""
        self._start(train, seen)
        alternate(self, train, self.n_epochs, on_epoch=on_epoch)

    def _fold_in(self, ratings):
        """Set each part of the users to its minimum in turn."""
        if self._why_no_fold_in:
            return super()._fold_in(ratings)
        new = self._newcomers(ratings)
        alternate(new, ratings, self.n_epochs, parts=new._of_users())
        return new

    @property
    def _why_no_fold_in(self):
        return next((part.why_no_fold_in for part in self.parts() if part.why_no_fold_in), "")

    def _newcomers(self, ratings):
        """Return the model with the users of ``ratings``, who know nothing of themselves yet."""
        new = self._with_users(ratings)
        for part in self.parts():
            if part.of_users:
                part.start(new, ratings, None, None)
        return new

    def _of_users(self):
        return [part for part in lookups_of(self) if part.of_users]
