"""Where tables lie: packed, in archives, in parts, in data frames."""

import bz2
import gzip
import lzma
import warnings

import numpy as np
import pyarrow as pa
import pytest
from official import BESIDE, COMBINED, lines, movielens_files, write_folder, write_tar, write_zip
from pyarrow import parquet

from rslib.sources import SourceError, SourceMissing, from_dataframe, load

TEXT = "user,item,rating,time\n1,10,4,1252800000\n2,10,3,1262800000\n1,11,5,1262886400\n"
ROWS = [(1, 10, 4), (2, 10, 3), (1, 11, 5)]


def rows_of(ratings):
    info = ratings.info
    return list(zip(info.user_ids[ratings.users].tolist(), info.item_ids[ratings.items].tolist(),
                    ratings.values.tolist(), strict=True))


def refusal(path, cache, error=SourceError, **options):
    with pytest.raises(error) as caught:
        load(path, cache=cache, **options)
    assert "\n" not in str(caught.value) and not cache.exists()
    return str(caught.value)


@pytest.mark.parametrize(("suffix", "module"), [("gz", gzip), ("bz2", bz2), ("xz", lzma)])
def test_packed_files(suffix, module, tmp_path, cache):
    path = tmp_path / f"mine.csv.{suffix}"
    path.write_bytes(module.compress(TEXT.encode()))
    ratings = load(path, cache=cache)
    assert rows_of(ratings) == ROWS and ratings.info.name == "mine"


@pytest.mark.parametrize(("suffix", "module"), [("gz", gzip), ("bz2", bz2), ("xz", lzma)])
def test_damaged_packed_files(suffix, module, tmp_path, cache):
    path = tmp_path / f"mine.csv.{suffix}"
    whole = module.compress((TEXT + "1,12,3,1262886400\n" * 500).encode())
    path.write_bytes(whole[:-12])
    assert f"{path}: the archive is truncated or damaged" in refusal(path, cache)
    path.write_bytes(b"never packed\n" * 9)
    assert str(path) in refusal(path, cache)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_one_table_in_an_archive(kind, tmp_path, cache):
    files = {"set/mine.csv": TEXT, "__MACOSX/set/._mine.csv": "x", "set/README.txt": "words"}
    path = (write_zip(tmp_path / "a.zip", files) if kind == "zip"
            else write_tar(tmp_path / f"a.{kind}", files, "w:gz" if "gz" in kind else "w"))
    ratings = load(path, cache=cache)
    assert rows_of(ratings) == ROWS and ratings.info.name == "a"
    (tmp_path / "bad").mkdir()
    bad = write_zip(tmp_path / "bad" / "b.zip", {"set/mine.csv": TEXT + "1,13,x,1262886400\n"})
    message = refusal(bad, tmp_path / "none")
    assert message.startswith(f"{bad}:set/mine.csv: row 5, column 'rating': 'x'")


def test_the_table_of_ratings_among_others(tmp_path, cache):
    files = {"BX-Users.csv": '"User-ID";"Age"\n"1";"30"\n',
             "BX-Books.csv": '"ISBN";"Title"\n"1";"a"\n',
             "BX-Book-Ratings.csv": '"User-ID";"ISBN";"Book-Rating"\n"1";"034545104X";"7"\n'}
    assert rows_of(load(write_zip(tmp_path / "bx.zip", files), cache=cache)) == [
        (1, "034545104X", 7)]


def test_a_table_that_is_called_like_a_published_one(tmp_path, cache):
    text = "who;movie;stars\n1;10;4\n2;10;3\n1;11;5\n"
    path = write_zip(tmp_path / "a.zip", {"b/ratings.csv": text})
    assert rows_of(load(path, user="who", cache=cache)) == ROWS
    folder = write_folder(tmp_path / "ml", {"ratings.csv": text.replace("who", "user")})
    assert rows_of(load(folder, cache=cache)) == ROWS


def test_of_two_tables_one_is_asked_for(tmp_path, cache):
    files = {"a/x.csv": TEXT, "b/y.csv": TEXT.replace("4,", "1,")}
    path = write_zip(tmp_path / "two.zip", files)
    assert f"2 tables of ratings; say which: '{path}:a/x.csv' or '{path}:b/y.csv'" in refusal(
        path, cache)
    assert load(f"{path}:b/y.csv", cache=cache).values.tolist() == [1, 3, 5]
    assert load(f"{path}:a/x.csv", cache=cache).values.tolist() == [4, 3, 5]
    assert "holds no table 'c.csv'" in refusal(f"{path}:c.csv", tmp_path / "none")
    write_zip(path, {"ml/ratings.csv": TEXT, "ml/old/ratings.csv": TEXT})
    assert "two files are called ratings.csv; say which" in refusal(path, tmp_path / "none")
    assert rows_of(load(f"{path}:ml/old/ratings.csv", cache=cache)) == ROWS


def test_an_archive_in_an_archive(tmp_path, cache):
    write_tar(tmp_path / "training_set.tar", {"training_set/mv_0000001.txt": "1:\n"})
    inner = {"download/training_set.tar": (tmp_path / "training_set.tar").read_text(),
             "download/probe.txt": BESIDE["probe.txt"]}
    for path in (write_tar(tmp_path / "prize.tar", inner), write_zip(tmp_path / "p.zip", inner)):
        assert refusal(path, cache) == (f"{path}: no table of ratings, but an archive in it, "
                                        "'training_set.tar'; unpack it and name what it holds")
    path = write_zip(tmp_path / "more.zip", inner | {"mine.csv": TEXT})
    assert rows_of(load(path, cache=cache)) == ROWS


def test_parts_of_parquet(tmp_path, cache):
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "_SUCCESS").write_text("")
    table = pa.table({"user": [1, 2, 1], "item": [10, 10, 11], "rating": [4, 3, 5]})
    parquet.write_table(table[:2], folder / "part-0.parquet")
    parquet.write_table(table[2:], folder / "part-1.parquet")
    ratings = load(folder, cache=cache)
    assert rows_of(ratings) == ROWS and ratings.info.name == "parts"
    bad = pa.table({"user": [5, 5], "item": [1, 2], "rating": pa.array([1, None], pa.int64())})
    parquet.write_table(bad, folder / "part-2.parquet")
    assert "part-2.parquet: row 2, column 'rating': is empty" in refusal(folder, tmp_path / "none")
    parquet.write_table(bad.drop_columns(["item"]), folder / "part-2.parquet")
    assert "part-2.parquet: column 'item' is missing" in refusal(folder, tmp_path / "none")


def test_one_combined_file_alone(tmp_path, cache):
    folder = write_folder(tmp_path / "n", {"combined_data_2.txt": COMBINED["combined_data_2.txt"],
                                           "movie_titles.txt": BESIDE["movie_titles.txt"]})
    ratings = load(folder / "combined_data_2.txt", cache=cache)
    assert rows_of(ratings) == [(7, 2, 3), (2, 2, 3)] and ratings.info.title(0) == "Isle, of Man"
    (folder / "movie_titles.txt").write_text("2,2004,Another\n")
    ratings = load(folder / "combined_data_2.txt", cache=cache)
    assert ratings.info.title(0) == "Another", "what lies beside it counts for the store"


def test_addresses_are_no_files(tmp_path, cache):
    message = refusal("https://example.org/ratings.csv", cache, SourceMissing)
    assert "an address, not a file; download it" in message


def test_published_sets_take_no_form(tmp_path, cache):
    folder = write_folder(tmp_path / "ml", movielens_files("ml-20m"))
    assert "published format" in refusal(folder, cache, time_unit="days")
    assert lines(",")


# Data frames

class Frame:
    """What pandas and polars have in common."""

    def __init__(self, **columns):
        self.table = pa.table(columns)

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


COLUMNS = {"who": [1, 2, 1], "item": ["b", "b", "a"], "stars": [4.0, 3.0, 5.0],
           "date": np.array(["2005-09-08", "2005-09-06", "2005-09-07"], "datetime64[us]")}


@pytest.mark.parametrize("frame", [Frame(**COLUMNS), pa.table(COLUMNS), COLUMNS])
def test_data_frames(frame, tmp_path):
    ratings = from_dataframe(frame, user="who", rating="stars", scale=(1, 5), name="ours")
    assert rows_of(ratings) == [(1, "b", 4), (2, "b", 3), (1, "a", 5)]
    assert ratings.days.tolist() == [2, 0, 1] and ratings.info.first_day == "2005-09-06"
    assert ratings.scale == (1, 5) and ratings.info.name == "ours"


@pytest.mark.parametrize(("changes", "words"), [
    ({"who": [1.0, float("nan"), 2.0]}, "row 2, column 'who': is empty"),
    ({"who": [1, None, 2]}, "row 2, column 'who': is empty"),
    ({"stars": ["1", "2", "x"]}, "row 3, column 'stars': 'x'"),
    ({"date": [1, 2, 3]}, "row 1, column 'date': 1 is a time in an unknown unit"),
    ({"who": [1, "a", 2]}, "mixed types"),
])
def test_data_frames_that_are_refused(changes, words):
    with pytest.raises(SourceError) as caught:
        from_dataframe(COLUMNS | changes, user="who", rating="stars")
    message = str(caught.value)
    assert message.startswith("dataframe: ") and words in message and "\n" not in message


def test_categories_of_text_views():
    """What polars hands over for a categorical column."""
    item = pa.DictionaryArray.from_arrays(pa.array([1, 0, 1], pa.uint32()),
                                          pa.array(["a", "b"], pa.string_view()))
    ratings = from_dataframe(pa.table({"user": [1, 2, 3], "item": item, "rating": [1, 2, 3]}))
    assert rows_of(ratings) == [(1, "b", 1), (2, "a", 2), (3, "b", 3)]


def test_what_only_text_has(tmp_path, cache):
    parquet.write_table(pa.table({"user": [1], "item": [1], "rating": [1]}), tmp_path / "a.parquet")
    assert "delimiter= is for text" in refusal(tmp_path / "a.parquet", cache, delimiter=";")
    with pytest.raises(SourceError, match="wide= is for text"):
        from_dataframe(COLUMNS, wide=True)


def test_what_is_no_data_frame():
    with pytest.raises(TypeError, match="not list"):
        from_dataframe([1, 2])


def test_data_frames_in_the_numbering_of_others():
    first = from_dataframe({"user": [1, 2], "item": ["b", "a"], "rating": [1, 2]})
    with pytest.warns(UserWarning, match="1 of 2 ratings left out"):
        again = from_dataframe({"user": [2, 3], "item": ["b", "b"], "rating": [4, 5]}, like=first)
    assert rows_of(again) == [(2, "b", 4)] and again.n_users == 2
    new = from_dataframe({"user": [9], "item": ["a"], "rating": [4]}, like=first, new_users=True)
    assert rows_of(new) == [(9, "a", 4)] and new.n_items == 2


def test_options_of_data_frames():
    frame = {"user": [1, 1, 2], "item": [1, 1, 2], "rating": [2, 5, 0]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ratings = from_dataframe(frame, duplicates="mean", drop_zeros=True)
    assert rows_of(ratings) == [(1, 1, 3.5)]
