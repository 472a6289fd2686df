"""The GPU driver under numba's simulator; `test_gpu_simulator` runs this file in its own process.

The simulator runs one block, so one warp, at a time and has no warp intrinsics: the two that the
driver uses are added here. What lanes of different warps do to each other shows on a device only.
"""

import sys
import threading
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from numba import config, cuda
from numba.cuda.simulator import kernel
from numba.cuda.simulator.kernelapi import FakeCUDAModule
from strict import ndarray, put_in_place
from test_bpr import start as pairs_start
from test_kernels import RULES, biased_mf_start, sgd_epoch_of_a_warp
from test_sessions import problem as session_problem
from test_sessions import random_visits
from test_svdpp import STEPS, random_features
from test_svdpp import start as feature_start
from worlds import planted_world

from rslib import kernels
from rslib.kernels import features_gpu, in_flight, pairwise, rules, sessions_gpu, sgd_gpu
from rslib.kernels.states import in_type
from rslib.models import (
    BPR,
    NSVD,
    AsymmetricSVD,
    Baseline,
    BiasedMF,
    GlobalWeights,
    Integrated,
    MatrixFactorisation,
    SVDpp,
    TemporalAsymmetricSVD,
    TemporalIntegrated,
    TemporalWeights,
    TimeSVDpp,
)

assert config.ENABLE_CUDASIM, "run test_gpu_simulator.py: the variable has to be set first"


def syncwarp(self):
    self.syncthreads()      # a block of the driver is one warp


def shfl_xor_sync(self, mask, value, distance):
    """Every lane's value, handed to the lane ``distance`` away."""
    lane, handed = threading.current_thread().threadIdx.x, self.__dict__.setdefault("handed", {})
    handed[lane] = value
    self.syncthreads()
    received = handed[lane ^ distance]
    self.syncthreads()
    return received


@contextmanager
def swapped_cuda_module(function, fake):
    """Put the simulated module in the place of ``cuda`` until the last lane has left.

    numba's own puts the real one back when the first lane leaves, while others are still inside.
    """
    names = function.__globals__
    with LOCK:
        inside = SWAPPED.setdefault(id(names), [0, {}])
        if not inside[0]:
            inside[1] = {name: value for name, value in names.items() if value is cuda}
            names.update(dict.fromkeys(inside[1], fake))
        inside[0] += 1
    try:
        yield
    finally:
        with LOCK:
            inside[0] -= 1
            if not inside[0]:
                names.update(inside[1])


LOCK, SWAPPED = threading.Lock(), {}        # by namespace: lanes inside, and what was there
kernel.swapped_cuda_module = swapped_cuda_module
FakeCUDAModule.syncwarp, FakeCUDAModule.shfl_xor_sync = syncwarp, shfl_xor_sync
sys.setswitchinterval(5e-5)     # a lane is a thread that waits for the others: ten times quicker


@pytest.fixture(scope="module")
def small():
    return planted_world(n_users=12, n_items=10, density=0.4)[0]


def visits(user, item, value, state, steps, lane, lanes, reduce_sum):
    """A rule that counts: who was visited, and by how many lanes."""
    times, lanes_met = state
    if lane == 0:
        times[user, item] += 1
    lanes_met[user, lane] += reduce_sum(value) / (value * lanes)
    return value


def one_epoch(epoch, rule, start, ratings, users, dtype=np.float32):
    state, steps = start(ratings)
    state, steps = type(state)(*(array.astype(dtype) for array in state)), in_type(steps, dtype)
    return (epoch(rule, ratings.by_user, users, state, steps), *state)


@pytest.mark.parametrize("dtype, rtol", [(np.float32, 1e-5), (np.float64, 1e-12)])
@pytest.mark.parametrize("ratings_a_warp", [1000, 9])
@pytest.mark.parametrize("rule, start", RULES, ids=[rule.__name__ for rule, _ in RULES])
def test_warps_one_after_another_equal_the_slow_twin(rule, start, ratings_a_warp, dtype, rtol,
                                                     small, monkeypatch):
    monkeypatch.setattr(in_flight, "RATINGS_A_WARP", ratings_a_warp)
    users = np.random.default_rng(5).permutation(small.n_users)[:6]     # who meet at items
    fast, slow, abreast = (one_epoch(epoch, rule, start, small, users, dtype) for epoch in (
        sgd_gpu.sgd_epoch_gpu, sgd_epoch_of_a_warp, kernels.sgd_epoch_slow))
    assert abs(slow[2] - abreast[2]).max() > 1e-4       # so another order of visits would show
    for ours, theirs in zip(fast, slow, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol / 10)


def test_pairs_of_items_equal_the_slow_twin(small):
    """One warp, so one user after another, and all draws as on the CPU."""
    owned, users, results = kernels.deal_owned(small), np.arange(12), []
    for take in (pairwise._steps_gpu, pairwise._steps_slow):
        state, steps = pairs_start(small)
        results.append((take(owned, users, state, in_type(steps, np.float32), 3), *state))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("ratings_a_warp", [1000, 9, 1])
def test_every_rating_is_visited_once_and_by_every_lane(ratings_a_warp, small, monkeypatch):
    monkeypatch.setattr(in_flight, "RATINGS_A_WARP", ratings_a_warp)
    some = small[(small.users % 5 > 0) & (np.arange(len(small)) < 30)]   # and users without any
    state = np.zeros((12, 10)), np.zeros((12, sgd_gpu.LANES))
    squares = sgd_gpu.sgd_epoch_gpu(visits, some.by_user, np.arange(12)[::-1], state, ())
    expected = np.zeros((12, 10))
    np.add.at(expected, (some.users, some.items), 1)
    assert np.array_equal(state[0], expected)
    np.testing.assert_allclose(state[1], expected.sum(1)[:, None] * np.ones(sgd_gpu.LANES))
    assert squares == pytest.approx((some.values.astype(float) ** 2).sum())


@pytest.mark.parametrize("users", [[], [3]], ids=["nobody", "a user without ratings"])
def test_nothing_to_do_changes_nothing(users, small):
    few = small[small.users != 3]
    state, steps = biased_mf_start(few)
    before = [array.copy() for array in state]
    assert sgd_gpu.sgd_epoch_gpu(rules.biased_mf, few.by_user, np.array(users, int),
                                 state, steps) == 0
    assert all(map(np.array_equal, state, before))


def test_no_more_warps_than_the_ratings_feed():
    assert [in_flight.warps_for(n) for n in (0, 1, 4095, 4096)] == [1, 1, 1, 2]
    assert in_flight.warps_for(10**9) == in_flight.MAX_WARPS


@pytest.mark.parametrize("dtype, rtol", [(np.float32, 1e-4), (np.float64, 1e-9)])
@pytest.mark.parametrize("n_warps, piece", [(1, in_flight.WHOLE), (3, in_flight.WHOLE), (3, 2)])
def test_users_as_sums_of_features_equal_the_slow_twin(n_warps, piece, dtype, rtol, small,
                                                       monkeypatch):
    """Wherever runs and pieces are cut, as one warp after another sees all that was left."""
    monkeypatch.setattr(features_gpu, "in_pieces", lambda *_: (n_warps, piece))
    features_of = random_features(12, 8, np.random.default_rng(0))
    users, results = np.array([4, 0, 11, 2, 3]), []
    features_of = features_of._replace(weights=features_of.weights.astype(dtype))
    steps = in_type(STEPS, dtype)
    for on_gpu in (True, False):
        state = feature_start(small, 8, dtype)
        squares = features_gpu.feature_sgd_epoch_gpu(
            small.by_user, users, features_of, features_of.energy.astype(dtype), state, steps,
            rules.feature_mf) if on_gpu else kernels.feature_sgd_epoch_slow(
                small.by_user, users, features_of, state, steps)
        results.append((squares, *state))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("dtype, rtol", [(np.float32, 3e-4), (np.float64, 1e-9)])
@pytest.mark.parametrize("parts", ["factors drift days weights faded", "weights", "factors"])
def test_sessions_equal_the_slow_twin(parts, dtype, rtol, monkeypatch):
    met = random_visits(n_users=6)
    users, results = np.arange(5), []
    monkeypatch.setattr(sessions_gpu, "_warps", lambda *_: 3)
    in_turn = np.concatenate([users[warp::3] for warp in range(3)])
    for on_gpu, order in ((True, users), (False, in_turn)):
        state, steps, features_of = session_problem(met, dtype, parts)
        steps = in_type(steps, dtype)
        features_of = features_of._replace(weights=features_of.weights.astype(dtype))
        epoch = (sessions_gpu.session_sgd_epoch_gpu if on_gpu
                 else kernels.session_sgd_epoch_slow)
        squares = epoch(met.in_type(dtype), order, features_of, state, steps)
        results.append((squares, *state))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol)


class Launched:
    """The driver's kernel, given the memory of pretend device arrays as a real launch would be."""

    def __init__(self, kernel):
        self.kernel = kernel

    def __getitem__(self, grid):
        def memory(value):
            if isinstance(value, tuple):
                return type(value)(*map(memory, value))
            return value._data if isinstance(value, ndarray) else value
        return lambda *arguments: self.kernel[grid](*map(memory, arguments))


@pytest.mark.parametrize("model", [
    BPR(3, n_epochs=2),
    Baseline("sgd", n_epochs=2), MatrixFactorisation(3, n_epochs=2), BiasedMF(3, "sgd", n_epochs=2),
    NSVD(3, n_epochs=2), AsymmetricSVD(3, n_epochs=2), SVDpp(3, n_epochs=2),
    GlobalWeights(n_epochs=2), Integrated(3, n_epochs=2), TimeSVDpp(n_factors=3, n_epochs=2),
    TemporalWeights(n_epochs=2), TemporalAsymmetricSVD(n_factors=3, n_epochs=2),
    TemporalIntegrated(n_factors=3, n_epochs=2, drift="spline")],
    ids=lambda model: type(model).__name__)
def test_models_take_the_gpu_driver_where_the_data_says_so(model, small, monkeypatch):
    kernel_of = sgd_gpu.kernel_of
    put_in_place(monkeypatch)
    monkeypatch.setattr(sgd_gpu, "kernel_of", lambda rule: Launched(kernel_of(rule)))
    of_features = features_gpu.kernel_of
    monkeypatch.setattr(features_gpu, "kernel_of", lambda rule: Launched(of_features(rule)))
    of_sessions = sessions_gpu.session_kernel
    monkeypatch.setattr(sessions_gpu, "session_kernel", lambda: Launched(of_sessions()))
    few = small[small.users == 0]       # a warp walks one user, the CPU two abreast
    ours = model.fit(few.to("gpu"))
    for name in ours._learned:
        assert isinstance(getattr(ours, name), float | int | ndarray), f"{name} left the device"
    theirs = replace(model).fit(few)
    np.testing.assert_allclose(ours.predict(few.to("gpu").pairs).get(),
                               theirs.predict(few.pairs), rtol=1e-5)
