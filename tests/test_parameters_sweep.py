"""The picture of RMSE against parameters: its sweep, its template, and what is recorded of it."""

import csv
import itertools
import zipfile
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


TABLE = "user,item,rating\n1,1,3\n1,2,4\n2,1,5\n"


def as_folder(path, text):
    path.mkdir(exist_ok=True)
    (path / "ratings.csv").write_text(text)
    return str(path)


def as_file(path, text):
    path.with_suffix(".csv").write_text(text)
    return str(path.with_suffix(".csv"))


def as_member(path, text):
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as archive:
        archive.writestr("a/ratings.csv", text)
    return f"{path.with_suffix('.zip')}:a/ratings.csv"


@pytest.mark.parametrize("write", [as_folder, as_file, as_member])
def test_ratings_that_changed_are_run_anew(write, tmp_path):
    def keys():
        return [*Sweep(ROOT / "notebooks" / "02_neighbours.ipynb", {"SHRINKAGE": [10.0, 20.0]},
                       {"DATASET": dataset}, tmp_path / "sweep").runs]

    dataset = write(tmp_path / "mine", TABLE)
    before = keys()
    assert keys() == before and len({*before}) == 2
    write(tmp_path / "mine", TABLE.replace("5", "4"))
    assert not {*keys()} & {*before}


def test_a_known_set_that_changed_is_run_anew(tmp_path, monkeypatch):
    """Its name is the same; the folder that it is found in is not."""
    def keys():
        return [*Sweep(ROOT / "notebooks" / "02_neighbours.ipynb", {"SHRINKAGE": [10.0]},
                       {"DATASET": "ml-latest-small"}, tmp_path / "sweep").runs]

    monkeypatch.setenv("RSLIB_DATA", str(tmp_path))
    before = keys()
    assert keys() == before
    as_folder(tmp_path / "ml-latest-small", "userId,movieId,rating,timestamp\n1,1,3.0,9\n")
    assert keys() != before
