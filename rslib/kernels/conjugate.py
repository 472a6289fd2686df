"""Ridge regressions by a few steps of conjugate gradients: cheaper than solving when k is large."""

import numba
import numpy as np

from rslib.backend import array_module, asnumpy
from rslib.kernels.compiled import compiled, threaded
from rslib.kernels.normal_equations import _blocks, _gathered, check_rows, equations_slow
from rslib.kernels.rows_cpu import equal_parts
from rslib.kernels.tiles import prefetch

AHEAD = 4       # ratings between asking for a row of factors and using it
LINE = 16       # numbers that one request brings, in float32


def ridge_rows_cg(indptr, ids, targets, features, ridge, start, *, n_steps=3, weights=None,
                  base_gram=None):
    r"""Improve approximate solutions of `ridge_rows` by conjugate gradients.

    The matrices :math:`A_r` of `ridge_rows` are never formed: a step multiplies one by a vector,
    rating by rating. Started from the last sweep's factors, a few steps a sweep are enough.

    Parameters
    ----------
    indptr, ids, targets, features, ridge, weights, base_gram
        See `ridge_rows`.
    start : float array (n_rows, k)
        Where each row begins.
    n_steps : int, at least 1
        Steps a row; k steps solve it exactly but for rounding.

    Returns
    -------
    array (n_rows, k), dtype of ``features``, on its device
        Zero for a row without ratings, unless there is a ``base_gram``.

    Notes
    -----
    Cost: O(n_steps n_ratings k), and O(n_steps n_rows k^2) with a ``base_gram``.
    Agreement: equal to `ridge_rows_cg_slow` to rounding. Determinism: same inputs, same bits.

    References
    ----------
    Takács, Pilászy and Tikk, Applications of the Conjugate Gradient Method for Implicit Feedback
    Collaborative Filtering (RecSys 2011), doi:10.1145/2043932.2043987.
    """
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, not {n_steps}")
    arguments = (indptr, ids, targets, features, ridge, start, n_steps, weights, base_gram)
    xp = array_module(indptr, ids, targets, features, ridge, start, weights, base_gram)
    check_rows(indptr, ids, targets, features, ridge, weights)
    return _cg_cpu(*arguments) if xp is np else ridge_rows_cg_batched(*arguments)


@compiled
def _multiply(ids, targets, weights, features, first, last, ridge, base_gram, vector, product):
    """Write A_r times ``vector``, less the right-hand side if there are targets, to ``product``."""
    k = len(vector)
    for f in range(k):
        product[f] = ridge[f] * vector[f]
    if base_gram.size:
        for i in range(k):
            row, scale = base_gram[i], vector[i]
            for f in range(k):
                product[f] += scale * row[f]
    for t in range(first, last):
        if t + AHEAD < last:
            for f in range(0, k, LINE):
                prefetch(features, ids[t + AHEAD], f)
        row, dot = features[ids[t]], vector.dtype.type(0)
        for f in range(k):
            dot += row[f] * vector[f]
        if weights.size:
            dot *= weights[t]
        if targets.size:
            dot -= targets[t]
        for f in range(k):
            product[f] += dot * row[f]


@compiled
def _descend(entries, first, last, ridge, base_gram, n_steps, solution, room):
    """Take the steps of one row; the residual holds the right-hand side minus A_r ``solution``."""
    k, (ids, none, weights, features), (residual, direction, product) = (
        len(solution), entries, room)
    square = np.dot(residual, residual)
    direction[:] = residual
    for _ in range(n_steps):
        if square < 1e-20:
            break
        _multiply(ids, none, weights, features, first, last, ridge, base_gram, direction, product)
        length = square / np.dot(direction, product)
        for f in range(k):
            solution[f] += length * direction[f]
            residual[f] -= length * product[f]
        before, square = square, np.dot(residual, residual)
        for f in range(k):
            direction[f] = residual[f] + square / before * direction[f]


@threaded
def _cg_rows(indptr, ids, targets, features, ridge, weights, base_gram, n_steps, parts, solution):
    k = features.shape[1]
    for part in numba.prange(len(parts) - 1):
        residual, direction, product = (np.zeros(k, features.dtype), np.zeros(k, features.dtype),
                                        np.zeros(k, features.dtype))
        for row in range(parts[part], parts[part + 1]):
            first, last = indptr[row], indptr[row + 1]
            if first == last and not base_gram.size:
                solution[row] = 0
                continue
            _multiply(ids, targets, weights, features, first, last, ridge[row], base_gram,
                      solution[row], product)
            for f in range(k):
                residual[f] = -product[f]
            _descend((ids, targets[:0], weights, features), first, last, ridge[row], base_gram,
                     n_steps, solution[row], (residual, direction, product))


def _cg_cpu(indptr, ids, targets, features, ridge, start, n_steps, weights, base_gram):
    dtype = features.dtype
    none = np.zeros((0, 0), dtype)
    solution = np.array(start, dtype, order="C")
    targets, features, ridge = (np.ascontiguousarray(array, dtype)
                                for array in (targets, features, ridge))
    weights = none.ravel() if weights is None else np.ascontiguousarray(weights, dtype)
    base_gram = none if base_gram is None else np.ascontiguousarray(base_gram, dtype)
    parts = equal_parts(indptr, features.shape[1], numba.get_num_threads())
    _cg_rows(indptr, ids, targets, features, ridge, weights, base_gram, n_steps, parts, solution)
    return solution


def ridge_rows_cg_batched(indptr, ids, targets, features, ridge, start, n_steps=3, weights=None,
                          base_gram=None):
    """Do what `ridge_rows_cg` does in array expressions, which serve both devices."""
    xp = array_module(indptr, features)
    solution = xp.zeros_like(features, shape=start.shape)
    lengths = np.diff(asnumpy(indptr))
    for rows, longest in _blocks(lengths, features, int(base_gram is None)):
        rows = xp.asarray(rows)
        x, xw, t = _gathered(xp, indptr, ids, targets, features, weights, rows, longest)

        def multiply(v, x=x, xw=xw, ridge=ridge[rows]):
            product = ridge * v + (xw.swapaxes(1, 2) @ (x @ v[..., None]))[..., 0]
            return product if base_gram is None else product + v @ base_gram

        w = start[rows].astype(features.dtype)
        residual = (x.swapaxes(1, 2) @ t[..., None])[..., 0] - multiply(w)
        solution[rows] = _steps(xp, multiply, w, residual, n_steps)
    return solution


def _steps(xp, multiply, w, residual, n_steps):
    """Conjugate gradients on a batch of rows; a row that has arrived stays where it is."""
    direction = residual
    square = (residual * residual).sum(1, keepdims=True)
    for _ in range(n_steps):
        product = multiply(direction)
        curvature = (direction * product).sum(1, keepdims=True)
        moving = square >= 1e-20
        length = xp.where(moving, square / xp.where(moving, curvature, 1), 0)
        w, residual = w + length * direction, residual - length * product
        before, square = square, (residual * residual).sum(1, keepdims=True)
        direction = residual + xp.where(moving, square / xp.where(moving, before, 1), 0) * direction
    return w


def ridge_rows_cg_slow(indptr, ids, targets, features, ridge, start, n_steps=3, weights=None,
                       base_gram=None):
    """Do what `ridge_rows_cg` does, one row at a time in float64: the version to read."""
    solution = np.zeros(start.shape)
    for row, matrix, rhs in equations_slow(indptr, ids, targets, features, ridge, weights,
                                           base_gram):
        w = start[row].astype(np.float64)
        residual = direction = rhs - matrix @ w
        for _ in range(n_steps):
            if residual @ residual < 1e-20:
                break
            length = residual @ residual / (direction @ matrix @ direction)
            w = w + length * direction
            new = residual - length * matrix @ direction
            direction = new + new @ new / (residual @ residual) * direction
            residual = new
        solution[row] = w
    return solution
