"""Fixtures: a small world with a planted truth, and folders of data that hold nothing yet."""

import os
import tempfile
from pathlib import Path

import pytest
import strict
from prize import Game
from slow import SLOW
from worlds import planted_world

from rslib.sources import download


def pytest_collection_modifyitems(items):
    for item in items:
        if {item.path.name, getattr(item, "originalname", None)} & SLOW or (
                item.path.suffix == ".ipynb"):
            item.add_marker("slow")


@pytest.fixture(scope="session")
def world():
    return planted_world()


@pytest.fixture(scope="session")
def train(world):
    return world[0]


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def data(tmp_path, monkeypatch):
    """An empty RSLIB_DATA, and a home without data."""
    monkeypatch.setattr(download, "HOME", tmp_path / "home")
    monkeypatch.setenv("RSLIB_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def cupy(monkeypatch):
    """The pretend CuPy, in the place of the real one."""
    return strict.put_in_place(monkeypatch)


@pytest.fixture
def game(tmp_path):
    """A contest that has just been opened."""
    return Game(tmp_path)


@pytest.fixture
def public():
    """A folder that every OS user may enter: sockets and hand-outs stand here."""
    with tempfile.TemporaryDirectory(prefix="contest-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)
