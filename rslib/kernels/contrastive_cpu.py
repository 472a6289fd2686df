"""The compiled loop of contrastive divergence: one case at a time, and only what it rated."""

import numpy as np

from rslib.kernels.compiled import compiled


@compiled
def _probabilities(weights, states, offsets, out):
    """Softmax over the levels of one visible unit, given the hidden states."""
    for level in range(len(out)):
        logit = out.dtype.type(0)
        for f in range(len(states)):
            logit += weights[level, f] * states[f]
        out[level] = logit + offsets[level]
    highest, total = out.max(), out.dtype.type(0)
    for level in range(len(out)):
        out[level] = np.exp(out[level] - highest)
        total += out[level]
    for level in range(len(out)):
        out[level] /= total


@compiled
def _pick(probabilities, draw):
    """Level that a draw from (0, 1) picks."""
    passed, level = probabilities[0], 0
    while passed <= draw and level < len(probabilities) - 1:
        level += 1
        passed += probabilities[level]
    return level


@compiled
def _add(row, weight, total):
    for f in range(len(total)):
        total[f] += weight * row[f]


@compiled
def _to_means(inputs, gaussian):
    """Replace the inputs of hidden units by their expectations."""
    if not gaussian:
        for f in range(len(inputs)):
            inputs[f] = 1 / (1 + np.exp(-inputs[f]))


@compiled
def _draw(means, noise, gaussian, states):
    for f in range(len(means)):
        states[f] = means[f] + noise[f] if gaussian else noise[f] < means[f]


@compiled
def visit_cases(cases, weights, offsets, hidden_offsets, noise, visible_noise, gaussian, sampled,
                contrast):
    """Write the contrast of each case; that of the weights starts at zero and sums over cases."""
    indptr, ids, levels = cases
    to_weights, to_levels, to_hidden = contrast
    n_steps, n_cases, n_hidden = noise.shape
    one = weights.dtype.type(1)
    first, means, states = (np.empty(n_hidden, weights.dtype), np.empty(n_hidden, weights.dtype),
                            np.empty(n_hidden, weights.dtype))
    picked = np.zeros(len(ids), np.int64)
    for case in range(n_cases):
        rows = range(indptr[case], indptr[case + 1])
        first[:] = hidden_offsets[case]
        for row in rows:
            _add(weights[ids[row], levels[row]], one, first)
        _to_means(first, gaussian)
        means[:] = first
        for step in range(n_steps):
            _draw(means, noise[step, case], gaussian, states)
            means[:] = hidden_offsets[case]
            for row in rows:
                unit, expected = weights[ids[row]], to_levels[row]
                _probabilities(unit, states, offsets[row], expected)
                if sampled:
                    picked[row] = _pick(expected, visible_noise[step, row])
                    _add(unit[picked[row]], one, means)
                else:
                    for level in range(len(expected)):
                        _add(unit[level], expected[level], means)
            _to_means(means, gaussian)
        for row in rows:
            unit, expected = to_weights[ids[row]], to_levels[row]
            if sampled:
                _add(means, -one, unit[picked[row]])
            else:
                for level in range(len(expected)):
                    _add(means, -expected[level], unit[level])
            _add(first, one, unit[levels[row]])
            for level in range(len(expected)):
                expected[level] = -expected[level]
            expected[levels[row]] += one
        for f in range(n_hidden):
            to_hidden[case, f] = first[f] - means[f]
