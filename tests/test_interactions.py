"""Tables without ratings: clicks and counts, how they add up, and what is no count."""

import warnings
from datetime import datetime

import pyarrow as pa
import pytest
from pyarrow import parquet
from test_own import refusal, rows_of, written
from test_saved import assert_same

from rslib.sources import describe, from_dataframe, load, store

READ = {        # text, options, rows, measure
    "clicks": ("user,item\n1,10\n2,10\n1,11\n1,10\n", {},
               [(2, 10, 1), (1, 11, 1), (1, 10, 2)], "clicks"),
    "plays": ("userID\tartistID\tplay_count\n1\t10\t7\n2\t10\t1\n1\t10\t5\n", {},
              [(2, 10, 1), (1, 10, 12)], "plays"),
    "purchases": ("customer;product;Quantity;price\n1;10;3;9\n", {}, [(1, 10, 3)], "purchases"),
    "clicks by name": ("user,item,clicks\n1,10,3\n", {}, [(1, 10, 3)], "clicks"),
    "counts": ("user,item,weight\n1,10,0.5\n1,10,0.25\n", {}, [(1, 10, 0.75)], "counts"),
    "another name": ("user,item,hours\n1,10,3\n", {"rating": "hours"}, [(1, 10, 3)], "counts"),
    "ratings as counts": ("user,item,rating\n1,10,3\n", {"rating": "rating"}, [(1, 10, 3)],
                          "counts"),
    "beside ratings": ("user,item,rating,plays\n1,10,3,8\n", {}, [(1, 10, 8)], "plays"),
    "one of two": ("user,item,n,plays\n1,10,3,8\n", {"rating": "plays"}, [(1, 10, 8)], "plays"),
    "clicks without names": ("1,10\n1,10\n", {"header": None}, [(1, 10, 2)], "clicks"),
    "counts without names": ("1,10,4\n", {"header": None, "rating": 2}, [(1, 10, 4)], "counts"),
    "times without names": ("1,10,13032\n", {"header": None, "time": 2, "time_unit": "days"},
                            [(1, 10, 1)], "clicks"),
    "zeros left out": ("user,item,n\n1,10,0\n1,11,2\n", {"drop_zeros": True}, [(1, 11, 2)],
                       "counts"),
    "each once": ("user,item\n1,10\n1,10\n", {"duplicates": "last"}, [(1, 10, 1)], "clicks"),
    "a counter": ("user,item,n\n1,10,3\n1,10,8\n", {"duplicates": "last"}, [(1, 10, 8)],
                  "counts"),
    "matrix": ("who,a,b\n1,3,\n2,,2\n", {"wide": True}, [(1, "a", 3), (2, "b", 2)], "counts"),
}


@pytest.mark.parametrize("case", READ)
def test_interactions_are_read(case, tmp_path, cache, monkeypatch):
    text, options, rows, measure = READ[case]
    path = written(tmp_path, text)
    with warnings.catch_warnings():
        if "duplicates" in options:
            warnings.simplefilter("ignore")     # of rows that do not count
        else:
            warnings.simplefilter("error")
        ratings = load(path, cache=cache, interactions=True, **options)
    assert rows_of(ratings) == rows and ratings.measure == measure
    assert ratings.scale == (min(row[2] for row in rows), max(row[2] for row in rows))
    monkeypatch.setattr(store, "build", None)       # the second time from the store alone
    assert_same(load(path, cache=cache, interactions=True, **options), ratings)


REFUSED = {     # text, options, parts of the message
    "clicks that nobody spoke of": ("user,item\n1,10\n", {"interactions": False},
                                    "no rating column", "a click, pass interactions=True"),
    "clicks without names": ("1,10\n", {"interactions": False, "header": None},
                             "no rating column among '0', '1'", "pass interactions=True"),
    "counts that nobody spoke of": ("user,item,plays\n1,10,3\n", {"interactions": False},
                                    "row 1: no rating column among 'user', 'item', 'plays'",
                                    "rating='plays' reads 'plays' as ratings",
                                    "interactions=True as counts"),
    "two counts": ("user,item,plays,n\n1,10,3,4\n", {}, "row 1: 2 columns may be the count",
                   "rating='plays' or rating='n'"),
    "twice a name": ("user,item,n,n\n1,10,3,4\n", {}, "rating=2 or rating=3"),
    "ratings": ("user,item,stars\n1,10,3\n", {}, "'stars' holds ratings", "leave out interactions",
                "rating='stars'"),
    "no names": ("1,10,3\n", {"header": None}, "3 columns without names", "rating=2", "time=2"),
    "no names, four": ("1,10,3,4\n", {"header": None}, "4 columns without names"),
    "no such column": ("user,item\n1,10\n", {"rating": "n"}, "no column 'n' (given as rating=)"),
    "zero": ("user,item,n\n1,10,3\n2,10,0\n", {}, "row 3, column 'n': '0' is no count",
             "drop_zeros=True"),
    "negative": ("user,item,quantity\n1,10,3\n2,10,-1\n", {"drop_zeros": True},
                 "row 3, column 'quantity': '-1' is no count", "leave such rows out"),
    "next to nothing": ("user,item,n\n1,10,1e-50\n", {}, "row 2, column 'n': '1e-50' is no count"),
    "nothing": ("user,item,n\n1,10,\n", {}, "row 2, column 'n': is empty"),
    "a word": ("user,item,n\n1,10,often\n", {}, "row 2, column 'n': 'often' is not a number"),
    "no rows": ("user,item\n", {}, "a header and no ratings"),
    "only zeros": ("user,item,n\n1,10,0\n", {"drop_zeros": True}, "but zeros"),
    "too many": ("user,item,n\n1,10,3e38\n1,10,3e38\n", {}, "add up to 6e+38"),
    "each once": ("user,item\n1,10\n1,10\n", {"duplicates": "error"},
                  "user 1 has item 10 more than once", "'sum'"),
    "no cell of a matrix": ("who,a\n1,0\n", {"wide": True}, "row 2, column 'a': '0' is no count"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_count_or_may_mean_two_things_is_refused(case, tmp_path, cache):
    text, options, *parts = REFUSED[case]
    message = refusal(written(tmp_path, text), cache, **{"interactions": True} | options)
    assert not [part for part in parts if part not in message], message


@pytest.mark.parametrize(("options", "words"), [
    ({"interactions": 1}, "interactions must be one of True, False"),
    ({"interactions": True, "scale": (1, 5)}, "scale is for ratings"),
    ({"duplicates": "sum"}, "pass interactions=True too")])
def test_options_that_do_not_go_together(options, words, tmp_path, cache):
    path = written(tmp_path, "user,item,n\n1,1,1\n")
    for read in (lambda: load(path, cache=cache, **options),
                 lambda: from_dataframe({"user": [1], "item": [1], "n": [1]}, **options)):
        with pytest.raises(ValueError, match=words) as caught:
            read()
        assert "\n" not in str(caught.value) and not cache.exists()


def test_the_time_of_a_pair_is_its_last(tmp_path, cache):
    path = written(tmp_path, "user,item,date\n1,10,2005-03-01\n2,10,2005-01-01\n"
                             "1,10,2005-02-01\n")
    ratings = load(path, cache=cache, interactions=True)
    assert rows_of(ratings) == [(1, 10, 2), (2, 10, 1)] and ratings.days.tolist() == [59, 0]
    assert ratings.info.n_duplicates == 1 and ratings.info.first_day == "2005-01-01"


def test_large_counts_are_added_before_they_are_rounded(tmp_path, cache):
    path = written(tmp_path, "user,item,n\n1,1,16777216\n" + "1,1,1\n" * 4)
    assert load(path, cache=cache, interactions=True).values.tolist() == [16777220]


def test_data_frames_and_parquet(tmp_path, cache):
    columns = {"user": ["b", "a", "b"], "item": [1, 1, 1], "plays": [2, 3, 4],
               "time": [datetime(2020, 1, 2), datetime(2020, 1, 1), datetime(2020, 1, 1)]}
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    for ratings in (from_dataframe(columns, interactions=True),
                    load(tmp_path / "a.parquet", cache=cache, interactions=True)):
        assert rows_of(ratings) == [("b", 1, 6), ("a", 1, 3)] and ratings.measure == "plays"
        assert ratings.days.tolist() == [1, 0]
    clicks = from_dataframe({name: columns[name] for name in ("user", "item")}, interactions=True)
    assert rows_of(clicks) == [("a", 1, 1), ("b", 1, 2)] and clicks.measure == "clicks"
    parquet.write_table(pa.table(columns | {"plays": [2, 0, 4]}), tmp_path / "a.parquet")
    cache = tmp_path / "other"
    assert "row 2, column 'plays': 0 is no count" in refusal(tmp_path / "a.parquet", cache,
                                                             interactions=True)


def test_lines_of_counts(tmp_path, cache):
    path = written(tmp_path, "user,item,plays,age\n1,10,2,9\n1,10,3,9\n2,10,1000,9\n")
    lines = dict(describe(load(path, cache=cache, interactions=True)))
    assert lines["columns"] == "user from `user`, item from `item`, plays from `plays`"
    assert (lines["plays"], lines["pairs"], lines["not used"]) == ("1,005", "2", "'age'")
    assert lines["duplicates"] == "1, added up" and "ratings" not in lines
    assert lines["call"] == (f"sources.load({str(path)!r}, user='user', item='item', "
                             "rating='plays', delimiter=',', interactions=True)")
    clicks = written(tmp_path, "user,item\n1,10\n1,11\n", "clicks.csv")
    assert dict(describe(load(clicks, cache=cache, interactions=True)))["clicks"] == "2, a row each"


def test_a_long_tail_is_drawn_in_steps_that_grow(tmp_path, cache):
    path = written(tmp_path, "user,item,n\n" + "".join(f"1,{k},{2**k}\n" for k in range(24)))
    bars = [line for line in describe(load(path, cache=cache, interactions=True))
            if " to " in line[0]]
    assert len(bars) == 12 and {words.split()[0] for _, words in bars} == {"2"}


def test_ratings_are_read_as_before(tmp_path, cache):
    path = written(tmp_path, "user,item,rating\n1,1,5\n1,2,1\n")
    ratings = load(path, cache=cache)
    assert ratings.info.measure is None and ratings.measure == "stars"
    assert_same(load(path, cache=cache, interactions=False), ratings)
    assert len([*cache.iterdir()]) == 1
