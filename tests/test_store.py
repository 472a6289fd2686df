"""The store: what it keeps, what it costs, what it survives, and what it leaves behind."""

import errno
import os
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv
from test_saved import assert_same
from waiting import HANG

from rslib.sources import SourceError, load, spool, store, synthetic
from rslib.sources.columns import TEXT
from rslib.sources.tables import Batch

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


@pytest.mark.parametrize("name", SHAPES)
def test_round_trip_in_at_most_nine_bytes(name, tmp_path, cache, rng):
    user, item, rating, seconds = shape(name, rng)
    path = write(tmp_path / "a.csv", user, item, rating, seconds)
    for _ in range(2):      # as it was built, and from the store
        ratings = load(path, cache=cache)
        (file,) = cache.glob("*/ratings.parquet")
        assert file.stat().st_size <= 9 * len(user)
        assert (ratings.info.user_ids[ratings.users] == user).all()
        assert (ratings.info.item_ids[ratings.items] == item).all()
        assert (ratings.values == rating.astype(np.float32)).all()
        assert (ratings.days == seconds // 86400 - seconds.min() // 86400).all()
        ranks = np.zeros(len(user)) if ratings.ranks is None else ratings.ranks
        in_time = np.lexsort((ranks, ratings.days, ratings.users))
        assert (in_time == np.lexsort((seconds, user))).all()


def test_the_last_duplicate_in_time_is_kept(tmp_path, cache):
    path = tmp_path / "a.csv"
    rows = [(1, 1, 5, 200), (1, 2, 4, 10), (1, 1, 1, 100), (2, 1, 3, 7), (1, 2, 2, 10),
            (2, 9, 3, 7)]
    path.write_text(HEADER + "".join(f"{u},{i},{r},{10**9 + t}\n" for u, i, r, t in rows))
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
    assert_same(load(path, cache=cache), first)


def test_ids_keep_their_letters_and_their_digits(tmp_path, cache):
    path = tmp_path / "a.csv"
    path.write_text(HEADER + "007,9223372036854775807,1,1e9\n7,-1,2,1e9\n"
                    "日本,1000000000000000001,3,1e9\n", "utf-8")
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")     # the ids hold text
            info = load(path, cache=cache).info
        assert info.user_ids.dtype == TEXT and info.user_ids.tolist() == ["007", "7", "日本"]
        assert info.item_ids.dtype == np.int64
        assert info.item_ids.tolist() == [-1, 10**18 + 1, 2**63 - 1]
        assert (info.user_ids == "7").tolist() == [False, True, False]


@pytest.mark.parametrize("damage", ["ratings.parquet", "users.parquet", "items.parquet",
                                    "extra.npz", "SHA256SUMS", "empty"])
def test_a_damaged_store_is_built_anew(damage, tmp_path, cache):
    path = write(tmp_path / "a.csv", [1, 2], [3, 4], [5, 6])
    first = load(path, cache=cache)
    (folder,) = cache.iterdir()
    for file in folder.iterdir():
        if damage == "empty":
            file.unlink()
        elif file.name == damage:
            content = bytearray(file.read_bytes())
            content[len(content) // 2] ^= 1
            file.write_bytes(content)
    with pytest.warns(UserWarning, match="the store is damaged and is built anew"):
        assert_same(load(path, cache=cache), first)
    assert [*cache.iterdir()] == [folder]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(load(path, cache=cache), first)


def test_a_store_of_an_older_format_is_built_anew(tmp_path, cache, monkeypatch):
    path = write(tmp_path / "a[1].csv", [1, 2], [3, 4], [5, 6])
    monkeypatch.setattr(store, "FORMAT", 1)
    load(path, cache=cache)
    (old,) = cache.iterdir()
    for file in old.iterdir():
        file.write_bytes(b"not Parquet")
    monkeypatch.undo()
    assert load(path, cache=cache).values.tolist() == [5, 6]
    assert not old.exists() and len([*cache.iterdir()]) == 1


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
    monkeypatch.setattr(store, "FORMAT", -1)        # takes the place of the one before
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

    def fail(folder, ratings):
        (folder / "ratings.parquet").write_bytes(b"half")
        written.append(folder)
        raise error

    monkeypatch.setattr(store, "write", fail)
    with pytest.raises(type(error)) as caught:
        load(path, cache=cache)
    assert written and sorted(tmp_path.rglob("*")) == before
    if isinstance(error, OSError):
        assert "the disk is full" in str(caught.value) and str(path) in str(caught.value)
        assert caught.value.errno == errno.ENOSPC and "\n" not in str(caught.value)


def test_a_folder_of_stores_that_cannot_be_written_is_said_with_the_remedy(tmp_path, monkeypatch):
    path = write(tmp_path / "a.csv", [1, 2], [3, 4], [5, 6])
    (tmp_path / "file").write_text("no folder")
    for cache in ("file", "file/under/it"):
        monkeypatch.setenv("RSLIB_CACHE", str(tmp_path / cache))
        with pytest.raises(OSError, match=r"a file stands .* name another folder by RSLIB_CACHE"):
            load(path)
    monkeypatch.setenv("RSLIB_CACHE", str(tmp_path / "elsewhere"))
    assert len(load(path)) == 2 and len([*(tmp_path / "elsewhere").iterdir()]) == 1


def test_a_disk_that_fills_while_the_source_is_read(tmp_path, cache, monkeypatch):
    path = write(tmp_path / "a.csv", [1, 2], [3, 4], [5, 6])

    def fail(self, batch):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spool.Spool, "append", fail)
    with pytest.raises(OSError, match="the disk is full"):
        load(path, cache=cache)
    assert not cache.exists()


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit on the size of files")
def test_a_file_that_may_not_grow(tmp_path, cache, rng):
    path = write(tmp_path / "a.csv", *shape("shuffled", rng))
    limited = ("import resource, sys\nfrom rslib.sources import load\n"
               "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))\n"
               "load(sys.argv[1], cache=sys.argv[2])")
    run = subprocess.run([sys.executable, "-c", limited, path, cache], capture_output=True,
                         text=True, timeout=HANG)
    assert run.returncode == 1
    assert f"OSError: [Errno {errno.EFBIG}] {cache}: the file grew too large" in run.stderr
    assert not cache.exists()


@pytest.mark.parametrize("after", ["the reading", "the ratings"])
def test_a_killed_build_is_never_read(after, tmp_path, cache, rng):
    path = write(tmp_path / "a.csv", *shape("shuffled", rng))
    killed = ("import os, signal, sys\nfrom rslib.sources import load, saved, store\n"
              "def kill(*arguments): os.kill(os.getpid(), signal.SIGKILL)\n"
              f"{'store.write' if after == 'the reading' else 'saved.np.savez'} = kill\n"
              "load(sys.argv[1], cache=sys.argv[2])")
    run = subprocess.run([sys.executable, "-c", killed, path, cache], timeout=HANG)
    assert run.returncode == -signal.SIGKILL
    (half,) = cache.iterdir()
    assert half.name.startswith(".") and (after == "the reading"
                                          or (half / "ratings.parquet").stat().st_size)
    assert len(load(path, cache=cache)) == 70_000
    os.utime(half, (0, time.time() - 2 * 86400))
    load(write(tmp_path / "b.csv", [1], [1], [1]), cache=cache)
    assert not half.exists() and len([*cache.iterdir()]) == 2


def test_what_a_killed_build_left_is_removed_after_a_day(tmp_path, cache):
    old, young = cache / ".a.csv-1.2-3", cache / ".b.csv-1.2-3"
    for folder in (old, young):
        folder.mkdir(parents=True)
    os.utime(old, (0, time.time() - 2 * 86400))
    load(write(tmp_path / "a.csv", [1, 2], [3, 4], [5, 6]), cache=cache)
    assert young.exists() and not old.exists()


@pytest.mark.parametrize("kind", [pa.large_string(), pa.int64()])
def test_ids_keep_their_places_over_many_batches(kind, tmp_path, rng):
    names = [f"{k}" if pa.types.is_integer(kind) else f"u{k}" for k in range(700)]
    drawn = [rng.integers(0, 700, size).tolist() for size in (300, 1, 50, 400, 7, 900)]
    batches = spool.Spool(tmp_path)
    for n, rows in enumerate(drawn):        # the same id comes with and without blanks
        column = [names[k] + " " * (n % 3) for k in rows]
        column = pa.array([int(k) for k in column] if pa.types.is_integer(kind) else column, kind)
        batches.append(Batch(column, column[::-1], np.zeros(len(rows), np.float32), None))
    ids = batches.ranked("here")
    batches.close()
    for role, step in (("user", 1), ("item", -1)):
        known, place = ids[role]
        found = known.take(pa.array(place[batches.take(role)])).to_pylist()
        assert [str(k) for k in found] == [names[k] for rows in drawn for k in rows[::step]]
        assert known.to_pylist() == sorted(set(known.to_pylist()))


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


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="peak memory needs /proc")
def test_one_long_id_costs_its_own_letters(tmp_path, cache):
    path = tmp_path / "a.csv"
    with open(path, "w") as file:
        file.write("user,item,rating\n" + "x" * 65_536 + ",film,3\n")
        file.writelines(f"user {k},film,4\n" for k in range(60_000))
    for _ in range(2):
        running = process(path, cache)
        output, errors = running.communicate(timeout=HANG)
        assert running.returncode == 0, errors
        assert float(output.split()[1]) < 100       # MB; 16,000 in columns of one width


# Planted sets

def test_a_planted_set_is_kept_and_equals_a_new_one(cache, monkeypatch):
    monkeypatch.setattr(synthetic, "KEPT", 5000)
    anew = synthetic.generate(5000)
    first = load("synthetic-5k", cache=cache)
    monkeypatch.setattr(synthetic, "generate", None)
    kept = load("synthetic-5000", cache=cache)
    assert (first.info.name, kept.info.name) == ("synthetic-5k", "synthetic-5000")
    for ratings in (first, kept):
        assert_same(replace(ratings, info=replace(ratings.info, name="synthetic")), anew)
    assert len([*cache.iterdir()]) == 1


def test_small_planted_sets_are_drawn(cache):
    assert len(load("synthetic-2k", cache=cache)) == 2000 and not cache.exists()


def test_a_new_generator_draws_anew(cache, monkeypatch):
    monkeypatch.setattr(synthetic, "KEPT", 500)
    load("synthetic-500", cache=cache)
    monkeypatch.setattr(synthetic, "_version", lambda: ["another"])
    monkeypatch.setattr(synthetic, "generate", partial(synthetic.generate, seed=1))
    ratings = load("synthetic-500", cache=cache)
    assert_same(ratings.items, synthetic.generate(500).items)
    assert len([*cache.iterdir()]) == 1
