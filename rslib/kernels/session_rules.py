"""The update rule of models in which all may depend on the day; see `rslib.kernels.rules`."""


def temporal(session, item, value, state, steps, lane, lanes, reduce_sum):
    r"""Step down one rating's share when biases, factors and neighbours depend on the day.

    .. math:: e = r - \mu - \sum_a x_{sa} \theta_a - \sum_{c \in C_s} \omega_{ic} - z_s \cdot q_i
                  - \sum_{j \ne i} (x_{sj} w_{ij} + d_{sj} c_{ij})

    A session s is a user on a day. Its parameters :math:`\theta_a`, and likewise the columns
    :math:`\omega_{ic}` of the item, are stepped and shrunk by

    .. math:: \theta_a \leftarrow (\theta_a + \gamma e x_{sa}) / (1 + \gamma \lambda_a / n_a)

    with the share of one of n ratings in the penalty, taken where the step arrives: so no penalty
    is too large for the step. :math:`z_s`, :math:`q_i` and the pull move as in `rules.feature_mf`,
    w and c as in `rules.neighbourhood`, where :math:`x_{sj}` and :math:`d_{sj}` have faded with the
    days since j was rated. With :math:`g_j` those days, the slope of the prediction by the rate of
    fading is :math:`-\sum_j g_j (x_{sj} w_{ij} + d_{sj} c_{ij})`, and its products with e are added
    up.

    With `SessionVisit` and `SessionSteps`; theta lies in ``user_numbers``, omega in
    ``item_numbers``.
    """
    user_numbers, numbers = state.arrays.user_numbers, state.arrays.item_numbers[item]
    q, w, c = (state.arrays.item_factors[item], state.arrays.weights[item],
               state.arrays.implicit_weights[item])
    total, pull, rated, x, d = state.total, state.pull, state.rated, state.x, state.d
    places, columns, kept = steps.places, steps.columns, steps.item_kept[item]
    first, last = steps.indptr[session], steps.indptr[1:][session]
    bias, match, tilt = value - value, value - value, value - value # zeros of the ratings' type
    for a in range(first, last):
        bias += steps.x[a] * user_numbers[places[a]]
    for a in range(columns.shape[1]):
        bias += numbers[columns[session, a]]
    for f in range(lane, len(q), lanes):
        match += total[f] * q[f]
    for e in range(lane, len(rated), lanes):
        part = x[e] * w[rated[e]] + d[e] * c[rated[e]]
        match += part
        tilt += state.gaps[e] * part
    residual = value - steps.mean - bias - reduce_sum(match)
    tilt = reduce_sum(tilt)
    step, shrink = steps.learning_rate * residual, steps.learning_rate * steps.reg
    step_w = steps.learning_rate_weights * residual
    shrink_w = steps.learning_rate_weights * steps.reg_weights
    to_total = state.energy[0] * step
    if lane == 0:
        state.slope[0] -= residual * tilt
        for a in range(first, last):
            at = places[a]
            user_numbers[at] = (user_numbers[at] + step * steps.x[a]) * steps.user_kept[at]
        for a in range(columns.shape[1]):
            at = columns[session, a]
            numbers[at] = (numbers[at] + step) * kept[at]
    for f in range(lane, len(q), lanes):
        old_q, old_total = q[f], total[f]
        q[f] = old_q - shrink * old_q + step * old_total
        total[f] = old_total - shrink * old_total + to_total * old_q
        pull[f] = pull[f] - shrink * pull[f] + step * old_q
    for e in range(lane, len(rated), lanes):
        j = rated[e]
        w[j] += step_w * x[e] - shrink_w * w[j]
        c[j] += step_w * d[e] - shrink_w * c[j]
    if len(w) > 0:                      # no item speaks for itself; see `rules.neighbourhood`
        w[item] = value - value
        c[item] = value - value
    return residual
