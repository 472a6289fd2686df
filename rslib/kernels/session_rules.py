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

    ``state``: user_terms, item_terms (n_items, n_columns), total (k,) of the session at hand,
    item_factors, pull (k,), energy (1,) of the session, weights and implicit (n_items, n_items or
    0), then of what the user rated: ids, x, d and the days g, and slope (1,). ``steps``: mean,
    learning_rate, reg, the CSR of the terms of each session (indptr, ids, x), the columns of each
    session (n_sessions, n), what a step leaves of user_terms and item_terms, 1 / (1 + gamma lambda
    / n), and learning_rate and reg of the weights.
    """
    (user_terms, item_terms, total, item_factors, pull, energy,
     weights, implicit, rated, x, d, days, slope) = state
    (mean, learning_rate, reg, indptr, term_ids, term_x, columns, user_kept, item_kept,
     learning_rate_w, reg_w) = steps
    q, w, c = item_factors[item], weights[item], implicit[item]
    terms, kept = item_terms[item], item_kept[item]
    first, last = indptr[session], indptr[1:][session]
    bias, said, tilt = value - value, value - value, value - value  # zeros of the ratings' type
    for a in range(first, last):
        bias += term_x[a] * user_terms[term_ids[a]]
    for a in range(columns.shape[1]):
        bias += terms[columns[session, a]]
    for f in range(lane, len(q), lanes):
        said += total[f] * q[f]
    for e in range(lane, len(rated), lanes):
        part = x[e] * w[rated[e]] + d[e] * c[rated[e]]
        said += part
        tilt += days[e] * part
    error = value - mean - bias - reduce_sum(said)
    tilt = reduce_sum(tilt)
    step, shrink = learning_rate * error, learning_rate * reg
    step_w, shrink_w = learning_rate_w * error, learning_rate_w * reg_w
    to_total = energy[0] * step
    if lane == 0:
        slope[0] -= error * tilt
        for a in range(first, last):
            at = term_ids[a]
            user_terms[at] = (user_terms[at] + step * term_x[a]) * user_kept[at]
        for a in range(columns.shape[1]):
            at = columns[session, a]
            terms[at] = (terms[at] + step) * kept[at]
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
    return error
