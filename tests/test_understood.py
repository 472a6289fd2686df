"""What was understood of a file is kept, printed, and said as a call that reads it the same way."""

import json
import warnings

import pyarrow as pa
import pytest
from official import movielens_files, write_folder, write_zip
from pyarrow import parquet
from test_saved import assert_same

from rslib import __main__, sources
from rslib.sources import describe, load
from rslib.sources.understood import call

FILES = {       # name, content, options
    "plain": ("a.csv", "user,item,rating,date\n1,10,5,2000-03-01\n2,10,3,2003-02-28\n", {}),
    "found": ("a.txt", 'who;item;score;ts;note\n7;"x;y";5;20000301;"a\nb"\n', {"user": "who"}),
    "no names": ("u.tab", "1\t10\t4,5\t13032\n", {"header": None, "decimal": ",",
                                                  "time_unit": "days"}),
    "commas": ("a.csv", 'user,item,rating\n1,10,"4,5"\n', {"decimal": ","}),
    "twice a name": ("a.csv", "user,item,rating,rating\n1,2,3,4\n", {"rating": 3}),
    "zeros": ("a.csv", "user,item,rating\n1,1,0\n1,1,3\n1,1,4\n", {"drop_zeros": True,
                                                                  "duplicates": "mean"}),
    "letters": ("a.tsv", 'user\titem\tname\trating\n1\t2\t"Al\t5\n', {}),
    "scale": ("a.csv", "user,item,rating\n1,2,3\n", {"scale": (1, 5)}),
    "plays": ("a.csv", "user,item,plays\n1,2,3\n1,2,4\n", {"interactions": True}),
    "clicks": ("a.tsv", "user\titem\tdate\n1\t2\t2000-03-01\n", {"interactions": True}),
    "the last of counts": ("a.csv", "user,item,n\n1,2,3\n1,2,4\n",
                           {"interactions": True, "duplicates": "last"}),
    "counts without names": ("a.csv", "1,2,3\n", {"interactions": True, "header": None,
                                                  "rating": 2}),
    "milliseconds": ("a.csv", "user,item,rating,ts\n1,2,3,1126045800000\n", {}),
}


@pytest.mark.parametrize("case", FILES)
def test_the_call_reads_the_same(case, tmp_path, cache):
    name, content, options = FILES[case]
    (tmp_path / name).write_text(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = load(tmp_path / name, cache=cache, **options)
        words = call(first.info.understood)
        again = eval(words[:-1] + f", cache={str(tmp_path / 'other')!r})", {"sources": sources})
    assert call(again.info.understood) == words
    for ratings in (first, again):
        assert json.loads(json.dumps(ratings.info.understood)) == ratings.info.understood
    assert_same(again, first)


def test_lines(tmp_path, cache):
    path = tmp_path / "mine.csv"
    path.write_text("user;item;rating;timestamp;age\n" + "".join(
        f"{user};{item};{rating};{time};9\n" for user, item, rating, time in [
            (1, 10, 5, 951868800), (1, 10, 4, 951868801), (2, 10, 0, 951868800),
            (2, 11, 5, 1046390400)]))
    with pytest.warns(UserWarning, match="1 duplicate"):
        ratings = load(path, drop_zeros=True, cache=cache)
    lines = dict(describe(ratings))
    assert lines.pop("call") == (
        f"sources.load({str(path)!r}, user='user', item='item', rating='rating', time='timestamp', "
        "delimiter=';', time_unit='seconds', drop_zeros=True)")
    assert lines == {
        "data": str(path), "not used": "'age'", "delimiter": "semicolons", "rows": "4",
        "columns": "user from `user`, item from `item`, rating from `rating`, "
                   "time from `timestamp`",
        "time": "2000-03-01 to 2003-02-28, from `timestamp`, unix seconds", "ratings": "2",
        "users": "2", "items": "2", "scale": "4 to 5 as seen", "mean": "4.5000",
        "density": "50.00 %", "duplicates": "1, last counts", "left out": "1 ratings of 0",
        "4": "          1 " + "#" * 40, "5": "          1 " + "#" * 40}


def test_many_levels_are_drawn_in_steps(tmp_path, cache):
    table = pa.table({"user": [*range(100)], "item": [1] * 100, "rating": [*range(100)]})
    parquet.write_table(table, tmp_path / "a.parquet")
    lines = describe(load(tmp_path / "a.parquet", cache=cache))
    bars = [(name, int(words.split()[0])) for name, words in lines if " to " in name]
    assert len(bars) == 12 and sum(count for _, count in bars) == 100
    assert bars[0][0] == "0 to 8.25"


def test_large_levels_are_told_apart(tmp_path, cache):
    path = tmp_path / "a.csv"
    path.write_text("user,item,rating\n1,1,16777216\n1,2,16777218\n1,3,0.1\n")
    lines = dict(describe(load(path, cache=cache)))
    assert lines["scale"] == "0.1 to 16777218 as seen" and {"16777216", "16777218"} <= {*lines}


def test_published_sets_and_archives(tmp_path, cache):
    folder = write_folder(tmp_path / "ml", movielens_files("ml-1m"))
    lines = dict(describe(load(folder, cache=cache)))
    assert lines["time"] == "2000-12-31 to 2001-04-26" and "call" not in lines
    path = write_zip(tmp_path / "a.zip", {"b/c.csv": "user,item,rating\n1,2,3\n"})
    words = dict(describe(load(path, cache=cache)))["call"]
    assert words.startswith(f"sources.load({str(path)!r}, ")


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("rslib.sources.HOME", tmp_path)
    path = tmp_path / "mine.csv"
    path.write_text("user;item;rating;t\n1;10;4,5;19000000\n1;11;3,0;19000000\n")
    assert __main__.main(["data", str(path), "-o", "decimal=,", "-o", "time=3",
                          "-o", "time_unit=minutes"]) == 0
    assert "time        2006-02-15 to 2006-02-15, from `t`, minutes since 1970" in (
        capsys.readouterr().out)
    for words, message in (("decimal", "write NAME=VALUE"), ("decimals=,", "did you mean decimal="),
                           ("decimal=;", "decimal must be"), ("scale=a", "scale must be"),
                           ("scale=5", "scale must be")):
        assert __main__.main(["data", str(path), "-o", words]) == 2
        assert message in capsys.readouterr().err
