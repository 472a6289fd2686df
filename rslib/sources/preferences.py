"""The planted truth of synthetic purchases: what each user wants, as chances."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Preferences", "prefer"]


@dataclass(frozen=True, eq=False)
class Preferences:
    """The truth behind synthetic purchases, see `rslib.sources.purchases`.

    Parameters
    ----------
    user_factors, item_factors : float32 array (n_users, n_factors), (n_items, n_factors)
        p_u and q_i.
    log_popularity : float32 array (n_items,)
        Minus zeta ln k_i: from 0 of the most popular item down.
    n_purchases : int64 array (n_users,)
        n_u, of all items together.
    """

    user_factors: np.ndarray
    item_factors: np.ndarray
    log_popularity: np.ndarray
    n_purchases: np.ndarray

    def chances(self, users):
        """Return how likely the next thing that each of some users buys is each item.

        Parameters
        ----------
        users : int, slice or array (n,)

        Returns
        -------
        float64 array (n, n_items)
            pi_u, whose sum is 1; of one user its row alone.
        """
        items = self.item_factors.astype(float)
        wanted = self.user_factors[users].astype(float) @ items.T
        wanted += self.log_popularity - (items * items).sum(axis=1) / 2
        wanted = np.exp(wanted - wanted.max(axis=-1, keepdims=True))
        return wanted / wanted.sum(axis=-1, keepdims=True)


def prefer(n_purchases, n_items, n_factors, taste, zipf, rng):
    """Draw the truth of a world whose users make ``n_purchases`` each."""
    spectrum = 1 / np.sqrt(np.arange(1, n_factors + 1))
    spread = taste * spectrum / np.linalg.norm(spectrum)
    ranks = rng.permutation(n_items) + 1
    return Preferences(
        rng.standard_normal((len(n_purchases), n_factors), np.float32),
        rng.standard_normal((n_items, n_factors), np.float32) * spread.astype(np.float32),
        (-zipf * np.log(ranks)).astype(np.float32), n_purchases)
