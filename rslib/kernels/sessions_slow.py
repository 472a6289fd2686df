"""SGD for users who change from day to day, in slow motion: the version of `sessions` to read."""

import numpy as np


def _rows_of(visits, user):
    """Return which ratings are a user's."""
    first, last = visits.indptr[visits.sessions[user:user + 2]]
    return slice(first, last)


def _parts_of(visits, user, session, kept, features_of, state):
    """What the factors of a session are the sum of: tables, rows of theirs, and their weights."""
    entries = slice(*features_of.indptr[user:user + 2])
    parts = [(state.features, features_of.ids[entries], features_of.weights[entries])]
    if len(state.drift_factors):
        parts += [(state.drift_factors, [user], visits.drift[[session]])]
    if len(state.day_factors):
        parts += [(state.day_factors, [session], visits.own[[session]])]
    if len(state.faded):
        rows = _rows_of(visits, user)
        rated, n_items = visits.items[rows], len(state.item_factors)
        parts += [(state.faded, rated, kept * visits.x[rows]),
                  (state.faded, n_items + rated, kept * visits.d[rows])]
    return [(table, ids, np.float64(x)[:, None]) for table, ids, x in parts]


def session_sgd_epoch_slow(visits, users, features_of, state, steps):
    """Do what `session_sgd_epoch` does as the papers write it, in float64: the version to read."""
    all_days, squares = np.repeat(visits.days, np.diff(visits.indptr)), 0.0
    for user in users[np.diff(visits.sessions)[users] > 0]:
        rows = _rows_of(visits, user)
        for session in range(*visits.sessions[user:user + 2]):
            gaps, log_rate = abs(all_days[rows] - visits.days[session]), state.log_rates[user]
            kept, tilts, pull = np.exp(-np.exp(log_rate) * gaps), 0.0, 0.0
            # of the faded features, the slope when the session begins
            slope = -sum((gaps[:, None] * x * table[ids]).sum(0) for table, ids, x in _parts_of(
                visits, user, session, kept, features_of, state) if table is state.faded)
            for row in range(*visits.indptr[session:session + 2]):
                parts = _parts_of(visits, user, session, kept, features_of, state)
                residual, tilt, q = step_slow(visits, row, rows, session, kept, gaps, parts,
                                               state, steps)
                pull = (1 - steps.learning_rate * steps.reg) * pull + (
                    steps.learning_rate * residual * q)
                squares, tilts = squares + residual ** 2, tilts + residual * tilt
            tilts += np.sum(slope * pull) / steps.learning_rate
            if state.weights.shape[1] or len(state.faded):
                share = (visits.indptr[session + 1] - visits.indptr[session]) / len(gaps)
                drawn = steps.reg_rates * share * (log_rate - steps.log_rate)
                state.log_rates[user] += steps.learning_rate_rates * (
                    np.exp(log_rate) * tilts - drawn)
    return squares


def step_slow(visits, row, rows, session, kept, gaps, parts, state, steps):
    """Step down one rating's share; return residual, slope by the rate, and the item's factors."""
    item, value = visits.items[row], float(visits.values[row])
    q, rate, reg = state.item_factors[item].copy(), steps.learning_rate, steps.reg
    total = sum((x * table[ids]).sum(0) for table, ids, x in parts)
    reads, columns = slice(*steps.indptr[session:session + 2]), steps.columns[session]
    places, weights, numbers = steps.places[reads], steps.x[reads], state.item_numbers[item]
    match, tilt, speaks = total @ q, 0.0, state.weights.shape[1] > 0
    if speaks:
        others = visits.items[rows] != item
        j = visits.items[rows][others]
        x, d = ((kept * part[rows])[others] for part in (visits.x, visits.d))
        spoken = x * state.weights[item, j] + d * state.implicit_weights[item, j]
        match, tilt = match + spoken.sum(), -gaps[others] @ spoken
    residual = (value - steps.mean - match - numbers[columns].sum()
                - weights @ state.user_numbers[places])
    state.user_numbers[places] += rate * residual * weights
    state.user_numbers[places] *= steps.user_kept[places]
    numbers[columns] = (numbers[columns] + rate * residual) * steps.item_kept[item, columns]
    state.item_factors[item] += rate * (residual * total - reg * q)
    for table, ids, x_of in parts:
        table[ids] += rate * (residual * x_of * q - reg * table[ids])
    if speaks:
        for table, x_of in ((state.weights, x), (state.implicit_weights, d)):
            table[item, j] += steps.learning_rate_weights * (residual * x_of
                                                             - steps.reg_weights * table[item, j])
    return residual, tilt, q
