"""One set of settings: classes, rungs, notebooks and committed records agree."""

from types import SimpleNamespace

import pytest
from toy import toy

from rslib import HOME, models, runs, splits
from rslib.runs import tune
from rslib.runs.parameters import defaults
from rslib.runs.rungs import RUNGS
from rslib.runs.settings import BLEND, BLEND_REG, OWN, digest, is_own, own_params

NOTEBOOKS = {path.name[:2]: path for path in sorted((HOME / "notebooks").glob("[0-9]*.ipynb"))}


def test_every_rung_has_settings_but_the_blend():
    assert [*OWN, "blend"] == list(RUNGS)


@pytest.mark.parametrize("rung", [rung for rung, own in OWN.items() if own.reads])
def test_a_notebook_s_parameters_are_its_rungs_settings(rung):
    shown, own = defaults(NOTEBOOKS[RUNGS[rung].notebook]), own_params(rung)
    reads = OWN[rung].reads
    assert {name: shown[parameter] for name, parameter in reads.items()} == {
        name: own[name] for name in reads}


@pytest.mark.parametrize("dataset", ["ml-latest-small", "synthetic-100k", "ml-1m"])
def test_committed_records_were_made_with_the_rungs_own_settings(dataset, tmp_path):
    assert [each.rung for each in runs.read(dataset, runs.RECORDED)] == list(RUNGS)


@pytest.mark.parametrize("rung", ["svdpp", "baseline-ridge"])
def test_what_was_chosen_on_probe_stands_in_for_a_parameter(rung):
    reads = OWN[rung].reads
    name = next(iter(reads))
    chosen = {RUNGS[rung].notebook: {reads[name]: 7}, "99": {reads[name]: 8}}
    assert own_params(rung, chosen) == own_params(rung) | {name: 7}


@pytest.mark.parametrize("days", ["with days", None])
def test_the_blend_is_a_rung_with_the_settings_of_its_members(days):
    chosen = {"09": {"REG": 0.5}}
    rungs = [rung for rung in BLEND if days or RUNGS[rung].part != "Time"]
    members = {rung: {"model": OWN[rung].model} | own_params(rung, chosen) for rung in rungs}
    blended = SimpleNamespace(rung="blend", params={"blender": {"reg": BLEND_REG},
                                                    "members": members})
    assert "svdpp" in rungs and is_own(blended, chosen) and not is_own(blended)
    members["svdpp"] = members["svdpp"] | {"n_factors": 3}
    assert not is_own(blended, chosen)
    del members["svdpp"]
    assert not is_own(blended, chosen)


def test_the_model_of_a_rung_has_its_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("RSLIB_RUNS", str(tmp_path))
    split = splits.netflix(toy("mine"))
    assert runs.own_model("svdpp") == runs.own_model("svdpp", split) == models.SVDpp()
    tune.remember(split, {"09": {"REG": 0.5}}, [])
    assert runs.own_model("svdpp", split) == models.SVDpp(reg=0.5)
    with pytest.raises(ValueError, match="'blend' is no rung of one model"):
        runs.own_model("blend")


def test_numbers_that_are_equal_have_one_digest():
    assert digest({"a": 4, "b": [(1, 2.0)]}) == digest({"b": [[1.0, 2]], "a": 4.0})
    assert digest({"a": 4}) != digest({"a": 4.5}) and digest({"a": 1}) != digest({"a": True})
