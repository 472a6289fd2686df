"""The GPU driver of `rslib.kernels.sessions`: a warp walks through the sessions of one user.

Warps don't wait for each other. Two users that share a feature add to it at the same time, each
from the value it had when the other began, so the result agrees with the CPU's statistically.
"""

import math
from functools import cache

from numba import cuda

from rslib.backend import array_module
from rslib.kernels.session_rules import temporal
from rslib.kernels.sgd_gpu import FENCE, LANES, warp_sum, warps_for


@cuda.jit(device=True)
def _give(table, row, weight, lost, pull, lane):
    """Shrink a row that users share, and move it by its share of the pull."""
    for f in range(lane, len(pull), LANES):
        cuda.atomic.add(table, (row, f), weight * pull[f] - lost * table[row, f])


@cache
def session_kernel():
    """Return the kernel that walks each warp through every n-th of the users."""
    step = cuda.jit(device=True)(temporal)

    def walk(sessions, indptr, items, values, days, drift, own, x, d, users, feature_indptr,
             feature_ids, feature_weights, room, faded_x, faded_d, gaps, squares, state, steps,
             rate_steps):
        (user_terms, item_terms, features, item_factors, drift_factors, day_factors, weights,
         implicit, faded, log_rates) = state
        lane, warp, n_warps = cuda.threadIdx.x, cuda.blockIdx.x, cuda.gridDim.x
        k, n_items, met = features.shape[1], len(item_factors), 0.0
        static, static_pull, total = room[warp, 0, :k], room[warp, 1, :k], room[warp, 2, :k]
        pull, tilt, energy, slope = (room[warp, 3, :k], room[warp, 4, :k], room[warp, 5, :1],
                                     room[warp, 6, :1])
        fades, speaks = len(faded) > 0 or weights.shape[1] > 0, weights.shape[1] > 0
        for place in range(warp, len(users), n_warps):
            user = users[place]
            begin, end = sessions[user], sessions[user + 1]
            first, last = indptr[begin], indptr[end]
            rated = items[first:last] if speaks else items[:0]
            user_x, user_d, user_gaps = faded_x[first:last], faded_d[first:last], gaps[first:last]
            now = (user_terms, item_terms, total, item_factors, pull, energy, weights, implicit,
                   rated, user_x, user_d, user_gaps, slope)
            static_energy = energy[0] - energy[0]
            for f in range(lane, k, LANES):
                static[f], static_pull[f] = 0, 0
            for entry in range(feature_indptr[user], feature_indptr[user + 1]):
                weight = feature_weights[entry]
                static_energy += weight * weight
                for f in range(lane, k, LANES):
                    static[f] += weight * features[feature_ids[entry], f]
            for session in range(begin, end):
                n_rated = indptr[session + 1] - indptr[session]
                rate = math.exp(log_rates[user])
                to_total = static_energy
                for f in range(lane, k, LANES):
                    total[f], pull[f], tilt[f] = static[f], 0, 0
                    if len(drift_factors) > 0:
                        total[f] += drift[session] * drift_factors[user, f]
                    if len(day_factors) > 0:
                        total[f] += own[session] * day_factors[session, f]
                if len(drift_factors) > 0:
                    to_total += drift[session] * drift[session]
                if len(day_factors) > 0:
                    to_total += own[session] * own[session]
                for other in range(begin, end if fades else begin):
                    gap = abs(days[other] - days[session])
                    left = math.exp(-rate * gap)
                    for row in range(indptr[other] + lane, indptr[other + 1], LANES):
                        faded_x[row], faded_d[row], gaps[row] = left * x[row], left * d[row], gap
                cuda.syncwarp()
                for row in range(first, last if len(faded) > 0 else first):
                    j = items[row]
                    to_total += faded_x[row] * faded_x[row] + faded_d[row] * faded_d[row]
                    for f in range(lane, k, LANES):
                        part = faded_x[row] * faded[j, f] + faded_d[row] * faded[n_items + j, f]
                        total[f] += part
                        tilt[f] -= gaps[row] * part
                if lane == 0:
                    slope[0], energy[0] = 0, to_total
                cuda.syncwarp()
                for row in range(indptr[session], indptr[session + 1]):
                    error = step(session, items[row], values[row], now, steps, lane, LANES,
                                 warp_sum)
                    met += error * error
                    cuda.syncwarp()
                    if row % FENCE == 0:
                        cuda.threadfence()
                keep = (1 - steps[1] * steps[2]) ** n_rated
                tilted = static_energy - static_energy
                for f in range(lane, k, LANES):
                    tilted += tilt[f] * pull[f] / steps[1]
                    static[f] = keep * static[f] + static_energy * pull[f]
                    static_pull[f] = keep * static_pull[f] + pull[f]
                    if len(drift_factors) > 0:
                        drift_factors[user, f] = (keep * drift_factors[user, f]
                                                  + drift[session] * pull[f])
                    if len(day_factors) > 0:
                        day_factors[session, f] = (keep * day_factors[session, f]
                                                   + own[session] * pull[f])
                tilted = warp_sum(tilted) + slope[0]
                for row in range(first, last if len(faded) > 0 else first):
                    _give(faded, items[row], faded_x[row], 1 - keep, pull, lane)
                    _give(faded, n_items + items[row], faded_d[row], 1 - keep, pull, lane)
                if fades and lane == 0:
                    share = rate_steps[1] * n_rated / (last - first)
                    drawn = share * (log_rates[user] - rate_steps[2])
                    log_rates[user] += rate_steps[0] * (rate * tilted - drawn)
                cuda.syncwarp()
            lost = 1 - (1 - steps[1] * steps[2]) ** (last - first)
            for entry in range(feature_indptr[user], feature_indptr[user + 1]):
                _give(features, feature_ids[entry], feature_weights[entry], lost, static_pull,
                      lane)
            cuda.syncwarp()
        if lane == 0:
            squares[warp] = met

    return cuda.jit(walk)


def session_sgd_epoch_gpu(sessions, indptr, items, values, days, drift, own, x, d, users,
                          feature_indptr, feature_ids, feature_weights, state, steps, rate_steps):
    """Do what `rslib.kernels.session_sgd_epoch` does on a GPU; see there."""
    xp, table = array_module(values), state[2]
    users = xp.asarray(users, order="C")
    n_warps = min(warps_for(len(items)), max(1, len(users)))
    room = xp.zeros_like(table, shape=(n_warps, 7, max(1, table.shape[1])))
    faded = [xp.zeros_like(x) for _ in range(3)]
    squares = xp.zeros(n_warps)
    session_kernel()[n_warps, LANES](
        sessions, indptr, items, values, days, drift, own, x, d, users, feature_indptr,
        feature_ids, feature_weights, room, *faded, squares, state, steps, rate_steps)
    return float(squares.sum())
