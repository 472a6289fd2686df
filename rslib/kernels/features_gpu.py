"""The GPU driver of `rslib.kernels.features`: a warp walks through the ratings of one user.

Warps don't wait for each other. Two users that share a feature add to it at the same time, each
from the value it had when the other began, so the result agrees with the CPU's statistically.
"""

from functools import cache

from numba import cuda

from rslib.backend import array_module
from rslib.kernels import rules
from rslib.kernels.sgd_gpu import FENCE, LANES, warp_sum, warps_for


@cache
def kernel_of(rule):
    """Return the kernel that walks each warp through every n-th of the users, for ``rule``."""
    step = cuda.jit(device=True)(rule)

    def walk(indptr, items, values, users, feature_indptr, feature_ids, weights, energy, totals,
             pulls, squares, state, steps):
        lane, warp, n_warps = cuda.threadIdx.x, cuda.blockIdx.x, cuda.gridDim.x
        features, total, pull = state[2], totals[warp], pulls[warp]
        now = (state[0], state[1], total, state[3], pull, energy) + state[4:]   # noqa: RUF005
        met = 0.0
        for place in range(warp, len(users), n_warps):
            user = users[place]
            first, last = feature_indptr[user], feature_indptr[user + 1]
            for f in range(lane, len(total), LANES):
                total[f] = 0
                pull[f] = 0
                for entry in range(first, last):
                    total[f] += weights[entry] * features[feature_ids[entry], f]
            cuda.syncwarp()
            for row in range(indptr[user], indptr[user + 1]):
                error = step(user, items[row], values[row], now, steps, lane, LANES, warp_sum)
                met += error * error
                cuda.syncwarp()
                if row % FENCE == 0:
                    cuda.threadfence()
            lost = 1 - (1 - steps[1] * steps[2]) ** (indptr[user + 1] - indptr[user])
            for entry in range(first, last):
                for f in range(lane, len(total), LANES):
                    change = weights[entry] * pull[f] - lost * features[feature_ids[entry], f]
                    cuda.atomic.add(features, (feature_ids[entry], f), change)
            cuda.syncwarp()
        if lane == 0:
            squares[warp] = met

    return cuda.jit(walk)


def feature_sgd_epoch_gpu(by_user, users, features_of, state, steps, rule=rules.feature_mf):
    """Do what `rslib.kernels.feature_sgd_epoch` does on a GPU; see there."""
    xp, table = array_module(by_user.values), state[2]
    users = xp.asarray(users, order="C")
    n_warps = min(warps_for(len(by_user.ids)), max(1, len(users)))
    room = [xp.zeros_like(table, shape=(n_warps, table.shape[1])) for _ in range(2)]
    squares = xp.zeros(n_warps)
    kernel_of(rule)[n_warps, LANES](
        by_user.indptr, by_user.ids, by_user.values, users, features_of.indptr, features_of.ids,
        features_of.weights.astype(table.dtype), features_of.energy.astype(table.dtype), *room,
        squares, state, steps)
    return float(squares.sum())
