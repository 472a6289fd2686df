"""The CPU driver of the update rules: compiled once per rule, one rating after another."""

import numba
import numpy as np

from rslib.kernels import rules

# sums may be reordered and multiply-adds fused; NaN and infinity keep their meaning
RELAXED = {"reassoc", "contract", "nsz"}
compiled = numba.njit(cache=True, fastmath=RELAXED, error_model="numpy")


def _alone(partial_sum):
    return partial_sum


inlined = numba.njit(inline="always", fastmath=RELAXED, error_model="numpy")
alone = inlined(_alone)
_baseline = inlined(rules.baseline)
_biased_mf = inlined(rules.biased_mf)


@compiled
def _baseline_epoch(users, items, values, order, state, steps):
    squares = 0.0
    for row in order:
        error = _baseline(users[row], items[row], values[row], state, steps, 0, 1, alone)
        squares += error * error
    return squares


@compiled
def _biased_mf_epoch(users, items, values, order, state, steps):
    squares = 0.0
    for row in order:
        error = _biased_mf(users[row], items[row], values[row], state, steps, 0, 1, alone)
        squares += error * error
    return squares


_EPOCHS = {rules.baseline: _baseline_epoch, rules.biased_mf: _biased_mf_epoch}


def sgd_epoch(rule, ratings, order, state, steps):
    """Apply an update rule to every rating once.

    Parameters
    ----------
    rule : function
        One of `rslib.kernels.rules`.
    ratings : Ratings
        On the CPU.
    order : int array (n_ratings,)
        Rows in the order in which they are visited.
    state : tuple of float32 arrays
        Changed in place.
    steps : tuple
        Constants of the rule: numbers, taken as float32, and arrays.

    Returns
    -------
    float
        Sum of the squared errors met on the way, in stars squared.

    Notes
    -----
    Cost: O(n_ratings k). Agreement: equal to `sgd_epoch_slow` to rounding.
    Determinism: same inputs, same bits on one machine.
    """
    steps = tuple(np.float32(s) if np.isscalar(s) else s for s in steps)
    return float(_EPOCHS[rule](ratings.users, ratings.items, ratings.values, order, state, steps))


def sgd_epoch_slow(rule, ratings, order, state, steps):
    """Do what `sgd_epoch` does in plain Python: the version to read."""
    squares = 0.0
    for row in order:
        error = rule(ratings.users[row], ratings.items[row], ratings.values[row],
                     state, steps, lane=0, lanes=1, reduce_sum=_alone)
        squares += float(error) ** 2
    return squares
