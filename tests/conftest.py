"""Fixtures: a small world with a planted truth."""

import pytest
from worlds import planted_world


@pytest.fixture(scope="session")
def world():
    return planted_world()


@pytest.fixture(scope="session")
def train(world):
    return world[0]
