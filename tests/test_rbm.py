"""Restricted Boltzmann machine: energies and gradients by enumeration, and a planted machine."""

import tracemalloc
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from worlds import planted_world

from rslib.kernels import contrastive as kernel
from rslib.kernels import contrastive_divergence, level_probabilities
from rslib.kernels.contrastive import Cases, contrastive_divergence_dense
from rslib.metrics import rmse
from rslib.models import RBM, Baseline
from rslib.ratings import Pairs, Ratings

N_LEVELS = 3
rng = np.random.default_rng


def batch(n_cases=7, n_visible=9, n_levels=4, n_hidden=5, n_steps=3, *, gaussian=False,
          dtype=np.float64, seed=0):
    """Arguments of contrastive divergence for cases of many sizes, one of them empty."""
    draw = rng(seed)
    rated = draw.random((n_cases, n_visible)) < 0.5
    rated[2] = False
    ids = np.nonzero(rated)[1].astype(np.int32)
    cases = Cases(np.r_[0, np.cumsum(rated.sum(1))], ids,
                  draw.integers(0, n_levels, len(ids)).astype(np.int32))
    noise = (draw.normal if gaussian else draw.uniform)(size=(n_steps, n_cases, n_hidden))
    arrays = (draw.normal(0, 0.5, (n_visible, n_levels, n_hidden)),
              draw.normal(size=(len(ids), n_levels)), draw.normal(size=(n_cases, n_hidden)), noise)
    return cases, *(array.astype(dtype) for array in arrays)


@pytest.mark.parametrize("dtype, atol", [(np.float32, 5e-6), (np.float64, 1e-13)])
@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("gaussian", [False, True])
def test_the_compiled_loop_equals_the_dense_expressions(gaussian, sampled, dtype, atol):
    inputs = batch(gaussian=gaussian, dtype=dtype)
    draws = rng(1).random((3, len(inputs[0].ids))).astype(dtype) if sampled else None
    ours = contrastive_divergence(*inputs, draws, gaussian=gaussian)
    dense = contrastive_divergence_dense(*inputs, draws, gaussian=gaussian)
    for a, b in zip(ours, dense, strict=True):
        assert a.dtype == dtype and np.abs(b).max() > 0.1
        np.testing.assert_allclose(a, b, atol=atol)


def test_chunks_of_cases_change_nothing(monkeypatch):
    inputs = batch()
    monkeypatch.setattr(kernel, "DENSE_BYTES", 2 * kernel._DENSE_COPIES * 9 * 4 * 8)
    ours = kernel._in_chunks(*inputs, None, False)
    for a, b in zip(ours, contrastive_divergence_dense(*inputs), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-13)


def test_cases_of_all_netflix_movies_fit_in_one_gigabyte():
    n_cases, n_visible, n_each = 500, 17_770, 5
    ids = np.sort(rng(0).integers(0, n_visible // n_each, (n_cases, n_each)) * n_each
                  + np.arange(n_each)).ravel().astype(np.int32)
    cases = Cases(np.arange(n_cases + 1) * n_each, ids, np.zeros(len(ids), np.int32))
    arrays = [np.zeros(shape, np.float32) for shape in
              ((n_visible, 5, 4), (len(ids), 5), (n_cases, 4), (1, n_cases, 4))]
    tracemalloc.start()
    kernel._in_chunks(cases, *arrays, None, False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 2 ** 28 < peak < 2 ** 30, peak


# a machine small enough to enumerate: three movies of three levels, two hidden units

ALL = np.array(list(product(range(N_LEVELS), repeat=3)))       # (27, 3) every row of ratings


def tiny(hidden="binary", seed=0):
    """A fitted machine of 27 users who rate all three movies, with weights of a fair size."""
    users, items = np.repeat(np.arange(27), 3), np.tile(np.arange(3), 27)
    train = Ratings(users, items, values=ALL.ravel() + 1.0)
    model = RBM(visible="items", n_hidden=2, n_epochs=1, hidden=hidden, case_bias=False).fit(train)
    draw = rng(seed)
    model.weights_ = draw.normal(0, 0.8, (3, N_LEVELS, 2))
    model.visible_bias_ = draw.normal(0, 0.5, (3, N_LEVELS))
    model.hidden_bias_ = draw.normal(0, 0.5, 2)
    return model, train


def offsets_of(model):
    return model.log_shares_ + model.visible_bias_


def energy(model, levels, states):
    """Energy of one row of ratings and one state of the binary hidden units, term by term."""
    total = -float(model.hidden_bias_ @ states)
    for item, level in enumerate(levels):
        total -= offsets_of(model)[item, level] + model.weights_[item, level] @ states
    return total


def test_free_energy_sums_out_every_hidden_state():
    model, train = tiny()
    by_hand = [-np.log(sum(np.exp(-energy(model, levels, np.array(states)))
                           for states in product((0, 1), repeat=2))) for levels in ALL]
    np.testing.assert_allclose(model.free_energy(train), by_hand, rtol=1e-6)


def test_free_energy_of_gaussian_units_is_the_integral():
    model, train = tiny("gaussian")
    grid = np.linspace(-12, 12, 4001)
    for case, levels in enumerate(ALL[:5]):
        energies = 0.0
        offsets = offsets_of(model)[np.arange(3), levels].sum()
        for f in range(2):      # each unit by itself: exp(-(h - c)^2 / 2 + h w) over h
            drive = model.weights_[np.arange(3), levels, f].sum()
            density = np.exp(-(grid - model.hidden_bias_[f]) ** 2 / 2 + grid * drive)
            energies -= np.log(density.sum() * (grid[1] - grid[0]) / np.sqrt(2 * np.pi))
        assert model.free_energy(train)[case] == pytest.approx(energies - offsets, rel=1e-5)


def log_likelihood(model, train, data):
    """Mean logarithm of the probability of the cases in ``data``, by enumeration of all rows."""
    energies = model.free_energy(train).astype(np.float64)
    return -energies[data].mean() - np.log(np.exp(-energies).sum())


def exact_gradient(model, train, data):
    """Of the mean log-likelihood by the weights: data minus the expectation over all rows."""
    energies = model.free_energy(train)
    probability = np.exp(-energies) / np.exp(-energies).sum()
    weights = np.bincount(data, minlength=27) / len(data) - probability
    inputs = model.hidden_bias_ + np.array([model.weights_[np.arange(3), row].sum(0)
                                            for row in ALL])
    means, gradient = 1 / (1 + np.exp(-inputs)), np.zeros_like(model.weights_)
    for weight, row, mean in zip(weights, ALL, means, strict=True):
        gradient[np.arange(3), row] += weight * mean
    return gradient


def test_the_exact_gradient_agrees_with_finite_differences():
    model, train = tiny()
    data = rng(1).integers(0, 27, 9)
    gradient = exact_gradient(model, train, data)
    for place in [(0, 0, 0), (1, 2, 1), (2, 1, 0)]:
        ends = []
        for step in (1e-3, -2e-3):
            model.weights_[place] += step
            ends.append(log_likelihood(model, train, data))
        model.weights_[place] += 1e-3
        assert (ends[0] - ends[1]) / 2e-3 == pytest.approx(gradient[place], abs=1e-5)
    assert np.abs(gradient).max() > 0.02


def contrast(model, data, n_steps, sampled, seed=2):
    """Mean of contrastive divergence over many chains started at ``data``."""
    draw, n = rng(seed), len(data)
    cases = Cases(np.arange(n + 1) * 3, np.tile(np.arange(3, dtype=np.int32), n),
                  ALL[data].ravel().astype(np.int32))
    offsets, hidden = np.tile(offsets_of(model), (n, 1)), np.tile(model.hidden_bias_, (n, 1))
    draws = draw.random((n_steps, 3 * n)) if sampled else None
    return contrastive_divergence(cases, model.weights_, offsets, hidden,
                                  draw.random((n_steps, n, 2)), draws).weights / n


def test_long_gibbs_chains_give_the_exact_gradient_and_short_ones_do_not():
    model, train = tiny()
    data = np.tile(np.array([0, 5, 13, 26]), 10_000)
    exact = exact_gradient(model, train, data)
    far = {n_steps: np.abs(contrast(model, data, n_steps, True) - exact).max()
           for n_steps in (1, 30)}
    noise = 5 * 0.5 / np.sqrt(len(data))        # five standard errors of a mean of numbers in 0..1
    assert far[30] < noise < 0.03 < far[1]


def test_probabilities_in_place_of_states_leave_a_bias():
    model, train = tiny()
    data = np.tile(np.array([0, 5, 13, 26]), 10_000)
    far = np.abs(contrast(model, data, 30, False) - exact_gradient(model, train, data)).max()
    assert far > 0.03


def test_predictions_are_near_those_of_all_ratings_enumerated():
    """One step through the expected hidden states, against the exact conditional probability."""
    model, train = tiny()
    model.weights_ *= 0.5
    energies = model.free_energy(train).reshape(3, 3, 3)
    exact = np.exp(-energies) / np.exp(-energies).sum(axis=2, keepdims=True)    # of the third movie
    known = train[train.items < 2]
    model.n_users_ = 27
    model.hidden_means_ = model.fold_in(known).hidden_means_
    pairs = Pairs(np.arange(27), np.full(27, 2), n_users=27, n_items=3)
    ours = model.probabilities(pairs)
    np.testing.assert_allclose(ours, exact.reshape(9, 3).repeat(3, axis=0), atol=0.02)
    shares = np.exp(offsets_of(model)[2]) / np.exp(offsets_of(model)[2]).sum()
    assert np.abs(ours - shares).max() > 0.05       # and not what the biases say by themselves


# the model


def planted_machine(n_users=3000, n_items=30, seed=0):
    """Ratings drawn from a machine with two hidden units, its weights, and each expectation."""
    draw = rng(seed)
    weights = draw.normal(0, 1.2, (n_items, N_LEVELS, 2))
    states = (draw.random((n_users, 2)) < 0.5).astype(float)
    probabilities = kernel.softmax(np.einsum("ikf,uf->uik", weights, states))
    values = 1 + (draw.random((n_users, n_items, 1)) > probabilities.cumsum(2)).sum(2)
    users, items = np.nonzero(draw.random((n_users, n_items)) < 0.6)
    expected = probabilities @ np.arange(1.0, N_LEVELS + 1)
    return (Ratings(users, items, values=values[users, items].astype(float), n_users=n_users,
                    n_items=n_items), weights, expected[users, items])


def oracle(weights, train, pairs):
    """Predict by the true weights: the four hidden states, weighed by what each user rated."""
    states = np.array(list(product((0, 1), repeat=2)), float)
    of_levels = kernel.softmax(np.einsum("ikf,sf->sik", weights, states))
    likelihood = np.zeros((train.n_users, 4))
    for state in range(4):
        rated = of_levels[state, train.items, train.values.astype(int) - 1]
        np.add.at(likelihood[:, state], train.users, np.log(rated))
    posterior = kernel.softmax(likelihood)[pairs.users]
    stars = of_levels @ np.arange(1.0, N_LEVELS + 1)
    return (posterior * stars[:, pairs.items].T).sum(1)


@pytest.mark.parametrize("options, within", [
    (dict(n_hidden=2), 1.2), (dict(sampled=True, n_steps=3), 1.12), (dict(rank=2), 1.25),
    (dict(hidden="gaussian", learning_rate=1e-4, sampled=True, n_steps=3), 1.3)], ids=str)
def test_a_planted_machine_is_found(options, within):
    """How far from the expectation of held-out ratings, against one who knows the weights."""
    ratings, weights, expected = planted_machine()
    held_out = rng(1).random(len(ratings)) < 0.2
    train, rest = ratings[~held_out], ratings[held_out]
    settings = dict(n_hidden=4, learning_rate=0.002, reg=0.002, n_epochs=60, case_bias=False)
    model = RBM(visible="items", **settings | options).fit(train)
    ours, best, baseline = (rmse(guess, expected[held_out]) for guess in (
        model.predict(rest.pairs), oracle(weights, train, rest.pairs),
        Baseline().fit(train).predict(rest.pairs)))
    assert best < ours < within * best < 0.6 * baseline


def test_what_was_rated_tells_the_conditional_machine_something():
    """Users of one kind rate and like the even movies: N alone says which kind."""
    draw, n_users, n_items = rng(0), 800, 40
    kind = draw.integers(0, 2, n_users)
    likes = (np.arange(n_items) % 2)[None] == kind[:, None]
    rated = draw.random((n_users, n_items)) < np.where(likes, 0.5, 0.1)
    users, items = np.nonzero(rated)
    values = np.where(likes, 4, 2)[users, items] + draw.integers(-1, 2, len(users))
    ratings = Ratings(users, items, values=values.astype(float), n_users=n_users, n_items=n_items)
    held_out = draw.random(len(ratings)) < 0.7
    train, rest = ratings[~held_out], ratings[held_out]
    model = RBM(visible="items", conditional=True, n_hidden=8, learning_rate=0.003,
                condition_rate=1, case_bias=False)
    plain = rmse(replace(model, conditional=False).fit(train).predict(rest.pairs), rest.values)
    told = rmse(replace(model).fit(train, seen=rest.pairs).predict(rest.pairs), rest.values)
    assert told < plain - 0.01


def test_what_is_seen_counts_once_and_only_for_the_conditional_machine(train):
    both = replace(train, days=None)
    plain = RBM(n_hidden=4, n_epochs=2)
    assert np.array_equal(plain.fit(both, seen=both.pairs).predict(both.pairs),
                          replace(plain).fit(both).predict(both.pairs))
    told = replace(plain, conditional=True)
    assert np.array_equal(told.fit(both, seen=both.pairs).predict(both.pairs),
                          replace(told).fit(both).predict(both.pairs))


def test_the_factored_weights_are_the_product_of_their_factors(train):
    model = RBM(n_hidden=6, rank=2, n_epochs=3).fit(train)
    np.testing.assert_allclose(model.weights_.reshape(-1, 6),
                               model.level_factors_ @ model.hidden_factors_, rtol=1e-6)
    assert np.linalg.matrix_rank(model.weights_.reshape(-1, 6).astype(float), tol=1e-4) == 2


def test_the_gradient_of_the_factors_follows_the_chain_rule(train):
    """A small step along it changes a function linear in the weights as it promises."""
    model = RBM(n_hidden=6, rank=2, n_epochs=1, reg=0, momentum=0).fit(train)
    gradient = rng(0).normal(size=model.weights_.shape).astype(np.float32)
    before = [model.weights_.copy(), model.level_factors_.copy(), model.hidden_factors_.copy()]
    model._step_weights(gradient.copy(), train.users, {}, 1e-4)
    promised = sum(((after - start) ** 2).sum() for after, start in
                   zip((model.level_factors_, model.hidden_factors_), before[1:],
                       strict=True)) / 1e-4
    gained = (gradient * (model.weights_ - before[0])).sum()
    assert gained == pytest.approx(promised, rel=0.01) and gained > 0


def test_a_user_folded_in_is_near_what_a_fit_with_them_says():
    train, _ = planted_world(n_users=300, n_items=80)
    model = RBM(visible="items", n_hidden=10, n_epochs=60, session_bias=False).fit(train)
    folded = model.fold_in(train)
    np.testing.assert_array_equal(folded.hidden_means_, model.hidden_means_)
    gap = folded.predict(train.pairs) - model.predict(train.pairs)
    assert np.sqrt((gap ** 2).mean()) < 0.1 < 0.5 < train.values.std()


def test_levels_are_the_values_or_bins_of_equal_size():
    stars = Ratings(np.arange(8), np.zeros(8, int), values=np.array([1, 2, 2, 3, 3, 4, 5, 5.0]))
    few = RBM(n_epochs=1, n_hidden=1).fit(stars)
    assert few.levels_.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(np.exp(few.log_shares_), [1/8, 2/8, 2/8, 1/8, 2/8], rtol=1e-6)
    train, _ = planted_world()
    binned = RBM(n_epochs=1, n_hidden=1, n_levels=4).fit(train)
    assert len(binned.levels_) == 4 and (np.diff(binned.levels_) > 0).all()
    assert np.exp(binned.log_shares_) == pytest.approx(0.25, abs=0.1)
    assert np.exp(binned.log_shares_) @ binned.levels_ == pytest.approx(train.values.mean(),
                                                                        rel=1e-6)


def test_a_bias_step_is_a_share_of_newton_s():
    model, train = tiny()
    model.reg_bias, model.visible_bias_ = 2.0, np.zeros((3, N_LEVELS), np.float32)
    known = model._known(train, None)
    residuals = rng(0).normal(size=(len(train), N_LEVELS))
    model._step_biases(known.biases, residuals, 0.5)
    by_hand = residuals.reshape(27, 3, N_LEVELS).sum(0) / (27 / 4 + 2.0) / 2
    np.testing.assert_allclose(model.visible_bias_, by_hand, rtol=1e-5)


def test_moods_of_a_day_are_learned_by_the_session_bias():
    draw, n_users, n_items = rng(0), 200, 40
    users, items = np.divmod(np.arange(n_users * n_items), n_items)
    days = items // 10
    mood = draw.integers(-1, 2, (n_users, 4))[users, days]
    values = np.clip(3 + mood + draw.integers(0, 2, len(users)), 1, 5).astype(float)
    ratings = Ratings(users, draw.permuted(items.reshape(n_users, n_items), axis=1).ravel(), days,
                      values=values)
    held_out = draw.random(len(ratings)) < 0.2
    train, rest = ratings[~held_out], ratings[held_out]
    model = RBM(visible="items", n_hidden=2, n_epochs=20)
    static = rmse(model.fit(train).predict(rest.pairs), rest.values)
    daily = rmse(replace(model, session_bias=True).fit(train).predict(rest.pairs), rest.values)
    assert daily < static - 0.1
    without = replace(model, session_bias=True).fit(train).predict(replace(rest.pairs, days=None))
    assert np.isfinite(without).all()
    fitted = replace(model, session_bias=True).fit(train)
    later = replace(rest, days=rest.days + 100)
    assert np.isfinite(fitted.free_energy(later)).all()     # days of which nothing is known


@pytest.mark.parametrize("name, value", [("visible", "movies"), ("hidden", "ternary")])
def test_an_unknown_kind_is_refused(name, value, train):
    with pytest.raises(ValueError, match=f"{name} must be .* not '{value}'"):
        RBM(**{name: value}).fit(train)


def test_level_probabilities_in_blocks(monkeypatch):
    draw = rng(0)
    weights, offsets = draw.normal(size=(6, 3, 2)), draw.normal(size=(20, 3))
    means, visible, cases = draw.random((4, 2)), draw.integers(0, 6, 20), draw.integers(0, 4, 20)
    whole = level_probabilities(weights, offsets, means, visible, cases)
    monkeypatch.setattr(kernel, "BLOCK", 18)
    np.testing.assert_allclose(level_probabilities(weights, offsets, means, visible, cases), whole)
    by_hand = np.exp(offsets[7] + weights[visible[7]] @ means[cases[7]])
    np.testing.assert_allclose(whole[7], by_hand / by_hand.sum())
