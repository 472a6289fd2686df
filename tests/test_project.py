"""The files of the project agree with each other."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from slow import SLOW

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text()


def name_of(requirement):
    return re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower().replace("_", "-")


def lines_of(text):
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("file", ["environment.yml", "environment-gpu.yml"])
def test_conda_environments_hold_only_what_pyproject_says(file):
    *conda, pip = yaml.safe_load((ROOT / file).read_text())["dependencies"]
    assert conda == [f"python{PROJECT['requires-python']}", "pip"]
    constraint, editable = pip["pip"]
    assert constraint == "-c constraints.txt"
    extras = re.fullmatch(r"-e \.\[([\w,]+)\]", editable)[1].split(",")
    assert set(extras) <= set(PROJECT["optional-dependencies"])
    assert {"lab", "test"} <= set(extras)


def test_every_dependency_has_a_tested_version():
    pinned = {name_of(line) for line in lines_of(CONSTRAINTS)}
    wanted = list(PROJECT["dependencies"])
    for extra in ("notebooks", "lab", "test", "gpu12", "gpu13"):
        wanted += PROJECT["optional-dependencies"][extra]
    assert {name_of(requirement) for requirement in wanted} - {PROJECT["name"]} <= pinned


def test_the_core_is_small_and_whoever_runs_notebooks_gets_all_they_need():
    core = {name_of(requirement) for requirement in PROJECT["dependencies"]}
    assert core == {"numba", "numpy", "pooch", "pyarrow", "scipy", "tqdm"}
    extras = PROJECT["optional-dependencies"]
    assert all("rslib[notebooks]" in extras[extra] for extra in ("lab", "test"))


@pytest.mark.parametrize("name", sorted(SLOW))
def test_what_is_left_out_of_the_check_is_there(name):
    tests = ROOT / "tests"
    assert (tests / name).is_file() or any(f"\ndef {name}(" in path.read_text()
                                           for path in tests.glob("test_*.py"))


def test_constraints_hold_names_and_versions_only():
    for line in lines_of(CONSTRAINTS):
        assert re.fullmatch(r"[\w.-]+==[\w.!+-]+( ; .+)?", line), line
    assert "://" not in CONSTRAINTS


def test_jupyterlab_stays_out_of_what_tests_and_sweeps_install():
    lean = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]
    assert not any("jupyterlab" in requirement for requirement in lean)


def test_without_a_usable_python_make_says_so_in_one_line(tmp_path):
    for file in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / file).write_text((ROOT / file).read_text())
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "make", "touch"):
        path = subprocess.run(["which", tool], capture_output=True, text=True).stdout.strip()
        (tools / tool).symlink_to(path)
    call = subprocess.run([str(tools / "make"), "test"], cwd=tmp_path, capture_output=True,
                          text=True, env={"PATH": str(tools)})
    said = [line for line in call.stderr.splitlines() if not line.startswith("make")]
    assert call.returncode != 0 and len(said) == 1 and "install Python 3.11" in said[0]


def test_no_path_of_a_machine_is_committed():
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if files.returncode:
        pytest.skip("not a git checkout")
    for file in files.stdout.split():
        path = ROOT / file
        if path.suffix in (".ipynb", ".md", ".json", ".html") and path.exists():
            found = re.search(r"/(?:home|root|Users|tmp|work)/\w+", path.read_text())
            assert not found, f"{file} names {found[0]}"
