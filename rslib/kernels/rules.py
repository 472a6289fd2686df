"""Update rules of stochastic gradient descent: what one rating does to the parameters.

Each rule is a plain function of one rating, so it can be read, run in slow motion and compiled.
``lane`` and ``lanes`` say which factors this worker owns (one worker on a CPU; 32 lanes of a warp
on a GPU), ``reduce_sum`` adds the lanes' partial sums. ``state`` holds the arrays that change,
``steps`` the constants; `rslib.kernels.states` names them. Every rule returns the residual of the
rating before the step, in its units.
"""

import math


def baseline(user, item, value, state, steps, lane, lanes, reduce_sum):
    r"""Step down the gradient of one rating's share of the baseline objective.

    .. math:: e = r - \mu - b_u - b_i, \quad
              b_u \mathrel{+}= \gamma (e - \tfrac{\lambda_u}{n_u} b_u), \quad
              b_i \mathrel{+}= \gamma (e - \tfrac{\lambda_i}{n_i} b_i)

    Dividing the penalty by the number of ratings spreads it evenly over them, so that an epoch
    descends the same objective that alternating ridge minimises.

    With `BaselineState` and `SharedSteps`.
    """
    user_bias, item_bias, rate = state.user_bias, state.item_bias, steps.learning_rate
    residual = value - steps.mean - user_bias[user] - item_bias[item]
    if lane == 0:
        user_bias[user] += rate * (residual - steps.user_reg[user] * user_bias[user])
        item_bias[item] += rate * (residual - steps.item_reg[item] * item_bias[item])
    return residual


def biased_mf(user, item, value, state, steps, lane, lanes, reduce_sum):
    r"""Step down the gradient of one rating's share of the biased factorisation objective.

    .. math:: e = r - \mu - b_u - b_i - p_u \cdot q_i, \quad
              b_u \mathrel{+}= \gamma (e - \lambda_b b_u), \quad
              p_u \mathrel{+}= \gamma (e\, q_i - \lambda p_u), \quad
              q_i \mathrel{+}= \gamma (e\, p_u - \lambda q_i)

    with the old :math:`p_u` in the last step. With `BiasedMFState` and `Steps`.
    """
    user_bias, item_bias = state.user_bias, state.item_bias
    p, q = state.user_factors[user], state.item_factors[item]
    dot = value - value     # zero in the type of the ratings
    for f in range(lane, len(p), lanes):
        dot += p[f] * q[f]
    residual = value - steps.mean - user_bias[user] - item_bias[item] - reduce_sum(dot)
    step, shrink = steps.learning_rate * residual, steps.learning_rate * steps.reg
    shrink_bias = steps.learning_rate * steps.reg_bias
    if lane == 0:
        user_bias[user] += step - shrink_bias * user_bias[user]
        item_bias[item] += step - shrink_bias * item_bias[item]
    for f in range(lane, len(p), lanes):
        old = p[f]
        p[f] = old - shrink * old + step * q[f]
        q[f] = q[f] - shrink * q[f] + step * old
    return residual


def mf(user, item, value, state, steps, lane, lanes, reduce_sum):
    r"""Step down the gradient of one rating's share of the factorisation objective.

    .. math:: e = r - c - p_u \cdot q_i, \quad
              p_u \mathrel{+}= \gamma (e\, q_i - s_u p_u), \quad
              q_i \mathrel{+}= \gamma (e\, p_u - s_i q_i)

    with the old :math:`p_u` in the last step. Each s is the share of a rating in the penalty of
    its user or item. With `MFState` and `SharedSteps`, whose mean is c.
    """
    p, q = state.user_factors[user], state.item_factors[item]
    dot = value - value     # zero in the type of the ratings
    for f in range(lane, len(p), lanes):
        dot += p[f] * q[f]
    residual = value - steps.mean - reduce_sum(dot)
    step, shrink_p = steps.learning_rate * residual, steps.learning_rate * steps.user_reg[user]
    shrink_q = steps.learning_rate * steps.item_reg[item]
    for f in range(lane, len(p), lanes):
        old = p[f]
        p[f] = old - shrink_p * old + step * q[f]
        q[f] = q[f] - shrink_q * q[f] + step * old
    return residual


def bpr(user, item, value, state, steps, lane, lanes, reduce_sum):
    r"""Step down the gradient of one drawn pair's share of the objective of pairwise ranking.

    .. math:: e = 1 - \sigma(b_i - b_j + p_u \cdot (q_i - q_j)), \quad
              b_i \mathrel{+}= \gamma_b (e - \lambda_b b_i), \quad
              b_j \mathrel{-}= \gamma_b (e + \lambda_b b_j),

    .. math:: p_u \mathrel{+}= \gamma (e (q_i - q_j) - \lambda p_u), \quad
              q_i \mathrel{+}= \gamma (e\, p_u - \lambda q_i), \quad
              q_j \mathrel{-}= \gamma (e\, p_u + \lambda q_j)

    with the old :math:`p_u` in the last steps. ``value`` is j, the item drawn. With `BPRState` and
    `BPRSteps`.
    """
    bias, rate = state.item_bias, steps.learning_rate
    p, q, r = state.user_factors[user], state.item_factors[item], state.item_factors[value]
    dot, one = rate - rate, rate / rate     # in the type of the factors
    for f in range(lane, len(p), lanes):
        dot += p[f] * (q[f] - r[f])
    margin = bias[item] - bias[value] + reduce_sum(dot)
    small = math.exp(-abs(margin))      # never overflows
    residual = (small if margin > 0 else one) / (one + small)
    step, shrink, rate_bias = rate * residual, rate * steps.reg, steps.learning_rate_bias
    if lane == 0:
        bias[item] += rate_bias * (residual - steps.reg_bias * bias[item])
        bias[value] -= rate_bias * (residual + steps.reg_bias * bias[value])
    for f in range(lane, len(p), lanes):
        old, apart = p[f], q[f] - r[f]
        p[f] = old - shrink * old + step * apart
        q[f] = q[f] - shrink * q[f] + step * old
        r[f] = r[f] - shrink * r[f] - step * old
    return residual


def feature_mf(user, item, value, state, steps, lane, lanes, reduce_sum):
    r"""Step down one rating's share when a user's factors are a weighted sum of features.

    .. math:: z_u = \sum_j s_{uj} y_j, \quad e = r - \mu - b_u - b_i - z_u \cdot q_i, \quad
              q_i \mathrel{+}= \gamma (e\, z_u - \lambda q_i), \quad
              y_j \mathrel{+}= \gamma (e\, s_{uj} q_i - \lambda y_j)

    and the biases as in `biased_mf`. No :math:`y_j` is touched here. Together their steps move
    :math:`z_u` by :math:`\gamma (c_u e\, q_i - \lambda z_u)`, with :math:`c_u = \sum_j s_{uj}^2`,
    so the rule moves the sum, and adds up the pull on it:
    :math:`a \leftarrow (1 - \gamma \lambda) a + \gamma e\, q_i`. After n ratings of the user, each
    :math:`y_j` is :math:`(1 - \gamma \lambda)^n y_j + s_{uj} a`, exactly.

    With `UserVisit`, the user at hand, whose total is z, pull a and energy c, and `Steps`.
    """
    user_bias, item_bias = state.arrays.user_bias, state.arrays.item_bias
    total, pull, q = state.total, state.pull, state.arrays.item_factors[item]
    dot = value - value     # zero in the type of the ratings
    for f in range(lane, len(q), lanes):
        dot += total[f] * q[f]
    residual = value - steps.mean - user_bias[user] - item_bias[item] - reduce_sum(dot)
    step, shrink = steps.learning_rate * residual, steps.learning_rate * steps.reg
    shrink_bias, to_total = steps.learning_rate * steps.reg_bias, state.energy * step
    if lane == 0:
        user_bias[user] += step - shrink_bias * user_bias[user]
        item_bias[item] += step - shrink_bias * item_bias[item]
    for f in range(lane, len(q), lanes):
        old_q, old_total = q[f], total[f]
        q[f] = old_q - shrink * old_q + step * old_total
        total[f] = old_total - shrink * old_total + to_total * old_q
        pull[f] = pull[f] - shrink * pull[f] + step * old_q
    return residual


def neighbourhood(user, item, value, state, steps, lane, lanes, reduce_sum):
    r"""Step down one rating's share of the objective of global interpolation weights.

    .. math:: e = r - \mu - b_u - b_i - \sum_{j \ne i} x_{uj} w_{ij} - \sum_{j \ne i} s_{uj} c_{ij},
              \quad w_{ij} \mathrel{+}= \gamma (e\, x_{uj} - \lambda w_{ij}), \quad
              c_{ij} \mathrel{+}= \gamma (e\, s_{uj} - \lambda c_{ij})

    and the biases as in `biased_mf`. Row i of w and of c belongs to item i, so two ratings of
    different users and items never touch the same number. No item speaks for itself: the diagonals
    start at zero, and are put back there.

    With `NeighbourhoodState` and `NeighbourhoodSteps`.
    """
    user_bias, item_bias = state.user_bias, state.item_bias
    w, c = state.weights[item], state.implicit_weights[item]
    x, s, rated_ids, seen_ids = steps.x, steps.s, steps.rated_ids, steps.seen_ids
    rated, rated_end = steps.rated_indptr[user] + lane, steps.rated_indptr[1:][user]
    seen, seen_end = steps.seen_indptr[user] + lane, steps.seen_indptr[1:][user]
    total = value - value     # zero in the type of the ratings
    for e in range(rated, rated_end, lanes):
        total += x[e] * w[rated_ids[e]]
    for e in range(seen, seen_end, lanes):
        total += s[e] * c[seen_ids[e]]
    residual = value - steps.mean - user_bias[user] - item_bias[item] - reduce_sum(total)
    step, shrink = steps.learning_rate * residual, steps.learning_rate * steps.reg
    shrink_bias = steps.learning_rate * steps.reg_bias
    if lane == 0:
        user_bias[user] += step - shrink_bias * user_bias[user]
        item_bias[item] += step - shrink_bias * item_bias[item]
    for e in range(rated, rated_end, lanes):
        j = rated_ids[e]
        w[j] += step * x[e] - shrink * w[j]
    for e in range(seen, seen_end, lanes):
        j = seen_ids[e]
        c[j] += step * s[e] - shrink * c[j]
    w[item] = value - value     # by every lane, after its own steps: the last to write writes this
    c[item] = value - value
    return residual


def integrated(user, item, value, state, steps, lane, lanes, reduce_sum):
    r"""Step down one rating's share when `feature_mf` and `neighbourhood` predict together.

    .. math:: e = r - \mu - b_u - b_i - z_u \cdot q_i - \sum_{j \ne i} x_{uj} w_{ij}
                  - \sum_{j \ne i} s_{uj} c_{ij}

    with the steps of both. With `UserVisit`, whose arrays are an `IntegratedState`, and
    `IntegratedSteps`.
    """
    user_bias, item_bias = state.arrays.user_bias, state.arrays.item_bias
    total, pull, q = state.total, state.pull, state.arrays.item_factors[item]
    w, c = state.arrays.weights[item], state.arrays.implicit_weights[item]
    x, s, rated_ids, seen_ids = steps.x, steps.s, steps.rated_ids, steps.seen_ids
    rated, rated_end = steps.rated_indptr[user] + lane, steps.rated_indptr[1:][user]
    seen, seen_end = steps.seen_indptr[user] + lane, steps.seen_indptr[1:][user]
    match = value - value    # zero in the type of the ratings
    for f in range(lane, len(q), lanes):
        match += total[f] * q[f]
    for e in range(rated, rated_end, lanes):
        match += x[e] * w[rated_ids[e]]
    for e in range(seen, seen_end, lanes):
        match += s[e] * c[seen_ids[e]]
    residual = value - steps.mean - user_bias[user] - item_bias[item] - reduce_sum(match)
    step, shrink = steps.learning_rate * residual, steps.learning_rate * steps.reg
    shrink_bias, to_total = steps.learning_rate * steps.reg_bias, state.energy * step
    step_w = steps.learning_rate_weights * residual
    shrink_w = steps.learning_rate_weights * steps.reg_weights
    if lane == 0:
        user_bias[user] += step - shrink_bias * user_bias[user]
        item_bias[item] += step - shrink_bias * item_bias[item]
    for f in range(lane, len(q), lanes):
        old_q, old_total = q[f], total[f]
        q[f] = old_q - shrink * old_q + step * old_total
        total[f] = old_total - shrink * old_total + to_total * old_q
        pull[f] = pull[f] - shrink * pull[f] + step * old_q
    for e in range(rated, rated_end, lanes):
        j = rated_ids[e]
        w[j] += step_w * x[e] - shrink_w * w[j]
    for e in range(seen, seen_end, lanes):
        j = seen_ids[e]
        c[j] += step_w * s[e] - shrink_w * c[j]
    w[item] = value - value     # no item speaks for itself; see `neighbourhood`
    c[item] = value - value
    return residual
