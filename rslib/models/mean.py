"""Averages: the first three rungs."""

from dataclasses import dataclass
from typing import Literal

from rslib.backend import array_module, sum_by
from rslib.models.base import Model


@dataclass
class Mean(Model):
    r"""Predict the average of all ratings, of the user's, or of the item's.

    A group without ratings gets the global mean, and a user or item with one rating gets exactly
    that rating back: averages trust small samples fully, which the next rung repairs.

    .. math:: \hat r_{ui} = \mu, \quad \bar r_u \quad\text{or}\quad \bar r_i, \qquad
              \bar r_u = \frac{1}{|R(u)|} \sum_{i \in R(u)} r_{ui}

    Each minimises :math:`\sum_{(u,i)} (r_{ui} - \hat r_{ui})^2` over what it may vary.

    Parameters
    ----------
    by : {"global", "user", "item"}
        Whose average.

    Attributes
    ----------
    means_ : float32 array (1,), (n_users,) or (n_items,), on the device of train
        Stars.
    global_mean_ : float
        Stars.

    Notes
    -----
    Cost: O(n_ratings). Agreement: exact. Determinism: exact.

    References
    ----------
    CS246 lecture slides: 1.1296, 1.0651 and 1.0533 on Netflix.
    """

    by: Literal["global", "user", "item"] = "global"

    _learned = ("means_", "global_mean_")

    def _groups(self, pairs):
        columns = {"user": (pairs.users, pairs.n_users), "item": (pairs.items, pairs.n_items),
                   "global": (pairs.users * 0, 1)}
        return columns[self.by]

    def _fit(self, train, seen, on_epoch):
        self.means_ = self._means(train)

    def _means(self, ratings):
        """The average of each group, the global mean where it has no ratings."""
        groups, n_groups = self._groups(ratings)
        xp = array_module(ratings.values)
        counts = xp.bincount(groups, minlength=n_groups)
        sums = sum_by(groups, ratings.values, n_groups)
        means = xp.where(counts > 0, sums / xp.maximum(counts, 1), self.global_mean_)
        return means.astype(xp.float32)

    @property
    def n_parameters(self):
        """One mean a group, and the global mean that stands in for a group without ratings."""
        self.check_fitted()
        return len(self.means_) + (self.by != "global")

    def _predict(self, pairs):
        return self.means_[self._groups(pairs)[0]]

    def _fold_in(self, ratings):
        """Return the model for the users of ``ratings``, new to it, without refitting."""
        if self.by != "user":
            return self._with_users(ratings)
        return self._with_users(ratings, means_=self._means(ratings))
