"""Figures on MovieLens 100K, fold u1, that anyone can look up or repeat.

Hyper-parameters were chosen on a tenth of u1.base held out at random, as the test part was; the
defaults of the classes are those of the contest, where the last ratings of everybody are held out.
"""

from dataclasses import replace

import pytest
from worlds import data_folder, random_tenth

from rslib.metrics import clip, mae, paired_bootstrap, rmse
from rslib.models import (
    NSVD,
    RBM,
    AsymmetricSVD,
    Baseline,
    BiasedMF,
    GlobalWeights,
    ItemWeights,
    Mean,
    Neighbours,
    SVDpp,
    TemporalAsymmetricSVD,
    TemporalBaseline,
    TemporalIntegrated,
    TemporalWeights,
    TimeSVDpp,
)
from rslib.sources import load_fold

RIDGE = {"reg_user": 5.0, "reg_item": 3.0}
FINE = RIDGE | {"calendar_days": 30, "item_bin_days": 70, "beta": 0.4, "reg_drift": 50.0,
                "reg_day": 15.0}        # a random test part knows of almost every day
SLOW = {"reg": 0.0016, "n_epochs": 40, "learning_rate": 0.0125, "decay": 0.99}
FADING = {"forgetting_rate": 0.001}
NEIGHBOURS = Neighbours(min_neighbours=1, shrinkage=500.0, **RIDGE)
FADING_FACTORS = TemporalAsymmetricSVD(n_factors=64, reg=0.0045, n_epochs=15, learning_rate=0.017,
                                       decay=0.95, **FADING, **FINE)
SVDPP = SVDpp(reg=0.035, reg_bias=0.02)
BASELINE, IN_TIME = Baseline("ridge", **RIDGE), TemporalBaseline(reg_scale=5.0, n_epochs=20, **FINE)
TIME_SVDPP = TimeSVDpp(reg=0.035, drift_weight=0.5, n_epochs=40, **FINE)
ALL_TIME = TemporalIntegrated(n_factors=128, reg=0.035, drift_weight=0.5, n_epochs=40,
                              learning_rate=0.017, reg_weights=0.008, learning_rate_weights=0.0025,
                              **FADING, **FINE)
RBM_200 = RBM(n_hidden=200, batch_size=100)


@pytest.fixture(scope="module")
def u1(tmp_path_factory):
    data_folder("ml-100k")
    return load_fold("ml-100k", 1, cache=tmp_path_factory.mktemp("cache"))


def predicted(model, u1):
    train, test = u1
    return clip(model.fit(train).predict(test.pairs), (1, 5))


@pytest.mark.parametrize("by, published", [("global", 1.1537), ("user", 1.0630), ("item", 1.0334)])
def test_averages_are_the_published_ones(u1, by, published):
    assert rmse(predicted(Mean(by), u1), u1[1].values) == pytest.approx(published, abs=5e-4)


def test_mae_of_the_user_average_is_mymedialite_s(u1):
    assert mae(predicted(Mean("user"), u1), u1[1].values) == pytest.approx(0.85019, abs=5e-5)


@pytest.mark.parametrize("model, at_most", [
    (BASELINE, 0.9540),
    (Baseline("sgd", **RIDGE), 0.9545),
    (NEIGHBOURS, 0.9310),
    (ItemWeights(50, reg=100.0, **RIDGE), 0.9315),
    (GlobalWeights(**SLOW, **RIDGE), 0.9265),
    (BiasedMF(64, reg=0.09, reg_bias=0.02), 0.9200),
    (BiasedMF(32, reg=0.09, reg_bias=0.02), 0.9250),
    (NSVD(n_epochs=30), 0.9210),
    (AsymmetricSVD(), 0.9120),
    (SVDPP, 0.9130),
    (IN_TIME, 0.9345),
    (TemporalWeights(**SLOW, **FADING, **FINE), 0.9235),
    (FADING_FACTORS, 0.9095),
    (TIME_SVDPP, 0.9095),
    (ALL_TIME, 0.9095),
    (RBM_200, 0.9135),
], ids=["baseline-ridge", "baseline-sgd", "item-neighbours", "item-weights", "global-weights",
        "mf-64", "mf-32", "nsvd", "asymmetric-svd", "svdpp", "temporal-baseline",
        "temporal-weights", "temporal-asymmetric-svd", "time-svdpp", "temporal-integrated", "rbm"])
def test_learned_models_reach_their_figure(u1, model, at_most):
    assert rmse(predicted(model, u1), u1[1].values) <= at_most


@pytest.fixture(scope="module")
def ml_1m(tmp_path_factory):
    ratings, held_out = random_tenth(tmp_path_factory.mktemp("cache"))
    return ratings[~held_out], ratings[held_out]


@pytest.mark.parametrize("static, temporal, at_most", [
    (BASELINE, IN_TIME, (0.9345, 0.8820)), (SVDPP, TIME_SVDPP, (0.9095, 0.8325))],
    ids=["baseline", "svdpp"])
@pytest.mark.parametrize("data", ["u1", "ml_1m"])
def test_time_is_worth_a_resolved_step(static, temporal, at_most, data, request):
    world = request.getfixturevalue(data)
    test = world[1]
    below, ours = predicted(static, world), predicted(temporal, world)
    assert rmse(ours, test.values) <= at_most[data == "ml_1m"]
    assert paired_bootstrap(ours, below, test.values, test.users).high < 0


def test_what_was_rated_helps_the_machine(u1):
    train, test = u1
    plain, told = (clip(replace(RBM_200, conditional=conditional).fit(train, seen=test.pairs)
                        .predict(test.pairs), (1, 5)) for conditional in (False, True))
    assert rmse(told, test.values) <= 0.9065
    assert paired_bootstrap(told, plain, test.values, test.users).high < 0
