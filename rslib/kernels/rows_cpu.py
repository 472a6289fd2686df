"""Ridge regressions on the CPU: every row start to finish in one core's cache.

The Gram matrix of a row is summed in tiles, factorised and solved before the next row begins, so
nothing of size k x k per row is ever stored. Threads take runs of rows of equal cost.
"""

import numba
import numpy as np

from rslib.kernels.compiled import compiled, threaded
from rslib.kernels.tiles import PAD, ROWS, prefetch, upper_update

GATHER = 32     # ratings whose factors are copied side by side before they are summed


@compiled
def factorise(gram):
    """Overwrite the upper triangle of ``gram`` by its Cholesky factor U, gram = U'U.

    Returns False where the matrix is not positive definite. Below the diagonal stands rubbish.
    """
    k = gram.shape[0]
    positive = True
    for i in range(0, k, ROWS):
        upper_update(gram, gram, i, gram.dtype.type(-1), gram, i)
        for r in range(i, i + ROWS):
            row = gram[r]
            positive &= row[r] > 0
            scale = 1 / np.sqrt(row[r])
            for c in range(k):
                row[c] *= scale
            for s in range(r + 1, i + ROWS):
                below, weight = gram[s], row[s]
                for c in range(k):
                    below[c] -= weight * row[c]
    return positive


@compiled
def solve_upper(upper, rhs, noise, solution):
    """Solve U'U x = rhs, then add U^-1 noise; ``rhs`` is used up, ``solution`` overwritten."""
    k = upper.shape[0]
    for t in range(k):
        row = upper[t]
        forward = rhs[t] / row[t]
        for c in range(k):      # places up to t are done with, so whole rows cost less than parts
            rhs[c] -= forward * row[c]
        noise[t] += forward
    solution[:] = 0
    for t in range(k - 1, -1, -1):
        row = upper[t]
        dot = noise[t]
        for c in range(k):
            dot -= row[c] * solution[c]
        solution[t] = dot / row[t]


@compiled
def _gather(ids, targets, weights, features, start, stop, plain, weighted, rhs):
    """Copy the features of one block of ratings side by side, and add up the right-hand side."""
    k = features.shape[1]
    line = 64 // features.itemsize
    for t in range(start + GATHER, min(stop + GATHER, len(ids))):
        for f in range(0, k, line):     # the next block is fetched while this one is summed
            prefetch(features, ids[t], f)
    for t in range(stop - start):
        row, target = features[ids[start + t]], targets[start + t]
        copy = plain[t]
        for f in range(k):
            copy[f] = row[f]
            rhs[f] += target * row[f]
        if weights.size:
            weight, scaled = weights[start + t], weighted[t]
            for f in range(k):
                scaled[f] = weight * row[f]


@compiled
def _sum_row(ids, targets, weights, features, start, stop, plain, weighted, gram, rhs):
    """Add the Gram matrix and the right-hand side of the ratings start..stop."""
    one = features.dtype.type(1)
    for block in range(start, stop, GATHER):
        end = min(block + GATHER, stop)
        _gather(ids, targets, weights, features, block, end, plain, weighted, rhs)
        multiplied = weighted if weights.size else plain
        for i in range(0, gram.shape[0], ROWS):
            upper_update(multiplied, plain, end - block, one, gram, i)


@threaded
def _solve_rows(indptr, ids, targets, features, ridge, weights, base, draws, parts, solution):
    base_gram, base_rhs = base
    k = features.shape[1]
    padded = (k + PAD - 1) // PAD * PAD
    positive = np.ones(len(parts) - 1, np.bool_)
    for part in numba.prange(len(parts) - 1):
        plain = np.zeros((GATHER, padded), features.dtype)
        weighted = np.zeros((GATHER, padded), features.dtype)
        gram = np.zeros((padded, padded), features.dtype)
        rhs, noise, answer = (np.zeros(padded, features.dtype), np.zeros(padded, features.dtype),
                              np.zeros(padded, features.dtype))
        for row in range(parts[part], parts[part + 1]):
            if indptr[row] == indptr[row + 1] and not base_gram.size:
                continue
            gram[:] = 0
            noise[:] = 0
            rhs[:k] = base_rhs
            rhs[k:] = 0
            if base_gram.size:
                gram[:k, :k] = base_gram
            if draws.size:
                noise[:k] = draws[row]
            for f in range(k):
                gram[f, f] += ridge[row, f]
            for f in range(k, padded):
                gram[f, f] = 1
            _sum_row(ids, targets, weights, features, indptr[row], indptr[row + 1],
                     plain, weighted, gram, rhs)
            positive[part] &= factorise(gram)
            solve_upper(gram, rhs, noise, answer)
            solution[row] = answer[:k]
    return positive.all()


def equal_parts(indptr, k, n_parts):
    """Cut the rows of a CSR into runs of about equal cost: k^2 a rating and k^3 / 3 a row."""
    cost = np.cumsum(np.diff(indptr) * k**2 + k**3 / 3)
    cuts = np.searchsorted(cost, cost[-1:].sum() * np.arange(1, n_parts) / n_parts)
    return np.concatenate([[0], cuts, [len(indptr) - 1]])


def ridge_rows_cpu(indptr, ids, targets, features, ridge, weights, base_gram, base_rhs, draws):
    """Do what `rslib.kernels.ridge_rows` does, compiled; see there."""
    k, dtype = features.shape[1], features.dtype
    solution = np.zeros((len(indptr) - 1, k), dtype)
    none = np.zeros((0, 0), dtype)
    as_dtype = [np.ascontiguousarray(array, dtype) for array in (targets, features, ridge)]
    base = (none if base_gram is None else np.ascontiguousarray(base_gram, dtype),
            np.zeros(k, dtype) if base_rhs is None else np.ascontiguousarray(base_rhs, dtype))
    optional = [none.ravel() if weights is None else np.ascontiguousarray(weights, dtype), base,
                none if draws is None else np.ascontiguousarray(draws, dtype)]
    parts = equal_parts(indptr, k, numba.get_num_threads())
    positive = _solve_rows(indptr, ids, *as_dtype, *optional, parts, solution)
    if not (positive and np.isfinite(solution).all()):
        raise np.linalg.LinAlgError("a row's normal equations are not positive definite, or hold "
                                    "NaN: raise the ridge, use float64, or check the input")
    return solution
