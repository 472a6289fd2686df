"""The GPU driver of the update rules: a warp of 32 lanes per rating, thousands of warps in flight.

The ratings, users in the given order, are cut into as many equal runs as there are warps; a user
may so be shared by two. Warps don't wait for each other ("hogwild"): two that meet at an item may
each step from the other's old factors, or undo the other's step. The result agrees with the CPU's
statistically, not bit by bit, and differs from run to run.

A block is one warp. Its lanes must read what lane 0 changes before the rule calls ``reduce_sum``,
unless they have no use for it; the driver lines them up again after every rating.
"""

from functools import cache

from numba import cuda

from rslib.backend import array_module
from rslib.kernels.in_flight import equal_runs

LANES = 32
FENCE = 32                  # ratings between two looks at what other multiprocessors have written


@cuda.jit(device=True)
def warp_sum(partial_sum):
    """Return the sum over the lanes of a warp, to every lane."""
    cuda.syncwarp()         # what was read before the sum is read before lane 0 writes
    for distance in (16, 8, 4, 2, 1):
        partial_sum += cuda.shfl_xor_sync(0xFFFFFFFF, partial_sum, distance)
    return partial_sum


@cache
def kernel_of(rule):
    """Return the kernel that walks each warp over its run of ratings, compiled for ``rule``."""
    step = cuda.jit(device=True)(rule)

    def walk(indptr, items, values, users, ends, starts, places, squares, state, steps):
        lane, warp = cuda.threadIdx.x, cuda.blockIdx.x
        position, stop, place = starts[warp], starts[warp + 1], places[warp]
        total = 0.0
        while position < stop:
            user = users[place]
            first = indptr[user + 1] - (ends[place] - position)
            last = min(indptr[user + 1], first + stop - position)
            for row in range(first, last):
                residual = step(user, items[row], values[row], state, steps, lane, LANES, warp_sum)
                total += residual * residual
                cuda.syncwarp()
                if row % FENCE == 0:        # first-level caches are not coherent by themselves
                    cuda.threadfence()
            position = ends[place]
            place += 1
        if lane == 0:
            squares[warp] = total

    return cuda.jit(walk)


def sgd_epoch_gpu(rule, ratings, users, state, steps):
    """Do what `rslib.kernels.sgd_epoch` does for a CSR on a GPU; see there."""
    xp = array_module(ratings.values)
    runs = equal_runs(ratings.indptr, users)
    n_warps = len(runs.places)
    squares = xp.zeros(n_warps)
    kernel_of(rule)[n_warps, LANES](ratings.indptr, ratings.ids, ratings.values, *runs, squares,
                                    state, steps)
    return float(squares.sum())
