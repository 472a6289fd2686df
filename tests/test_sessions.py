"""Sessions: the kernel, against stepping every part at every rating, and what it promises."""

import numpy as np
import pytest

from rslib import kernels
from rslib.kernels.features import Features
from rslib.kernels.sessions import Visits
from rslib.kernels.states import SessionState, SessionSteps

K = 3
RATES = 0.3, 0.5, -4.0


def random_visits(n_users=15, n_items=9, seed=0):
    """Users of no to four sessions of no to five ratings; no item twice."""
    rng = np.random.default_rng(seed)
    n_sessions = rng.integers(0, 5, n_users)
    days = [np.sort(rng.choice(300, n, replace=False)) for n in n_sessions]
    ratings = [np.array_split(rng.permutation(n_items)[:rng.integers(1, n_items)], n) if n else []
               for n in n_sessions]
    sizes = np.array([len(items) for user in ratings for items in user])
    items = np.concatenate([items for user in ratings for items in user]).astype(np.int32)
    x, d = rng.normal(0, 0.5, (2, len(items))).astype(np.float32)
    drift, own = rng.normal(0, 0.6, (2, len(sizes))).astype(np.float32)
    return Visits(np.concatenate([[0], np.cumsum(n_sessions)]),
                  np.concatenate([[0], np.cumsum(sizes)]), items,
                  rng.integers(1, 6, len(items)).astype(np.float32),
                  np.concatenate(days).astype(np.float32), drift, own, x, d)


def problem(visits, dtype, parts="factors drift days weights faded", n_items=9, seed=1):
    """State, steps and features for these visits, with the parts that are named."""
    rng = np.random.default_rng(seed)
    n_users, n_sessions = len(visits.sessions) - 1, len(visits.days)
    k = K if "factors" in parts else 0
    lengths = rng.integers(0, 5, n_users) if k else np.zeros(n_users, int)
    features_of = Features(
        np.concatenate([[0], np.cumsum(lengths)]),
        np.concatenate([rng.choice(20, n, replace=False) for n in lengths]).astype(np.int32),
        rng.normal(0, 0.6, lengths.sum()).astype(np.float32))
    n_terms = n_users + n_sessions
    shapes = [(n_terms,), (n_items, 4), (20, k), (n_items, k),
              (n_users if "drift" in parts else 0, k), (n_sessions if "days" in parts else 0, k),
              (n_items, n_items if "weights" in parts else 0),
              (n_items, n_items if "weights" in parts else 0),
              (2 * n_items if "faded" in parts else 0, k), (n_users,)]
    state = [rng.normal(0, 0.3, shape).astype(dtype) for shape in shapes]
    state[-1] -= 5
    for table in state[6:8]:
        np.fill_diagonal(table, 0)
    users = np.repeat(np.arange(n_users), np.diff(visits.sessions))
    terms = np.stack([users, n_users + np.arange(n_sessions)], axis=1).ravel()
    columns = np.stack([np.zeros(n_sessions, int), 1 + rng.integers(0, 3, n_sessions)], axis=1)
    kept = (rng.uniform(0.9, 1, shape).astype(dtype) for shape in (n_terms, (n_items, 4)))
    steps = SessionSteps(3.4, 0.02, 0.05, np.arange(n_sessions + 1) * 2, terms,
                         rng.normal(0, 1, len(terms)).astype(dtype), columns, *kept, 0.01, 0.03,
                         *RATES)
    return SessionState(*state), steps, features_of


@pytest.mark.parametrize("dtype, rtol", [(np.float32, 3e-4), (np.float64, 1e-9)])
@pytest.mark.parametrize("parts", ["factors drift days weights faded", "factors drift days",
                                   "weights", "factors faded", "factors weights days", ""])
def test_one_visit_a_session_equals_stepping_every_part_at_every_rating(parts, dtype, rtol):
    visits = random_visits()
    users = np.random.default_rng(2).permutation(len(visits.sessions) - 1)
    results = []
    for epoch in (kernels.session_sgd_epoch, kernels.session_sgd_epoch_slow):
        state, steps, features_of = problem(visits, dtype, parts)
        before = [array.copy() for array in state]
        squares = [epoch(visits, users, features_of, state, steps) for _ in range(2)]
        results.append((squares, *state))
    for fast, slow in zip(*results, strict=True):
        np.testing.assert_allclose(fast, slow, rtol=rtol, atol=rtol)
    moved = [not np.array_equal(now, then) for now, then in zip(state, before, strict=True)]
    assert moved[:2] == [True, True] and moved[-1] == ("faded" in parts or "weights" in parts)
    assert moved[4:6] == ["drift" in parts, "days" in parts]
