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
from rslib.kernels.sgd import alone

_temporal = inlined(temporal)


class Visits(NamedTuple):
    """Ratings in order of user and day, and what each session and user brings to them.

    What is rated stands in the order of the ratings, so user u rated
    ``items[indptr[sessions[u]]:indptr[sessions[u + 1]]]``.
    """

    sessions: np.ndarray        # (n_users + 1,) int64, where the sessions of each user begin
    indptr: np.ndarray          # (n_sessions + 1,) int64, where the ratings of each session begin
    items: np.ndarray           # (n_ratings,) int32
    values: np.ndarray          # (n_ratings,) float32, stars
    days: np.ndarray            # (n_sessions,) float32
    drift: np.ndarray           # (n_sessions,) float32, weight of the user's drift factors
    own: np.ndarray             # (n_sessions,) float32, weight of the session's own factors
    x: np.ndarray               # (n_ratings,) float32, weight of a rated item's explicit part
    d: np.ndarray               # (n_ratings,) float32, weight of its implicit part


    def columns(self, dtype):
        """The columns for a compiled driver, weights in the type of the factors."""
        return (*self[:4], *(column.astype(dtype, copy=False) for column in self[4:]))


@compiled
def _fade(rate, day, days, indptr, first, last, x, d, faded_x, faded_d, gaps):
    """Write the weights of what was rated in some sessions, faded by the days to ``day``."""
    start = indptr[first]
    for session in range(first, last):
        gap = abs(days[session] - day)
        left = np.exp(-rate * gap)
        for row in range(indptr[session], indptr[session + 1]):
            faded_x[row - start] = left * x[row]
            faded_d[row - start] = left * d[row]
            gaps[row - start] = gap


@compiled
def _enter_faded(features, rated, x, d, gaps, total, tilt):
    """Add the faded features to ``total``, write their slope by the rate; return their energy."""
    n, energy = len(features) // 2, total[0] - total[0]
    tilt[:] = 0
    for e in range(len(rated)):
        explicit, implicit = features[rated[e]], features[n + rated[e]]
        energy += x[e] * x[e] + d[e] * d[e]
        for f in range(len(total)):
            part = x[e] * explicit[f] + d[e] * implicit[f]
            total[f] += part
            tilt[f] -= gaps[e] * part
    return energy


@compiled
def _leave_faded(features, rated, x, d, keep, pull):
    """Shrink each faded feature, and move it by its share of the pull."""
    n = len(features) // 2
    for e in range(len(rated)):
        explicit, implicit = features[rated[e]], features[n + rated[e]]
        for f in range(len(pull)):
            explicit[f] = keep * explicit[f] + x[e] * pull[f]
            implicit[f] = keep * implicit[f] + d[e] * pull[f]


@compiled
def _enter_session(static, drifting, drift, mine, own, total, pull):
    """Set ``total`` to the user's factors of this session, and ``pull`` to zero."""
    for f in range(len(total)):
        total[f] = static[f] + drift * drifting[f] + own * mine[f]
        pull[f] = 0


@compiled
def _leave_session(static, energy, static_pull, drifting, drift, mine, own, keep, pull):
    """Shrink every part of the user's factors, and move it by its share of the pull."""
    for f in range(len(pull)):
        static[f] = keep * static[f] + energy * pull[f]
        static_pull[f] = keep * static_pull[f] + pull[f]
        drifting[f] = keep * drifting[f] + drift * pull[f]
        mine[f] = keep * mine[f] + own * pull[f]


@compiled
def _visit_users(sessions, indptr, items, values, days, drift, own, x, d, users, feature_indptr,
                 feature_ids, feature_weights, state, steps, rate_steps):
    (user_terms, item_terms, features, item_factors, drift_factors, day_factors,
     weights, implicit, faded, log_rates) = state
    squares, kept = 0.0, 1 - steps[1] * steps[2]
    k, dtype = features.shape[1], features.dtype    # each its own memory, so that none can overlap
    static, static_pull, tilt = np.zeros(k, dtype), np.zeros(k, dtype), np.zeros(k, dtype)
    total, pull, nothing = np.zeros(k, dtype), np.zeros(k, dtype), np.zeros(k, dtype)
    energy, slope = np.zeros(1, dtype), np.zeros(1, dtype)
    zero = energy[0]
    fades = len(faded) > 0 or weights.shape[1] > 0
    for user in users:
        begin, end = sessions[user], sessions[user + 1]
        rated = items[indptr[begin]:indptr[end]]
        room = len(rated) if fades else 0
        gaps, faded_x, faded_d = np.empty(room, dtype), np.empty(room, dtype), np.empty(room, dtype)
        now = (user_terms, item_terms, total, item_factors, pull, energy, weights, implicit,
               rated if weights.shape[1] > 0 else rated[:0], faded_x, faded_d, gaps, slope)
        first, last = feature_indptr[user], feature_indptr[user + 1]
        _enter(features, feature_ids, feature_weights, first, last, static, static_pull)
        static_energy = zero
        for entry in range(first, last):
            static_energy += feature_weights[entry] ** 2
        for session in range(begin, end):
            n_rated = indptr[session + 1] - indptr[session]
            if n_rated == 0:
                continue
            drifting, mine, v, o = nothing, nothing, zero, zero
            if len(drift_factors) > 0:
                drifting, v = drift_factors[user], drift[session]
            if len(day_factors) > 0:
                mine, o = day_factors[session], own[session]
            _enter_session(static, drifting, v, mine, o, total, pull)
            slope[0], energy[0] = 0, static_energy + v * v + o * o
            if fades:
                _fade(np.exp(log_rates[user]), days[session], days, indptr, begin, end, x, d,
                      faded_x, faded_d, gaps)
            if len(faded) > 0:
                energy[0] += _enter_faded(faded, rated, faded_x, faded_d, gaps, total, tilt)
            for row in range(indptr[session], indptr[session + 1]):
                error = _temporal(session, np.uint64(items[row]), values[row], now, steps, 0, 1,
                                  alone)
                squares += error * error
            keep = kept ** n_rated
            _leave_session(static, static_energy, static_pull, drifting, v, mine, o, keep, pull)
            if len(faded) > 0:
                for f in range(len(pull)):
                    slope[0] += tilt[f] * pull[f] / steps[1]
                _leave_faded(faded, rated, faded_x, faded_d, keep, pull)
            if fades:
                share = rate_steps[1] * n_rated / len(rated)
                log_rates[user] += rate_steps[0] * (np.exp(log_rates[user]) * slope[0]
                                                    - share * (log_rates[user] - rate_steps[2]))
        _leave(features, feature_ids, feature_weights, first, last, kept ** len(rated),
               static_pull)
    return squares


def session_sgd_epoch(visits, users, features_of, state, steps, rate_steps=(0.0, 0.0, 0.0)):
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
    state : tuple of arrays, of one floating type, changed in place
        user_terms (n,), item_terms (n_items, n), features (n, k), item_factors (n_items, k), drift
        factors alpha (n_users or 0, k), session factors p (n_sessions or 0, k), weights and
        implicit (n_items, n_items or 0), faded features (2 n_items or 0, k), first X, then Y, and
        log_rates (n_users,), the logarithms of beta, per day.
    steps : tuple
        Those of the rule.
    rate_steps : tuple
        Of log_rates: learning rate, penalty of each user's, and the value to which it pulls.

    Returns
    -------
    float
        Sum of the squared errors met on the way, in stars squared.

    Notes
    -----
    Cost: O((n_ratings + n_sessions + entries of features_of) k), to which faded features add
    O(sum over users of sessions times ratings, k), and weights O(sum of squared ratings of a user).
    A rate moves when a session ends. Agreement: equal to `session_sgd_epoch_slow` to rounding; on
    the GPU statistical. Determinism: on the CPU same inputs, same bits, on one thread.
    """
    arrays = [step for step in steps if not np.isscalar(step)]
    xp = array_module(visits.values, features_of.weights, *state, *arrays)
    dtype = state[2].dtype.type
    steps = tuple(dtype(step) if np.isscalar(step) else step for step in steps)
    inputs = (*visits.columns(dtype), users, features_of.indptr, features_of.ids,
              features_of.weights.astype(dtype, copy=False), state, steps,
              tuple(dtype(step) for step in rate_steps))
    if xp is not np:
        from rslib.kernels.sessions_gpu import session_sgd_epoch_gpu  # compiles for CUDA
        return session_sgd_epoch_gpu(*inputs)
    return _visit_users(*inputs)


def session_sgd_epoch_slow(visits, users, features_of, state, steps, rate_steps=(0.0, 0.0, 0.0)):
    """Do what `session_sgd_epoch` does as the papers write it, in float64: the version to read."""
    (user_terms, item_terms, features, item_factors, drift_factors, day_factors, weights, implicit,
     faded, log_rates) = state
    (mean, learning_rate, reg, indptr, term_ids, term_x, columns, user_kept, item_kept,
     learning_rate_w, reg_w) = steps
    n_items, squares = len(item_factors), 0.0
    for user in users[np.diff(visits.sessions)[users] > 0]:
        sessions = np.arange(visits.sessions[user], visits.sessions[user + 1])
        rows = np.arange(visits.indptr[sessions[0]], visits.indptr[sessions[-1] + 1])
        days = np.repeat(visits.days[sessions], np.diff(visits.indptr)[sessions])
        rated, mine = visits.items[rows], slice(*features_of.indptr[user:user + 2])
        for session in sessions:
            gaps, rate, tilts = abs(days - visits.days[session]), np.exp(log_rates[user]), 0.0
            left, these = np.exp(-rate * gaps), slice(*indptr[session:session + 2])
            slope, pull = 0.0, 0.0      # of the faded features, the slope when the session begins
            if len(faded):
                slope = -sum((gaps * left * x[rows])[:, None] * faded[first + rated]
                             for first, x in ((0, visits.x), (n_items, visits.d))).sum(0)
            for row in range(visits.indptr[session], visits.indptr[session + 1]):
                item, q = visits.items[row], item_factors[visits.items[row]].copy()
                # what the factors of the session are the sum of: tables, rows and their weights
                parts = [(features, features_of.ids[mine], features_of.weights[mine])]
                if len(drift_factors):
                    parts += [(drift_factors, [user], visits.drift[[session]])]
                if len(day_factors):
                    parts += [(day_factors, [session], visits.own[[session]])]
                if len(faded):
                    parts += [(faded, rated, left * visits.x[rows]),
                              (faded, n_items + rated, left * visits.d[rows])]
                parts = [(table, ids, x[:, None].astype("f8")) for table, ids, x in parts]
                total = sum((x * table[ids]).sum(0) for table, ids, x in parts)
                said, tilt = total @ q, 0.0
                if weights.shape[1]:
                    others = rated != item
                    j = rated[others]
                    xj, dj = ((left * part[rows])[others] for part in (visits.x, visits.d))
                    spoken = xj * weights[item, j] + dj * implicit[item, j]
                    said, tilt = said + spoken.sum(), -gaps[others] @ spoken
                terms, place = item_terms[item], columns[session]
                mine_terms = term_ids[these]
                error = (float(visits.values[row]) - mean - said - terms[place].sum()
                         - term_x[these] @ user_terms[mine_terms])
                user_terms[mine_terms] += learning_rate * error * term_x[these]
                user_terms[mine_terms] *= user_kept[mine_terms]
                terms[place] = (terms[place] + learning_rate * error) * item_kept[item, place]
                item_factors[item] += learning_rate * (error * total - reg * q)
                for table, ids, x in parts:
                    table[ids] += learning_rate * (error * x * q - reg * table[ids])
                pull = pull - learning_rate * reg * pull + learning_rate * error * q
                if weights.shape[1]:
                    weights[item, j] += learning_rate_w * (error * xj - reg_w * weights[item, j])
                    implicit[item, j] += learning_rate_w * (error * dj - reg_w * implicit[item, j])
                squares, tilts = squares + error ** 2, tilts + error * tilt
            tilts += np.sum(slope * pull) / learning_rate
            if weights.shape[1] or len(faded):
                n_rated = visits.indptr[session + 1] - visits.indptr[session]
                drawn = rate_steps[1] * n_rated / len(rows) * (log_rates[user] - rate_steps[2])
                log_rates[user] += rate_steps[0] * (rate * tilts - drawn)
    return squares
