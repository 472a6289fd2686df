"""The GPU driver of `rslib.kernels.features`: a warp walks through the ratings of one user.

Warps don't wait for each other. Two users that share a feature add to it at the same time, each
from the value it had when the other began, so the result agrees with the CPU's statistically.
"""

from functools import cache

from numba import cuda

from rslib.backend import array_module
from rslib.kernels.sgd_gpu import FENCE, LANES, warp_sum, warps_for
from rslib.kernels.states import UserVisit


@cache
def kernel_of(rule):
    """Return the kernel that walks each warp through every n-th of the users, for ``rule``."""
    step = cuda.jit(device=True)(rule)

    def walk(by_user, users, features_of, energy, room, squares, state, steps):
        lane, warp, n_warps = cuda.threadIdx.x, cuda.blockIdx.x, cuda.gridDim.x
        features, total, pull = state.features, room[warp, 0], room[warp, 1]
        indptr, ids, weights = by_user.indptr, features_of.ids, features_of.weights
        met = 0.0
        for place in range(warp, len(users), n_warps):
            user = users[place]
            visit = UserVisit(state, total, pull, energy[user])
            first, last = features_of.indptr[user], features_of.indptr[user + 1]
            for f in range(lane, len(total), LANES):
                total[f] = 0
                pull[f] = 0
                for entry in range(first, last):
                    total[f] += weights[entry] * features[ids[entry], f]
            cuda.syncwarp()
            for row in range(indptr[user], indptr[user + 1]):
                residual = step(user, by_user.ids[row], by_user.values[row], visit, steps, lane,
                                LANES, warp_sum)
                met += residual * residual
                cuda.syncwarp()
                if row % FENCE == 0:
                    cuda.threadfence()
            kept = (1 - steps.learning_rate * steps.reg) ** (indptr[user + 1] - indptr[user])
            for entry in range(first, last):
                for f in range(lane, len(total), LANES):
                    change = weights[entry] * pull[f] - (1 - kept) * features[ids[entry], f]
                    cuda.atomic.add(features, (ids[entry], f), change)
            cuda.syncwarp()
        if lane == 0:
            squares[warp] = met

    return cuda.jit(walk)


def feature_sgd_epoch_gpu(by_user, users, features_of, energy, state, steps, rule):
    """Do what `rslib.kernels.feature_sgd_epoch` does on a GPU; see there."""
    xp, table = array_module(by_user.values), state.features
    users = xp.asarray(users, order="C")
    n_warps = min(warps_for(len(by_user.ids)), max(1, len(users)))
    room, squares = xp.zeros_like(table, shape=(n_warps, 2, table.shape[1])), xp.zeros(n_warps)
    kernel_of(rule)[n_warps, LANES](by_user, users, features_of, energy, room, squares, state,
                                    steps)
    return float(squares.sum())
