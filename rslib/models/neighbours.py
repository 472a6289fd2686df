"""Neighbours: what a user said of similar items, or what similar users said of an item."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from rslib.backend import array_module, asnumpy
from rslib.kernels import neighbour_deviations, predict_pairs, similar_items, similarity_blocks
from rslib.models.base import Model
from rslib.models.baseline import baseline_of, folded_baseline
from rslib.models.domains import Count, NonNegative, Positive
from rslib.models.mean import Mean
from rslib.ratings import CSR, checked_ids

BUDGET = 1 << 29    # bytes for the similarities: all pairs of 11,585 items, lists beyond


class Neighbour(NamedTuple):
    """One voice in a prediction: an item that the user rated, or a user who rated the item."""

    item: int               # by "user": the user
    weight: float           # share in the average
    deviation: float        # of the rating from its baseline, in stars
    contribution: float     # weight times what is averaged, in stars
    similarity: float
    rating: float           # stars


@dataclass
class Neighbours(Model):
    r"""Predict the average of what a user said of the most similar items, weighted by similarity.

    A weighted average of stars, or better of deviations, added to the baseline. By "user" the
    roles change: what the most similar users said of the item. Nothing is minimised: similarities
    are chosen, not learned, and each is found as if the other neighbours weren't there.

    .. math:: \hat r_{ui} = b_{ui} + \frac{\sum_{j \in N(i;u)} w_{ij} (r_{uj} - b_{uj})}
                                          {\sum_{j \in N(i;u)} w_{ij}},
              \qquad b_{ui} = \mu + b_u + b_i,

    .. math:: w_{ij} = \max(0, s_{ij})^p, \qquad
              s_{ij} = \frac{n_{ij} - 1}{n_{ij} - 1 + \lambda} \cdot
        \frac{\sum_v (x_{vi} - m_i) (x_{vj} - m_j)}
             {\sqrt{\sum_v (x_{vi} - m_i)^2 \sum_v (x_{vj} - m_j)^2}}

    over the :math:`n_{ij}` users v who rated both. N(i;u) holds the most similar of the items that
    u rated, those with a positive similarity; where it is too small the baseline is left. The plain
    average takes stars in place of deviations and drops the :math:`b_{ui}` in front.

    Parameters
    ----------
    by : {"item", "user"}
        Whose neighbours.
    similarity : {"pearson", "cosine", "adjusted-cosine", "baseline"}
        "pearson": x are stars and m their means over the common users. The others have m = 0 and x
        in stars ("cosine"), less the mean of the user ("adjusted-cosine"; of the item, by "user")
        or less the baseline ("baseline").
    deviations : bool
        False takes the plain average of stars.
    n_neighbours : int, at least 1
        Most neighbours in N(i;u).
    min_neighbours : int, at least 1
        With fewer the prediction is the baseline.
    shrinkage : float, at least 0
        :math:`\lambda`, in common users.
    power : float, above 0
        p: 2 lets the most similar speak louder.
    reg_user, reg_item : float, at least 0
        Of the `Baseline`, in ratings.

    Attributes
    ----------
    weights_ : float32 array (n_items, n_items) or (n_items, n_listed), on the device of train
        Those of all pairs, or beyond half a gigabyte of the most similar items of each.
    similar_ : int32 array (n_items, n_listed)
        Which items these are; empty where ``weights_`` holds all pairs.
    indptr_, rated_, averaged_ : int64, int32 and float32 arrays (n_users + 1,), (n_ratings,) twice
        The training ratings by user: which items, and the stars or deviations that are averaged.
    user_bias_, item_bias_, global_mean_ : float32 arrays (n_users,), (n_items,) and float
        The baseline, in stars. By "user", users and items change places in all the others.

    Notes
    -----
    Cost: a fit sums over pairs of ratings of one user, O(sum of n_u squared), and looks at all
    pairs of items; a prediction looks at all ratings of its user. Agreement: exact to rounding on
    both devices, but for neighbours that tie. Determinism: exact. Differs from the source in: Koren
    has n in place of n - 1; the baseline is ridge.

    References
    ----------
    Koren, Factor in the Neighbors (TKDD 2010), section 2.2 and equation 3,
    doi:10.1145/1644873.1644874. Sarwar et al., Item-based Collaborative Filtering Recommendation
    Algorithms (WWW 2001), section 3.1 (adjusted cosine), doi:10.1145/371920.372071.
    """

    by: Literal["item", "user"] = "item"
    similarity: Literal["pearson", "cosine", "adjusted-cosine", "baseline"] = "baseline"
    deviations: bool = True
    n_neighbours: Count = 40
    min_neighbours: Count = 3
    shrinkage: NonNegative = 100.0
    power: Positive = 1.0
    reg_user: NonNegative = 4.0
    reg_item: NonNegative = 6.0

    _learned = ("weights_", "similar_", "indptr_", "rated_", "averaged_", "user_bias_",
                "item_bias_", "global_mean_")
    _derived = ("similar_", "indptr_", "rated_", "averaged_")   # ratings kept, not parameters found
    _why_no_fold_in = "whom a new user is similar to, only a pass over all ratings can tell"

    def _fit(self, train, seen, on_epoch):
        baseline = baseline_of(self).fit(train)
        self.user_bias_, self.item_bias_ = baseline.user_bias_, baseline.item_bias_
        self._compare(train)
        self.learn(self._spoken(train))

    def _swapped(self, users, items):
        """Return who speaks, then what is spoken about."""
        return (users, items) if self.by == "item" else (items, users)

    def _compare(self, train):
        """Weigh every pair of items, or list the most similar ones of each."""
        xp, x = array_module(train.values), self._compared(train)
        speakers, sides = self._swapped(train.by_user, train.by_item)
        compared = sides, speakers, x[sides.rows], x[speakers.rows]
        options = {"kind": "pearson" if self.similarity == "pearson" else "cosine",
                   "shrinkage": self.shrinkage}
        n = len(sides.indptr) - 1
        if 4 * n * n > BUDGET:
            self.similar_, similarities = similar_items(*compared, BUDGET // (8 * n), **options)
            self.weights_ = self._weights(similarities)
            return
        self.similar_, self.weights_ = xp.zeros((0, 0), xp.int32), xp.zeros((n, n), xp.float32)
        for first, block in similarity_blocks(*compared, **options):
            self.weights_[first:first + len(block)] = self._weights(block)

    def _compared(self, train):
        """Return the x of each rating, in the order of ``train``."""
        if self.similarity == "baseline":
            return train.values - self._level(train.users, train.items)
        if self.similarity == "adjusted-cosine":
            average = Mean("user" if self.by == "item" else "item").fit(train)
            return train.values - average.predict(train.pairs)
        if self.similarity == "pearson":
            # no constant changes it, but a large one rounds it off: less the rating next to the
            # mean, so that equal ratings stay equal to the last bit, and their variance zero
            away = abs(train.values - self.global_mean_)
            return train.values - train.values[array_module(away).argmin(away)]
        return train.values

    def _weights(self, similarities):
        return array_module(similarities).clip(similarities, 0, 1) ** self.power

    def _level(self, users, items):
        return predict_pairs(users, items, self.global_mean_, self.user_bias_, self.item_bias_)

    def _spoken(self, ratings):
        """Return the arrays that keep ``ratings``, grouped by who speaks."""
        averaged = ratings.values
        if self.deviations:
            averaged = averaged - self._level(ratings.users, ratings.items)
        speakers, _ = self._swapped(ratings.by_user, ratings.by_item)
        return {"indptr_": speakers.indptr, "rated_": speakers.ids,
                "averaged_": averaged[speakers.rows]}

    def _average(self, pairs, averaged):
        """Weighted average of ``averaged`` over the neighbours of each pair, zero without any."""
        speakers, about = self._swapped(pairs.users, pairs.items)
        ratings = CSR(self.indptr_, self.rated_, averaged, None)
        weights = (self.similar_, self.weights_) if self.similar_.size else self.weights_
        return neighbour_deviations(speakers, about, ratings, averaged, weights, self.n_neighbours,
                                    self.min_neighbours)

    def _predict(self, pairs):
        level, average = self._level(pairs.users, pairs.items), self._average(pairs, self.averaged_)
        if self.deviations:
            return level + average
        xp = array_module(average)
        anyone = self._average(pairs, xp.ones_like(self.averaged_)) > 0     # ones average to one
        return xp.where(anyone, average, level)

    def _explain(self, user, item):
        """Return the neighbours that speak in one prediction, the most similar first.

        Their contributions sum to the prediction less its baseline, or, for the plain average, to
        the prediction.

        Returns
        -------
        list of Neighbour
        """
        speaker, about = self._swapped(user, item)
        here = slice(*(int(end) for end in self.indptr_[speaker:speaker + 2]))
        ids, averaged = asnumpy(self.rated_[here]), asnumpy(self.averaged_[here])
        weights = self.weights_of(about)[ids] * (ids != about)
        best = np.argsort(-weights, kind="stable")[:self.n_neighbours]
        best = best[weights[best] > 0]
        if len(best) < self.min_neighbours:
            return []
        ids, averaged, weights = ids[best], averaged[best], weights[best]
        xp, pairs = array_module(self.averaged_), self._swapped(np.full(len(ids), speaker), ids)
        level = asnumpy(self._level(*(xp.asarray(side) for side in pairs)))
        ratings, shares = averaged + level * self.deviations, weights / weights.sum()
        columns = (ids, shares, ratings - level, shares * averaged, weights ** (1 / self.power),
                   ratings)
        return [Neighbour(*row) for row in zip(*(c.tolist() for c in columns), strict=True)]

    def weights_of(self, about, others=None):
        """Return the weights of all items in what is said of one item, or of each of several.

        They read the same whatever the form of ``weights_``: zero for those that its lists leave
        out. By "user" all are users.

        Parameters
        ----------
        about : int or int array (n,)
        others : int array (n,) or None
            Return the weight of ``others[k]`` for ``about[k]`` only.

        Returns
        -------
        float32 array (n_items,), (n, n_items) or (n,), on the host

        Raises
        ------
        ValueError
            Not fitted, or no such item.
        """
        self.check_fitted()
        about, n = np.asarray(about), len(self.weights_)
        checked_ids("about", about.ravel(), n)
        if others is not None:
            return self._weights_between(about, checked_ids("others", np.asarray(others), n))
        rows = asnumpy(self.weights_[about])
        if not self.similar_.size:
            return rows
        weights = np.zeros((*about.shape, n), np.float32)
        np.put_along_axis(weights, asnumpy(self.similar_[about]).astype(np.int64), rows, axis=-1)
        return weights

    def _weights_between(self, about, others):
        """Item by item, because all rows at once may be too many numbers."""
        weights, order = np.zeros(len(about), np.float32), np.argsort(about, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(about[order])) + 1):
            if rows.size:
                weights[rows] = self.weights_of(about[rows[0]])[others[rows]]
        return weights

    def _fold_in(self, ratings):
        """Items keep their similarities, so only what the user said, and the user's bias, are new.

        Raises
        ------
        NotImplementedError
            By "user".
        """
        if self.by == "user":
            return super()._fold_in(ratings)
        baseline = folded_baseline(baseline_of(self), self, self.item_bias_, ratings)
        new = self._with_users(ratings, user_bias_=baseline.user_bias_)
        new.learn(new._spoken(ratings))
        return new
