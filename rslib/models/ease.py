"""EASE: every item foretold from all others, by weights in closed form."""

from dataclasses import dataclass

from rslib.backend import array_module, inverse_spd
from rslib.kernels import co_ratings, filled_products, weighted_sums
from rslib.kernels.top_k import rows_between
from rslib.models.base import Model
from rslib.models.domains import Positive
from rslib.ratings import CSR, Ratings

BUDGET = 8_000_000_000      # bytes that the matrices of all pairs of items may take
BLOCK = 1 << 24             # numbers of a matrix of pairs held beside it


@dataclass
class EASE(Model):
    r"""Sum the weights of all that a user has: an autoencoder without a hidden layer.

    The weights are those that best restore every user's items, each item from the others only,
    for without that an item would foretell itself. This has a closed form, and ranks as well as
    models many times as deep. Leave out the ratings that speak against an item before the fit.

    .. math:: \hat s_{ui} = \sum_j x_{uj} B_{ji}

    .. math:: J = \lVert X - X B \rVert_F^2 + \lambda \lVert B \rVert_F^2, \qquad
              \mathrm{diag}(B) = 0

    with :math:`x_{ui}` one where u has i and zero otherwise. Its minimum is

    .. math:: B = I - P\, \mathrm{diag}(P)^{-1}, \qquad P = (X^T X + \lambda I)^{-1}

    It is a preference, without points: only the order of a user's items means something.

    Parameters
    ----------
    reg : float, above 0
        :math:`\lambda`, on the squared weights, in users.
    binary : bool
        Whether x is one for every rating, or its value.

    Attributes
    ----------
    items_ : int32 array (n_known,), on the device of train
        Items that anybody has, ascending; the others weigh nothing.
    weights_ : float32 array (n_known, n_known)
        B; row j holds what item j says of all items, the diagonal is exactly zero.
    rated_indptr_, rated_ids_, rated_values_ : int64, int32 and float32 arrays
        X as rows of a CSR, its columns numbered as in ``items_``.

    Raises
    ------
    ValueError
        If the matrices would take more than 8 GB, which is at 25,000 items.

    Notes
    -----
    Cost: O(sum of |R(u)|^2 + n_known^3), and O(|R(u)| n_known) for the scores of one user. Memory:
    12 bytes for each pair of items, on the CPU. Agreement: to rounding on both devices.
    Determinism: same inputs, same bits on one machine. Whoever is folded in gets what a user of the
    fit gets. What is ``seen`` is left alone; where a side is unknown, the preference is zero.
    Differs from the source in: items that nobody has are left out of the matrix.

    References
    ----------
    Steck, Embarrassingly Shallow Autoencoders for Sparse Data (WWW 2019), section 3,
    doi:10.1145/3308558.3313710.
    """

    reg: Positive = 250.0
    binary: bool = True

    preferences = True
    _learned = ("weights_", "items_", "rated_indptr_", "rated_ids_", "rated_values_")
    _derived = ("items_", "rated_indptr_", "rated_ids_", "rated_values_")   # ratings kept

    def _fit(self, train, seen, on_epoch):
        xp = array_module(train.values)
        self.items_ = xp.flatnonzero(xp.bincount(train.items)).astype(xp.int32)
        self._require_memory(len(self.items_))
        known = self._known(train)
        self._keep(known)
        self.weights_ = self._solve(known)

    def _require_memory(self, n):
        if 12 * n ** 2 > BUDGET:
            raise ValueError(f"{type(self).__name__} needs {12e-9 * n ** 2:.0f} GB of memory for "
                             f"all pairs of {n} items, more than {BUDGET / 1e9:g} GB: leave out "
                             "rare items, or take ImplicitALS")

    def _columns(self, items):
        """Return the column of each item, -1 for those that nobody had."""
        xp = array_module(self.items_)
        columns = xp.full(self.n_items_, -1, xp.int32)
        columns[self.items_] = xp.arange(len(self.items_), dtype=xp.int32)
        return columns[items]

    def _x(self, ratings):
        return array_module(ratings.values).ones_like(ratings.values) if self.binary \
            else ratings.values

    def _known(self, ratings):
        """Return X as Ratings, its items numbered by column."""
        columns, x = self._columns(ratings.items), self._x(ratings)
        known = columns >= 0
        return Ratings(ratings.users[known], columns[known], values=x[known],
                       n_users=ratings.n_users, n_items=len(self.items_))

    def _keep(self, known):
        self.rated_indptr_, self.rated_ids_, self.rated_values_, _ = known.by_user

    def _solve(self, known):
        """Return B from the inverse of the Gram matrix."""
        inverse = inverse_spd(self._gram(known))
        xp, diagonal = array_module(inverse), _diagonal(inverse)
        inverse /= -inverse[diagonal, diagonal]
        inverse[diagonal, diagonal] = 0
        return inverse.astype(xp.float32)

    def _gram(self, known):
        """X^T X + lambda I in float64, a block of its rows at a time."""
        n, by_item, by_user = known.n_items, known.by_item, known.by_user
        xp = array_module(known.values)
        gram, step = xp.zeros((n, n), xp.float64), max(1, BLOCK // (4 * n))
        for first in range(0, n, step):
            block = slice(first, min(first + step, n))
            gram[block] = co_ratings(by_item, by_user, by_item.values, by_user.values,
                                     block.start, block.stop, sums=False).products
        diagonal = _diagonal(gram)
        gram[diagonal, diagonal] += self.reg
        return gram

    def _predict(self, pairs):
        xp, columns = array_module(self.weights_), self._columns(pairs.items)
        sums, _ = weighted_sums(pairs.users, xp.maximum(columns, 0), self.rated_indptr_,
                                self.rated_ids_, self.rated_values_, self.weights_.T)
        return xp.where(columns < 0, xp.zeros_like(sums), sums)

    def _score(self, users):
        xp = array_module(self.weights_)
        rows = _rows(self.rated_indptr_, self.rated_ids_, self.rated_values_, users)
        scores = xp.zeros((len(users), self.n_items_), xp.float32)
        scores[:, self.items_] = filled_products(rows, rows.values, self.weights_)
        return scores

    def _objective(self, ratings, seen):
        """Block by block of users, as X B has a number for every user and item."""
        xp, known = array_module(ratings.values), self._known(ratings)
        unknown = self._x(ratings)[self._columns(ratings.items) < 0]    # of which X B is zero
        x, total = known.by_user, self.reg * (self.weights_ ** 2).sum(dtype=xp.float64)
        total = total + (unknown ** 2).sum(dtype=xp.float64)
        step = max(1, BLOCK // max(known.n_items, 1))
        for start in range(0, known.n_users, step):
            users = xp.arange(start, min(start + step, known.n_users))
            rows = _rows(x.indptr, x.ids, x.values, users)
            errors = filled_products(rows, rows.values, self.weights_)
            errors[rows_between(rows.indptr, 0, len(users)), rows.ids] -= rows.values
            total = total + (errors ** 2).sum(dtype=xp.float64)
        return float(total)

    def _fold_in(self, ratings):
        """The weights belong to the items, so all that is new are the rows of X."""
        new = self._with_users(ratings)
        new._keep(new._known(ratings))
        return new


def _rows(indptr, ids, values, users):
    """Return the rows of some users, as a CSR of their own."""
    xp = array_module(users)
    counts = (indptr[1:] - indptr[:-1])[users]
    own = xp.concatenate([xp.zeros(1, xp.int64), xp.cumsum(counts)])
    place = rows_between(own, 0, len(users))
    entries = indptr[users][place] + xp.arange(len(place)) - own[place]
    return CSR(own, ids[entries], values[entries], entries)


def _diagonal(matrix):
    return array_module(matrix).arange(len(matrix))
