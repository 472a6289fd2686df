"""Steps on pairs of items: the draws, the schedule of the threads, the rule and the model."""

from dataclasses import replace

import numba
import numpy as np
import pytest
from strict import close
from test_implicit import dense, liked_world

from rslib import kernels
from rslib.kernels import pairwise, rules
from rslib.kernels.states import BPRState, BPRSteps
from rslib.models import BPR
from rslib.ratings import Ratings


@pytest.fixture(scope="module")
def likes():
    return liked_world()


def start(ratings, k=4, dtype=np.float32):
    rng = np.random.default_rng(1)
    return (BPRState(*(rng.normal(0, 0.5, shape).astype(dtype) for shape in (
        ratings.n_items, (ratings.n_users, k), (ratings.n_items, k)))),
        BPRSteps(0.05, 0.04, 0.1, 0.02))


def owners(ratings):
    counts = np.bincount(ratings.users, minlength=ratings.n_users)
    return np.flatnonzero(counts)


# the draws

def test_what_is_drawn_is_never_what_the_user_has(likes):
    owned = kernels.deal_owned(likes)
    users, items, negatives = kernels.draw_negatives(owned, owners(likes), 0)
    has = dense(likes, 1.0)
    assert has[users, items].all() and len(users) == len(likes)
    assert not has[users, negatives].any()


def test_draws_are_uniform_over_the_rest():
    """Users who all have the same half of twelve items: each count within five deviations."""
    n, has, rest = 2000, np.array([0, 2, 3, 7, 8, 11]), np.array([1, 4, 5, 6, 9, 10])
    likes = Ratings(np.arange(n).repeat(6), np.tile(has, n), values=np.ones(6 * n), n_items=12)
    drawn = kernels.draw_negatives(kernels.deal_owned(likes), np.arange(n), 0)[2].reshape(n, 6)
    assert set(drawn.ravel()) == set(rest)
    places = np.searchsorted(rest, drawn)
    counts = np.bincount(places.ravel())
    assert abs(counts - n).max() < 5 * (n * 5 / 6) ** 0.5
    pairs = np.bincount(6 * places[:, 0] + places[:, 1], minlength=36)
    assert abs(pairs - n / 36).max() < 5 * (n / 36) ** 0.5      # two draws know nothing of another


def test_draws_depend_on_seed_and_place_only(likes):
    owned, users = kernels.deal_owned(likes), owners(likes)
    whole = kernels.draw_negatives(owned, users, 5)
    alone = kernels.draw_negatives(owned, users[[10]], 5)
    assert np.array_equal(whole[2][whole[0] == users[10]], alone[2])
    assert not np.array_equal(whole[2], kernels.draw_negatives(owned, users, 6)[2])
    with kernels.slow_motion():
        assert np.array_equal(kernels.draw_negatives(owned, users, 5)[2], whole[2])


def test_a_pair_that_comes_twice_counts_once(likes):
    twice = likes[np.tile(np.arange(len(likes)), 2)]
    for one, other in zip(kernels.deal_owned(likes)[:2], kernels.deal_owned(twice)[:2],
                          strict=True):
        assert np.array_equal(one, other)


# the schedule

@pytest.mark.parametrize("n_blocks", [1, 2, 3, 8, 16])
def test_the_cells_of_a_turn_never_meet(n_blocks):
    meeting = pairwise._meetings(n_blocks)
    assert (meeting == meeting.swapaxes(0, 1)).all()
    assert meeting.min() >= 0 and meeting.max() < (2 * n_blocks - 1) * n_blocks ** 2
    for turn in np.unique(meeting // n_blocks):
        held = {}
        for *blocks, users in np.argwhere(meeting // n_blocks == turn):
            cell = meeting[(*blocks, users)]
            assert cell % n_blocks == users
            for block in blocks:
                assert held.setdefault(block, cell) == cell     # one cell holds a block of items


@pytest.mark.parametrize("n_blocks", [1, 2, 3])
@pytest.mark.parametrize("portion", [pairwise.PORTION, 100])
def test_a_compiled_epoch_equals_the_slow_twin(n_blocks, portion, likes, monkeypatch):
    monkeypatch.setattr(pairwise, "PORTION", portion)
    owned = kernels.deal_owned(likes, n_blocks=n_blocks)
    users, results = np.random.default_rng(2).permutation(likes.n_users), []
    for epoch in (kernels.pairwise_epoch, kernels.pairwise_epoch_slow):
        state, steps = start(likes)
        results.append((epoch(owned, users, state, steps, 9), *state))
    for fast, slow in zip(*results, strict=True):
        np.testing.assert_allclose(fast, slow, rtol=1e-4, atol=1e-5)
    assert 0 < results[0][0] < len(likes)


def test_any_number_of_threads_gives_the_same_bits(likes):
    owned, before, results = kernels.deal_owned(likes, n_blocks=4), numba.get_num_threads(), []
    try:
        for n_threads in (1, before):
            numba.set_num_threads(n_threads)
            state, steps = start(likes)
            results.append((kernels.pairwise_epoch(owned, np.arange(60), state, steps, 3), *state))
    finally:
        numba.set_num_threads(before)
    assert all(map(np.array_equal, *results))


def test_blocks_change_the_order_of_the_steps_only(likes):
    """With a step so small that their order hardly matters, any blocks end in the same place."""
    results = []
    for n_blocks in (1, 5):
        state, steps = start(likes, dtype=np.float64)
        kernels.pairwise_epoch(kernels.deal_owned(likes, n_blocks=n_blocks), np.arange(60), state,
                               steps._replace(learning_rate=1e-6, learning_rate_bias=1e-6), 3)
        results.append(state)
    unmoved, _ = start(likes, dtype=np.float64)
    for one, other, before in zip(*results, unmoved, strict=True):
        assert abs(one - before).max() > 1e-6
        np.testing.assert_allclose(one - before, other - before, atol=1e-9)


def test_users_without_items_and_users_with_all_are_left_alone():
    users, items = np.concatenate([np.zeros(5, int), [1]]), np.array([0, 1, 2, 3, 4, 2])
    likes = Ratings(users, items, values=np.ones(6), n_users=3)
    state, steps = start(likes)
    before = [table.copy() for table in state]
    kernels.pairwise_epoch(kernels.deal_owned(likes), np.arange(3), state, steps, 0)
    moved = (state.user_factors != before[1]).any(axis=1)
    assert moved.tolist() == [False, True, False]
    everything = kernels.deal_owned(likes[:5])
    assert kernels.pairwise_epoch(everything, np.arange(3), state, steps, 0) == 0


# the objective

MODEL = BPR(3, reg=0.03, reg_bias=0.05, n_epochs=2)


def objective_slowly(model, likes):
    """The docstring's J, one triple after another, and the mean step of the rule over them."""
    b, p, q = (np.float64(table) for table in (model.item_bias_, model.user_factors_,
                                               model.item_factors_))
    has, total, rate = dense(likes, 1.0), 0.0, 1e-7
    moved = [np.zeros_like(table) for table in (b, p, q)]
    steps = BPRSteps(rate, rate, model.reg, model.reg_bias)
    for u, i in zip(likes.users, likes.items, strict=True):
        others = np.flatnonzero(has[u] == 0)
        for j in others:
            margin = b[i] - b[j] + p[u] @ (q[i] - q[j])
            total += (np.log(1 + np.exp(-margin)) + model.reg_bias / 2 * (b[i] ** 2 + b[j] ** 2)
                      + model.reg / 2 * (p[u] @ p[u] + q[i] @ q[i] + q[j] @ q[j])) / len(others)
            state = BPRState(b.copy(), p.copy(), q.copy())
            rules.bpr(u, i, j, state, steps, 0, 1, lambda partial: partial)
            for table, after, before in zip(moved, state, (b, p, q), strict=True):
                table += (after - before) / rate / len(others)
    return total, moved


def test_the_objective_and_the_mean_step_are_those_of_the_docstring():
    likes = liked_world(8, 7)
    model, rng = replace(MODEL).fit(likes), np.random.default_rng(3)
    tables = [rng.normal(0, 0.5, table.shape) for table in (
        model.item_bias_, model.user_factors_, model.item_factors_)]
    model.item_bias_, model.user_factors_, model.item_factors_ = tables
    total, moved = objective_slowly(model, likes)
    assert model.objective(likes) == pytest.approx(total, rel=1e-12)
    for table, downhill in zip(tables, moved, strict=True):
        place, ends = np.unravel_index(abs(downhill).argmax(), table.shape), []
        for step in (1e-5, -2e-5):
            table[place] += step
            ends.append(model.objective(likes))
        table[place] += 1e-5
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(-downhill[place], rel=1e-5)


def test_a_fit_descends_its_objective(likes):
    curve = []
    replace(MODEL, n_epochs=60, learning_rate=0.1).fit(likes, on_epoch=lambda epoch, model: (
        curve.append(model.objective(likes)) if epoch % 20 == 0 else None))
    assert curve == sorted(curve, reverse=True) and curve[-1] < 0.8 * len(likes) * np.log(2)


def test_without_a_bias_there_is_none(likes):
    assert not replace(MODEL, bias=False).fit(likes).item_bias_.any()
    assert replace(MODEL).fit(likes).item_bias_.any()


def test_slow_motion_fits_the_same_model(likes):
    fast = replace(MODEL).fit(likes)
    with kernels.slow_motion():
        slow = replace(MODEL).fit(likes)
    np.testing.assert_allclose(fast.score(np.arange(9)), slow.score(np.arange(9)), atol=1e-5)


def test_new_users_need_a_new_fit(likes):
    with pytest.raises(NotImplementedError, match="factors are descended to"):
        replace(MODEL).fit(likes).fold_in(likes)


def test_what_a_fitted_model_says_follows_the_data(likes, cupy):
    model, there = replace(MODEL).fit(likes), replace(MODEL)
    there.learn(vars(model) | {name: cupy.asarray(model.learned(name)) for name in model._learned})
    assert there.objective(likes.to("gpu")) == pytest.approx(model.objective(likes), rel=1e-6)
    close(there.score(cupy.asarray(np.arange(9))), model.score(np.arange(9)))
    close(there.predict(likes.to("gpu").pairs), model.predict(likes.pairs))
