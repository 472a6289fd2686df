"""The compact store: what it keeps, what it costs, and what it leaves behind."""

import errno
import json
import os
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv
from waiting import HANG

from rslib.sources import SourceError, columns, load, spool, store

HEADER = "user,item,rating,timestamp\n"


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def write(path, user, item, rating, seconds=None):
    arrays = {"user": user, "item": item, "rating": rating}
    arrays |= {} if seconds is None else {"timestamp": seconds}
    csv.write_csv(pa.table(arrays), path)
    return path


def shape(name, rng):
    """Ratings of one shape, without repeated pairs: user, item, rating, seconds."""
    n, n_users, n_items = (140_000, 70_000, 66_000) if name == "wide" else (70_000, 3000, 2000)
    pairs = rng.choice(n_users * n_items, n, replace=False)
    user, item = pairs // n_items, pairs % n_items
    rating, seconds = rng.integers(1, 11, n) / 2, rng.integers(10**9, 10**9 + 3 * 86400, n)
    if name in ("by user", "by item"):
        order = np.argsort(user if name == "by user" else item, kind="stable")
        user, item = user[order], item[order]
    if name == "busy":      # one user gives more than 256 ratings on a day
        user[:1000], item[:1000], seconds[:1000] = n_users, np.arange(1000), 10**9
    if name == "wide":
        user = np.concatenate([rng.permutation(n_users), rng.permutation(n_users)])
        item = 2 * (np.arange(n) % (n_items // 2)) + (np.arange(n) >= n // 2)
        user[-300:], item[-300:] = n, np.arange(300)
    if name == "fine":
        rating = rng.random(n).round(3)
    if name == "continuous":
        rating = (rng.random(n) + np.arange(n)).astype(np.float32)
    return user, item, rating, seconds


SHAPES = ("by user", "by item", "shuffled", "busy", "wide", "fine", "continuous")


def facts(cache):
    (meta,) = cache.glob("*/meta.json")
    return json.loads(meta.read_text()), meta.parent


@pytest.mark.parametrize("name", SHAPES)
def test_round_trip_in_at_most_nine_bytes(name, tmp_path, cache, rng):
    user, item, rating, seconds = shape(name, rng)
    ratings = load(write(tmp_path / "a.csv", user, item, rating, seconds), cache=cache)
    meta, folder = facts(cache)
    size = sum((folder / f"{column}.bin").stat().st_size for column in meta["columns"]
               if column in ("user", "item", "rating", "day", "rank"))
    assert size / len(user) == meta["bytes_a_rating"] <= 9
    order = np.arange(len(user))
    if ("user_runs" in meta["columns"]) and name != "by user":      # sorted to keep the budget
        order = np.lexsort((seconds, user))
    assert name != "wide" or "user_runs" in meta["columns"]
    assert (ratings.info.user_ids[ratings.users] == user[order]).all()
    assert (ratings.info.item_ids[ratings.items] == item[order]).all()
    assert (ratings.values == rating.astype(np.float32)[order]).all()
    assert (ratings.days == seconds[order] // 86400 - seconds.min() // 86400).all()
    ranks = np.zeros(len(user)) if ratings.ranks is None else ratings.ranks
    in_time = np.lexsort((ranks, ratings.days, ratings.users))
    assert (order[in_time] == np.lexsort((seconds, user))).all()


@pytest.mark.parametrize(("n", "size"), [(1, 1), (256, 1), (257, 2), (65_536, 2), (65_537, 3),
                                         (1 << 24, 3), ((1 << 24) + 1, 4)])
def test_ids_in_the_fewest_bytes(n, size, rng):
    ids = np.concatenate([[0, n - 1], rng.integers(0, n, 50)]).astype(np.int32)
    packed = columns.pack_ids(ids, n)
    assert packed.nbytes == size * len(ids)
    assert columns.expand_ids(packed).dtype == np.int32
    assert (columns.expand_ids(packed) == ids).all()


def test_ranks_count_what_came_earlier_that_day():
    users = np.array([0, 1, 0, 0, 0, 1], np.int32)
    times = np.array([50, 7, 10, 50, 86400, 3])     # row 3 ties with row 0
    assert columns.pack_ranks(users, times).tolist() == [1, 1, 0, 2, 0, 0]
    assert columns.pack_ranks(users[:2], times[:2]) is None


def test_the_last_duplicate_in_time_is_kept(tmp_path, cache):
    path = tmp_path / "a.csv"
    path.write_text(HEADER + "1,1,5,200\n1,2,4,10\n1,1,1,100\n2,1,3,7\n1,2,2,10\n2,9,3,7\n")
    with pytest.warns(UserWarning, match=r"a\.csv: 2 duplicate ratings") as caught:
        ratings = load(path, cache=cache)
    assert len(caught) == 1
    assert ratings.values.tolist() == [5, 3, 2, 3] and ratings.users.tolist() == [0, 1, 0, 1]
    again = load(path, cache=cache)     # pytest would report a second warning
    assert again.info.n_duplicates == 2 and again.values.tolist() == [5, 3, 2, 3]


def test_the_last_duplicate_without_times_is_the_last_row(tmp_path, cache):
    path = tmp_path / "a.csv"
    path.write_text("user,item,rating\n1,1,5\n1,1,4\n1,2,3\n1,1,1\n")
    with pytest.warns(UserWarning, match="2 duplicate"):
        assert load(path, cache=cache).values.tolist() == [3, 1]


def test_a_second_load_reads_the_store_only(tmp_path, cache, monkeypatch):
    path = write(tmp_path / "a.csv", [1, 2], [3, 4], [5, 6])
    first = load(path, cache=cache)
    monkeypatch.setattr(store, "build", None)
    second = load(path, cache=cache)
    for name in ("users", "items", "values"):
        assert (getattr(first, name) == getattr(second, name)).all()
    assert first.info.scale == second.info.scale


@pytest.mark.parametrize("keep_clock", [False, True])
def test_a_changed_source_is_built_anew(keep_clock, tmp_path, cache):
    path = write(tmp_path / "a.csv", [1, 2], [3, 4], [5, 6])
    state = path.stat()
    load(path, cache=cache)
    path.write_text(path.read_text().replace("6", "7"))
    if keep_clock:      # an edit of the same size within one tick of the clock
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert load(path, cache=cache).values.tolist() == [5, 7]
    assert len(list(cache.iterdir())) == 1      # the old one is gone


def test_options_and_places_have_their_own_store(tmp_path, cache, monkeypatch):
    path = write(tmp_path / "a.csv", [1, 2], [3, 4], [5, 6])
    (tmp_path / "b").mkdir()
    load(path, cache=cache)
    assert load(path, cache=cache, scale=(0, 9)).scale == (0, 9)
    assert load(path, cache=cache).scale == (5, 6)
    load(write(tmp_path / "b" / "a.csv", [1], [1], [1]), cache=cache)
    assert len(list(cache.iterdir())) == 3
    monkeypatch.setattr(store, "FORMAT", -1)
    load(path, cache=cache)
    assert len(list(cache.iterdir())) == 3


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"),
                                   KeyboardInterrupt()])
def test_a_half_written_store_is_removed(error, fresh, tmp_path, cache, monkeypatch):
    path = write(tmp_path / "a.csv", [1, 2], [3, 4], [5, 6])
    if not fresh:
        load(write(tmp_path / "b.csv", [1], [1], [1]), cache=cache)
    before = sorted(tmp_path.rglob("*"))
    written = []

    def fail(folder, *contents):
        (folder / "user.bin").write_bytes(b"half")
        written.append(folder)
        raise error

    monkeypatch.setattr(store, "_write", fail)
    with pytest.raises(type(error)) as caught:
        load(path, cache=cache)
    assert written and sorted(tmp_path.rglob("*")) == before
    if isinstance(error, OSError):
        assert "the disk is full" in str(caught.value) and str(path) in str(caught.value)
        assert caught.value.errno == errno.ENOSPC and "\n" not in str(caught.value)


def test_a_disk_that_fills_while_the_source_is_read(tmp_path, cache, monkeypatch):
    path = write(tmp_path / "a.csv", [1, 2], [3, 4], [5, 6])

    def fail(self, batch):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spool.Spool, "append", fail)
    with pytest.raises(OSError, match="the disk is full"):
        load(path, cache=cache)
    assert not cache.exists()


def test_what_a_killed_build_left_is_removed_after_a_day(tmp_path, cache):
    old, young = cache / ".a.csv-1.2-3", cache / ".b.csv-1.2-3"
    for folder in (old, young):
        folder.mkdir(parents=True)
    os.utime(old, (0, time.time() - 2 * 86400))
    load(write(tmp_path / "a.csv", [1, 2], [3, 4], [5, 6]), cache=cache)
    assert young.exists() and not old.exists()


def test_too_many_ids(tmp_path, cache, monkeypatch):
    path = write(tmp_path / "a.csv", [1, 2, 3], [3, 4, 5], [5, 6, 7])
    monkeypatch.setattr(spool, "MAX_IDS", 3)
    with pytest.raises(SourceError, match=r"a\.csv: 3 different users are too many"):
        load(path, cache=cache)
    assert not cache.exists()


LOAD = """
import re, sys, time
from pathlib import Path
from rslib.sources import load

def peak():     # ru_maxrss would count what the parent held when it forked
    status = Path("/proc/self/status")
    return int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) if status.exists() else 0

time.sleep(max(0, float(sys.argv[3]) - time.time()))
before = peak()
ratings = load(sys.argv[1], cache=sys.argv[2])
print(len(ratings), (peak() - before) / 1024)
"""


def process(path, cache, start=0.0):
    return subprocess.Popen([sys.executable, "-c", LOAD, path, cache, str(start)],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_build_at_once(tmp_path, cache, rng):
    path = write(tmp_path / "a.csv", *shape("shuffled", rng))
    start = time.time() + 2
    both = [process(path, cache, start) for _ in range(2)]
    for running in both:
        output, errors = running.communicate(timeout=HANG)
        assert running.returncode == 0 and output.startswith("70000 "), errors
    assert len(list(cache.iterdir())) == 1


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="peak memory needs /proc")
def test_memory_stays_small(tmp_path, cache, rng):
    n = 1_000_000
    pairs = np.unique(rng.integers(0, 20_000 * 3000, n))
    seconds = rng.integers(10**9, 2 * 10**9, len(pairs))
    order = rng.permutation(len(pairs))
    path = write(tmp_path / "a.csv", pairs[order] // 3000, pairs[order] % 3000,
                 rng.integers(1, 6, len(pairs)), seconds)
    for limit in (250, 60):     # MB above the imports: while building, then from the store
        running = process(path, cache)
        output, errors = running.communicate(timeout=HANG)
        assert running.returncode == 0, errors
        assert float(output.split()[1]) < limit
