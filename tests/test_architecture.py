"""Imports go one way, and only the backend and the GPU driver know CuPy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rslib

PACKAGE = Path(rslib.__file__).parent
BELOW = {       # what each part may import
    "backend": set(),
    "kernels": {"backend"},
    "ratings": {"backend"},
    "splits": {"backend", "ratings"},
    "metrics": {"backend", "ratings"},
    "sources": {"backend", "ratings"},
    "models": {"backend", "ratings", "kernels"},
    "plots": {"backend", "ratings", "splits", "metrics"},
    "runs": {"backend", "ratings", "splits", "metrics", "sources", "kernels", "models", "plots"},
    "blend": {"backend", "ratings", "splits", "metrics", "models", "runs"},
    "contest": {"backend", "ratings", "metrics"},
    "__main__": {"runs", "sources", "plots", "contest", "models", "splits"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def part(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ([f"rslib.{alias.name}" for alias in node.names]
                        if node.module == "rslib" else [node.module])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    if part(path) == "__init__":
        return
    used = {name.split(".")[1] for name in imports(path) if name.startswith("rslib.")}
    assert used - {"HOME", "__version__"} <= BELOW[part(path)] | {part(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_backend_knows_cupy(path):
    if part(path) != "backend":
        assert not any(name.startswith("cupy") for name in imports(path))


def test_importing_the_models_needs_no_cupy():
    code = "import sys; sys.modules['cupy'] = None; import rslib.models, rslib.sources, rslib.runs"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_is_one_idea(path):
    assert len(path.read_text().splitlines()) <= 270
