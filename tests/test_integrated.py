"""SVD++ and global weights learned together."""

import numpy as np
import pytest
from test_svdpp import STEPS, random_features, start

from rslib import kernels
from rslib.kernels import rules
from rslib.kernels.states import (
    IntegratedState,
    IntegratedSteps,
    Known,
    NeighbourhoodState,
    NeighbourhoodSteps,
)
from rslib.models import Integrated
from rslib.models.descent import known_of


def said_by_items(train, rng):
    """What each user rated with a deviation, and what each is known to have rated."""
    side = train.by_user
    x = rng.normal(0, 0.5, len(side.ids))
    return Known(side.indptr, side.ids, x, side.indptr, side.ids, np.abs(x))


def tables(rng, n_items, dtype=np.float64):
    found = [rng.normal(0, 0.1, (n_items, n_items)).astype(dtype) for _ in range(2)]
    for table in found:
        np.fill_diagonal(table, 0)
    return found


def test_without_weights_it_is_svdpp(train):
    rng = np.random.default_rng(0)
    features_of, users = random_features(train.n_users, 50, rng), rng.permutation(train.n_users)
    alone, both = (start(train, 50, np.float64) for _ in range(2))
    zero = [np.zeros((train.n_items, train.n_items)) for _ in range(2)]
    kernels.feature_sgd_epoch(train.by_user, users, features_of, alone, STEPS)
    kernels.feature_sgd_epoch(train.by_user, users, features_of, IntegratedState(*both, *zero),
                              IntegratedSteps(*STEPS, 0.0, 0.1, *said_by_items(train, rng)),
                              rules.integrated)
    for ours, theirs in zip(both, alone, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    assert not any(table.any() for table in zero)


def test_without_factors_it_is_the_global_weights(train):
    """One user at a time: the two drivers visit several in different orders."""
    rng = np.random.default_rng(0)
    features_of, said = random_features(train.n_users, 50, rng), said_by_items(train, rng)
    bias, weights = start(train, 50, np.float64)[:2], tables(rng, train.n_items)
    alone = NeighbourhoodState(*(array.copy() for array in (*bias, *weights)))
    both = IntegratedState(*bias, np.zeros((50, 3)), np.zeros((train.n_items, 3)), *weights)
    mean, rate, reg, reg_bias = STEPS
    for user in np.arange(train.n_users)[:, None]:
        kernels.sgd_epoch(rules.neighbourhood, train.by_user, user, alone,
                          NeighbourhoodSteps(mean, rate, 0.1, reg_bias, *said))
        kernels.feature_sgd_epoch(train.by_user, user, features_of, both,
                                  IntegratedSteps(mean, rate, reg, reg_bias, rate, 0.1, *said),
                                  rules.integrated)
    for ours, theirs in zip((*both[:2], *both[4:]), alone, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    assert not both[2].any() and not both[3].any()


def test_an_epoch_descends_the_objective_of_the_docstring(train):
    """With a tiny step an epoch moves factors and weights along minus half the gradient of J."""
    model = Integrated(3, reg=0.03, n_epochs=3, init_std=0.3, reg_weights=0.05).fit(train)
    names = "item_factors_", "implicit_factors_", "user_factors_", "weights_", "implicit_weights_"
    rng = np.random.default_rng(5)
    before = {name: np.float64(getattr(model, name)) for name in names}
    model.learn(before)
    features_of = model.parts()[2].features_of(model, train, None)
    table = np.concatenate([before["implicit_factors_"], before["user_factors_"]])
    q, w, c = (before[name].copy() for name in ("item_factors_", "weights_", "implicit_weights_"))
    said = known_of(model)
    bias = np.float64(model.user_bias_), np.float64(model.item_bias_)
    rate = 1e-7
    kernels.feature_sgd_epoch(
        model.in_units(train).by_user, np.arange(train.n_users), features_of,
        IntegratedState(*bias, table, q, w, c),
        IntegratedSteps(0.0, rate, model.reg, model.reg_bias, rate,
                        model.reg_weights, *said), rules.integrated)
    y, p = np.split(table, [train.n_items])
    for name, after in zip(names, (q, y, p, w, c), strict=True):
        place = tuple(rng.integers(0, after.shape))
        ends = []
        for step in (1e-4, -1e-4):
            moved = {key: value.copy() for key, value in before.items()}
            moved[name][place] += step
            sums = kernels.feature_sums(features_of, np.concatenate(
                [moved["implicit_factors_"], moved["user_factors_"]]))
            model.learn(moved | {"user_sums_": sums})
            ends.append(model.objective(train) / model.unit_ ** 2)
        slope = (ends[0] - ends[1]) / 2e-4
        step = (after - before[name])[place] / rate
        assert step == pytest.approx(-slope / 2, rel=2e-3, abs=2e-3), name
