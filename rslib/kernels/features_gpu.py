"""The GPU driver of `rslib.kernels.features`: a warp walks through ratings user by user.

Warps don't wait for each other. Two users that share a feature add to it at the same time, each
from the value it had when the other began, so the result agrees with the CPU's statistically.
Visits are cut into pieces, so that little is walked unseen: see `rslib.kernels.in_flight`.
"""

from functools import cache

from numba import cuda

from rslib.backend import array_module
from rslib.kernels.in_flight import equal_runs, in_pieces, shared
from rslib.kernels.sgd_gpu import FENCE, LANES, warp_sum
from rslib.kernels.states import UserVisit


@cuda.jit(device=True)
def _enter(features, features_of, first, last, visit, lane):
    """Set the total to the sum of a user's features, and the pull to zero."""
    cuda.threadfence()      # first-level caches are not coherent: read what others have left
    for f in range(lane, len(visit.total), LANES):
        visit.total[f], visit.pull[f] = 0, 0
        for entry in range(first, last):
            visit.total[f] += features_of.weights[entry] * features[features_of.ids[entry], f]
    cuda.syncwarp()


@cuda.jit(device=True)
def _leave(features, features_of, first, last, visit, keep, lane):
    """Shrink each feature of a user, and move it by its share of the pull."""
    for entry in range(first, last):
        row, weight = features_of.ids[entry], features_of.weights[entry]
        for f in range(lane, len(visit.pull), LANES):
            change = weight * visit.pull[f] - (1 - keep) * features[row, f]
            cuda.atomic.add(features, (row, f), change)
    cuda.syncwarp()


@cache
def kernel_of(rule):
    """Return the kernel that walks each warp over its run of ratings, compiled for ``rule``."""
    step = cuda.jit(device=True)(rule)

    def walk(by_user, runs, features_of, energy, piece, room, squares, state, steps):
        lane, warp, features, met = cuda.threadIdx.x, cuda.blockIdx.x, state.features, 0.0
        position, stop, place = runs.starts[warp], runs.starts[warp + 1], runs.places[warp]
        while position < stop:
            user, end = runs.users[place], min(runs.ends[place], stop)
            first, last = features_of.indptr[user], features_of.indptr[user + 1]
            shift = by_user.indptr[user + 1] - runs.ends[place]     # from places in runs to rows
            visit = UserVisit(state, room[warp, 0], room[warp, 1], energy[user])
            while position < end:
                until = min(end, position + piece)
                _enter(features, features_of, first, last, visit, lane)
                for row in range(position + shift, until + shift):
                    residual = step(user, by_user.ids[row], by_user.values[row], visit, steps,
                                    lane, LANES, warp_sum)
                    met += residual * residual
                    cuda.syncwarp()
                    if row % FENCE == 0:
                        cuda.threadfence()
                keep = (1 - steps.learning_rate * steps.reg) ** (until - position)
                _leave(features, features_of, first, last, visit, keep, lane)
                position = until
            place += 1
        if lane == 0:
            squares[warp] = met

    return cuda.jit(walk)


def feature_sgd_epoch_gpu(by_user, users, features_of, energy, state, steps, rule):
    """Do what `rslib.kernels.feature_sgd_epoch` does on a GPU; see there."""
    xp, table = array_module(by_user.values), state.features
    n_warps, piece = in_pieces(len(by_user.ids), float(steps.learning_rate),
                               shared(features_of, len(table)))
    room, squares = xp.zeros_like(table, shape=(n_warps, 2, table.shape[1])), xp.zeros(n_warps)
    kernel_of(rule)[n_warps, LANES](by_user, equal_runs(by_user.indptr, users, n_warps),
                                    features_of, energy, piece, room, squares, state, steps)
    return float(squares.sum())
