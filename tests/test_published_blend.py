"""The machine, factors and their blend on MovieLens 1M, a random tenth held out.

Weights of the blends, and the settings of the factors, are learned on a tenth of the training part.
"""

import pytest
from worlds import random_tenth

from rslib.blend import Chain, Members, Ridge
from rslib.metrics import clip, paired_bootstrap, rmse
from rslib.models import RBM, BiasedMF, Neighbours, SVDpp, TemporalBaseline, TimeSVDpp
from rslib.splits import carve

FINE = {"calendar_days": 30, "item_bin_days": 70, "beta": 0.4, "reg_user": 5.0, "reg_item": 3.0,
        "reg_drift": 50.0, "reg_day": 15.0}
SHORT = {"n_epochs": 15, "learning_rate": 0.045}
MODELS = {"RBM": RBM(n_hidden=100, batch_size=100),
          "factors": BiasedMF(128, reg=0.054, reg_bias=0.02, n_epochs=50),
          "SVD++": SVDpp(128, reg=0.035, reg_bias=0.02, decay=0.9, **SHORT),
          "timeSVD++": TimeSVDpp(**FINE, reg=0.035, drift_weight=0.5, **SHORT),
          "neighbours": Chain((TemporalBaseline(**FINE, reg_scale=5.0, n_epochs=20),
                               Neighbours(min_neighbours=1, shrinkage=200.0, reg_user=5.0,
                                          reg_item=3.0)))}


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    split = carve(*random_tenth(tmp_path_factory.mktemp("cache")))
    told = RBM(n_hidden=100, batch_size=100, conditional=True)
    return Members.fit(MODELS, split).add("conditional", told, split, seen=True)


@pytest.fixture(scope="module")
def predicted(members):
    """What each member says of the tenth, and two blends, clipped."""
    two = members[["RBM", "factors"]]
    blends = {name: Ridge().fit(some.probe, some.probe_values).predict(some.held_out)
              for name, some in (("two", two), ("all", members))}
    said = dict(zip(members.names, members.held_out.T, strict=True)) | blends
    return {name: clip(column, members.scale) for name, column in said.items()}


@pytest.mark.parametrize("name, at_most", [("RBM", 0.865), ("two", 0.8405), ("all", 0.832)])
def test_figures_are_reached(name, at_most, members, predicted):
    assert rmse(predicted[name], members.held_out_values) <= at_most


@pytest.mark.parametrize("better, worse", [("conditional", "RBM"), ("two", "RBM"),
                                           ("two", "factors"), ("all", "two"), ("all", "SVD++")])
def test_steps_are_resolved(better, worse, members, predicted):
    step = paired_bootstrap(predicted[better], predicted[worse], members.held_out_values,
                            members.held_out_users)
    assert step.high < 0
