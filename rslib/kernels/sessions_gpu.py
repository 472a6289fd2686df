"""The GPU driver of `rslib.kernels.sessions`: a warp walks through the sessions of one user.

Warps don't wait for each other. Two users that share a feature add to it at the same time, each
from the value it had when the other began, so the result agrees with the CPU's statistically.
Where all that users learn is shared with others, few warps fly: see `rslib.kernels.in_flight`.
"""

import math
from functools import cache

from numba import cuda

from rslib.backend import array_module
from rslib.kernels.features import Features
from rslib.kernels.in_flight import shared, warps_for, whole
from rslib.kernels.session_rules import temporal
from rslib.kernels.sessions import Room
from rslib.kernels.sgd_gpu import FENCE, LANES, warp_sum
from rslib.kernels.states import SessionVisit

_temporal = cuda.jit(device=True)(temporal)


@cuda.jit(device=True)
def _give(table, row, weight, keep, pull, lane):
    """Shrink a row that users share, and move it by its share of the pull."""
    for f in range(lane, len(pull), LANES):
        cuda.atomic.add(table, (row, f), weight * pull[f] - (1 - keep) * table[row, f])


@cuda.jit(device=True)
def _enter(features, features_of, user, room, lane):
    """Set the static part to the sum of a user's features; return their energy."""
    static, static_pull = room.static, room.static_pull
    energy = room.nothing[0]
    for f in range(lane, len(static), LANES):
        static[f], static_pull[f] = 0, 0
    for entry in range(features_of.indptr[user], features_of.indptr[user + 1]):
        weight = features_of.weights[entry]
        energy += weight * weight
        for f in range(lane, len(static), LANES):
            static[f] += weight * features[features_of.ids[entry], f]
    return energy


@cuda.jit(device=True)
def _fade(visits, rate, session, first, last, visit, lane):
    """Write the weights of what a user rated in all sessions, faded by the days to this one."""
    start = visits.indptr[first]
    for other in range(first, last):
        gap = abs(visits.days[other] - visits.days[session])
        kept = math.exp(-rate * gap)
        for row in range(visits.indptr[other] + lane, visits.indptr[other + 1], LANES):
            visit.x[row - start] = kept * visits.x[row]
            visit.d[row - start] = kept * visits.d[row]
            visit.gaps[row - start] = gap


@cuda.jit(device=True)
def _enter_faded(faded, rated, visit, room, lane):
    """Add the faded features to the total, write their slope by the rate; return their energy."""
    x, d, gaps, total, tilt = visit.x, visit.d, visit.gaps, visit.total, room.tilt
    n, energy = len(faded) // 2, room.nothing[0]
    for e in range(len(rated)):
        j = rated[e]
        energy += x[e] * x[e] + d[e] * d[e]
        for f in range(lane, len(total), LANES):
            part = x[e] * faded[j, f] + d[e] * faded[n + j, f]
            total[f] += part
            tilt[f] -= gaps[e] * part
    return energy


@cuda.jit(device=True)
def _leave_faded(faded, rated, visit, keep, lane):
    """Shrink each faded feature, and move it by its share of the pull."""
    n = len(faded) // 2
    for e in range(len(rated)):
        _give(faded, rated[e], visit.x[e], keep, visit.pull, lane)
        _give(faded, n + rated[e], visit.d[e], keep, visit.pull, lane)


@cuda.jit(device=True)
def _enter_session(visits, session, user, state, room, lane):
    """Set the total to the user's factors of this session, the pull to zero; return the energy."""
    total, pull, tilt = room.total, room.pull, room.tilt
    drift, own = room.nothing[0], room.nothing[0]
    if len(state.drift_factors) > 0:
        drift = visits.drift[session]
    if len(state.day_factors) > 0:
        own = visits.own[session]
    for f in range(lane, len(total), LANES):
        total[f], pull[f], tilt[f] = room.static[f], 0, 0
        if len(state.drift_factors) > 0:
            total[f] += drift * state.drift_factors[user, f]
        if len(state.day_factors) > 0:
            total[f] += own * state.day_factors[session, f]
    return drift * drift + own * own


@cuda.jit(device=True)
def _leave_session(visits, session, user, energy, state, room, keep, lane):
    """Shrink every part of the user's factors, and move it by its share of the pull."""
    static, static_pull, pull = room.static, room.static_pull, room.pull
    drifting, daily = state.drift_factors, state.day_factors
    for f in range(lane, len(pull), LANES):
        static[f] = keep * static[f] + energy * pull[f]
        static_pull[f] = keep * static_pull[f] + pull[f]
        if len(drifting) > 0:
            drifting[user, f] = keep * drifting[user, f] + visits.drift[session] * pull[f]
        if len(daily) > 0:
            daily[session, f] = keep * daily[session, f] + visits.own[session] * pull[f]


@cuda.jit(device=True)
def _visit_session(session, user, rated, visits, static_energy, visit, room, steps, lane):
    """Bring the parts of a session in, walk through its ratings, give each part its share."""
    state, squares = visit.arrays, 0.0
    fades = len(state.faded) > 0 or state.weights.shape[1] > 0
    first, last = visits.indptr[session], visits.indptr[session + 1]
    energy = static_energy + _enter_session(visits, session, user, state, room, lane)
    if fades:
        _fade(visits, math.exp(state.log_rates[user]), session, visits.sessions[user],
              visits.sessions[user + 1], visit, lane)
    cuda.syncwarp()
    if len(state.faded) > 0:
        energy += _enter_faded(state.faded, rated, visit, room, lane)
    if lane == 0:
        visit.slope[0], visit.energy[0] = 0, energy
    cuda.syncwarp()
    for row in range(first, last):
        residual = _temporal(session, visits.items[row], visits.values[row], visit, steps,
                             lane, LANES, warp_sum)
        squares += residual * residual
        cuda.syncwarp()
        if row % FENCE == 0:
            cuda.threadfence()
    keep = (1 - steps.learning_rate * steps.reg) ** (last - first)
    tilted = room.nothing[0]
    for f in range(lane, len(room.pull), LANES):
        tilted += room.tilt[f] * room.pull[f] / steps.learning_rate
    tilted = warp_sum(tilted) + visit.slope[0]
    _leave_session(visits, session, user, static_energy, state, room, keep, lane)
    if len(state.faded) > 0:
        _leave_faded(state.faded, rated, visit, keep, lane)
    if fades and lane == 0:
        rates, share = state.log_rates, steps.reg_rates * (last - first) / len(rated)
        rates[user] += steps.learning_rate_rates * (
            math.exp(rates[user]) * tilted - share * (rates[user] - steps.log_rate))
    cuda.syncwarp()
    return squares


@cache
def session_kernel():
    """Return the kernel that walks each warp through every n-th of the users."""

    def walk(visits, users, features_of, rooms, faded, squares, state, steps):
        lane, warp, n_warps = cuda.threadIdx.x, cuda.blockIdx.x, cuda.gridDim.x
        k, met, own = state.features.shape[1], 0.0, rooms[warp]
        room = Room(own[0, :k], own[1, :k], own[2, :k], own[3, :k], own[4, :k], own[5])
        for place in range(warp, len(users), n_warps):
            user = users[place]
            begin, end = visits.sessions[user], visits.sessions[user + 1]
            first, last = visits.indptr[begin], visits.indptr[end]
            rated = visits.items[first:last]
            visit = SessionVisit(state, room.total, room.pull, own[6, :1],
                                 rated if state.weights.shape[1] > 0 else rated[:0],
                                 faded[0, first:last], faded[1, first:last], faded[2, first:last],
                                 own[7, :1])
            energy = _enter(state.features, features_of, user, room, lane)
            for session in range(begin, end):
                if visits.indptr[session + 1] > visits.indptr[session]:
                    met += _visit_session(session, user, rated, visits, energy, visit, room, steps,
                                         lane)
            keep = (1 - steps.learning_rate * steps.reg) ** (last - first)
            for entry in range(features_of.indptr[user], features_of.indptr[user + 1]):
                _give(state.features, features_of.ids[entry], features_of.weights[entry], keep,
                      room.static_pull, lane)
            cuda.syncwarp()
        if lane == 0:
            squares[warp] = met

    return cuda.jit(walk)


def _warps(visits, features_of, state, steps):
    """Return how many warps may share an epoch.

    Sessions are not cut, as a rate moves where one ends. Factors of days and drift are the users'
    own, and take most of what is asked.
    """
    n_ratings, n_items = len(visits.items), len(state.item_factors)
    if len(state.drift_factors) > 0 or len(state.day_factors) > 0 or not state.features.shape[1]:
        return warps_for(n_ratings)
    overlap = shared(features_of, len(state.features))
    if len(state.faded) > 0:
        rated = [Features(visits.indptr[visits.sessions], visits.items, weights)
                 for weights in (visits.x, visits.d)]
        overlap += sum(shared(part, n_items) for part in rated)
    return whole(n_ratings, float(steps.learning_rate), overlap)


def session_sgd_epoch_gpu(visits, users, features_of, state, steps):
    """Do what `rslib.kernels.session_sgd_epoch` does on a GPU; see there."""
    xp, table = array_module(visits.values), state.features
    users = xp.asarray(users, order="C")
    n_warps = min(_warps(visits, features_of, state, steps), max(1, len(users)))
    rooms = xp.zeros_like(table, shape=(n_warps, 8, max(1, table.shape[1])))
    faded, squares = xp.zeros_like(table, shape=(3, len(visits.items))), xp.zeros(n_warps)
    session_kernel()[n_warps, LANES](visits, users, features_of, rooms, faded, squares, state,
                                     steps)
    return float(squares.sum())
