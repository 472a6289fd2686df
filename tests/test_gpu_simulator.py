"""The GPU driver without a GPU: numba's simulator is switched on before numba is imported."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from test_bpr import start as pairs_start
from test_kernels import RULES, neighbourhood_start
from test_sessions import problem as session_problem
from test_sessions import random_visits
from test_svdpp import STEPS, random_features
from test_svdpp import start as feature_start

from rslib.kernels import in_flight, rules
from rslib.kernels.states import IntegratedState, IntegratedSteps


def test_the_gpu_driver_under_the_simulator():
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", here / "simulated_sgd.py"],
        cwd=here.parent, env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}, capture_output=True,
        text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def launch_of_rule(rule, start, train):
    """The driver's kernel and what it is launched with."""
    from rslib.kernels.sgd_gpu import kernel_of
    ratings, (state, steps) = train.by_user, start(train)
    runs = in_flight.equal_runs(ratings.indptr, np.arange(9), 2)
    return kernel_of(rule), (ratings.indptr, ratings.ids, ratings.values, *runs, np.zeros(2), state,
                             steps)


def launch_of_pairs(train):
    """As of any other rule, with items in the place of the values."""
    walk, (indptr, ids, _, *rest) = launch_of_rule(rules.bpr, pairs_start, train)
    return walk, (indptr, ids, ids[::-1].copy(), *rest)


def launch_of_features(rule, train):
    from rslib.kernels.features_gpu import kernel_of
    features_of = random_features(train.n_users, 9, np.random.default_rng(0))
    state, steps, n = feature_start(train, 9, np.float32), STEPS, train.n_items
    if rule is rules.integrated:
        weights, known = np.zeros((n, n), np.float32), neighbourhood_start(train)[1][-6:]
        state = IntegratedState(*state, weights, weights)
        steps = IntegratedSteps(*steps, 0.1, 0.1, *known)
    return kernel_of(rule), (
        train.by_user, in_flight.equal_runs(train.by_user.indptr, np.arange(9), 2), features_of,
        features_of.energy.astype(np.float32), 8, np.zeros((2, 2, 3), np.float32), np.zeros(2),
        state, steps)


def launch_of_sessions(train):
    from rslib.kernels.sessions_gpu import session_kernel
    visits = random_visits()
    state, steps, features_of = session_problem(visits, np.float32)
    return session_kernel(), (visits, np.arange(9), features_of, np.zeros((2, 8, 3), np.float32),
                              np.zeros((3, 9), np.float32), np.zeros(2), state, steps)


LAUNCHES = {rule.__name__: partial(launch_of_rule, rule, start) for rule, start in RULES} | {
    rule.__name__: partial(launch_of_features, rule)
    for rule in (rules.feature_mf, rules.integrated)} | {
        "temporal": launch_of_sessions, "bpr": launch_of_pairs}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LAUNCHES)
def test_the_kernels_compile_for_a_warp(name, dtype, train, monkeypatch):
    """To the instructions of a device that need not be here; only the compiler has to be."""
    pytest.importorskip("numba_cuda", reason="numba-cuda (extra gpu12 or gpu13) is not installed")
    from numba import cuda
    from numba.cuda import dispatcher, types

    def type_of(value):
        if isinstance(value, tuple):
            return types.BaseTuple.from_types([type_of(each) for each in value], type(value))
        if isinstance(value, int):
            return types.int64
        if not isinstance(value, np.ndarray):
            return getattr(types, dtype)
        kind = dtype if value.dtype == np.float32 else str(value.dtype)
        return types.Array(getattr(types, kind), value.ndim, "C")

    monkeypatch.setattr(dispatcher, "get_current_device",
                        lambda: SimpleNamespace(compute_capability=(9, 0)))
    kernel, arguments = LAUNCHES[name](train)
    signature = tuple(type_of(value) for value in arguments)
    code, _ = cuda.compile_ptx(kernel.py_func, signature, cc=(9, 0))
    assert "bar.warp.sync" in code
    assert ("shfl.sync.bfly" in code) == (name != "baseline")   # which has nothing to sum
    shared_by_users = name in ("feature_mf", "integrated", "temporal")
    assert ("atom." in code or "red." in code) == shared_by_users
