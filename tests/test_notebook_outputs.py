"""What nbval must notice in a notebook, and what it must not."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from printed import Printed

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("ours, theirs", [
    ("RMSE 0.8712", "RMSE 0.8713"),                     # rounding on another CPU
    ("RMSE 0.8712", "RMSE  0.8712 "),
    ("1,234.5", "1234.5"),
    ("[+0.0012, +0.0034]", "[+0.0013, +0.0034]"),
    ("<td>3.5021</td>", "<td>3.5026</td>"),
])
def test_rounding_passes(ours, theirs):
    assert Printed(ours) == theirs and not Printed(ours) != theirs


@pytest.mark.parametrize("ours, theirs", [
    ("RMSE 0.8712", "RMSE 0.8799"),                     # one per cent
    ("RMSE 0.8712", "RMSE 0.8722"),                     # a step of the ladder
    ("bias 0.4515", "bias 0.4605"),                     # times 1.02
    ("610 users", "611 users"),
    ("RMSE 0.8712", "MAE 0.8712"),
    ("0.8712", "0.8712 0.9000"),
    ("0.8712", "0.87"),
    ("+0.0012", "-0.0012"),
    ("−0.0012", "0.0012"),
])
def test_changes_fail(ours, theirs):
    assert Printed(ours) != theirs and not Printed(ours) == theirs


def run(folder, source, printed):
    """Run nbval with our collector on a one-cell notebook; return its exit code and output."""
    cell = nbformat.v4.new_code_cell(source, id="one")
    if printed is not None:
        cell.execution_count = 1
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=printed)]
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbformat.write(notebook, folder / "one.ipynb")
    (folder / "conftest.py").write_text((ROOT / "notebooks" / "conftest.py").read_text())
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT / 'tests'}\n")
    call = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                           str(folder)], capture_output=True, text=True, cwd=folder)
    return call.returncode, call.stdout


@pytest.mark.parametrize("printed, words", [
    ("0.87121\n", None), ("0.87993\n", "mismatch"), ("", "mismatch"),
    (None, "outputs are stripped")])
def test_a_notebook_passes_only_with_its_own_numbers(tmp_path, printed, words):
    code, output = run(tmp_path, "print(f'{0.871204:.5f}')", printed)
    if words is None:
        assert code == 0, output
    else:
        assert code != 0 and words in output


def test_every_notebook_can_be_tested():
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        tags = [tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])]
        assert tags.count("parameters") == 1, path.name
        assert notebook.metadata.kernelspec.name == "python3", path.name
        assert not any(str(tag).startswith("nbval") for tag in tags), path.name
