"""Popularity: what everybody has, recommended to everybody."""

from dataclasses import dataclass

from rslib.backend import array_module
from rslib.models.base import Model


@dataclass
class Popularity(Model):
    r"""Rank every item by the number of users who have it, for all users alike.

    The first rung of rankings: a model that knows its users has to beat it.

    .. math:: \hat s_{ui} = |R(i)|

    with R(i) the users of the ratings of i, whatever the values. It is a preference, without
    points: only the order of a user's items means something. Nothing is minimised.

    Parameters
    ----------
    There are none.

    Attributes
    ----------
    counts_ : float32 array (n_items,), on the device of train
        Users.

    Notes
    -----
    Cost: O(n_ratings). Agreement: exact. Determinism: exact. An item that nobody has gets zero; an
    unknown user gets what all others get.

    References
    ----------
    Cremonesi, Koren and Turrin, Performance of Recommender Algorithms on Top-N Recommendation
    Tasks (RecSys 2010), section 3.1 (TopPop), doi:10.1145/1864708.1864721.
    """

    preferences = True
    _learned = ("counts_",)

    def _fit(self, train, seen, on_epoch):
        xp = array_module(train.items)
        self.counts_ = xp.bincount(train.items, minlength=train.n_items).astype(xp.float32)

    def _predict(self, pairs):
        return self.counts_[pairs.items]

    def _fold_in(self, ratings):
        """The items stay as popular as they were."""
        return self._with_users(ratings)
