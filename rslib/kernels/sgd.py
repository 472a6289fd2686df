"""The CPU driver of the update rules: compiled once per rule, in blocks that never meet.

In each block two users are walked abreast, a rating of each in turn, so that their factors stay in
the nearest cache: many times faster than a shuffle of all ratings, and as good when the users are
shuffled.

Users and items are each dealt into B blocks of about equally many ratings. In round s, the ratings
between user block t and item block (t + s) mod B form cell t: no two cells of a round touch the
same user or item, so threads may take them in any order, and the result has the same bits for any
number of threads. After B rounds every rating was visited once.
"""

from typing import NamedTuple

import numba
import numpy as np

from rslib.backend import array_module, group_by
from rslib.kernels import rules
from rslib.kernels.compiled import compiled, inlined, threaded
from rslib.kernels.slow import is_slow
from rslib.kernels.states import arrays_of, in_type

ABREAST = 2                 # users whose ratings are visited in turn
VISITS = 512                # visits laid out at a time: 8 kB, which stay in the nearest cache
TOGETHER = 64               # ids dealt as one, lest threads write to the same cache lines
RATINGS_A_BLOCK = 25_000    # below this, handing work to a thread costs more than it saves


class Blocks(NamedTuple):
    """Ratings dealt into blocks: row ``user * n_blocks + b`` holds those of item block b."""

    indptr: np.ndarray          # (n_users * n_blocks + 1,) int64
    ids: np.ndarray             # (n_ratings,) int32, items
    values: np.ndarray          # (n_ratings,) float32, in any unit
    user_block: np.ndarray      # (n_users,) int64
    n_blocks: int


def _deal(ids, n, n_blocks, rng):
    """Deal ids, a few neighbours at a time, into blocks of about equally many ratings."""
    together = max(1, min(TOGETHER, n // (8 * n_blocks)))
    packs = np.arange(n) // together
    order = rng.permutation(packs[-1] + 1)
    mass = np.cumsum(np.bincount(packs[ids], minlength=len(order))[order])
    block = np.empty(len(order), np.int64)
    block[order] = np.minimum(mass * n_blocks // (mass[-1] + 1), n_blocks - 1)
    return block[packs]


def deal_blocks(ratings, seed=0, n_blocks=None):
    """Deal ratings into blocks for `sgd_epoch`.

    Parameters
    ----------
    ratings : Ratings
    seed : int
    n_blocks : int or None
        Blocks a side, so also the threads that can share an epoch. None takes one for each 25,000
        ratings up to 8, then one for each million up to 16.

    Returns
    -------
    Blocks, or the ratings' CSR by user on the GPU, where nothing is gained by blocks
        Eight bytes a rating beside the ratings themselves.
    """
    if array_module(ratings.values) is not np:
        return ratings.by_user
    n_blocks = n_blocks or max(1, min(8, len(ratings) // RATINGS_A_BLOCK),
                               min(16, len(ratings) // 1_000_000))
    rng = np.random.default_rng(seed)
    user_block = _deal(ratings.users, ratings.n_users, n_blocks, rng)
    item_block = _deal(ratings.items, ratings.n_items, n_blocks, rng)
    cells = ratings.users.astype(np.int64) * n_blocks + item_block[ratings.items]
    indptr, rows = group_by(cells, ratings.n_users * n_blocks)
    return Blocks(indptr, ratings.items[rows], ratings.values[rows], user_block, n_blocks)


def _alone(partial_sum):
    return partial_sum


alone = inlined(_alone)
_baseline = inlined(rules.baseline)
_biased_mf = inlined(rules.biased_mf)
_mf = inlined(rules.mf)
_neighbourhood = inlined(rules.neighbourhood)


@compiled
def _next_visits(indptr, users, block, n_blocks, walk, who, rows):
    """Write the next visits of a cell, rows and their users, and return how many there are.

    Two users are walked abreast, a rating of each in turn: while the step of one waits for the
    factors that it has just changed, the processor works on the other. ``walk`` remembers, for
    each side, the user, the row and the last row, and then how many users have begun.
    """
    walking, place, end, begun = walk[0], walk[1], walk[2], walk[3]
    visit, idle = 0, 0
    while visit < len(rows) and idle < ABREAST:
        side = begun[1] % ABREAST
        begun[1] += 1
        while place[side] == end[side] and begun[0] < len(users):
            cell = users[begun[0]] * n_blocks + block
            walking[side], place[side], end[side] = users[begun[0]], indptr[cell], indptr[cell + 1]
            begun[0] += 1
        idle += 1
        if place[side] < end[side]:
            who[visit], rows[visit] = walking[side], place[side]
            place[side] += 1
            visit += 1
            idle = 0
    return visit


@compiled
def _walk():
    """Room for the walk through a cell: its state, and the users and rows of some visits."""
    return (np.zeros((4, ABREAST), np.int64), np.empty(VISITS, np.uint64),
            np.empty(VISITS, np.uint64))


@inlined
def _visit_cell(step, indptr, items, values, users, block, n_blocks, state, steps):
    """Apply a rule to the ratings of ``users`` in one block of items."""
    squares, n_visits = 0.0, 1
    walk, who, rows = _walk()
    while n_visits:
        n_visits = _next_visits(indptr, users, block, n_blocks, walk, who, rows)
        for visit in range(n_visits):
            row = rows[visit]
            residual = step(who[visit], np.uint64(items[row]), values[row], state, steps, 0, 1,
                            alone)
            squares += residual * residual
    return squares


@inlined
def _visit_all(visit_cell, indptr, items, values, users, starts, state, steps):
    """Visit all cells, round by round; the users of block b are users[starts[b]:starts[b+1]]."""
    n_blocks = len(starts) - 1
    squares = np.zeros((n_blocks, n_blocks))
    for shift in range(n_blocks):
        for block in numba.prange(n_blocks):
            squares[shift, block] = visit_cell(
                indptr, items, values, users[starts[block]:starts[block + 1]],
                (block + shift) % n_blocks, n_blocks, state, steps)
    return squares.sum()


@compiled
def _baseline_cell(indptr, items, values, users, block, n_blocks, state, steps):
    return _visit_cell(_baseline, indptr, items, values, users, block, n_blocks, state, steps)


@compiled
def _biased_mf_cell(indptr, items, values, users, block, n_blocks, state, steps):
    return _visit_cell(_biased_mf, indptr, items, values, users, block, n_blocks, state, steps)


@compiled
def _neighbourhood_cell(indptr, items, values, users, block, n_blocks, state, steps):
    return _visit_cell(_neighbourhood, indptr, items, values, users, block, n_blocks, state, steps)


@compiled
def _mf_cell(indptr, items, values, users, block, n_blocks, state, steps):
    return _visit_cell(_mf, indptr, items, values, users, block, n_blocks, state, steps)


@threaded
def _baseline_epoch(indptr, items, values, users, starts, state, steps):
    return _visit_all(_baseline_cell, indptr, items, values, users, starts, state, steps)


@threaded
def _biased_mf_epoch(indptr, items, values, users, starts, state, steps):
    return _visit_all(_biased_mf_cell, indptr, items, values, users, starts, state, steps)


@threaded
def _mf_epoch(indptr, items, values, users, starts, state, steps):
    return _visit_all(_mf_cell, indptr, items, values, users, starts, state, steps)


@threaded
def _neighbourhood_epoch(indptr, items, values, users, starts, state, steps):
    return _visit_all(_neighbourhood_cell, indptr, items, values, users, starts, state, steps)


_EPOCHS = {rules.baseline: _baseline_epoch, rules.biased_mf: _biased_mf_epoch,
           rules.mf: _mf_epoch, rules.neighbourhood: _neighbourhood_epoch}


def _by_block(ratings, users):
    """Return ``users`` block by block, in order, and where each block starts."""
    if not isinstance(ratings, Blocks):     # a CSR is one block of everything
        return users, np.array([0, len(users)])
    block = ratings.user_block[users]
    starts = np.searchsorted(np.sort(block), np.arange(ratings.n_blocks + 1))
    return users[np.argsort(block, kind="stable")], starts


def sgd_epoch(rule, ratings, users, state, steps):
    """Apply an update rule to every rating of ``users``, block by block.

    Parameters
    ----------
    rule : function
        One of `rslib.kernels.rules`.
    ratings : Blocks, or CSR by user
        A CSR runs on one thread of a CPU, or on a GPU.
    users : int array (n,)
        Users in the order in which each block visits its own; a permutation of all makes an epoch.
        On the host.
    state, steps : named tuples
        Those of the rule, see `rslib.kernels.states`, on the device of ``ratings``.

    Returns
    -------
    float
        Sum of the squared residuals met on the way, in units of the ratings squared.

    Raises
    ------
    TypeError
        If ratings, state and the arrays of steps live on different devices.
    ValueError
        If a user is out of range.

    Notes
    -----
    Cost: O(n_ratings k). Agreement: on the CPU equal to `sgd_epoch_slow` to rounding; on the GPU
    statistical, see `rslib.kernels.sgd_gpu`. Determinism: on the CPU same inputs, same bits on one
    machine, for any number of threads.
    """
    n_users = (len(ratings.indptr) - 1) // getattr(ratings, "n_blocks", 1)
    if len(users) and not 0 <= users.min() <= users.max() < n_users:
        raise ValueError(f"users must lie in 0..{n_users - 1}, found {users.min()}..{users.max()}")
    steps = in_type(steps, state[0].dtype.type)
    if array_module(ratings.values, *state, *arrays_of(steps)) is not np:
        from rslib.kernels.sgd_gpu import sgd_epoch_gpu  # compiles for CUDA, so only here
        return sgd_epoch_gpu(rule, ratings, users, state, steps)
    if is_slow():
        return sgd_epoch_slow(rule, ratings, users, state, steps)
    users, starts = _by_block(ratings, users)
    return _EPOCHS[rule](ratings.indptr, ratings.ids, ratings.values, users, starts, state, steps)


def sgd_epoch_slow(rule, ratings, users, state, steps):
    """Do what `sgd_epoch` does in plain Python, one cell after another: the version to read."""
    (users, starts), squares = _by_block(ratings, users), 0.0
    groups = np.split(users, starts[1:-1])
    for shift in range(len(groups)):
        for block, group in enumerate(groups):
            cell = ratings.indptr, group, (block + shift) % len(groups), len(groups)
            (walk, who, rows), n_visits = _walk.py_func(), 1
            while n_visits:
                n_visits = _next_visits.py_func(*cell, walk, who, rows)
                for user, row in zip(who[:n_visits], rows[:n_visits], strict=True):
                    residual = rule(user, ratings.ids[row], ratings.values[row], state, steps,
                                    lane=0, lanes=1, reduce_sum=_alone)
                    squares += float(residual) ** 2
    return squares
