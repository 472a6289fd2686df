"""Ratings saved as files: every type and every bit, what a rating costs, and what damage does."""

from dataclasses import fields, replace

import numpy as np
import pyarrow as pa
import pytest

from rslib.ratings import Info, Pairs, Ratings
from rslib.sources import saved
from rslib.sources.columns import TEXT, as_array, ranks_within_days
from rslib.sources.purchases import generate as purchases
from rslib.sources.synthetic import generate


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def ratings_with(n=2000, **changes):
    """Ratings whose columns, ids and titles are hard to keep."""
    rng = np.random.default_rng(0)
    user_ids = np.array(["", "007", "7", "a\0b", "ü", "日本", "x" * 5000, "e"], TEXT)
    info = Info("mine", user_ids, np.array([-2**63, 0, 2**63 - 1]),
                np.array(["", "Amélie, 2001", "\n\u2028"], TEXT), (-1e-7, 1 / 3), "2001-02-03", 5,
                {"probe": np.arange(3), "qualifying": Pairs([1, 2], [0, 2], [9, 8], 8, 3)})
    world = {"users": rng.integers(0, 8, n), "items": rng.integers(0, 3, n),
             "days": rng.integers(0, 50_000, n), "values": rng.random(n, np.float32),
             "ranks": rng.integers(0, 256, n, np.uint8), "n_users": 8, "n_items": 3, "info": info}
    return Ratings(**world | changes)


def assert_same(one, other):
    """Assert equal types and equal bits, through all that an object holds."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype and one.shape == other.shape
        assert (one.tolist() if one.dtype == TEXT else one.tobytes()) \
            == (other.tolist() if one.dtype == TEXT else other.tobytes())
    elif isinstance(one, dict) or hasattr(one, "__dataclass_fields__"):
        one, other = (each if isinstance(each, dict) else
                      {field.name: getattr(each, field.name) for field in fields(each)}
                      for each in (one, other))
        assert one.keys() == other.keys()
        for name in one:
            assert_same(one[name], other[name])
    else:
        assert one == other


@pytest.mark.parametrize("ratings", [
    ratings_with(), ratings_with(days=None, ranks=None), ratings_with(saved._GROUP),
    ratings_with(2 * saved._GROUP + 1), ratings_with(values=-np.zeros(2000, np.float32)),
    ratings_with(ranks=np.full(2000, 70_000, np.uint32)), generate(3000, taste_drift=0.1),
    ratings_with(info=replace(ratings_with().info, titles=None, first_day=None, extra={})),
    ratings_with(info=replace(ratings_with().info, measure="plays")), purchases(500)],
    ids=["all", "undated", "one group", "three groups", "minus zero", "wide ranks", "planted",
         "bare", "plays", "purchases"])
def test_what_is_read_is_what_was_written(ratings, folder):
    saved.write(folder, ratings)
    assert saved.is_whole(folder)
    assert_same(saved.read(folder), ratings)


def test_columns_can_be_written_to(folder):
    saved.write(folder, ratings_with())
    ratings = saved.read(folder)
    for column in (ratings.users, ratings.values, ratings.info.user_ids, ratings.info.item_ids):
        column[0] = column[1]


def test_any_byte_that_is_lost_or_changed_is_seen(folder):
    saved.write(folder, ratings_with(50))
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for at in range(0, len(content), max(1, len(content) // 40)):
            changed = bytearray(content)
            changed[at] ^= 1
            for damaged in (bytes(changed), content[:at]):
                path.write_bytes(damaged)
                assert not saved.is_whole(folder), (path.name, at)
        path.unlink()
        assert not saved.is_whole(folder)
        path.write_bytes(content)
        assert saved.is_whole(folder)


def test_text_takes_the_room_of_its_letters():
    ids = pa.array([str(k) for k in range(10_000)] + ["x" * 10**6], pa.large_string())
    array = as_array(ids)
    assert array.dtype == TEXT and array.tolist() == ids.to_pylist()
    assert array.nbytes < 20 * len(ids)     # the long one lies elsewhere, once


def test_ranks_count_what_came_earlier_that_day():
    users = np.array([0, 1, 0, 0, 0, 1], np.int32)
    times = np.array([50, 7, 10, 50, 86400, 3])     # row 3 ties with row 0
    assert ranks_within_days(users, times).tolist() == [1, 1, 0, 2, 0, 0]
    assert ranks_within_days(users[:2], times[:2]) is None


@pytest.mark.parametrize(("n", "dtype"), [(2, np.uint8), (256, np.uint8), (257, np.uint16),
                                          (65_536, np.uint16), (65_537, np.uint32)])
def test_ranks_in_the_fewest_bytes(n, dtype):
    ranks = ranks_within_days(np.zeros(n, np.int32), np.arange(n))
    assert ranks.dtype == dtype and (ranks == np.arange(n)).all()
