"""The stopwatch, the races and the recorded figures."""

import json
import time

import numpy as np
import pytest
import scipy.sparse
from worlds import planted_world

import rslib
from benchmarks import bare_kernels, peers, timing
from benchmarks.speed import Plan, measure
from benchmarks.speed_table import bars, share

TINY = Plan(data="synthetic-3k", large="synthetic-4k", sessions="synthetic-2k", sizes=(3, 4),
            factors=(4, 8), repetitions=2, n_sweeps=3, n_kept=2, n_pairs=50, gram_length=40)


@pytest.fixture
def no_peers(monkeypatch):
    monkeypatch.setattr(peers, "PEERS", {task: {} for task in peers.PEERS})


def test_contenders_take_turns_after_a_warm_up():
    calls = []
    times = timing.interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3)
    assert "".join(calls) == "ab" + "ababab"
    assert {name: len(values) for name, values in times.items()} == {"a": 3, "b": 3}


def test_a_slow_contender_runs_less_often_and_a_task_may_time_itself():
    times = timing.interleaved({"slow": lambda: 25.0, "quick": lambda: 1.0}, 5)
    assert times == {"slow": [25.0] * 3, "quick": [1.0] * 5}
    assert timing.ratios(times["slow"], times["quick"]) == [25.0] * 3


def test_the_clock_measures():
    start = time.perf_counter()
    measured = timing.seconds(lambda: time.sleep(0.02))
    assert 0.02 <= measured <= time.perf_counter() - start


def test_an_exponent_is_recovered():
    sizes = np.array([1e3, 1e4, 1e5])
    assert timing.exponent(sizes, 3e-6 * sizes ** 1.5) == pytest.approx(1.5)


def hold(n):
    return len(np.ones(n).tobytes())


def test_peak_memory_sees_what_is_held_for_a_moment():
    n_bytes = timing.peak_memory(hold, (8_000_000,), (8,))      # the array, and a copy of it
    assert 120e6 < n_bytes < 140e6


def test_a_share_is_a_rate_over_the_rate_of_the_yardstick():
    race = {"seconds": {"ours": [2.0, 4.0], "matrix product": [1.0, 1.0]},
            "work": {"ours": {"flops": 10}, "matrix product": {"flops": 20}}}
    assert share(race) == [0.25, 0.125]


def test_what_was_measured_is_kept_and_not_measured_again(tmp_path):
    path, calls = tmp_path / "speed.json", []
    for _ in range(2):
        timing.Log(path, {"n": 1}).run("race", lambda: calls.append(1) or {"seconds": 2.0})
    assert calls == [1]
    assert json.loads(path.read_text())["results"] == {"race": {"seconds": 2.0}}
    with pytest.raises(ValueError, match="other settings"):
        timing.Log(path, {"n": 2})


def test_a_library_that_is_not_installed_is_named(monkeypatch):
    def adapter():
        import rslib_no_such_library  # noqa: F401
    monkeypatch.setitem(peers.PEERS, "sgd", {"Nobody": adapter})
    assert peers.available("sgd") == ({}, ["Nobody: No module named 'rslib_no_such_library'"])


def test_the_implicit_objective_counts_every_pair():
    rng = np.random.default_rng(0)
    confidence = scipy.sparse.random(7, 5, 0.4, "coo", random_state=rng) * 3
    x, y = rng.normal(size=(7, 2)), rng.normal(size=(5, 2))
    c, p = np.ones((7, 5)), np.zeros((7, 5))
    c[confidence.row, confidence.col] = confidence.data
    p[confidence.row, confidence.col] = 1
    expected = (c * (p - x @ y.T) ** 2).sum() + 0.3 * ((x ** 2).sum() + (y ** 2).sum())
    assert bare_kernels.implicit_objective(confidence, (x, y), 0.3) == pytest.approx(expected)


@pytest.mark.parametrize("use_cg", [False, True])
def test_implicit_sweeps_descend(use_cg):
    ratings, _ = planted_world()
    confidence = scipy.sparse.coo_matrix((1 + ratings.values.clip(0.5, 5),
                                          (ratings.users, ratings.items)))
    begin = bare_kernels.start(ratings, 4)
    contender = bare_kernels.implicit(confidence, begin, 0.1, use_cg=use_cg)
    objectives = [bare_kernels.implicit_objective(confidence, begin, 0.1)]
    for _ in range(4):
        contender.run()
        objectives.append(bare_kernels.implicit_objective(confidence, contender.learned(), 0.1))
    assert all(np.diff(objectives) < 0)


def test_the_gibbs_sampler_finds_the_noise():
    ratings, stars = planted_world(n_users=200, noise=0.3)
    sampler, total = bare_kernels.GibbsSampler(ratings, 2), 0
    for sweep in range(60):
        sampler.sweep()
        if sweep >= 20:
            total = total + sampler.predict(ratings)
    assert sampler.alpha ** -0.5 == pytest.approx(0.3, rel=0.05)
    truth = stars[ratings.users, ratings.items]
    assert np.sqrt(np.mean((total / 40 - truth) ** 2)) < 0.12


def test_every_race_runs_and_every_bar_gets_a_row(tmp_path, no_peers):
    content = measure(tmp_path / "speed.json", TINY)
    rows = bars(content["results"])
    assert len(rows) == 37
    assert all(row["met"] in ("yes", "no", "not installed") for row in rows)
    assert [row["met"] for row in rows if row["against"] == "cornac"] == ["not installed"] * 4


def test_the_recorded_figures_name_no_place():
    text = (rslib.HOME / "reports" / "recorded" / "speed.json").read_text()
    content = json.loads(text)
    assert "/" not in "".join(content["machine"]["versions"]) and str(rslib.HOME) not in text
    assert len(bars(content["results"])) == 37
