"""Descent on pairs of items: what a user has against what is drawn from all that the user has not.

A step touches a user and two items, any two. So that threads never meet, users are dealt into B
blocks and items into 2B, and the blocks of items meet as in a tournament: in each of 2B - 1 rounds
every block is paired with another one, each time with another. In turn s of a round, the steps of
user block t with the two blocks of pair (t + s) mod B form a cell, and the B cells of a turn touch
no user and no item in common. Threads may take them in any order: same bits for any number.

Which item is drawn for a rating follows from its place and a seed, by a generator that counts
(splitmix64), so that threads may draw in any order, too.
"""

from typing import NamedTuple

import numba
import numpy as np

from rslib.backend import array_module, asnumpy, group_by, starts_of
from rslib.kernels import rules
from rslib.kernels.compiled import compiled, inlined, threaded
from rslib.kernels.sgd import Blocks, _alone, _deal, alone
from rslib.kernels.slow import is_slow, slow_motion
from rslib.kernels.states import arrays_of, in_type

PORTION = 1 << 22           # ratings dealt into cells at a time
RATINGS_A_CELL = 1000       # below this, handing work to a thread costs more than it saves

_GOLDEN, _FIRST, _SECOND = (np.uint64(number) for number in (
    0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_30, _27, _31, _32 = (np.uint64(bits) for bits in (30, 27, 31, 32))


class Owned(NamedTuple):
    """Who has what, on the host, and how it is dealt."""

    indptr: np.ndarray          # (n_users + 1,) int64
    ids: np.ndarray             # (n_owned,) int32, items, ascending in each row, each once
    n_items: int
    user_block: np.ndarray      # (n_users,)
    item_block: np.ndarray      # (n_items,)
    meeting: np.ndarray         # (2B, 2B, B) int32, cell of two blocks of items and one of users


def _meetings(n_blocks):
    """Return in which cell two blocks of items and a block of users meet."""
    n_rounds = 2 * n_blocks - 1
    one, other = np.indices((2 * n_blocks, 2 * n_blocks))
    last = np.maximum(one, other) == n_rounds   # who stays while all others move on
    rounds = np.where(last, np.minimum(one, other), (one + other) * n_blocks) % n_rounds
    pair = np.minimum((one - rounds) % n_rounds, (rounds - one) % n_rounds)
    pair = np.where(last, 0, pair)[..., None]
    turns = rounds[..., None] * n_blocks + (pair - np.arange(n_blocks)) % n_blocks
    return (turns * n_blocks + np.arange(n_blocks)).astype(np.int32)


def deal_owned(ratings, seed=0, n_blocks=None):
    """Deal who has what into blocks for `pairwise_epoch`.

    Parameters
    ----------
    ratings : Ratings
        On either device; their values are not read.
    seed : int
    n_blocks : int or None
        B, so also the threads that can share an epoch; None takes about 1000 ratings a cell.

    Returns
    -------
    Owned
    """
    users, items = asnumpy(ratings.users), asnumpy(ratings.items)
    pairs = np.unique(users.astype(np.int64) * ratings.n_items + items)
    users, items = (side.astype(np.int32) for side in np.divmod(pairs, ratings.n_items))
    counts = np.bincount(users, minlength=ratings.n_users)
    few = min(len(pairs), PORTION) / (2 * RATINGS_A_CELL)
    n_blocks = n_blocks or max(1, round(few ** (1 / 3)))
    rng = np.random.default_rng(seed)
    return Owned(starts_of(counts), items, ratings.n_items,
                 _deal(users, ratings.n_users, n_blocks, rng),
                 _deal(items, ratings.n_items, 2 * n_blocks, rng), _meetings(n_blocks))


@compiled
def _mixed(x):
    """Return 64 bits that look random, from 64 that count."""
    x = (x ^ (x >> _30)) * _FIRST
    x = (x ^ (x >> _27)) * _SECOND
    return x ^ (x >> _31)


@compiled
def _drawn(has, place, n_items, seed):
    """Return an item at random; one that the user has is rejected, and another drawn."""
    state = _mixed(seed + place * _GOLDEN)
    while True:
        state += _GOLDEN
        item = ((_mixed(state) >> _32) * n_items) >> _32
        if not has[item]:
            return item


@threaded
def _draw(indptr, ids, users, n_items, seed, starts, n_parts, negatives):
    for part in numba.prange(n_parts):
        has = np.zeros(n_items, np.bool_)
        for u in range(part, len(users), n_parts):
            first, last = indptr[users[u]], indptr[users[u] + 1]
            for row in range(first, last):
                has[ids[row]] = True
            for row in range(first, last):
                negatives[starts[u] + row - first] = _drawn(has, np.uint64(row), n_items, seed)
            for row in range(first, last):
                has[ids[row]] = False


def draw_negatives(owned, users, seed):
    """Draw an item for each that the users have, uniformly from all that the user has not.

    Parameters
    ----------
    owned : Owned
    users : int array (n,)
        None of them without items, none with all.
    seed : int, at least 0

    Returns
    -------
    users, items, negatives : int32 arrays (n_drawn,)
        Row by row, in the order of ``users``.

    Notes
    -----
    Agreement and determinism: exact. What is drawn for a rating depends on no other user.
    """
    counts = np.diff(owned.indptr)[users]
    starts = starts_of(counts)
    negatives = np.empty(starts[-1], np.int32)
    draw = _draw.py_func if is_slow() else _draw
    with np.errstate(over="ignore"):        # of 64 bits, as it should be
        draw(owned.indptr, owned.ids, users, np.uint64(owned.n_items), np.uint64(seed), starts,
             numba.get_num_threads(), negatives)
    who = np.repeat(users.astype(np.int32), counts)
    places = np.arange(len(who)) + (owned.indptr[users] - starts[:-1]).repeat(counts)
    return who, owned.ids[places], negatives


_bpr = inlined(rules.bpr)


@compiled
def _bpr_cell(first, last, users, items, negatives, state, steps):
    squares = 0.0
    for row in range(first, last):
        residual = _bpr(np.uint64(users[row]), np.uint64(items[row]), np.uint64(negatives[row]),
                        state, steps, 0, 1, alone)
        squares += residual * residual
    return squares


@threaded
def _bpr_cells(starts, n_blocks, users, items, negatives, state, steps):
    squares = np.zeros(len(starts) - 1)
    for turn in range(len(squares) // n_blocks):
        for block in numba.prange(n_blocks):
            cell = turn * n_blocks + block
            squares[cell] = _bpr_cell(starts[cell], starts[cell + 1], users, items, negatives,
                                      state, steps)
    return squares.sum()


def _portions(owned, users):
    """Cut users into runs that have about as many items as are dealt at a time."""
    before = np.cumsum(np.diff(owned.indptr)[users])
    return np.split(users, np.flatnonzero(np.diff(before // PORTION)) + 1)


def pairwise_epoch(owned, users, state, steps, seed):
    """Take one step of `rules.bpr` for every item that the users have, against one drawn anew.

    Parameters
    ----------
    owned : Owned
    users : int array (n,)
        In the order of their visits inside a cell, on the host; a permutation of all makes an
        epoch. Those without items, and those who have all, are left out.
    state, steps : BPRState, BPRSteps
        On the CPU or the GPU.
    seed : int, at least 0
        Of the draws, another one for each epoch.

    Returns
    -------
    float
        Sum of the squared residuals met on the way, each between zero and one.

    Notes
    -----
    Cost: O(n_owned k). Agreement: on the CPU equal to `pairwise_epoch_slow` to
    rounding; on the GPU statistical, see `rslib.kernels.sgd_gpu`. Determinism: on the CPU same
    inputs, same bits on one machine, for any number of threads.
    """
    counts = np.diff(owned.indptr)[users]
    users = users[(counts > 0) & (counts < owned.n_items)]
    steps = in_type(steps, state[0].dtype.type)
    on_gpu = array_module(*state, *arrays_of(steps)) is not np
    take = _steps_gpu if on_gpu else _steps_slow if is_slow() else _steps
    return sum(take(owned, portion, state, steps, seed)
               for portion in _portions(owned, users) if len(portion))


def pairwise_epoch_slow(owned, users, state, steps, seed):
    """Do what `pairwise_epoch` does in plain Python, draws included: the version to read."""
    with slow_motion():
        return pairwise_epoch(owned, users, state, steps, seed)


@threaded
def _meet(meeting, user_block, item_block, users, items, negatives, cells):
    for row in numba.prange(len(cells)):
        cells[row] = meeting[item_block[items[row]], item_block[negatives[row]],
                             user_block[users[row]]]


def _in_cells(owned, users, seed):
    """Return where each cell starts, the number of blocks, and the draws cell by cell."""
    drawn = draw_negatives(owned, users, seed)
    cells = np.empty(len(drawn[0]), np.int32)
    _meet(owned.meeting, owned.user_block, owned.item_block, *drawn, cells)
    starts, order = group_by(cells, owned.meeting.max() + 1)
    return starts, owned.meeting.shape[2], *(column[order] for column in drawn)


def _steps(owned, users, state, steps, seed):
    return _bpr_cells(*_in_cells(owned, users, seed), state, steps)


def _steps_slow(owned, users, state, steps, seed):
    """Do what `_steps` does in plain Python, one cell after another."""
    _, _, *drawn = _in_cells(owned, users, seed)
    return sum(float(rules.bpr(*visit, state, steps, lane=0, lanes=1, reduce_sum=_alone)) ** 2
               for visit in zip(*drawn, strict=True))


def _steps_gpu(owned, users, state, steps, seed):
    from rslib.kernels.sgd_gpu import sgd_epoch_gpu  # compiles for CUDA, so only here
    xp, counts = array_module(*state), np.diff(owned.indptr)
    visited = np.isin(np.arange(len(counts)), users)
    _, items, negatives = draw_negatives(owned, np.flatnonzero(visited), seed)
    rows = Blocks(*map(xp.asarray, (starts_of(counts * visited), items, negatives)), None, 1)
    return sgd_epoch_gpu(rules.bpr, rows, users, state, steps)
