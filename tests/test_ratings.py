import numpy as np
import pytest

from rslib.plots import finding
from rslib.ratings import Info, Pairs, Ratings


def ratings(**changes):
    columns = dict(users=np.array([1, 0, 1]), items=np.array([0, 2, 2]),
                   values=np.array([4.0, 3.0, 5.0]), days=np.array([0, 7, 3])) | changes
    return Ratings(**columns)


def test_columns_are_compact_and_the_world_is_counted():
    r = ratings()
    assert (r.users.dtype, r.values.dtype, r.days.dtype) == (np.int32, np.float32, np.int32)
    assert (r.n_users, r.n_items, len(r)) == (2, 3, 3)


def test_pairs_carry_no_values():
    pairs = ratings().pairs
    assert type(pairs) is Pairs and not hasattr(pairs, "values")


def test_csr_views_hold_every_rating_once():
    by_item = ratings().by_item
    assert by_item.indptr.tolist() == [0, 1, 1, 3]
    assert by_item.ids.tolist() == [1, 0, 1]
    assert by_item.values.tolist() == [4.0, 3.0, 5.0]
    assert by_item.rows.tolist() == [0, 1, 2]
    assert ratings().by_user.rows.tolist() == [1, 0, 2]


def test_masks_slices_and_index_arrays_keep_the_world():
    r = ratings()
    for picked in (r[r.values > 3], r[np.array([0, 2])]):
        assert picked.values.tolist() == [4.0, 5.0] and picked.days.tolist() == [0, 3]
        assert (picked.n_users, picked.n_items) == (2, 3)
    assert len(r[:1]) == 1


@pytest.mark.parametrize("changes, error, words", [
    (dict(users=np.array([1.0, 0.0, 1.0])), TypeError, "users must be integers"),
    (dict(users=np.array([1, -1, 1])), ValueError, "users must lie in 0..1, found -1..1"),
    (dict(items=np.array([0, 9, 2]), n_items=3), ValueError, "items must lie in 0..2"),
    (dict(items=np.array([0, 9])), ValueError, "items has 2 rows, users has 3"),
    (dict(values=np.array([1, 2])), ValueError, "values has 2 rows"),
    (dict(values=np.array([1, np.nan, 3])), ValueError, "row 1 is nan"),
    (dict(values=None), TypeError, "needs values"),
    (dict(users=np.array([[1], [0], [1]])), ValueError, "one-dimensional"),
    (dict(users=np.array([5, 2**31, 2**32 + 1])), ValueError, "users holds 4294967297, but"),
    (dict(items=np.array([0, 2**31, 1], np.uint64)), ValueError, "items holds 2147483648"),
    (dict(items=np.array([0, 2**40, 1]), n_items=2**41), ValueError, "ids of a source"),
    (dict(days=np.array(["2005-09-06"] * 3, "datetime64[D]")), TypeError, "dates.min"),
    (dict(days=np.array([1, 2, 3], "timedelta64[D]")), TypeError, "not timedelta64"),
    (dict(days=np.array([0, np.nan, 1])), ValueError, "row 1 is nan, not a whole day"),
    (dict(days=np.array([0, 1, 0.5])), ValueError, "row 2 is 0.5"),
    (dict(days=np.array([0, np.inf, 1])), ValueError, "days run from 0 to inf"),
    (dict(days=np.array([0, 2**31, 1])), ValueError, "days run from 0 to 2147483648"),
    (dict(days=np.array([0, 1, 2**32 + 1], np.uint64)), ValueError, "below 2\\^31"),
    (dict(days=np.array(["a", "b", "c"])), TypeError, "days must be integers"),
    (dict(days=np.array([True, False, True])), TypeError, "days must be integers, not bool"),
])
def test_bad_columns_are_refused_in_one_line(changes, error, words):
    with pytest.raises(error, match=words) as caught:
        ratings(**changes)
    assert "\n" not in str(caught.value)


def test_days_may_be_whole_floats_and_lie_before_the_first_day():
    r = ratings(days=np.array([-3.0, 0, 2**31 - 1]))
    assert r.days.dtype == np.int32 and r.days.tolist() == [-3, 0, 2**31 - 1]


def test_dates_become_days_as_the_message_says():
    dates = np.array(["2005-09-08T23:00", "2005-09-06T01:00", "2005-09-07T05:00"], "datetime64[m]")
    dates = dates.astype("datetime64[D]")
    days = (dates - dates.min()).astype("timedelta64[D]").astype(int)
    assert ratings(days=days).days.tolist() == [2, 0, 1]


def test_empty_ratings_are_a_world_without_ratings():
    empty = ratings()[np.zeros(3, bool)]
    assert len(empty) == 0 and empty.by_user.indptr.tolist() == [0, 0, 0]


def test_gpu_never_falls_back():
    from rslib.backend import gpu_available
    if gpu_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(RuntimeError, match="no usable GPU"):
        ratings().to("gpu")
    with pytest.raises(ValueError, match="'cpu' or 'gpu'"):
        ratings().to("tpu")


@pytest.mark.parametrize("low, high, word", [(1, 5, "stars"), (0.5, 5, "stars"), (0, 5, "points"),
                                             (1, 10, "points"), (-10, 10, "points")])
def test_the_word_for_ratings_follows_their_scale(low, high, word):
    assert ratings(values=np.array([low, high, low], float)).measure == word


def test_what_is_no_rating_has_a_word_of_its_own():
    info = Info("a", np.arange(2), np.arange(3), scale=(1.0, 5.0), measure="plays")
    played = ratings(info=info)
    assert played.measure == played[:2].measure == "plays"
    assert played.with_values(played.values - 1).measure == "plays"


def test_spread_is_the_deviation_and_never_zero():
    assert ratings(values=np.array([1.0, 3.0, 5.0])).spread == pytest.approx((8 / 3) ** 0.5)
    assert ratings(values=np.full(3, 4.0)).spread == 1.0


def test_a_finding_is_said_either_way():
    said = [finding("time helps", np.bool_(True)), finding("time helps", False),
            finding("time helps", None)]
    assert said == ["Found on these ratings: time helps.",
                    "Not found on these ratings: time helps.",
                    "Cannot be told on these ratings: time helps."]
