"""The CPU driver of the update rules: compiled once per rule, one user after another.

All ratings of a user are visited in a row, so that their factors stay in the nearest cache: several
times faster than a shuffle of all ratings, and as good when the order of the users is shuffled.
"""

import numpy as np

from rslib.kernels import rules
from rslib.kernels.compiled import compiled, inlined


def _alone(partial_sum):
    return partial_sum


alone = inlined(_alone)
_baseline = inlined(rules.baseline)
_biased_mf = inlined(rules.biased_mf)


@compiled
def _baseline_epoch(indptr, items, values, users, state, steps):
    squares = 0.0
    for user in users:
        for row in range(indptr[user], indptr[user + 1]):
            error = _baseline(user, items[row], values[row], state, steps, 0, 1, alone)
            squares += error * error
    return squares


@compiled
def _biased_mf_epoch(indptr, items, values, users, state, steps):
    squares = 0.0
    for user in users:
        for row in range(indptr[user], indptr[user + 1]):
            error = _biased_mf(user, items[row], values[row], state, steps, 0, 1, alone)
            squares += error * error
    return squares


_EPOCHS = {rules.baseline: _baseline_epoch, rules.biased_mf: _biased_mf_epoch}


def sgd_epoch(rule, by_user, users, state, steps):
    """Apply an update rule to every rating of ``users``, one user after another.

    Parameters
    ----------
    rule : function
        One of `rslib.kernels.rules`.
    by_user : CSR
        Ratings grouped by user, on the CPU.
    users : int array (n,)
        Users in the order in which they are visited; a permutation of all makes an epoch.
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
    return float(_EPOCHS[rule](by_user.indptr, by_user.ids, by_user.values, users, state, steps))


def sgd_epoch_slow(rule, by_user, users, state, steps):
    """Do what `sgd_epoch` does in plain Python: the version to read."""
    squares = 0.0
    for user in users:
        for row in range(by_user.indptr[user], by_user.indptr[user + 1]):
            error = rule(user, by_user.ids[row], by_user.values[row], state, steps,
                         lane=0, lanes=1, reduce_sum=_alone)
            squares += float(error) ** 2
    return squares
