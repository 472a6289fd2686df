"""SGD for users who change from day to day: timeSVD++, decaying neighbours, and both together.

A session is all that one user rated on one day. The factors of a session are the user's sum of
features, as in `rslib.kernels.features`, plus what drifts, plus what belongs to the day, plus
features of what the user rated, faded by the days between. A session visited brings its sum in,
walks through its ratings with `rslib.kernels.session_rules.temporal`, and takes back to every part
its share: the same numbers as stepping every part at every rating.
"""

from typing import NamedTuple

import numpy as np

from rslib.backend import array_module
from rslib.kernels.compiled import compiled, inlined
from rslib.kernels.features import _enter, _leave
from rslib.kernels.session_rules import temporal
from rslib.kernels.sessions_slow import session_sgd_epoch_slow
from rslib.kernels.sgd import alone
from rslib.kernels.slow import is_slow
from rslib.kernels.states import SessionVisit, arrays_of, in_type

_temporal = inlined(temporal)


class Visits(NamedTuple):
    """Ratings in order of user and day, and what each session and user brings to them.

    What is rated stands in the order of the ratings, so user u rated
    ``items[indptr[sessions[u]]:indptr[sessions[u + 1]]]``.
    """

    sessions: np.ndarray        # (n_users + 1,) int64, where the sessions of each user begin
    indptr: np.ndarray          # (n_sessions + 1,) int64, where the ratings of each session begin
    items: np.ndarray           # (n_ratings,) int32
    values: np.ndarray          # (n_ratings,) float32, in any unit
    days: np.ndarray            # (n_sessions,) float32
    drift: np.ndarray           # (n_sessions,) float32, weight of the user's drift factors
    own: np.ndarray             # (n_sessions,) float32, weight of the session's own factors
    x: np.ndarray               # (n_ratings,) float32, weight of a rated item's explicit part
    d: np.ndarray               # (n_ratings,) float32, weight of its implicit part

    def in_type(self, dtype):
        """The same, with weights in the type of the factors."""
        return Visits(*self[:4], *(column.astype(dtype, copy=False) for column in self[4:]))


class Room(NamedTuple):
    """Vectors of one user and session, each in memory of its own, so that none can overlap."""

    static: np.ndarray          # (k,), the user's sum of features
    static_pull: np.ndarray     # (k,), what the ratings have asked of them
    total: np.ndarray           # (k,), the factors of the session
    pull: np.ndarray            # (k,)
    tilt: np.ndarray            # (k,), slope of the faded features by the rate of forgetting
    nothing: np.ndarray         # (k,), zeros in the place of vectors that are left out


@compiled
def _fade(visits, rate, session, first, last, visit):
    """Write the weights of what a user rated in all sessions, faded by the days to this one."""
    start = visits.indptr[first]
    for other in range(first, last):
        gap = abs(visits.days[other] - visits.days[session])
        kept = np.exp(-rate * gap)
        for row in range(visits.indptr[other], visits.indptr[other + 1]):
            visit.x[row - start] = kept * visits.x[row]
            visit.d[row - start] = kept * visits.d[row]
            visit.gaps[row - start] = gap


@compiled
def _enter_faded(faded, rated, visit, tilt):
    """Add the faded features to the total, write their slope by the rate; return their energy."""
    x, d, gaps, total = visit.x, visit.d, visit.gaps, visit.total
    n, energy = len(faded) // 2, total[0] - total[0]
    tilt[:] = 0
    for e in range(len(rated)):
        explicit, implicit = faded[rated[e]], faded[n + rated[e]]
        energy += x[e] * x[e] + d[e] * d[e]
        for f in range(len(total)):
            part = x[e] * explicit[f] + d[e] * implicit[f]
            total[f] += part
            tilt[f] -= gaps[e] * part
    return energy


@compiled
def _leave_faded(faded, rated, visit, keep):
    """Shrink each faded feature, and move it by its share of the pull."""
    x, d, pull, n = visit.x, visit.d, visit.pull, len(faded) // 2
    for e in range(len(rated)):
        explicit, implicit = faded[rated[e]], faded[n + rated[e]]
        for f in range(len(pull)):
            explicit[f] = keep * explicit[f] + x[e] * pull[f]
            implicit[f] = keep * implicit[f] + d[e] * pull[f]


@compiled
def _enter_session(static, drifting, drift, daily, own, total, pull):
    """Set the total to the user's factors of this session, and the pull to zero."""
    for f in range(len(total)):
        total[f] = static[f] + drift * drifting[f] + own * daily[f]
        pull[f] = 0


@compiled
def leave_session(static, static_pull, energy, drifting, drift, daily, own, keep, pull):
    """Shrink every part of the user's factors, and move it by its share of the pull."""
    for f in range(len(pull)):
        static[f] = keep * static[f] + energy * pull[f]
        static_pull[f] = keep * static_pull[f] + pull[f]
        drifting[f] = keep * drifting[f] + drift * pull[f]
        daily[f] = keep * daily[f] + own * pull[f]


@compiled
def _visit_sessions(user, rated, visits, static_energy, visit, room, steps):
    """Bring the parts of each session in, walk through its ratings, give each part its share.

    One call for all sessions of a user: to hand so many arrays over costs as much as to step along
    a few ratings.
    """
    zero, squares, has_fading = static_energy - static_energy, 0.0, len(visit.x) > 0
    pull, slope, rates = room.pull, visit.slope, visit.arrays.log_rates
    for session in range(visits.sessions[user], visits.sessions[user + 1]):
        first, last = visits.indptr[session], visits.indptr[session + 1]
        if first == last:
            continue
        drifting, daily, drift, own = room.nothing, room.nothing, zero, zero
        if len(visit.arrays.drift_factors) > 0:
            drifting, drift = visit.arrays.drift_factors[user], visits.drift[session]
        if len(visit.arrays.day_factors) > 0:
            daily, own = visit.arrays.day_factors[session], visits.own[session]
        _enter_session(room.static, drifting, drift, daily, own, room.total, pull)
        slope[0], visit.energy[0] = 0, static_energy + drift * drift + own * own
        if has_fading:
            _fade(visits, np.exp(rates[user]), session, visits.sessions[user],
                  visits.sessions[user + 1], visit)
        if len(visit.arrays.faded) > 0:
            visit.energy[0] += _enter_faded(visit.arrays.faded, rated, visit, room.tilt)
        for row in range(first, last):
            residual = _temporal(session, np.uint64(visits.items[row]), visits.values[row], visit,
                                 steps, 0, 1, alone)
            squares += residual * residual
        keep = (1 - steps.learning_rate * steps.reg) ** (last - first)
        leave_session(room.static, room.static_pull, static_energy, drifting, drift, daily, own,
                      keep, pull)
        if len(visit.arrays.faded) > 0:
            for f in range(len(pull)):
                slope[0] += room.tilt[f] * pull[f] / steps.learning_rate
            _leave_faded(visit.arrays.faded, rated, visit, keep)
        if has_fading:
            share = steps.reg_rates * (last - first) / len(rated)
            rates[user] += steps.learning_rate_rates * (
                np.exp(rates[user]) * slope[0] - share * (rates[user] - steps.log_rate))
    return squares


@compiled
def _visit_users(visits, users, features_of, state, steps):
    features, squares, dtype = state.features, 0.0, state.features.dtype
    k = features.shape[1]
    room = Room(np.zeros(k, dtype), np.zeros(k, dtype), np.zeros(k, dtype), np.zeros(k, dtype),
                np.zeros(k, dtype), np.zeros(k, dtype))
    energy, slope = np.zeros(1, dtype), np.zeros(1, dtype)
    speaks = state.weights.shape[1] > 0
    fades = len(state.faded) > 0 or speaks
    for user in users:
        begin, end = visits.sessions[user], visits.sessions[user + 1]
        rated = visits.items[visits.indptr[begin]:visits.indptr[end]]
        n_faded = len(rated) if fades else 0
        visit = SessionVisit(state, room.total, room.pull, energy, rated if speaks else rated[:0],
                             np.empty(n_faded, dtype), np.empty(n_faded, dtype),
                             np.empty(n_faded, dtype), slope)
        first, last = features_of.indptr[user], features_of.indptr[user + 1]
        _enter(features, features_of.ids, features_of.weights, first, last, room.static,
               room.static_pull)
        static_energy = energy[0] - energy[0]
        for entry in range(first, last):
            static_energy += features_of.weights[entry] ** 2
        squares += _visit_sessions(user, rated, visits, static_energy, visit, room, steps)
        kept = (1 - steps.learning_rate * steps.reg) ** len(rated)
        _leave(features, features_of.ids, features_of.weights, first, last, kept,
               room.static_pull)
    return squares


def session_sgd_epoch(visits, users, features_of, state, steps):
    r"""Apply `rslib.kernels.session_rules.temporal` to every rating of ``users``, day by day.

    .. math:: z_s = \sum_j s_{uj} y_j + v_s \alpha_u + o_s p_s
              + \sum_{j \in R(u)} e^{-\beta_u |t_s - t_j|} (x_j X_j + d_j Y_j)

    Parameters
    ----------
    visits : Visits
    users : int array (n,)
        Users in the order of their visits; a permutation of all makes an epoch. On the host.
    features_of : Features
        Which features y each user is the sum of, with the weights s.
    state : SessionState
        With drift factors alpha, day factors p, faded features X and Y, and log_rates, the
        logarithms of beta.
    steps : SessionSteps

    Returns
    -------
    float
        Sum of the squared residuals met on the way, in units of the ratings squared.

    Notes
    -----
    Cost: O((n_ratings + n_sessions + entries of features_of) k), to which faded features add
    O(sum over users of sessions times ratings, k), and weights O(sum of squared ratings of a user).
    A rate moves when a session ends. Agreement: equal to `session_sgd_epoch_slow` to rounding; on
    the GPU statistical. Determinism: on the CPU same inputs, same bits, on one thread.
    """
    dtype = state.features.dtype.type
    steps = in_type(steps, dtype)
    xp = array_module(visits.values, features_of.weights, *state, *arrays_of(steps))
    inputs = (visits.in_type(dtype), users, features_of._replace(
        weights=features_of.weights.astype(dtype, copy=False)), state, steps)
    if xp is not np:
        from rslib.kernels.sessions_gpu import session_sgd_epoch_gpu  # compiles for CUDA
        return session_sgd_epoch_gpu(*inputs)
    return session_sgd_epoch_slow(*inputs) if is_slow() else _visit_users(*inputs)
