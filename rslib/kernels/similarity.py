"""How alike two items are, judged by the users who rated both: block by block of items."""

from typing import NamedTuple

import numba
import numpy as np

from rslib.backend import array_module, sum_by
from rslib.kernels.compiled import threaded
from rslib.kernels.top_k import rows_between

BUDGET = 1 << 26    # bytes
GRID = 1 << 16      # similarities that are ranked are multiples of one over this


class CoRatings(NamedTuple):
    """Sums over the users who rated both items: those first..last (rows) and all (columns).

    Each is an array (last - first, n_items) in the dtype of the values x; the sums are None where
    they were not asked for.
    """

    counts: np.ndarray              # number of such users
    products: np.ndarray            # sum of x_i x_j
    row_squares: np.ndarray         # sum of x_i^2
    column_squares: np.ndarray      # sum of x_j^2
    row_sums: np.ndarray | None = None
    column_sums: np.ndarray | None = None


@threaded
def _co_ratings(item_indptr, users, item_values, user_indptr, items, user_values, first, n_parts,
                totals):
    n_stats, n_rows, n_items = totals.shape
    for part in numba.prange(n_parts):
        # the statistics of a pair lie side by side, so that one vector operation adds to all
        row = np.zeros((n_items, 8 if n_stats == 6 else 4), totals.dtype)
        for r in range(part, n_rows, n_parts):
            row[:] = 0
            for p in range(item_indptr[first + r], item_indptr[first + r + 1]):
                user, x = users[p], item_values[p]
                for q in range(user_indptr[user], user_indptr[user + 1]):
                    y, cell = user_values[q], row[items[q]]
                    cell[0] += totals.dtype.type(1)
                    cell[1] += x * y
                    cell[2] += x * x
                    cell[3] += y * y
                    if n_stats == 6:
                        cell[4] += x
                        cell[5] += y
            for s in range(n_stats):
                for j in range(n_items):
                    totals[s, r, j] = row[j, s]


def _check(by_item, by_user, values_by_item, values_by_user):
    xp = array_module(by_item.ids, by_user.ids, values_by_item, values_by_user)
    sides = (("item", by_item, values_by_item, by_user),
             ("user", by_user, values_by_user, by_item))
    for side, csr, values, other in sides:
        name = f"values_by_{side}"
        if values.dtype not in (xp.float32, xp.float64) or values.dtype != values_by_item.dtype:
            raise TypeError(f"{name} must be float32 or float64, the same on both sides, "
                            f"not {values.dtype}")
        if values.shape != csr.ids.shape:
            raise ValueError(f"{name} has shape {values.shape} for {len(csr.ids)} ratings")
        if not bool(xp.isfinite(values).all()):
            row = int(xp.argmin(xp.isfinite(values)))
            raise ValueError(f"{name}: row {row} is {float(values[row])}, not a number to sum")
        if csr.ids.size and int(csr.ids.max()) >= len(other.indptr) - 1:
            raise ValueError(f"by_{side} holds id {int(csr.ids.max())}, the other side has "
                             f"{len(other.indptr) - 1}: take both from the same Ratings")


def co_ratings(by_item, by_user, values_by_item, values_by_user, first, last, *, sums=True):
    """Sum over the users who rated both, for items first..last against all items.

    Parameters
    ----------
    by_item, by_user : CSR
        Of the same ratings; a pair rated twice counts as two ratings.
    values_by_item, values_by_user : float32 or float64 array (n_ratings,)
        The value x of each rating in the order of either CSR: stars, deviations from a mean,
        residuals of a baseline.
    first, last : int
        Items ``first`` to ``last - 1``, with ``0 <= first < last <= n_items``.
    sums : bool
        Also give the sums of x; only "pearson" needs them.

    Returns
    -------
    CoRatings
        Of an item with itself, the diagonal, the sums over all its ratings.

    Raises
    ------
    TypeError, ValueError
        Values of another dtype, length or NaN, items out of range.

    Notes
    -----
    Cost: on the CPU one vector operation for each user of an item and each rating of that user,
    on the GPU four or six dense matrix products. Agreement: equal to `co_ratings_slow` to rounding.
    Determinism: same bits for any number of threads.
    """
    _check(by_item, by_user, values_by_item, values_by_user)
    n_items = len(by_item.indptr) - 1
    if not 0 <= first < last <= n_items:
        raise ValueError(f"items {first}..{last} must lie in 0..{n_items}, at least one of them")
    return _sum_block(by_item, by_user, values_by_item, values_by_user, first, last, sums)


def _sum_block(by_item, by_user, values_by_item, values_by_user, first, last, sums):
    """Do what `co_ratings` does once its arguments were checked, which costs a pass over them."""
    n_items = len(by_item.indptr) - 1
    if array_module(values_by_user) is not np:
        return co_ratings_dense(by_user, values_by_user, n_items, first, last, sums=sums)
    totals = np.empty((6 if sums else 4, last - first, n_items), values_by_item.dtype)
    _co_ratings(by_item.indptr, by_item.ids, np.ascontiguousarray(values_by_item),
                by_user.indptr, by_user.ids, np.ascontiguousarray(values_by_user),
                first, numba.get_num_threads(), totals)
    return CoRatings(*totals)


def co_ratings_dense(by_user, values_by_user, n_items, first, last, *, sums=True, budget=BUDGET):
    """Do what `co_ratings` does in matrix products over blocks of users, on both devices.

    ``budget`` bounds the bytes of the dense blocks; the result comes on top.
    """
    xp = array_module(by_user.ids, values_by_user)
    dtype, n_users = values_by_user.dtype, len(by_user.indptr) - 1
    totals = [xp.zeros((last - first, n_items), dtype) for _ in range(6 if sums else 4)]
    step = max(1, budget // (n_items * (3 * dtype.itemsize + 8)))     # three, one in float64
    for start in range(0, n_users, step):
        stop = min(start + step, n_users)
        entries = slice(int(by_user.indptr[start]), int(by_user.indptr[stop]))
        cells = rows_between(by_user.indptr, start, stop) * n_items + by_user.ids[entries]
        x, shape = values_by_user[entries], (stop - start, n_items)
        rated, values, squares = (
            sum_by(cells, entry, shape[0] * n_items).reshape(shape).astype(dtype)
            for entry in (xp.ones_like(x), x, x * x))
        factors = ((rated, rated), (values, values), (squares, rated), (rated, squares),
                   (values, rated), (rated, values))
        for total, (one, other) in zip(totals, factors, strict=False):
            total += one[:, first:last].T @ other
    return CoRatings(*totals)


def co_ratings_slow(by_item, by_user, values_by_item, values_by_user, first, last):
    """Do what `co_ratings` does, one pair of ratings at a time in float64: the version to read."""
    n_items = len(by_item.indptr) - 1
    stats = CoRatings(*np.zeros((6, last - first, n_items)))
    for i in range(first, last):
        for p in range(by_item.indptr[i], by_item.indptr[i + 1]):
            user, x = by_item.ids[p], float(values_by_item[p])
            for q in range(by_user.indptr[user], by_user.indptr[user + 1]):
                j, y = by_user.ids[q], float(values_by_user[q])
                for total, term in zip(stats, (1, x * y, x * x, y * y, x, y), strict=True):
                    total[i - first, j] += term
    return stats


def _spread(stats, squares, sums):
    """n times the sum of squares about the mean; zero where no more than rounding is left."""
    xp = array_module(squares)
    raw = stats.counts * squares
    centred = raw - sums * sums
    rounding = 2 * stats.counts * float(np.finfo(raw.dtype).eps)
    return xp.where(centred > rounding * raw, centred, 0)


def similarity(stats, kind="pearson", shrinkage=0.0):
    r"""Turn sums over common users into shrunken similarities.

    .. math:: s_{ij} = \frac{n_{ij} - 1}{n_{ij} - 1 + \lambda} \cdot
        \frac{\sum_u (x_{ui} - m) (x_{uj} - m')}
             {\sqrt{\sum_u (x_{ui} - m)^2 \sum_u (x_{uj} - m')^2}}

    over the :math:`n_{ij}` users u who rated both. "pearson" takes the means over these users for
    m and m', "cosine" takes zero: of the residuals of a baseline it is the correlation of Koren's
    neighbourhood models.

    Parameters
    ----------
    stats : CoRatings
        With its sums for "pearson".
    kind : {"pearson", "cosine"}
    shrinkage : float, at least 0
        :math:`\lambda`, in users: a correlation backed by one user more than that is halved.

    Returns
    -------
    array (n_rows, n_items), dtype of ``stats``
        In -1..1. Zero where fewer than two users rated both, or where the values of one item do
        not vary. The diagonal is an item's likeness to itself: leave it out when you pick
        neighbours.

    References
    ----------
    Koren, Factor in the Neighbors (TKDD 2010), section 2.2, doi:10.1145/1644873.1644874.
    """
    xp = array_module(stats.counts)
    if shrinkage < 0:
        raise ValueError(f"shrinkage must be at least 0, not {shrinkage}")
    if kind == "pearson" and stats.row_sums is not None:
        products = stats.counts * stats.products - stats.row_sums * stats.column_sums
        spreads = (_spread(stats, stats.row_squares, stats.row_sums)
                   * _spread(stats, stats.column_squares, stats.column_sums))
    elif kind == "cosine":
        products, spreads = stats.products, stats.row_squares * stats.column_squares
    else:
        raise ValueError(f"kind must be 'cosine', or 'pearson' with sums, not {kind!r}"
                         + " without sums" * (kind == "pearson"))
    known = (stats.counts > 1) & (spreads > 0)
    others = xp.where(known, stats.counts - 1, 1)
    correlation = xp.clip(products / xp.sqrt(xp.where(known, spreads, 1)), -1, 1)
    return xp.where(known, correlation * (others / (others + float(shrinkage))), 0)


def similarity_blocks(by_item, by_user, values_by_item, values_by_user, *, kind="pearson",
                      shrinkage=0.0, budget=BUDGET):
    """Yield (first, similarities): those of a block of items, from ``first`` on, with all items.

    Rounded to multiples of 2^-16: many similarities are equal, such as those of items that the same
    two users rated alike, and must stay equal however a processor rounds, or their order hangs on
    the last bit. ``budget`` bounds the bytes of a block's statistics, at least one item at a time;
    see `co_ratings` and `similarity` for the rest.
    """
    xp = array_module(values_by_item)
    _check(by_item, by_user, values_by_item, values_by_user)
    n_items, itemsize = len(by_item.indptr) - 1, values_by_item.dtype.itemsize
    step = max(1, budget // (12 * max(n_items, 1) * itemsize))      # six sums and as much again
    for first in range(0, n_items, step):
        stats = _sum_block(by_item, by_user, values_by_item, values_by_user, first,
                           min(first + step, n_items), kind == "pearson")
        yield first, xp.rint(similarity(stats, kind, shrinkage) * GRID) / GRID
