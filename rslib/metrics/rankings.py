"""What a ranking is worth: figures of each user, and of all recommendations together."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Ranking"]


@dataclass(frozen=True, eq=False, repr=False)
class Ranking:
    r"""The best items of each user who was asked, and which of them were held out.

    Below, :math:`h_r` is 1 where the item at place r was held out and 0 elsewhere, and n is the
    number of items held out for the user. Being held out is all that counts, so whoever wants only
    what users liked holds out that. A figure at ``k`` reads the first k places; None reads all that
    were ranked. It is an array (n_users,), whose mean is what papers report.

    Parameters
    ----------
    users : int array (n_users,)
        Those with at least one item held out, ascending.
    n_held_out : int array (n_users,)
    items : int32 array (n_users, k)
        Best first; -1 from where a user has no item left.
    hits : bool array (n_users, k)
        Which of ``items`` were held out: h.
    popularity : float array (n_items,)
        Share of users who know each item, for `novelty`.
    n_left_out : int
        Users of whom something is known and nothing is held out: they enter no figure.
    """

    users: np.ndarray
    n_held_out: np.ndarray
    items: np.ndarray
    hits: np.ndarray
    popularity: np.ndarray
    n_left_out: int

    def __repr__(self):
        return (f"Ranking({len(self.users):,} users, {self.items.shape[1]} places of "
                f"{len(self.popularity):,} items; {self.n_left_out:,} users left out)")

    def _first(self, k):
        """Return the first k columns of items and of hits, and k."""
        depth = self.items.shape[1]
        k = depth if k is None else k
        if not 1 <= k <= depth:
            raise ValueError(f"k must lie in 1..{depth}, the places that were ranked, not {k}")
        return self.items[:, :k], self.hits[:, :k], k

    def precision(self, k=None):
        r"""Share of the k places that were held out, :math:`\tfrac{1}{k} \sum_{r \le k} h_r`.

        Always over k, also for a user with fewer than k items left, or held out.
        """
        _, hits, k = self._first(k)
        return hits.sum(axis=1) / k

    def recall(self, k=None):
        r"""Share of the held-out items found, :math:`\tfrac{1}{n} \sum_{r \le k} h_r`.

        The plain definition: for a user with n above k, even a perfect ranking stays below 1. With
        one item held out it is the hit rate.
        """
        return self._first(k)[1].sum(axis=1) / self.n_held_out

    def calibrated_recall(self, k=None):
        r"""Recall as a share of what k places can hold,
        :math:`\tfrac{1}{\min(k, n)} \sum_{r \le k} h_r`.

        "Recall@k" of Liang et al. and of all who follow their protocol; the name is RecPack's.

        References
        ----------
        Liang et al., Variational Autoencoders for Collaborative Filtering (WWW 2018), section 4.2,
        doi:10.1145/3178876.3186150.
        """
        _, hits, k = self._first(k)
        return hits.sum(axis=1) / np.minimum(k, self.n_held_out)

    def ndcg(self, k=None):
        r"""Normalised discounted cumulative gain, of gains that are 0 or 1.

        .. math:: \sum_{r \le k} \frac{h_r}{\log_2(r + 1)}
                  \Bigm/ \sum_{r \le \min(k, n)} \frac{1}{\log_2(r + 1)}

        The ideal has all it can in front: 1 is reached whatever k and n.

        References
        ----------
        Järvelin and Kekäläinen, Cumulated Gain-based Evaluation of IR Techniques (TOIS 2002),
        doi:10.1145/582415.582418.
        """
        _, hits, k = self._first(k)
        discounts = 1 / np.log2(np.arange(2, k + 2))
        ideal = np.cumsum(discounts)[np.minimum(k, self.n_held_out) - 1]
        return np.cumsum(hits * discounts, axis=1)[:, -1] / ideal      # summed as the ideal is

    def average_precision(self, k=None):
        r"""Mean of the precision at each place of a hit; its mean over users is MAP@k.

        .. math:: \frac{1}{\min(k, n)} \sum_{r \le k} h_r \, \frac{1}{r} \sum_{s \le r} h_s

        Over min(k, n), so that a perfect ranking gets 1. Others divide by n (trec_eval), by k, or
        by the number of hits, which rewards a list for missing the rest.
        """
        _, hits, k = self._first(k)
        precision = np.cumsum(hits, axis=1) / np.arange(1, k + 1)
        return (hits * precision).sum(axis=1) / np.minimum(k, self.n_held_out)

    def reciprocal_rank(self, k=None):
        """One over the place of the first hit, 0 without one; its mean over users is MRR@k."""
        _, hits, _ = self._first(k)
        return np.where(hits.any(axis=1), 1 / (1 + hits.argmax(axis=1)), 0.0)

    def coverage(self, k=None):
        """Return the share of all items that are among the first k of at least one user."""
        items, _, _ = self._first(k)
        return np.unique(items[items >= 0]).size / len(self.popularity)

    def novelty(self, k=None):
        r"""Return the mean self-information of what is recommended, in bits.

        .. math:: \frac{1}{|L|} \sum_{i \in L} -\log_2 \frac{\max(n_i, 1)}{n}

        over all places L that are filled, with the n users who know anything, n_i of them item i.
        An item that everybody knows tells 0 bits. One that nobody knows counts as if one user did,
        so that it is finite. NaN where nothing is recommended at all.

        References
        ----------
        Zhou et al., Solving the Apparent Diversity-accuracy Dilemma of Recommender Systems
        (PNAS 2010), "surprisal", doi:10.1073/pnas.1000488107.
        """
        items, _, _ = self._first(k)
        shown = items[items >= 0]
        return float(-np.log2(self.popularity[shown]).mean()) if shown.size else float("nan")

    def summary(self, k=None):
        """Return the means over users, and the figures of all lists together, as a dict."""
        figures = {"recall": self.recall, "calibrated_recall": self.calibrated_recall,
                   "precision": self.precision, "ndcg": self.ndcg, "map": self.average_precision,
                   "mrr": self.reciprocal_rank}
        return ({name: float(figure(k).mean()) for name, figure in figures.items()}
                | {"coverage": self.coverage(k), "novelty": self.novelty(k),
                   "n_users": len(self.users), "n_left_out": self.n_left_out})
