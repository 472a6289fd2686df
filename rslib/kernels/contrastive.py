"""Contrastive divergence for a minibatch of cases with missing ratings.

A case (a user, or an item) has rated some of the visible units. Each of those is in one of K
levels, the others are left out. The dense expressions are the version to read and serve both
devices; on the CPU a compiled loop visits only what was rated.
"""

from typing import NamedTuple

import numpy as np

from rslib.backend import array_module, rows_of
from rslib.kernels.contrastive_cpu import visit_cases

DENSE_BYTES = 1 << 30   # what the dense expressions may hold at a time
BLOCK = 1 << 22         # weights gathered at a time for predictions
_DENSE_COPIES = 8       # arrays of cases x visible units x levels alive at once


class Cases(NamedTuple):
    """What the cases of a minibatch rated: case c holds ids[indptr[c]:indptr[c + 1]]."""

    indptr: np.ndarray      # (n_cases + 1,) int64
    ids: np.ndarray         # (n_ratings,) int32, visible units; none twice in a case
    levels: np.ndarray      # (n_ratings,) int32, in range(n_levels)


class Contrast(NamedTuple):
    """What the data say minus what the model says after its steps, summed or entry by entry."""

    weights: np.ndarray     # (n_visible, n_levels, n_hidden), summed over the cases
    levels: np.ndarray      # (n_ratings, n_levels)
    hidden: np.ndarray      # (n_cases, n_hidden)


def softmax(logits):
    """Return probabilities over the last axis."""
    xp = array_module(logits)
    powers = xp.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def hidden_means(inputs, gaussian=False):
    """Return the expectation of hidden units: a sigmoid of their inputs, or these as they are."""
    xp = array_module(inputs)
    return inputs if gaussian else 1 / (1 + xp.exp(-xp.maximum(inputs, -80)))   # no overflow


def _one_hot(probabilities, draws):
    """Return the level that each draw from (0, 1) picks, as an array of zeros and ones."""
    xp = array_module(probabilities)
    passed = xp.cumsum(probabilities, axis=-1) <= draws[..., None]
    levels = xp.minimum(passed.sum(axis=-1), probabilities.shape[-1] - 1)
    return (levels[..., None] == xp.arange(probabilities.shape[-1])).astype(probabilities.dtype)


def contrastive_divergence_dense(cases, weights, offsets, hidden_offsets, noise,
                                 visible_noise=None, *, gaussian=False):
    """Do what `contrastive_divergence` does with every visible unit, rated or not, in place."""
    xp = array_module(weights)
    n_cases, (n_visible, n_levels, n_hidden) = len(hidden_offsets), weights.shape
    entries = (rows_of(cases.indptr), cases.ids)
    rated = xp.zeros((n_cases, n_visible), dtype=weights.dtype)
    bias, data = (xp.zeros((n_cases, n_visible, n_levels), dtype=weights.dtype) for _ in range(2))
    rated[entries] = 1
    bias[entries] = offsets
    data[(*entries, cases.levels)] = 1
    flat, shape = weights.reshape(-1, n_hidden), (n_cases, -1)      # (visible x levels, hidden)
    first = means = hidden_means(hidden_offsets + data.reshape(shape) @ flat, gaussian)
    for step in range(len(noise)):
        states = means + noise[step] if gaussian else (noise[step] < means).astype(weights.dtype)
        logits = (states @ flat.T).reshape((n_cases, n_visible, n_levels)) + bias
        expected = softmax(logits)
        if visible_noise is None:
            dreamt = expected
        else:
            draws = xp.zeros_like(rated)
            draws[entries] = visible_noise[step]
            dreamt = _one_hot(expected, draws)
        dreamt = dreamt * rated[..., None]
        means = hidden_means(hidden_offsets + dreamt.reshape(shape) @ flat, gaussian)
    gradient = data.reshape(shape).T @ first - dreamt.reshape(shape).T @ means
    return Contrast(gradient.reshape(weights.shape), (data - expected)[entries], first - means)


def _in_chunks(cases, weights, offsets, hidden_offsets, noise, visible_noise, gaussian):
    """Do the dense expressions for as many cases at a time as the memory holds."""
    xp, n_cases = array_module(weights), len(hidden_offsets)
    n_visible, n_levels, _ = weights.shape
    size = max(1, DENSE_BYTES // (_DENSE_COPIES * n_visible * n_levels * weights.dtype.itemsize))
    parts = []
    for first in range(0, n_cases, size):
        last = min(first + size, n_cases)
        rows = slice(int(cases.indptr[first]), int(cases.indptr[last]))
        some = Cases(cases.indptr[first:last + 1] - cases.indptr[first], cases.ids[rows],
                     cases.levels[rows])
        draws = None if visible_noise is None else visible_noise[:, rows]
        parts.append(contrastive_divergence_dense(
            some, weights, offsets[rows], hidden_offsets[first:last], noise[:, first:last], draws,
            gaussian=gaussian))
    return Contrast(sum(part.weights for part in parts),
                    xp.concatenate([part.levels for part in parts]),
                    xp.concatenate([part.hidden for part in parts]))


def contrastive_divergence(cases, weights, offsets, hidden_offsets, noise, visible_noise=None, *,
                           gaussian=False):
    r"""Return the gradient of contrastive divergence, CD-T, for a minibatch of cases.

    .. math:: E(v, h) = -\sum_{i \in R_c} \sum_k v_i^k \Big( o_i^k + \sum_f W_{if}^k h_f \Big)
              - \sum_f a_f h_f

    with the sum over what case c rated. The data give :math:`\langle v h \rangle`; T times the
    hidden states are drawn from the visible ones and the visible ones set from the hidden states;
    what they give then is taken away.

    Parameters
    ----------
    cases : Cases
    weights : float array (n_visible, n_levels, n_hidden)
        W.
    offsets : float array (n_ratings, n_levels)
        o of each rating: the biases of its levels.
    hidden_offsets : float array (n_cases, n_hidden)
        a of each case.
    noise : float array (T, n_cases, n_hidden)
        Uniform draws from (0, 1); standard normal draws where the hidden units are Gaussian.
    visible_noise : float array (T, n_ratings) or None
        Uniform draws for visible states. None sets each visible unit to its probabilities, which
        is less noisy but no longer a Markov chain of the model.
    gaussian : bool
        Hidden units are normal with variance one instead of binary; their energy is
        :math:`\tfrac12 \sum_f (h_f - a_f)^2` instead of the last term.

    Returns
    -------
    Contrast

    Notes
    -----
    Cost: O(T n_ratings n_levels n_hidden) compiled, on one thread. On the GPU the dense
    expressions cost O(T n_cases n_visible n_levels n_hidden), in chunks of cases that keep to one
    GB. Agreement: to rounding, but for a draw that falls within it of its threshold.

    References
    ----------
    Salakhutdinov, Mnih and Hinton, Restricted Boltzmann Machines for Collaborative Filtering
    (ICML 2007), section 2, doi:10.1145/1273496.1273596.
    """
    xp = array_module(weights, offsets, hidden_offsets, noise, cases.ids)
    if xp is not np:
        return _in_chunks(cases, weights, offsets, hidden_offsets, noise, visible_noise, gaussian)
    gradient = Contrast(np.zeros_like(weights), np.empty_like(offsets),
                        np.empty_like(hidden_offsets))
    sampled = visible_noise is not None
    draws = visible_noise if sampled else np.empty((len(noise), 0), weights.dtype)
    visit_cases(cases, weights, offsets, hidden_offsets, noise, draws, gaussian, sampled, gradient)
    return gradient


def level_probabilities(weights, offsets, means, visible, cases):
    r"""Return the probability of each level, given the expectation of the hidden units.

    .. math:: P(v_i^k = 1) \propto \exp \Big( o_i^k + \sum_f W_{if}^k \hat h_f \Big)

    Parameters
    ----------
    weights : float array (n_visible, n_levels, n_hidden)
    offsets : float array (n, n_levels)
    means : float array (n_cases, n_hidden)
    visible, cases : int arrays (n,)
        Visible unit and case of each pair.

    Returns
    -------
    array (n, n_levels), dtype of ``weights``
    """
    xp = array_module(weights, offsets, means, visible)
    parts = [xp.zeros_like(offsets, shape=(0, offsets.shape[1]))]
    size = max(1, BLOCK // (weights.shape[1] * weights.shape[2]))
    for start in range(0, len(visible), size):
        block = slice(start, start + size)
        logits = xp.einsum("nkf,nf->nk", weights[visible[block]], means[cases[block]])
        parts.append(softmax(logits + offsets[block]))
    return xp.concatenate(parts)
