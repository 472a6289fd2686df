"""The package as it is installed: a small core, the bundled ratings, a line for what is missing."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ["IPython", "ipykernel", "matplotlib", "nbclient", "nbconvert", "nbformat", "papermill",
         "sklearn", "traitlets", "yaml"]
"""What the core must do without."""
WITHOUT = f"import sys; sys.modules.update(dict.fromkeys({HEAVY}))\n"       # each import fails
PARTS = ["models", "sources", "splits", "metrics", "kernels", "blend", "contest", "plots", "runs"]

USE = WITHOUT + """
sys.path.insert(0, sys.argv[1])
from rslib import models, sources, splits, metrics
import rslib
assert rslib.__file__.startswith(sys.argv[1]), rslib.__file__
split = splits.netflix(sources.load(cache=sys.argv[2]))
model = models.BiasedMF(n_factors=4, n_epochs=5).fit(split.train)
model.save(sys.argv[2] + "/model.npz")
error = metrics.clipped_rmse(model.predict(split.probe.pairs), split.probe.values,
                             split.probe.scale)
print(len(split.train) + sum(len(p) for p in (split.probe, split.quiz, split.test)), error)
"""


def python(code, *arguments, cwd=None):
    return subprocess.run([sys.executable, "-I", "-c", code, *map(str, arguments)], cwd=cwd,
                          capture_output=True, text=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of what is committed or would be."""
    pytest.importorskip("setuptools", "77", reason="setuptools below 77 or missing: install the "
                        "extra test to build the wheel")
    copy = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE", "rslib", "data/ml-latest-small"):
        take = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        take(ROOT / name, copy / name)
    built = python("from setuptools import build_meta; build_meta.build_wheel('dist')", cwd=copy)
    assert not built.returncode, built.stderr
    return next((copy / "dist").glob("*.whl"))


def test_the_wheel_holds_the_whole_package_and_the_bundled_ratings(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "rslib").rglob("*.py")} <= names
    bundled = sorted(path.name for path in (ROOT / "data" / "ml-latest-small").iterdir())
    assert {f"rslib/data/ml-latest-small/{name}" for name in bundled} <= names
    assert "README.txt" in bundled      # its licence goes where it goes
    assert {name.split("/")[0] for name in names} == {"rslib", wheel.stem.split("-py3")[0]
                                                      + ".dist-info"}


def test_an_installed_core_loads_fits_and_predicts(wheel, tmp_path):
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    zipfile.ZipFile(wheel).extractall(site)
    call = python(USE, site, tmp_path, cwd=elsewhere)
    assert not call.returncode, call.stderr
    n_ratings, error = call.stdout.split()
    assert n_ratings == "100836" and 0.8 < float(error) < 1.1
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("part", ["rslib", *(f"rslib.{name}" for name in PARTS)])
def test_importing_draws_in_nothing_heavy(part):
    heavy = {*HEAVY} - {"yaml"} | (         # numba takes yaml where it finds it
        {"numba", "pyarrow", "scipy"} if part == "rslib" else set())
    call = python(f"import sys, {part}; print(*{{*sys.modules}} & {heavy})")
    assert call.stdout.split() == [] and not call.returncode, call.stderr


def test_errors_are_scored_without_the_compiler():
    call = python("import sys, rslib.metrics; print('numba' in sys.modules)")
    assert call.stdout == "False\n" and not call.returncode, call.stderr


NEEDS = {
    "sklearn": "import numpy as np; from rslib.blend import Trees; column = np.arange(9.0)[:, None]"
               "; Trees().fit(column, column[:, 0], column)",
    "matplotlib": "from rslib.plots import panels; panels(1, 'title')",
    "nbclient": "from rslib.runs import run_notebook; run_notebook({notebook!r})",
    "nbformat": "from rslib.runs.execute import refresh; refresh({notebook!r})",
    "yaml": "from pathlib import Path; from rslib.runs.sweep import from_yaml; from_yaml(Path())",
}


@pytest.mark.parametrize("missing", NEEDS)
def test_what_is_missing_is_said_in_one_line_that_names_the_extra(missing, tmp_path):
    notebook = str(ROOT / "notebooks" / "91_speed.ipynb")
    call = python(WITHOUT + NEEDS[missing].format(notebook=notebook), cwd=tmp_path)
    *_, last = call.stderr.splitlines()
    assert call.returncode and last.startswith(f"ModuleNotFoundError: {missing}"), call.stderr
    assert "is not installed: install the extra notebooks" in last


def test_the_command_says_what_is_missing_too(tmp_path):
    code = WITHOUT + "from rslib.__main__ import main; sys.exit(main(['run', sys.argv[1]]))"
    call = python(code, ROOT / "notebooks" / "91_speed.ipynb", cwd=tmp_path)
    assert call.returncode == 2 and len(call.stderr.splitlines()) == 1
    assert call.stderr.startswith("rslib: nbclient")
