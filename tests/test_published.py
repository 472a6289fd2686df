"""Figures on MovieLens 100K, fold u1, that anyone can look up or repeat.

Hyper-parameters of the factor models were chosen on a tenth of u1.base held out at random.
"""

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
    (Baseline("ridge", reg_user=5, reg_item=3), 0.9540),
    (Baseline("sgd", reg_user=5, reg_item=3), 0.9545),
    (Neighbours(shrinkage=500), 0.9310),
    (ItemWeights(), 0.9315),
    (GlobalWeights(), 0.9265),
    (BiasedMF(64), 0.9200),
    (BiasedMF(32), 0.9250),
    (NSVD(), 0.9210),
    (AsymmetricSVD(), 0.9120),
    (SVDpp(), 0.9130),
    (TemporalBaseline(), 0.9345),
    (TemporalWeights(), 0.9235),
    (TemporalAsymmetricSVD(n_epochs=15), 0.9095),
    (TimeSVDpp(), 0.9095),
    (TemporalIntegrated(), 0.9095),
    (RBM(), 0.9135),
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
    (Baseline(), TemporalBaseline(), (0.9345, 0.8820)), (SVDpp(), TimeSVDpp(), (0.9095, 0.8325))],
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
    plain, told = (clip(RBM(conditional=conditional).fit(train, seen=test.pairs)
                        .predict(test.pairs), (1, 5)) for conditional in (False, True))
    assert rmse(told, test.values) <= 0.9065
    assert paired_bootstrap(told, plain, test.values, test.users).high < 0
