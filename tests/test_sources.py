"""Every format that `load` reads."""

import os
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from official import (
    ARTISTS,
    RATINGS,
    TITLES,
    assert_reads_ratings,
    lastfm_files,
    lines,
    movielens_files,
    netflix_folder,
    write_folder,
    write_zip,
)
from pyarrow import parquet

from rslib.sources import SourceError, download, load, load_fold


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["ml-100k", "ml-1m", "ml-10m", "ml-20m", "ml-25m", "ml-32m",
                                  "ml-latest-small"])
def test_official_movielens(name, packed, data, cache, monkeypatch):
    half = 0.0 if name in ("ml-100k", "ml-1m") else 0.5
    files = movielens_files(name, half)
    if packed:
        write_zip(data / f"{name}.zip", {f"{name}/{file}": text for file, text in files.items()})
        monkeypatch.setattr(download, "check", lambda *arguments: None)
        monkeypatch.setattr("rslib.sources.check", lambda *arguments: None)
    else:
        write_folder(data / name, files)
    ratings = load(name, cache=cache)
    assert_reads_ratings(ratings, half)
    assert [ratings.info.title(i) for i in range(3)] == [TITLES[10], TITLES[20], TITLES[40]]
    assert ratings.scale == ((1, 5) if not half else (0.5, 5))
    assert ratings.info.first_day == "2000-12-31"
    assert ratings.days.tolist() == [0, 0, 2, 0, 116]
    assert ratings.ranks.tolist() == [1, 0, 0, 0, 0]


@pytest.mark.parametrize("place", ["lastfm-2k", "hetrec2011-lastfm-2k.zip"])
def test_official_lastfm(place, data, cache):
    write = write_zip if place.endswith(".zip") else write_folder
    write(data / place, lastfm_files())
    ratings = load("lastfm-2k", cache=cache)
    info = ratings.info
    rows = zip(info.user_ids[ratings.users], info.item_ids[ratings.items], ratings.values,
               strict=True)
    assert list(rows) == [(user, item, 10 * stars) for user, item, stars, _ in RATINGS]
    assert [info.title(i) for i in range(3)] == [ARTISTS[10], ARTISTS[20], ARTISTS[40]]
    assert ratings.scale == (10, 50) and ratings.measure == "plays"
    assert ratings.days is None and info.name == "lastfm-2k" and not info.understood


def test_a_table_called_as_one_of_lastfm_is_read_as_ones_own(tmp_path, cache):
    folder = write_folder(tmp_path / "mine", {"user_artists.dat": "user;artist;rating\n1;2;3\n"})
    ratings = load(folder / "user_artists.dat", cache=cache)
    assert ratings.values.tolist() == [3] and ratings.info.understood["form"]["delimiter"] == ";"


@pytest.mark.parametrize("kind", ["folder", "tar", "combined", "crlf"])
def test_official_netflix(kind, data, cache, monkeypatch):
    monkeypatch.setattr("rslib.sources.netflix._BLOCK", 16)     # sections cut between blocks
    netflix_folder(data / "netflix", kind)
    ratings = load("netflix", cache=cache)
    info = ratings.info
    assert info.user_ids.tolist() == [2, 7, 9] and info.item_ids.tolist() == [1, 2, 3]
    assert ratings.items.tolist() == [0, 0, 1, 1, 2] and ratings.users.tolist() == [1, 0, 1, 0, 2]
    assert ratings.values.tolist() == [4, 5, 3, 3, 1] and ratings.scale == (1, 5)
    assert info.first_day == "1999-11-11" and ratings.ranks is None
    assert ratings.days[2] == 0 and ratings.days[4] == (date(2005, 12, 31)
                                                        - date(1999, 11, 11)).days
    assert info.titles.tolist() == ["Dinosaur Planet", "Isle, of Man", "Café"]
    assert info.extra["probe"].tolist() == [1, 2]
    qualifying = info.extra["qualifying"]
    assert qualifying.users.tolist() == [1, 0] and qualifying.items.tolist() == [2, 2]
    assert (qualifying.days - ratings.days[4]).tolist() == [0, 1]


def test_a_file_of_a_set_brings_its_neighbours(tmp_path, cache):
    folder = netflix_folder(tmp_path / "mine", "tar")
    assert "probe" in load(folder / "training_set.tar", cache=cache).info.extra
    write_folder(tmp_path / "old", movielens_files("ml-100k"))
    assert load(tmp_path / "old" / "u.data", cache=cache).info.title(0) == TITLES[10]
    write_folder(tmp_path / "fm", lastfm_files())
    assert load(tmp_path / "fm" / "user_artists.dat", cache=cache).info.title(0) == ARTISTS[10]


def test_probe_pairs_that_are_not_rated_are_left_out_with_a_warning(tmp_path, cache):
    folder = netflix_folder(tmp_path / "netflix", "folder")
    (folder / "probe.txt").write_text("1:\n2\n9\n12345\n")
    with pytest.warns(UserWarning, match=r"probe\.txt: left out 2 of 3 pairs"):
        ratings = load(folder, cache=cache)
    assert ratings.info.extra["probe"].tolist() == [1]


@pytest.mark.parametrize("header", ["User ID,Movie-Id,Stars", "uid,ITEM,score",
                                    "rating_id,customer,film_id,Value"])
def test_columns_are_found_by_common_names(header, tmp_path, cache):
    row = {4: "0,1,2,3\n0,2,2,4\n", 3: "1,2,3\n2,2,4\n"}[header.count(",") + 1]
    (tmp_path / "mine.csv").write_text(f"{header}\n{row}")
    ratings = load(tmp_path / "mine.csv", cache=cache)
    assert ratings.info.user_ids.tolist() == [1, 2] and ratings.values.tolist() == [3, 4]
    assert ratings.days is None and ratings.scale == (3, 4) and ratings.info.name == "mine"


def test_columns_are_taken_as_given(tmp_path, cache):
    (tmp_path / "a.tsv").write_text('who\trating\twhat\tplays\n"b"\t9\tx\t2\na\t9\tx\t1\n')
    ratings = load(tmp_path / "a.tsv", user="who", item="what", rating="plays", scale=(0, 2),
                   cache=cache)
    assert ratings.values.tolist() == [2, 1] and ratings.scale == (0, 2)
    assert ratings.info.user_ids.tolist() == ["a", "b"] and ratings.users.tolist() == [1, 0]


@pytest.mark.parametrize(("times", "ranks"), [
    (["2005-09-06", "2005-09-07", "2005-09-06"], None),
    (["2005-09-06 10:00:01", "2005-09-07", "2005-09-06T10:00:00.5"], [1, 0, 0]),
    (["2005-09-06T10:00:00Z", "2005-09-07T00:00:00+00:00", "2005-09-06T12:00:00+03:00"],
     [1, 0, 0]),
    (["1126000801", "1126051200.5", "1126000800.0"], [1, 0, 0]),
])
def test_times_are_seconds_or_iso_dates(times, ranks, tmp_path, cache):
    rows = zip("aab", "xyx", times, strict=True) if ranks is None else zip("aaa", "xyz", times,
                                                                         strict=True)
    (tmp_path / "t.csv").write_text("user,item,date,rating\n" + "".join(
        f"{u},{i},{t},1\n" for u, i, t in rows))
    ratings = load(tmp_path / "t.csv", cache=cache)
    assert ratings.days.tolist() == [0, 1, 0] and ratings.info.first_day == "2005-09-06"
    assert (ratings.ranks is None) if ranks is None else ratings.ranks.tolist() == ranks


def test_parquet(tmp_path, cache):
    table = pa.table({"userId": pa.array(["b", "a", "b"]).dictionary_encode(),
                      "item": pa.array([7.0, 7.0, 5.0]), "rating": pa.array([1, 2, 3], pa.int8()),
                      "when": pa.array([datetime(2020, 1, 2, 3), datetime(2020, 1, 1), None])})
    parquet.write_table(table.slice(0, 2), tmp_path / "a.parquet")
    ratings = load(tmp_path / "a.parquet", time="when", cache=cache)
    assert ratings.info.user_ids.tolist() == ["a", "b"] and ratings.days.tolist() == [1, 0]
    assert ratings.info.item_ids.tolist() == [7]


def test_ids_are_numbered_in_numeric_order_unless_one_is_text(tmp_path, cache):
    (tmp_path / "n.csv").write_text("user,item,rating\n10,-3,1\n9,007,2\n")
    with pytest.warns(UserWarning, match=r"item ids hold text \('007'\)"):
        ratings = load(tmp_path / "n.csv", cache=cache)
    assert ratings.info.user_ids.tolist() == [9, 10]
    assert ratings.info.item_ids.tolist() == ["-3", "007"]      # a leading zero is text
    (tmp_path / "t.csv").write_text("user,item,rating\n10,1,1\n9,1,2\nx,1,3\n")
    with pytest.warns(UserWarning, match=r"user ids hold text \('x'\)"):
        ratings = load(tmp_path / "t.csv", cache=cache)
    assert ratings.info.user_ids.tolist() == ["10", "9", "x"]


# Real data

def test_bundled_set(cache, monkeypatch):
    monkeypatch.delenv("RSLIB_DATA", raising=False)
    ratings = load(cache=cache)
    assert (len(ratings), ratings.n_users, ratings.n_items) == (100_836, 610, 9_724)
    assert ratings.scale == (0.5, 5) and ratings.info.title(0) == "Toy Story (1995)"
    raw = np.loadtxt(Path(download.HOME) / "data/ml-latest-small/ratings.csv", delimiter=",",
                     skiprows=1)
    assert (ratings.info.user_ids[ratings.users] == raw[:, 0]).all()
    assert (ratings.info.item_ids[ratings.items] == raw[:, 1]).all()
    assert (ratings.values == raw[:, 2]).all()
    seconds = raw[:, 3].astype(np.int64)
    assert (ratings.days == seconds // 86400 - seconds.min() // 86400).all()
    by_rank = np.lexsort((ratings.ranks, ratings.days, ratings.users))
    assert (by_rank == np.lexsort((seconds, ratings.users))).all()


def real(name):
    folder = os.environ.get("RSLIB_DATA")
    if not folder or not (Path(folder) / name).is_dir():
        pytest.skip(f"RSLIB_DATA holds no {name}")


@pytest.mark.parametrize(("name", "sizes"), [("ml-100k", (100_000, 943, 1_682)),
                                             ("ml-1m", (1_000_209, 6_040, 3_706))])
def test_real_sets(name, sizes, cache):
    real(name)
    ratings = load(name, cache=cache)
    assert (len(ratings), ratings.n_users, ratings.n_items) == sizes and ratings.scale == (1, 5)


def test_real_plays(cache):
    real("lastfm-2k")
    ratings = load("lastfm-2k", cache=cache)
    assert (len(ratings), ratings.n_users, ratings.n_items) == (92_834, 1_892, 17_632)
    assert ratings.measure == "plays" and ratings.scale == (1, 352_698)
    assert ratings.values.sum(dtype=float) == 69_183_975
    info, item = ratings.info, int(ratings.items[np.argmax(ratings.values)])
    assert info.item_ids[item] == 72 and info.title(item) == "Depeche Mode"
    assert info.n_duplicates == 0 and not (info.titles == info.item_ids.astype(str)).any()


def test_real_folds(cache):
    real("ml-100k")
    whole = load("ml-100k", cache=cache)
    for fold in range(1, 6):
        train, test = load_fold("ml-100k", fold, cache=cache)
        assert (len(train), len(test)) == (80_000, 20_000)
        pairs = np.concatenate([part.users * 1682 + part.items for part in (train, test)])
        assert (np.sort(pairs) == np.sort(whole.users * 1682 + whole.items)).all()


def test_folds_keep_the_numbers_of_the_whole(tmp_path, cache):
    folds = {"u1.base": lines("\t", RATINGS[3:]), "u1.test": lines("\t", RATINGS[1::-1])}
    folder = write_folder(tmp_path / "ml", movielens_files("ml-100k") | folds)
    train, test = load_fold(folder, 1, cache=cache)
    assert train.values.tolist() == [1, 2] and test.values.tolist() == [3, 4]
    assert train.n_items == 3 and test.users.tolist() == [1, 1] and test.items.tolist() == [0, 1]
    assert test.ranks.tolist() == [0, 1] and train.info is test.info
    (folder / "u1.test").write_text("7\t20\t4\t978300760\n7\t40\t3\t978300700\n")
    with pytest.raises(SourceError, match=r"u1\.test: row 2: user 7 and movie 40 are not in"):
        load_fold(folder, 1, cache=cache)
    with pytest.raises(SourceError, match=r"u2\.base is not"):
        load_fold(folder, 2, cache=cache)
    with pytest.raises(ValueError, match="1 to 5"):
        load_fold(folder, 6, cache=cache)
