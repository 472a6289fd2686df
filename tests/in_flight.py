"""Warps in flight, emulated on a CPU: what a device does to users that are sums of features.

All warps take a rating each in turn. A warp that begins a piece enters with the features as they
stand; one that ends a piece leaves its shares at once, as atomic sums do. Biases and item factors
are read and written as they stand. Rule, runs and pieces are those of the driver.
"""

import numba
import numpy as np

from rslib.kernels import rules
from rslib.kernels.compiled import OPTIONS, inlined
from rslib.kernels.in_flight import equal_runs
from rslib.kernels.sgd import alone
from rslib.kernels.states import UserVisit, in_type

_step = inlined(rules.feature_mf)


@numba.njit(**OPTIONS)
def _fly(by_user, runs, features_of, energy, piece, state, steps):
    features, n_warps = state.features, len(runs.places)
    k, kept = features.shape[1], 1 - steps.learning_rate * steps.reg
    total, pull = np.zeros((n_warps, k), features.dtype), np.zeros((n_warps, k), features.dtype)
    position, place = runs.starts[:-1].copy(), runs.places.copy()
    began, squares, flying = np.full(n_warps, -1), 0.0, n_warps
    while flying:
        flying = 0
        for warp in range(n_warps):
            if position[warp] == runs.starts[warp + 1]:
                continue
            flying += 1
            while runs.ends[place[warp]] <= position[warp]:
                place[warp] += 1
            user, end = runs.users[place[warp]], runs.ends[place[warp]]
            first, last = features_of.indptr[user], features_of.indptr[user + 1]
            if began[warp] < 0:
                began[warp] = position[warp]
                total[warp], pull[warp] = 0, 0
                for entry in range(first, last):
                    weight, row = features_of.weights[entry], features[features_of.ids[entry]]
                    for f in range(k):
                        total[warp, f] += weight * row[f]
            row = by_user.indptr[user + 1] - (end - position[warp])
            visit = UserVisit(state, total[warp], pull[warp], energy[user])
            residual = _step(user, np.uint64(by_user.ids[row]), by_user.values[row], visit, steps,
                             0, 1, alone)
            squares += residual * residual
            position[warp] += 1
            walked = position[warp] - began[warp]
            if position[warp] in (end, runs.starts[warp + 1]) or walked == piece:
                keep = kept ** walked
                for entry in range(first, last):
                    weight, row = features_of.weights[entry], features[features_of.ids[entry]]
                    for f in range(k):
                        row[f] += weight * pull[warp, f] - (1 - keep) * row[f]
                began[warp] = -1
    return squares


def feature_sgd_epoch_in_flight(by_user, users, features_of, state, steps, n_warps, piece):
    """Do what `feature_sgd_epoch` does, by ``n_warps`` warps in pieces of so many ratings."""
    dtype = state.features.dtype
    features_of = features_of._replace(weights=features_of.weights.astype(dtype))
    return _fly(by_user, equal_runs(by_user.indptr, users, n_warps), features_of,
                features_of.energy.astype(dtype), piece, state, in_type(steps, dtype.type))
