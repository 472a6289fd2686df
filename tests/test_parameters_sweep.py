"""The picture of RMSE against parameters: its sweep, its template, and what is recorded of it."""

import csv
import itertools
from pathlib import Path

import pytest

from rslib.runs.parameters import defaults
from rslib.runs.sweep import Sweep, from_yaml

ROOT = Path(__file__).parents[1]
RECORDED = sorted((ROOT / "reports" / "recorded").glob("*/parameters.csv"))


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks" / "sweeps").glob("*.yaml")),
                         ids=lambda path: path.stem)
def test_a_committed_grid_fits_its_notebook(path, tmp_path):
    notebook, parameters, grid = from_yaml(path)
    assert len(Sweep(notebook, grid, parameters, tmp_path).runs) > 1


def test_the_template_fits_the_models_of_the_notebook():
    template = defaults(ROOT / "notebooks" / "sweeps" / "parameters.ipynb")
    notebook = defaults(ROOT / "notebooks" / "08_biases_and_interactions.ipynb")
    for name in ("REG", "REG_BIAS", "REG_ALONE"):
        assert template[name] == notebook[name], name


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.parent.name)
def test_a_recorded_table_is_whole(path):
    """Every size and seed has both factor models, and every size its neighbours, once."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = [(row["rung"], int(row["SIZE"]), int(row["SEED"])) for row in rows]
    sizes, seeds = ({key[place] for key in found} for place in (1, 2))
    expected = {*itertools.product(("factors-sgd", "mf-sgd"), sizes, seeds),
                *(("item-neighbours", size, 0) for size in sizes)}
    assert len(found) == len(expected) and set(found) == expected
    assert len(sizes) > 2 and len(seeds) > 2
    assert all(0.5 < float(row["probe"]) < 1.5 for row in rows)


def test_the_bundled_ratings_have_their_table():
    assert "ml-latest-small" in [path.parent.name for path in RECORDED]
