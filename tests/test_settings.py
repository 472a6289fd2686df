"""One set of settings: classes, rungs, notebooks and committed records agree."""

from dataclasses import asdict, replace
from types import SimpleNamespace

import nbformat
import pytest

from rslib import HOME, blend, models, runs
from rslib.runs.parameters import defaults
from rslib.runs.rungs import RUNGS
from rslib.runs.settings import BLEND, BLEND_REG, OWN, digest, own_params

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
def test_the_members_of_the_blend_are_those_of_its_notebook(days):
    cells = {cell.id: cell.source for cell in nbformat.read(NOTEBOOKS["17"], 4).cells}
    names = {"blend": blend, "models": models, "replace": replace,
             "everything": SimpleNamespace(days=days)}
    for cell in ("parameters", "catalogue-factors", "catalogue-others"):
        exec(cells[cell], names)
    kinds = {name: digest({"model": type(model).__name__} | asdict(model))
             for name, model in names["catalogue"].items()}
    assert kinds == {name: BLEND[name] for name in kinds} and names["REG"] == BLEND_REG
    assert len(kinds) == len(BLEND) if days else 0 < len(kinds) < len(BLEND)


def test_numbers_that_are_equal_have_one_digest():
    assert digest({"a": 4, "b": [(1, 2.0)]}) == digest({"b": [[1.0, 2]], "a": 4.0})
    assert digest({"a": 4}) != digest({"a": 4.5}) and digest({"a": 1}) != digest({"a": True})
