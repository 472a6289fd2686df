import itertools
import sys

import numba
import numpy as np
import pytest

from rslib import backend, kernels
from rslib.kernels import normal_equations, rules, sgd
from rslib.kernels.states import (
    BaselineState,
    BiasedMFState,
    Known,
    MFState,
    NeighbourhoodState,
    NeighbourhoodSteps,
    SharedSteps,
    Steps,
)
from rslib.ratings import Ratings


def problem(lengths, k=5, seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    indptr = np.concatenate([[0], np.cumsum(lengths, dtype=int)])
    ids = rng.integers(0, 40, indptr[-1]).astype(np.int32)
    features = rng.normal(size=(40, k)).astype(dtype)
    ridge = rng.uniform(0.5, 2, (len(lengths), k)).astype(dtype)
    return indptr, ids, rng.normal(size=indptr[-1]).astype(dtype), features, ridge


SHAPES = {"skewed": [1, 2, 3, 500, 40, 7, 0, 90], "one row": [4], "one rating": [1],
          "empty rows only": [0, 0], "no rows": [], "equal": [8] * 20}


def extras(kind, inputs, seed=1):
    """Keyword arguments of a weighted, an implicit and a Gibbs step."""
    rng = np.random.default_rng(seed)
    _, ids, _, features, ridge = inputs
    y = rng.normal(size=(50, features.shape[1]))
    gram = dict(base_gram=(y.T @ y).astype(features.dtype))
    weights = dict(weights=rng.uniform(0.1, 3, len(ids)).astype(features.dtype))
    noise = dict(base_rhs=y[0].astype(features.dtype),
                 draws=rng.normal(size=ridge.shape).astype(features.dtype))
    return {"plain": {}, "weighted": weights, "implicit": gram | weights,
            "gibbs": gram | noise}[kind]


@pytest.mark.parametrize("fast", [kernels.ridge_rows, kernels.ridge_rows_batched])
@pytest.mark.parametrize("kind", ["plain", "weighted", "implicit", "gibbs"])
@pytest.mark.parametrize("lengths", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("dtype, rtol", [(np.float32, 2e-5), (np.float64, 1e-13)])
@pytest.mark.parametrize("k", [1, 5, 8, 33])
def test_regressions_equal_the_slow_twin(fast, kind, lengths, dtype, rtol, k):
    inputs = problem(lengths, k, dtype=dtype)
    options = extras(kind, inputs)
    ours, slow = fast(*inputs, **options), kernels.ridge_rows_slow(*inputs, **options)
    assert ours.dtype == dtype and ours.shape == slow.shape
    np.testing.assert_allclose(ours, slow, rtol=0, atol=rtol * max(1, abs(slow).max(initial=0)) * k)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_threads_do_not_change_a_row(n_threads):
    inputs = problem(SHAPES["skewed"] * 20, 20)
    before = numba.get_num_threads()
    reference = kernels.ridge_rows(*inputs)
    try:
        numba.set_num_threads(min(n_threads, before))
        assert np.array_equal(kernels.ridge_rows(*inputs), reference)
    finally:
        numba.set_num_threads(before)


def test_a_matrix_that_is_not_positive_definite_is_an_error():
    indptr, ids, targets, features, ridge = problem([1], 5)
    with pytest.raises(np.linalg.LinAlgError, match="raise the ridge"):
        kernels.ridge_rows(indptr, ids, targets, features, -ridge)


@pytest.mark.parametrize("change, error, words", [
    (dict(features=np.ones((40, 5), int)), TypeError, "float32 or float64, not int64"),
    (dict(features=np.ones((40, 5), np.float16)), TypeError, "not float16"),
    (dict(features=np.ones((40, 0), np.float32)), ValueError, "k at least 1"),
    (dict(features=np.ones((3, 5), np.float32)), ValueError, "ids must lie in 0..2, found"),
    (dict(ids=np.array([0, -1, 2])), ValueError, "found -1"),
    (dict(targets=np.ones(2)), ValueError, "targets has 2 entries, indptr ends at 3"),
    (dict(ridge=np.ones((1, 4))), ValueError, "ridge must be"),
    (dict(targets=np.array([1, np.nan, 2], np.float32)), np.linalg.LinAlgError, "NaN"),
    (dict(features=np.full((40, 5), np.nan, np.float32)), np.linalg.LinAlgError, "NaN"),
])
def test_arguments_that_do_not_fit_are_refused(change, error, words):
    names = ("indptr", "ids", "targets", "features", "ridge")
    arguments = dict(zip(names, problem([3]), strict=True)) | change
    with pytest.raises(error, match=words) as caught:
        kernels.ridge_rows(**arguments)
    assert "\n" not in str(caught.value)


def test_arrays_that_are_not_contiguous_are_as_good():
    indptr, ids, targets, features, ridge = problem(SHAPES["skewed"])
    strided = [np.repeat(array, 2, axis=0)[::2] for array in (targets, features, ridge)]
    assert not strided[1].flags.c_contiguous
    np.testing.assert_allclose(kernels.ridge_rows(indptr, np.repeat(ids, 2)[::2], *strided),
                               kernels.ridge_rows(indptr, ids, targets, features, ridge),
                               rtol=1e-4, atol=1e-6)    # other strides, another order of sums


def test_a_pair_rated_twice_counts_twice():
    indptr, ids, targets, features, ridge = problem([2], dtype=np.float64)
    twice = (np.array([0, 4]), np.tile(ids, 2), np.tile(targets, 2), features, 2 * ridge)
    np.testing.assert_allclose(kernels.ridge_rows(*twice),
                               kernels.ridge_rows(indptr, ids, targets, features, ridge))


def test_draws_have_the_mean_and_the_covariance_of_the_posterior():
    """20,000 draws of one row: each moment within five standard errors."""
    one = problem([6], 3, dtype=np.float64)
    _, ids, targets, features, ridge = one
    n = 20_000
    many = (np.arange(n + 1) * 6, np.tile(ids, n), np.tile(targets, n), features,
            np.tile(ridge, (n, 1)))
    draws = kernels.ridge_rows(*many, draws=np.random.default_rng(0).normal(size=(n, 3)))
    x = features[ids]
    covariance = np.linalg.inv(x.T @ x + np.diag(ridge[0]))
    off = (draws.mean(0) - kernels.ridge_rows(*one)[0]) / np.sqrt(np.diag(covariance) / n)
    assert abs(off).max() < 5
    spread = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)) * 2 / n)
    assert (abs(np.cov(draws.T) - covariance) / spread).max() < 5


def test_blocks_cover_every_row_once_and_waste_at_most_half(monkeypatch):
    monkeypatch.setattr(normal_equations, "BLOCK", 4 * 2000)
    lengths = np.random.default_rng(0).zipf(1.5, 400).clip(0, 3000)
    lengths[:10] = 0
    seen = []
    for rows, longest in normal_equations._blocks(lengths, np.ones((1, 5), np.float32)):
        assert lengths[rows].max() == longest
        assert longest <= max(2 * lengths[rows].min(), 16)
        assert len(rows) == 1 or len(rows) * max(longest, 5) * 5 <= 2000
        seen.extend(rows)
    assert sorted(seen) == np.flatnonzero(lengths).tolist()


def test_small_blocks_give_the_same_solution(monkeypatch):
    inputs = problem(SHAPES["skewed"], dtype=np.float64)
    whole = kernels.ridge_rows_batched(*inputs)
    monkeypatch.setattr(normal_equations, "BLOCK", 8 * 50)
    np.testing.assert_allclose(kernels.ridge_rows_batched(*inputs), whole, rtol=1e-9)


def test_a_device_is_given_blocks_by_its_memory(cupy):
    """A 64th of a megabyte holds 819 gathered rows of five; a Gram matrix counts as five."""
    lengths, features = np.array([3] * 2000 + [900]), cupy.asarray(np.ones((1, 5), np.float32))
    sizes = [len(rows) for rows, _ in normal_equations._blocks(lengths, features)]
    assert sum(sizes) == 2001 and max(sizes) * 5 <= 819 and sizes[-1] == 1


@pytest.mark.parametrize("lost", [None, "cupyx.lapack", "potrsBatched"])
def test_a_device_solves_by_cholesky_where_it_can(lost, cupy, monkeypatch):
    calls, lapack = [], sys.modules["cupyx.lapack"]
    posv, solve = lapack.posv, cupy.linalg.solve
    monkeypatch.setattr(lapack, "posv", lambda *ab: calls.append("posv") or posv(*ab))
    monkeypatch.setattr(cupy.linalg, "solve", lambda *ab: calls.append("solve") or solve(*ab))
    if lost == "potrsBatched":
        monkeypatch.setattr(sys.modules["cupyx.cusolver"], "check_availability", lambda _: False)
    elif lost:
        monkeypatch.setitem(sys.modules, lost, None)
    x = np.random.default_rng(0).normal(size=(6, 20, 3))
    gram, rhs = x.swapaxes(1, 2) @ x, x[:, 0]
    ours = backend.solve_spd(cupy.asarray(gram), cupy.asarray(rhs))
    np.testing.assert_allclose(ours.get(), np.linalg.solve(gram, rhs[..., None])[..., 0])
    assert set(calls) == {"solve" if lost else "posv"}


def test_predict_pairs_in_blocks_equals_one_by_one(monkeypatch):
    rng = np.random.default_rng(0)
    p, q = rng.normal(size=(7, 3)), rng.normal(size=(5, 3))
    users, items = rng.integers(0, 7, 50), rng.integers(0, 5, 50)
    monkeypatch.setattr(kernels.predict, "BLOCK", 8)
    stars = kernels.predict_pairs(users, items, 3.5, p[:, 0], q[:, 0], p, q)
    by_hand = [3.5 + p[u, 0] + q[i, 0] + p[u] @ q[i] for u, i in zip(users, items, strict=True)]
    np.testing.assert_allclose(stars, by_hand, rtol=1e-12)


def baseline_start(train):
    shrinkage = [np.full(n, 0.1, np.float32) for n in (train.n_users, train.n_items)]
    state = [np.full(n, 0.3, np.float32) for n in (train.n_users, train.n_items)]
    return BaselineState(*state), SharedSteps(3.5, 0.05, *shrinkage)


def biased_mf_start(train):
    rng = np.random.default_rng(1)
    state = [rng.normal(0, 0.3, shape).astype(np.float32)
             for n in (train.n_users, train.n_items) for shape in (n, (n, 4))]
    return BiasedMFState(*state[::2], *state[1::2]), Steps(3.5, 0.05, 0.1, 0.02)


def mf_start(train):
    (_, _, *factors), (centre, learning_rate, *_) = biased_mf_start(train)
    shares = [np.full(n, 10 / n, np.float32) for n in (train.n_users, train.n_items)]
    return MFState(*factors), SharedSteps(centre, learning_rate, *shares)


def neighbourhood_start(train):
    rng, n = np.random.default_rng(1), train.n_items
    state = [rng.normal(0, 0.3, shape).astype(np.float32)
             for shape in (train.n_users, n, (n, n), (n, n))]
    for table in state[2:]:
        np.fill_diagonal(table, 0)
    rated = train.by_user
    x, s = (rng.normal(0, 0.3, len(train)).astype(np.float32) for _ in range(2))
    known = Known(rated.indptr, rated.ids, x, rated.indptr, rated.ids, s)
    return NeighbourhoodState(*state), NeighbourhoodSteps(3.5, 0.05, 0.1, 0.02, *known)


def copied(state):
    """A state of the same kind, with arrays of its own."""
    return type(state)(*(array.copy() for array in state))


RULES = [(rules.baseline, baseline_start), (rules.biased_mf, biased_mf_start),
         (rules.mf, mf_start), (rules.neighbourhood, neighbourhood_start)]
BY_NAME = dict(argvalues=RULES, ids=[rule.__name__ for rule, _ in RULES])


def sgd_epoch_of_a_warp(rule, ratings, users, state, steps):
    """The slow twin, one user after another as a warp walks, where a CPU walks two abreast."""
    return sum(kernels.sgd_epoch_slow(rule, ratings, users[[place]], state, steps)
               for place in range(len(users)))


@pytest.mark.parametrize("n_blocks", [None, 1, 3])
@pytest.mark.parametrize("rule, start", **BY_NAME)
def test_compiled_epoch_equals_the_slow_twin(rule, start, n_blocks, train):
    ratings = kernels.deal_blocks(train, n_blocks=n_blocks) if n_blocks else train.by_user
    users = np.random.default_rng(2).permutation(train.n_users)[:20]
    results = []
    for epoch in (kernels.sgd_epoch, kernels.sgd_epoch_slow):
        state, steps = start(train)
        results.append((epoch(rule, ratings, users, state, steps), *state))
    for fast, slow in zip(*results, strict=True):
        np.testing.assert_allclose(fast, slow, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rule, start", **BY_NAME)
def test_any_number_of_threads_gives_the_same_bits(rule, start, train):
    blocks, users = kernels.deal_blocks(train, n_blocks=4), np.arange(train.n_users)
    before, results = numba.get_num_threads(), []
    try:
        for n_threads in (1, before):
            numba.set_num_threads(n_threads)
            state, steps = start(train)
            for _ in range(3):
                kernels.sgd_epoch(rule, blocks, users, state, steps)
            results.append(state)
    finally:
        numba.set_num_threads(before)
    assert all(map(np.array_equal, *results))


def test_blocks_never_meet_and_hold_every_rating_once(train):
    blocks = kernels.deal_blocks(train, n_blocks=4)
    seen = set()
    ordered, starts = sgd._by_block(blocks, np.arange(train.n_users))
    groups = np.split(ordered, starts[1:-1])
    for shift in range(4):
        users, items = [], []
        for block, group in enumerate(groups):
            cells = group * 4 + (block + shift) % 4
            pairs = {(user, blocks.ids[row]) for user, cell in zip(group, cells, strict=True)
                     for row in range(blocks.indptr[cell], blocks.indptr[cell + 1])}
            users.append({user for user, _ in pairs})
            items.append({item for _, item in pairs})
            seen |= pairs
        for one, other in itertools.combinations(range(4), 2):
            assert users[one].isdisjoint(users[other]) and items[one].isdisjoint(items[other])
    assert seen == set(zip(train.users, train.items, strict=True))


def test_blocks_hold_about_equally_many_ratings(train):
    blocks = kernels.deal_blocks(train, n_blocks=4)
    shares = np.bincount(blocks.user_block[train.users]) / len(train)
    assert abs(shares - 0.25).max() < 0.02


@pytest.mark.parametrize("rule, start", **BY_NAME)
def test_lanes_share_the_work_of_one_rating(rule, start, train):
    """Four lanes, each owning some factors, end where one lane alone ends."""
    alone, steps = start(train)
    shared = copied(alone)
    user, item, value = train.users[0], train.items[0], train.values[0]
    rule(user, item, value, alone, steps, 0, 1, lambda partial: partial)
    partials = []
    for lane in range(4):       # first pass: each lane's partial sum, on a scratch copy
        scratch = copied(shared)
        rule(user, item, value, scratch, steps, lane, 4, lambda s: partials.append(s) or s)
    total = sum(partials)
    before = copied(shared)
    for lane in range(4):       # second pass: every lane starts from the same state
        scratch = copied(before)
        rule(user, item, value, scratch, steps, lane, 4, lambda _: total)
        for array, start_of, moved in zip(shared, before, scratch, strict=True):
            array += moved - start_of
    for one, many in zip(alone, shared, strict=True):
        np.testing.assert_allclose(one, many, rtol=1e-5, atol=1e-6)


def share_baseline(state, steps, user, item, value):
    mean, _, user_shrinkage, item_shrinkage = steps
    bu, bi = (array.astype(float) for array in state)
    error = value - mean - bu[user] - bi[item]
    return error**2 + user_shrinkage[user] * bu[user]**2 + item_shrinkage[item] * bi[item]**2


def share_biased_mf(state, steps, user, item, value):
    mean, _, reg, reg_bias = steps
    bu, bi, p, q = (array.astype(float) for array in state)
    error = value - mean - bu[user] - bi[item] - p[user] @ q[item]
    return (error**2 + reg_bias * (bu[user]**2 + bi[item]**2)
            + reg * (p[user] @ p[user] + q[item] @ q[item]))


def share_mf(state, steps, user, item, value):
    centre, _, user_shrinkage, item_shrinkage = steps
    p, q = (array.astype(float) for array in state)
    return ((value - centre - p[user] @ q[item])**2 + user_shrinkage[user] * p[user] @ p[user]
            + item_shrinkage[item] * q[item] @ q[item])


@pytest.mark.parametrize("rule, start, share", [
    (rules.baseline, baseline_start, share_baseline),
    (rules.biased_mf, biased_mf_start, share_biased_mf), (rules.mf, mf_start, share_mf)],
    ids=["baseline", "biased_mf", "mf"])
def test_step_is_minus_half_the_gradient_of_the_rating_s_share(rule, start, share, train):
    """Central differences of the share of the objective, in float64."""
    state, steps = start(train)
    state = type(state)(*(array.astype(float) for array in state))
    user, item, value = int(train.users[0]), int(train.items[0]), float(train.values[0])
    learning_rate = 1e-6
    moved = copied(state)
    rule(user, item, value, moved, steps._replace(learning_rate=learning_rate), 0, 1,
         lambda partial: partial)
    for which, array in enumerate(state):
        row = user if which % 2 == 0 else item
        for place in np.ndindex(array[row].shape):
            ends = []
            for step in (1e-5, -1e-5):
                nudged = [other.copy() for other in state]
                nudged[which][(row, *place)] += step
                ends.append(share(nudged, steps, user, item, value))
            gradient = (ends[0] - ends[1]) / 2e-5
            step = (moved[which][(row, *place)] - array[(row, *place)]) / learning_rate
            assert step == pytest.approx(-gradient / 2, rel=1e-4, abs=1e-6)


def test_epoch_returns_the_squared_errors_it_met():
    one = Ratings(np.array([0]), np.array([0]), values=np.array([5.0])).by_user
    state = BaselineState(*(np.zeros(1, np.float32) for _ in range(2)))
    zero = np.zeros(1, np.float32)
    squares = kernels.sgd_epoch(rules.baseline, one, np.array([0]), state,
                                SharedSteps(3.0, 0.1, zero, zero))
    assert squares == pytest.approx(4.0) and state[0][0] == pytest.approx(0.2)
