"""The numbers of the factorisation slides from first principles, and the quizzes of notebook 04."""

import json
from pathlib import Path

import numpy as np
import pytest

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "04_factorisation_by_hand.ipynb"
ALICE = np.array([5, 4, 2, 3, 2.0])
FEATURES = np.array([[0.95, 1.00, 0.05, 0.05, 0.05], [0.10, 0.20, 0.80, 0.95, 0.15],
                     [0.85, 0.90, 0.30, 0.70, 0.95]])


def step(w, h, error, learning_rate):
    w, h = np.array(w), np.array(h)
    return w + learning_rate * error * h, h + learning_rate * error * w


def test_scale():
    cells = 200 * 10**6 * 15 * 10**3
    assert cells == 3 * 10**12
    assert round(100 * 100 / 15_000, 2) == round(100 * 20e9 / cells, 2) == 0.67
    assert 20e9 / 200e6 == 100


def test_alice_by_normal_equations():
    w = np.linalg.inv(FEATURES @ FEATURES.T) @ FEATURES @ ALICE
    assert np.allclose(w, np.linalg.lstsq(FEATURES.T, ALICE, rcond=None)[0])
    assert np.array_equal(w.round(2), [2.78, 1.66, 1.75])
    assert round(w @ FEATURES[:, 0], 2) == 4.29


def test_sgd_step_of_the_slides():
    w, h = [0.4, 0.2, 0.3], [0.95, 0.10, 0.85]
    error = 5 - np.dot(w, h)
    assert np.isclose(np.dot(w, h), 0.655) and np.isclose(error, 4.345)     # not 3.2
    w, h = step(w, h, error, 0.01)
    assert np.array_equal(w.round(4), [0.4413, 0.2043, 0.3369])
    assert np.array_equal(h.round(4), [0.9674, 0.1087, 0.8630])             # printed: 0.8631


def test_quiz_3():
    w, h = [0.8, 0.3], [0.6, 0.9]
    assert np.allclose(step(w, h, 2 - 4.5, 0.1), [[0.65, 0.075], [0.4, 0.825]])
    assert np.isclose(np.dot(w, h), 0.75)                                   # not 4.5
    assert np.allclose(step(w, h, 2 - 0.75, 0.1), [[0.875, 0.4125], [0.7, 0.9375]])


def test_first_als_step_meets_every_rating():
    start = np.array([[1.0, 0.5, 0.2], [0.3, 1.2, 0.8]])
    rated, ratings = [[0, 2], [0, 1], [1, 2]], [[5, 2], [4, 4], [5, 1]]
    w = [np.linalg.solve(start[:, j].T, y) for j, y in zip(rated, ratings, strict=True)]
    assert np.allclose(w, [[3.4 / 0.74, 1 / 0.74], [3.6 / 1.05, 2 / 1.05], [17.5, -3.125]])
    assert np.isclose(w[2] @ start[:, 0], 16.5625)


@pytest.mark.parametrize("x, y, z", [(5, 2, 5), (5, 4, 5), (3, 2, -1), (3, 3, 27)])
def test_completions_of_rank_two(x, y, z):
    full = np.array([[5, x, 2], [4, 4, y], [z, 5, 1]])
    assert 60 - 4 * x - 25 * y - 8 * z + x * y * z == 0
    assert np.linalg.matrix_rank(full) == 2


@pytest.fixture(scope="module")
def check():
    """The checker of the notebook, taken from its cell."""
    cell, = (cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["id"] == "check")
    names = {"np": np, "json": json, "base64": __import__("base64")}
    exec("".join(cell["source"]), names)
    return lambda question, answer: names["check"](question, answer, hint="try")


@pytest.mark.parametrize("question, answer", [
    ("cells", 200e6 * 15e3), ("filled", 2 / 3), ("filled", 0.67), ("numbers", 2 * (3 + 5)),
    ("shapes", [(3, 5), (3, 2), (2, 5)]), ("error", -2.5), ("user", [0.65, 0.075]),
    ("film", np.array([0.4, 0.825])), ("true-or-false", [False] * 5), ("memory", 80),
    ("epoch", 20e9 / 25e6), ("request", 15_000 * 100)])
def test_right_answers_are_told_right(check, question, answer):
    assert check(question, answer) == "right"


@pytest.mark.parametrize("question, answer", [
    ("cells", 3e11), ("filled", "much"), ("filled", float("nan")), ("user", [0.65]),
    ("user", [0.65, 0.075, 1]), ("true-or-false", False), ("cells", [3e12]),
    ("shapes", [[3, 5], [3, 2], 2]), ("shapes", [None] * 3),
    ("true-or-false", [False, True, False, False, False]), ("true-or-false", ["no"] * 5)])
def test_wrong_answers_are_told_so(check, question, answer):
    assert check(question, answer) == "not yet: try"


def test_no_answer_yet(check):
    assert check("cells", None) == "not answered yet"
