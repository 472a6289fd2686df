"""What warps in flight do to each other, emulated: the error of many must be that of one."""

from dataclasses import replace

import numpy as np
import pytest
from in_flight import feature_sgd_epoch_in_flight
from test_svdpp import STEPS, random_features
from test_svdpp import start as feature_start
from worlds import crowded_world

from rslib import kernels
from rslib.kernels import in_flight
from rslib.metrics import rmse
from rslib.models import NSVD, AsymmetricSVD, SVDpp, descent

EACH = [AsymmetricSVD(8, n_epochs=20, learning_rate=0.02, decay=0.8),
        NSVD(8, n_epochs=20, learning_rate=0.02, decay=0.8),
        SVDpp(8, n_epochs=20, learning_rate=0.02, decay=0.8)]
each = pytest.mark.parametrize("model", EACH, ids=lambda model: type(model).__name__)
N_WARPS = 500


@pytest.fixture(scope="module")
def crowd():
    return crowded_world()


def error_of(model, crowd, monkeypatch, plan=None):
    """Held-out error of a fit by the CPU, or by the warps and pieces that ``plan`` gives."""
    train, held_out = crowd

    def epoch(by_user, users, features_of, state, steps, rule):
        return feature_sgd_epoch_in_flight(by_user, users, features_of, state, steps,
                                           *plan(len(by_user.ids), steps, features_of, state))
    with monkeypatch.context() as patched:
        if plan:
            patched.setattr(descent, "feature_sgd_epoch", epoch)
        fitted = replace(model).fit(train)
    return rmse(fitted.predict(held_out.pairs), held_out.values)


def plan_of_the_driver(n_ratings, steps, features_of, state):
    return in_flight.in_pieces(n_ratings, steps.learning_rate,
                               in_flight.shared(features_of, len(state.features)))


@each
def test_hundreds_of_warps_keep_the_error_of_the_cpu(model, crowd, monkeypatch):
    """Within .001; visits that are not cut lose .008 and more, which is what this must see."""
    monkeypatch.setattr(in_flight, "RATINGS_A_WARP", len(crowd[0]) // N_WARPS)
    alone = error_of(model, crowd, monkeypatch)
    cut = error_of(model, crowd, monkeypatch, plan_of_the_driver)
    uncut = error_of(model, crowd, monkeypatch, lambda *_: (N_WARPS, in_flight.WHOLE))
    assert abs(cut - alone) < 0.001
    assert uncut - alone > 0.008


@pytest.mark.parametrize("piece", [in_flight.WHOLE, 7, 1])
def test_one_warp_may_cut_visits_anywhere(piece, train):
    """To rounding the numbers of the slow twin, wherever the only user in flight is cut."""
    rng = np.random.default_rng(0)
    features_of, users, results = random_features(train.n_users, 50, rng), rng.permutation(20), []
    features_of = features_of._replace(weights=np.float64(features_of.weights))
    for epoch, plan in ((feature_sgd_epoch_in_flight, (1, piece)),
                        (kernels.feature_sgd_epoch_slow, ())):
        state = feature_start(train, 50, np.float64)
        squares = epoch(train.by_user, users, features_of, state, STEPS, *plan)
        results.append((squares, *state))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_runs_hold_every_rating_once_in_order():
    indptr = np.array([0, 5, 5, 7, 20, 21])
    users = np.array([3, 1, 4, 0])
    runs = in_flight.equal_runs(indptr, users, 4)
    assert runs.starts.tolist() == [0, 4, 9, 14, 19] and runs.ends.tolist() == [13, 13, 14, 19]
    assert runs.places.tolist() == [0, 0, 0, 3]     # users without ratings begin no run


def test_shared_is_what_two_users_have_in_common():
    features_of = random_features(30, 12, np.random.default_rng(0))
    dense = np.zeros((30, 12))
    np.add.at(dense, (np.repeat(np.arange(30), np.diff(features_of.indptr)), features_of.ids),
              abs(features_of.weights))
    assert in_flight.shared(features_of, 12) == pytest.approx((dense @ dense.T).mean())


def test_pieces_and_warps_hold_the_bound():
    limit = in_flight.UNSEEN * (1 + 1e-9)
    for rate in (0.001, 0.02, 0.5):
        for overlap in (0.01, 0.3, 5.0):
            n_warps, piece = in_flight.in_pieces(10**6, rate, overlap)
            assert 1 <= n_warps <= in_flight.warps_for(10**6) and piece >= in_flight.SHORTEST
            assert n_warps == 1 or rate * overlap * n_warps * piece < limit
            whole = in_flight.whole(10**6, rate, overlap)
            assert whole == 1 or rate * overlap * whole * in_flight.SATURATED < limit
    assert in_flight.in_pieces(10**6, 0.02, 0.0) == (in_flight.warps_for(10**6), in_flight.WHOLE)
    assert in_flight.whole(10**6, 0.02, 0.0) == in_flight.warps_for(10**6)
