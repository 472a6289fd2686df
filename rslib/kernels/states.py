"""What the kernels of gradient descent move, and the constants of their steps, by name.

Every state is a tuple of arrays of one floating type on one device, changed in place. Numbers among
the steps are taken in that type.
"""

from typing import NamedTuple

import numpy as np


class BaselineState(NamedTuple):
    user_bias: np.ndarray           # (n_users,)
    item_bias: np.ndarray           # (n_items,)


class MFState(NamedTuple):
    user_factors: np.ndarray        # (n_users, k)
    item_factors: np.ndarray        # (n_items, k)


class SharedSteps(NamedTuple):
    """Of `baseline` and `mf`, whose penalties are dealt out to the ratings they are backed by."""

    mean: float
    learning_rate: float
    user_reg: np.ndarray            # (n_users,), share of one rating in the penalty of its user
    item_reg: np.ndarray            # (n_items,)


class BiasedMFState(NamedTuple):
    user_bias: np.ndarray           # (n_users,)
    item_bias: np.ndarray           # (n_items,)
    user_factors: np.ndarray        # (n_users, k)
    item_factors: np.ndarray        # (n_items, k)


class Steps(NamedTuple):
    """Of `biased_mf` and `feature_mf`."""

    mean: float
    learning_rate: float
    reg: float                      # on squared factors, per rating
    reg_bias: float                 # on squared biases, per rating


class BPRState(NamedTuple):
    item_bias: np.ndarray           # (n_items,)
    user_factors: np.ndarray        # (n_users, k)
    item_factors: np.ndarray        # (n_items, k)


class BPRSteps(NamedTuple):
    learning_rate: float
    learning_rate_bias: float       # zero leaves the biases where they are
    reg: float                      # on squared factors, per step
    reg_bias: float


class FeatureState(NamedTuple):
    """What an epoch of `feature_mf` moves."""

    user_bias: np.ndarray           # (n_users,)
    item_bias: np.ndarray           # (n_items,)
    features: np.ndarray            # (n_features, k)
    item_factors: np.ndarray        # (n_items, k)


class UserVisit(NamedTuple):
    """A user at hand, as the rules of sums of features see it."""

    arrays: NamedTuple              # what the epoch moves
    total: np.ndarray               # (k,), the sum of the user's features
    pull: np.ndarray                # (k,), what the ratings have asked of them so far
    energy: float                   # sum of the squared weights of the features


class NeighbourhoodState(NamedTuple):
    user_bias: np.ndarray           # (n_users,)
    item_bias: np.ndarray           # (n_items,)
    weights: np.ndarray             # (n_items, n_items)
    implicit_weights: np.ndarray    # (n_items, n_items)


class Known(NamedTuple):
    """What each user rated, and what each is known to have rated: two CSRs."""

    rated_indptr: np.ndarray        # (n_users + 1,)
    rated_ids: np.ndarray           # (n_rated,)
    x: np.ndarray                   # (n_rated,), what multiplies the explicit weights
    seen_indptr: np.ndarray         # (n_users + 1,)
    seen_ids: np.ndarray            # (n_seen,)
    s: np.ndarray                   # (n_seen,), what multiplies the implicit weights


class NeighbourhoodSteps(NamedTuple):
    mean: float
    learning_rate: float
    reg: float                      # on squared weights, per rating
    reg_bias: float
    rated_indptr: np.ndarray        # these and the rest: Known
    rated_ids: np.ndarray
    x: np.ndarray
    seen_indptr: np.ndarray
    seen_ids: np.ndarray
    s: np.ndarray


class IntegratedState(NamedTuple):
    """What an epoch of `integrated` moves."""

    user_bias: np.ndarray           # (n_users,)
    item_bias: np.ndarray           # (n_items,)
    features: np.ndarray            # (n_features, k)
    item_factors: np.ndarray        # (n_items, k)
    weights: np.ndarray             # (n_items, n_items)
    implicit_weights: np.ndarray    # (n_items, n_items)


class IntegratedSteps(NamedTuple):
    mean: float
    learning_rate: float
    reg: float
    reg_bias: float
    learning_rate_weights: float
    reg_weights: float
    rated_indptr: np.ndarray        # these and the rest: Known
    rated_ids: np.ndarray
    x: np.ndarray
    seen_indptr: np.ndarray
    seen_ids: np.ndarray
    s: np.ndarray


class SessionState(NamedTuple):
    """What an epoch of `session_sgd_epoch` moves; a table without rows is left out."""

    user_numbers: np.ndarray        # (n,), numbers of biases, in a line
    item_numbers: np.ndarray        # (n_items, n), numbers of biases, in columns
    features: np.ndarray            # (n_features, k)
    item_factors: np.ndarray        # (n_items, k)
    drift_factors: np.ndarray       # (n_users or 0, k)
    day_factors: np.ndarray         # (n_sessions or 0, k)
    weights: np.ndarray             # (n_items, n_items or 0)
    implicit_weights: np.ndarray    # (n_items, n_items or 0)
    faded: np.ndarray               # (2 n_items or 0, k), explicit features, then implicit ones
    log_rates: np.ndarray           # (n_users,), logarithms of the rates of forgetting, per day


class SessionVisit(NamedTuple):
    """A session at hand, as the rule `temporal` sees it."""

    arrays: SessionState
    total: np.ndarray               # (k,), the factors of the session
    pull: np.ndarray                # (k,), what the ratings have asked of their parts so far
    energy: np.ndarray              # (1,), sum of the squared weights of these parts
    rated: np.ndarray               # (n,), what the user rated; nothing where there are no weights
    x: np.ndarray                   # (n,), their explicit weight, faded to the day of the session
    d: np.ndarray                   # (n,), their implicit weight
    gaps: np.ndarray                # (n,), days between
    slope: np.ndarray               # (1,), of the squared residuals by the rate of forgetting


class SessionSteps(NamedTuple):
    """Of `temporal`, and of `session_sgd_epoch` around it."""

    mean: float
    learning_rate: float
    reg: float                      # on squared factors, per rating
    indptr: np.ndarray              # (n_sessions + 1,), what each session reads of the line
    places: np.ndarray              # (n,)
    x: np.ndarray                   # (n,), their weights
    columns: np.ndarray             # (n_sessions, n), which columns each session reads
    user_kept: np.ndarray           # what a step leaves of user_numbers, 1 / (1 + gamma lambda / n)
    item_kept: np.ndarray           # and of item_numbers
    learning_rate_weights: float = 0.0
    reg_weights: float = 0.0
    learning_rate_rates: float = 0.0
    reg_rates: float = 0.0          # on (log_rates - log_rate)^2, per user
    log_rate: float = 0.0           # the value to which log_rates are drawn


def in_type(steps, dtype):
    """Return steps whose numbers are of a type, those inside other tuples included."""
    return type(steps)(*(in_type(step, dtype) if isinstance(step, tuple)
                         else dtype(step) if np.isscalar(step) else step for step in steps))


def arrays_of(values):
    """Return the arrays of a state or of steps, those inside other tuples included."""
    return [array for value in values for array in (
        arrays_of(value) if isinstance(value, tuple) else [] if np.isscalar(value) else [value])]
