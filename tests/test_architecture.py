"""Imports go one way, and only the backend and the GPU driver know CuPy."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rslib

PACKAGE = Path(rslib.__file__).parent
BELOW = {       # what each part may import, beside itself and the ground floor
    "files": set(),
    "backend": set(),
    "extras": set(),
    "kernels": set(),
    "numbering": set(),
    "ratings": {"numbering"},
    "splits": {"ratings", "numbering"},
    "metrics": {"ratings", "kernels"},
    "sources": {"ratings"},
    "models": {"ratings", "kernels"},
    "plots": {"ratings", "splits", "metrics"},
    "recommend": {"ratings", "kernels", "models"},
    "runs": {"numbering", "ratings", "splits", "metrics", "sources", "kernels", "models", "plots"},
    "blend": {"ratings", "splits", "metrics", "models", "runs"},
    "contest": {"ratings", "metrics"},
    "commands": {"runs", "sources", "plots", "contest", "models", "splits", "recommend",
                 "metrics"},
    "__main__": {"commands"},
}
GROUND = {"files", "backend", "extras"}
FILES = sorted(PACKAGE.rglob("*.py"))
BENCHMARKS = sorted((rslib.HOME / "benchmarks").rglob("*.py"))


def part(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ([f"rslib.{alias.name}" for alias in node.names]
                        if node.module == "rslib" else [node.module])


def shown(path):
    return str(path.relative_to(PACKAGE.parent))


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_imports_go_one_way(path):
    if part(path) == "__init__":
        return
    used = {name.split(".")[1] for name in imports(path) if name.startswith("rslib.")}
    ground = set() if part(path) in GROUND else GROUND
    assert used - {"HOME", "__version__", "load_model"} <= BELOW[part(path)] | ground | {part(path)}


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_the_package_knows_nothing_that_stands_beside_it(path):
    assert not {name.split(".")[0] for name in imports(path)} & {"benchmarks", "tests"}


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_only_the_backend_knows_cupy(path):
    if part(path) != "backend":
        assert not any(name.startswith("cupy") for name in imports(path))


def test_importing_the_models_needs_no_cupy():
    code = "import sys; sys.modules['cupy'] = None; import rslib.models, rslib.sources, rslib.runs"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("path", FILES + BENCHMARKS, ids=shown)
def test_a_file_is_one_idea(path):
    assert len(path.read_text().splitlines()) <= 270


def functions(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", FILES + BENCHMARKS, ids=shown)
def test_functions_are_short_and_take_few_arguments(path):
    for node in functions(path):
        arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
        assert len(arguments) <= 10, f"{node.name} takes {len(arguments)} arguments"
        lines = node.end_lineno - node.lineno + 1
        if ast.get_docstring(node):
            lines -= node.body[0].end_lineno - node.body[0].lineno + 1
        assert lines <= 60, f"{node.name} has {lines} lines"


def test_models_name_their_attributes():
    """Looking attributes up by a name made at run time hides what a model learns."""
    found = [f"{path.name}: {line.strip()}" for path in FILES if part(path) == "models"
             for line in path.read_text().splitlines()
             if re.search(r"\b(getattr|setattr|vars)\(|__dict__", line)]
    assert len(found) <= 5, found


def private_names(source):
    """Names with a leading underscore that a cell reads, but for those of named tuples."""
    public = {"_replace", "_fields", "_asdict", "_make", "_"}
    for node in ast.walk(ast.parse(source)):
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
        if name.startswith("_") and not name.startswith("__") and name not in public:
            yield name


@pytest.mark.parametrize("path", sorted((rslib.HOME / "notebooks").glob("*.ipynb")),
                         ids=lambda path: path.stem)
def test_notebooks_teach_from_public_names(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    found = [name for cell in cells if cell["cell_type"] == "code"
             for name in private_names("".join(cell["source"]))]
    assert not found and "mock" not in path.read_text(encoding="utf-8").split('"outputs"')[0]
