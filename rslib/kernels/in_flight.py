r"""How many warps share an epoch of gradient descent on a GPU, and how far each walks unseen.

Where users are sums of features that others hold too, a visit enters with the features as they
stand, and gives each its share of what the ratings have asked when it leaves. Visits one after
another never answer the same error twice. W of them in flight don't know of each other: all W
answer what they have in common, and it is answered W times. With :math:`K_{uv} = \sum_j s_{uj}
s_{vj}`, a piece of m ratings of user v moves :math:`z_u` by :math:`K_{uv} \gamma \sum e\, q_i`, so
that W pieces remove of an error along an eigenvector of K the part
:math:`\gamma\, m W \lVert q \rVert^2 \lambda / U`, with :math:`\lambda` its eigenvalue and U the
number of users. Past one this overshoots; past two it never comes to rest.

Only the product of m and W counts: the ratings walked unseen. Dividing what is given by W would
hold it too, but in all directions, most of which few users share, and an epoch would learn too
little. A visit, however, may be cut anywhere: to leave and enter anew after m ratings changes no
number while nobody else is in flight. So pieces are cut so short that

.. math:: \gamma\, m\, W\, \bar K \le \mathrm{UNSEEN}, \qquad
          \bar K = \sum_j \Big( \frac 1 U \sum_u |s_{uj}| \Big)^2

with :math:`\bar K`, what two users share on average, in the place of :math:`\lambda / U`. As
entering and leaving cost more than a rating, no piece is shorter than `SHORTEST`; fewer warps fly
where even that is too long.
"""

from typing import NamedTuple

import numpy as np

from rslib.backend import array_module, sum_by

MAX_WARPS = 2048            # one-warp blocks that a large GPU holds at a time, registers counted
RATINGS_A_WARP = 2048       # with fewer, too many warps meet at the popular items
UNSEEN = 1.0                # at 2.5 planted ratings lose .001 of the RMSE
SHORTEST = 4                # ratings
SATURATED = 25              # ratings that move the sum of a user's features as far as all would
WHOLE = 2**30               # ratings, more than any user has: visits are not cut


class Runs(NamedTuple):
    """The ratings of users in a given order, cut into one run a warp, all of one length."""

    users: np.ndarray       # (n,) int64
    ends: np.ndarray        # (n,) int64, ratings of the users up to this one
    starts: np.ndarray      # (n_warps + 1,) int64, where the runs begin and the last ends
    places: np.ndarray      # (n_warps,) int64, place among the users where each run begins


def warps_for(n_ratings):
    """Return how many warps may share an epoch without losing too many steps."""
    return max(1, min(MAX_WARPS, n_ratings // RATINGS_A_WARP))


def equal_runs(indptr, users, n_warps=None):
    """Return `Runs` of the ratings that a CSR holds of ``users``, who may lie on the host.

    As many as `warps_for` says where no number is given.
    """
    xp = array_module(indptr)
    users = xp.asarray(users, order="C")
    lengths = indptr[users + 1] - indptr[users]
    ends, n_ratings = xp.cumsum(lengths), int(lengths.sum())
    n_warps = n_warps or warps_for(n_ratings)
    starts = xp.arange(n_warps + 1) * n_ratings // n_warps
    return Runs(users, ends, starts, xp.searchsorted(ends, starts[:-1], side="right"))


def shared(features_of, n_features):
    r"""Return :math:`\bar K`, what two users share on average."""
    held = sum_by(features_of.ids, abs(features_of.weights), n_features)
    held = held / max(1, len(features_of.indptr) - 1)
    return float((held * held).sum())


def in_pieces(n_ratings, learning_rate, overlap):
    """Return how many warps may share an epoch, and how many ratings a piece may have.

    Parameters
    ----------
    n_ratings : int
    learning_rate : float
        Of this epoch: as it decays, pieces grow and so do the warps.
    overlap : float
        What two users share, see `shared`.
    """
    n_warps, unseen = warps_for(n_ratings), learning_rate * overlap / UNSEEN
    if unseen * SHORTEST > 0:
        n_warps = max(1, min(n_warps, int(1 / (unseen * SHORTEST))))
    piece = 1 / (unseen * n_warps) if unseen > 0 else WHOLE
    return n_warps, WHOLE if n_warps == 1 else max(SHORTEST, int(min(piece, WHOLE)))


def whole(n_ratings, learning_rate, overlap):
    """Return how many warps may share an epoch whose visits cannot be cut."""
    n_warps, unseen = warps_for(n_ratings), learning_rate * overlap * SATURATED / UNSEEN
    return max(1, min(n_warps, int(1 / unseen))) if unseen > 0 else n_warps
