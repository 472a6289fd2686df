"""SGD for users who are weighted sums of features: SVD++ and its relatives.

A user visited brings in the sum of the features, walks through the ratings with a rule such as
`rslib.kernels.rules.feature_mf`, and takes back to each feature what the ratings have asked of it:
the same numbers as stepping every feature at every rating, for the cost of one visit a user.
"""

from typing import NamedTuple

import numba
import numpy as np

from rslib.backend import array_module, rows_of, sum_by
from rslib.kernels import rules
from rslib.kernels.compiled import compiled, inlined, threaded
from rslib.kernels.sgd import alone
from rslib.kernels.slow import is_slow
from rslib.kernels.states import UserVisit, arrays_of, in_type

_feature_mf = inlined(rules.feature_mf)
_integrated = inlined(rules.integrated)


class Features(NamedTuple):
    """Which features each user is the sum of: row u holds ids[indptr[u]:indptr[u + 1]]."""

    indptr: np.ndarray      # (n_users + 1,) int64
    ids: np.ndarray         # (n_entries,) int32; none twice in a row
    weights: np.ndarray     # (n_entries,) float32

    @property
    def energy(self):
        """Sum of the squared weights of each user, (n_users,)."""
        squares = self.weights.astype("f8") ** 2
        return sum_by(rows_of(self.indptr), squares, len(self.indptr) - 1)


@threaded
def _sums(indptr, ids, weights, table, total):
    for user in numba.prange(len(total)):
        for entry in range(indptr[user], indptr[user + 1]):
            row, weight = table[ids[entry]], weights[entry]
            for f in range(len(row)):
                total[user, f] += weight * row[f]


def feature_sums(features_of, table):
    r"""Return :math:`z_u = \sum_j s_{uj} y_j` of every user.

    Parameters
    ----------
    features_of : Features
    table : float array (n_features, k)

    Returns
    -------
    array (n_users, k), dtype of ``table``
    """
    xp, n_users = array_module(features_of.weights, table), len(features_of.indptr) - 1
    total = xp.zeros_like(table, shape=(n_users, table.shape[1]))
    if xp is np:
        _sums(features_of.indptr, features_of.ids, features_of.weights.astype(table.dtype), table,
              total)
        return total
    users = rows_of(features_of.indptr)
    for f in range(table.shape[1]):
        total[:, f] = sum_by(users, features_of.weights * table[features_of.ids, f], n_users)
    return total


@compiled
def _enter(features, ids, weights, first, last, total, pull):
    """Set ``total`` to the sum of a user's features, and ``pull`` to zero."""
    total[:] = 0
    pull[:] = 0
    for entry in range(first, last):
        row, weight = features[ids[entry]], weights[entry]
        for f in range(len(total)):
            total[f] += weight * row[f]


@compiled
def _leave(features, ids, weights, first, last, keep, pull):
    """Shrink each feature of a user, and move it by its share of the pull."""
    for entry in range(first, last):
        row, weight = features[ids[entry]], weights[entry]
        for f in range(len(pull)):
            row[f] = keep * row[f] + weight * pull[f]


@inlined
def _visit_users(step, by_user, users, features_of, energy, state, steps):
    features, squares = state.features, 0.0
    indptr, items, values = by_user.indptr, by_user.ids, by_user.values
    kept = 1 - steps.learning_rate * steps.reg
    total, pull = np.empty_like(features[0]), np.empty_like(features[0])
    for user in users:
        first, last = features_of.indptr[user], features_of.indptr[user + 1]
        _enter(features, features_of.ids, features_of.weights, first, last, total, pull)
        visit = UserVisit(state, total, pull, energy[user])
        for row in range(indptr[user], indptr[user + 1]):
            residual = step(user, np.uint64(items[row]), values[row], visit, steps, 0, 1, alone)
            squares += residual * residual
        keep = kept ** (indptr[user + 1] - indptr[user])
        _leave(features, features_of.ids, features_of.weights, first, last, keep, pull)
    return squares


@compiled
def _visit_feature_mf(by_user, users, features_of, energy, state, steps):
    return _visit_users(_feature_mf, by_user, users, features_of, energy, state, steps)


@compiled
def _visit_integrated(by_user, users, features_of, energy, state, steps):
    return _visit_users(_integrated, by_user, users, features_of, energy, state, steps)


_VISITS = {rules.feature_mf: _visit_feature_mf, rules.integrated: _visit_integrated}


def feature_sgd_epoch(by_user, users, features_of, state, steps, rule=rules.feature_mf):
    r"""Apply one step of stochastic gradient descent to every rating of ``users``, user by user.

    .. math:: \hat r_{ui} = \mu + b_u + b_i + q_i \cdot \sum_j s_{uj} y_j

    Parameters
    ----------
    by_user : CSR
        Ratings.
    users : int array (n,)
        Users in the order of their visits; a permutation of all makes an epoch.
    features_of : Features
        Which features y each user is the sum of, with the weights s.
    state, steps : FeatureState and Steps
        For `rslib.kernels.rules.integrated` IntegratedState and IntegratedSteps.
    rule : function
        `rslib.kernels.rules.feature_mf` or `rslib.kernels.rules.integrated`.

    Returns
    -------
    float
        Sum of the squared residuals met on the way, in units of the ratings squared.

    Notes
    -----
    Cost: O((n_ratings + entries of features_of) k) on one thread: the features are shared by all
    users, so no two users may be visited at once. Agreement: equal to `feature_sgd_epoch_slow`,
    which steps every feature at every rating, to rounding; on the GPU statistical, see
    `rslib.kernels.in_flight`. Determinism: on the CPU same inputs, same bits.
    """
    dtype = state.features.dtype.type
    steps = in_type(steps, dtype)
    xp = array_module(by_user.values, features_of.weights, *state, *arrays_of(steps))
    energy = features_of.energy.astype(dtype)
    features_of = features_of._replace(weights=features_of.weights.astype(dtype, copy=False))
    if xp is not np:
        from rslib.kernels.features_gpu import feature_sgd_epoch_gpu  # compiles for CUDA
        return feature_sgd_epoch_gpu(by_user, users, features_of, energy, state, steps, rule)
    if is_slow() and rule is rules.feature_mf:
        return feature_sgd_epoch_slow(by_user, users, features_of, state, steps)
    if is_slow():
        return _visit_users.py_func(rule, by_user, users, features_of, energy, state, steps)
    return _VISITS[rule](by_user, users, features_of, energy, state, steps)


def feature_sgd_epoch_slow(by_user, users, features_of, state, steps):
    """Do what `feature_sgd_epoch` does as the papers write it, in float64: the version to read."""
    user_bias, item_bias, features, item_factors = state
    mean, rate, reg, reg_bias = steps
    squares = 0.0
    for user in users:
        entries = slice(features_of.indptr[user], features_of.indptr[user + 1])
        ids, weights = features_of.ids[entries], np.float64(features_of.weights[entries, None])
        for row in range(by_user.indptr[user], by_user.indptr[user + 1]):
            item = by_user.ids[row]
            total, q = (weights * features[ids]).sum(0), item_factors[item].copy()
            residual = (float(by_user.values[row]) - mean - user_bias[user] - item_bias[item]
                        - total @ q)
            user_bias[user] += rate * (residual - reg_bias * user_bias[user])
            item_bias[item] += rate * (residual - reg_bias * item_bias[item])
            item_factors[item] += rate * (residual * total - reg * q)
            features[ids] += rate * (residual * weights * q - reg * features[ids])
            squares += residual ** 2
    return squares
