"""Every bad input gets one line, and the disk stays as it was."""

import os
import tarfile
import zlib
from datetime import datetime, time
from pathlib import Path

import pooch
import pyarrow as pa
import pytest
from official import (
    COMBINED,
    GOOD,
    HEADER,
    SINGLE,
    assert_reads_ratings,
    lastfm_files,
    movielens_files,
    netflix_folder,
    write_folder,
    write_tar,
    write_zip,
)
from pyarrow import parquet

from rslib.sources import SourceError, SourceMissing, download, load


def refused(path, cache, *parts, error=SourceError, **options):
    """Assert one line that holds ``parts``, and a disk left as it was."""
    before = sorted(Path(path).parent.rglob("*")) if not isinstance(path, str) else None
    with pytest.raises(error) as caught:
        load(path, cache=cache, **options)
    message = str(caught.value)
    assert "\n" not in message and not [part for part in parts if part not in message], message
    assert before is None or sorted(Path(path).parent.rglob("*")) == before
    assert not cache.exists()


BAD_TEXT = {
    "empty": ("", "the file is empty"),
    "header only": (HEADER, "a header and no ratings"),
    "blank header": ("\n" + HEADER + GOOD, "row 1 is empty"),
    "unknown delimiter": ((HEADER + GOOD).replace(",", "!"), "row 1: no user column", "user="),
    "no header": (GOOD, "row 1: no user column among '1', '10'", "user="),
    "misnamed column": (HEADER.replace("rating", "opinion") + GOOD,
                        "row 1: no rating column", "'opinion'", "rating="),
    "text rating": (HEADER + GOOD + "3,1,good,964982703\n", "row 4, column 'rating': 'good'"),
    "nan": (HEADER + GOOD + "3,1,NaN,964982703\n", "row 4, column 'rating': 'NaN'", "finite"),
    "infinite": (HEADER + "3,1,-inf,964982703\n" + GOOD, "row 2, column 'rating': '-inf'"),
    "overflow": (HEADER + GOOD + "3,1,1e39,964982703\n", "row 4, column 'rating'", "finite"),
    "no rating": (HEADER + GOOD + "\n3,1,,964982703\n",
                  "row 4 (line 5), column 'rating': is empty"),
    "no user": (HEADER + GOOD + " ,1,3,964982703\n", "row 4, column 'userId': is empty"),
    "text time": (HEADER + GOOD + "3,1,3,noon\n", "row 4, column 'timestamp': 'noon'"),
    "no time": (HEADER + GOOD + "3,1,3,\n", "row 4, column 'timestamp': is empty"),
    "negative time": (HEADER + GOOD + "3,1,3,-5\n", "row 4, column 'timestamp': -5", "1970"),
    "milliseconds": (HEADER + GOOD + "3,1,3,964982703000\n", "row 4", "milliseconds"),
    "absurd time": (HEADER + GOOD + "3,1,3,1e17\n", "row 4, column 'timestamp'", "2100"),
    "absurd date": ("user,item,rating,date\n1,2,3,2005-09-06\n1,3,3,9999-01-01\n",
                    "row 3, column 'date': 9999-01-01", "2100"),
    "not a date": ("user,item,rating,date\n1,2,3,2005-09-06\n1,3,3,06/09/2005\n",
                   "row 3, column 'date': '06/09/2005'"),
    "short row": (HEADER + GOOD + "3,1,3\n", "row 4: has 3 columns", "not 4"),
    "long row": (HEADER + GOOD + "3,1,3,964982703,\n", "row 4: has 5 columns"),
    "huge id": (HEADER + GOOD + f"{2**63},1,3,964982703\n", "row 4, column 'userId'",
                "too large for the store"),
    "not text": ((HEADER + GOOD).encode() + b"\xff,1,3,964982703\n", "row 4", "UTF-8"),
    "zero byte": (HEADER + GOOD + "\0\0\0\n", "row 4", "zero byte"),
    "utf-16": ((HEADER + GOOD).encode("utf-16"), "row 1 is not UTF-8"),
}


@pytest.mark.parametrize("case", BAD_TEXT)
def test_bad_text(case, tmp_path, cache):
    content, *parts = BAD_TEXT[case]
    path = tmp_path / "mine.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(path, cache, str(path), *parts)


def test_bad_options(tmp_path, cache):
    path = tmp_path / "mine.csv"
    path.write_text(HEADER + GOOD)
    refused(path, cache, "row 3, column 'rating': 4 is outside the declared scale 1 to 3.5",
            scale=(1, 3.5))
    refused(path, cache, "no column 'who' (given as user=)", "'userId'", user="who")
    refused(path, cache, "one column stands for two things", rating="timestamp")
    for scale in ((5, 1), (1, 2, 3), "ab", 5):
        refused(path, cache, "scale must be", error=ValueError, scale=scale)
    folder = write_folder(tmp_path / "ml", movielens_files("ml-20m"))
    refused(folder, cache, "columns of a published format are known", user="userId")


def table(**changes):
    columns = {"user": [1, 2], "item": ["a", "b"], "rating": [1.0, 2.0],
               "time": [964982703, 964982704]}
    return pa.table(columns | changes)


BAD_PARQUET = {
    "nan": (table(rating=[1.0, float("nan")]), "row 2, column 'rating': nan"),
    "null": (table(user=[1, None]), "row 2, column 'user': is empty"),
    "text": (table(rating=["1", "x"]), "row 2, column 'rating': 'x' is not a number"),
    "comma": (table(rating=["1,5", "2,0"]), "'1,5' is not a number; save the column as numbers"),
    "fraction": (table(user=[1.0, 2.5]), "row 2, column 'user': '2.5'"),
    "old": (table(time=[datetime(2020, 1, 1), datetime(1960, 1, 1)]), "row 2, column 'time': 1960"),
    "far": (table(time=pa.array([0, 2**62], pa.timestamp("us"))), "row 2, column 'time'", "2100"),
    "clock": (table(time=[time(1), time(2)]), "row 1, column 'time'"),
    "milliseconds": (table(time=[964982703, 10**12]), "row 2, column 'time'", "milliseconds"),
    "huge id": (table(user=pa.array([1, 2**64 - 1], pa.uint64())), "row 2", "too large"),
    "empty": (table().slice(0, 0), "no ratings"),
    "no column": (table().drop_columns(["item"]), "no item column", "item="),
}


@pytest.mark.parametrize("case", BAD_PARQUET)
def test_bad_parquet(case, tmp_path, cache):
    content, *parts = BAD_PARQUET[case]
    parquet.write_table(content, tmp_path / "mine.parquet")
    refused(tmp_path / "mine.parquet", cache, "mine.parquet", *parts)


def test_truncated_parquet(tmp_path, cache):
    path = tmp_path / "mine.parquet"
    parquet.write_table(table(), path)
    path.write_bytes(path.read_bytes()[:-20])
    refused(path, cache, str(path), "truncated")
    path.write_bytes(b"")
    refused(path, cache, str(path), "empty")


BAD_MOVIELENS = {
    "one colon": ("ml-1m", "ratings.dat", "1:10::5::978300760\n", "row 1: has 3 columns"),
    "between": ("ml-1m", "ratings.dat", "1::10::5::97\n1:2:10::5::97\n", "row 2: has 3 columns"),
    "text user": ("ml-1m", "ratings.dat", "a::10::5::978300760\n", "row 1, column 'userId': 'a'"),
    "scale": ("ml-100k", "u.data", "1\t1\t5\t9783007\n1\t2\t6\t9783007\n", "row 2, column 'rating'",
              "scale 1 to 5"),
    "half scale": ("ml-20m", "ratings.csv", HEADER + "1,2,0,978300\n", "scale 0.5 to 5"),
    "delimiter": ("ml-100k", "u.data", "1,1,5,9783007\n", "row 1: has 1 columns", r"'\t'"),
    "header": ("ml-20m", "ratings.csv", GOOD, "row 1: expected userId,movieId,rating,timestamp"),
    "no ratings": ("ml-100k", "u.data", "", "u.data: the file is empty"),
    "titles": ("ml-1m", "movies.dat", "1::A::x\nB::x\n", "movies.dat: row 2: expected a movie id"),
}


@pytest.mark.parametrize("case", BAD_MOVIELENS)
def test_bad_movielens(case, tmp_path, cache):
    name, file, content, *parts = BAD_MOVIELENS[case]
    folder = write_folder(tmp_path / name, movielens_files(name) | {file: content})
    refused(folder, cache, file, *parts)


PLAYS = "userID\tartistID\tweight\n"
BAD_LASTFM = {
    "zero": ("user_artists.dat", PLAYS + "2\t51\t3\n2\t52\t0\n",
             "row 3, column 'weight': '0' is no count", "fetch the set again"),
    "negative": ("user_artists.dat", PLAYS + "2\t51\t-3\n",
                 "row 2, column 'weight': '-3' is no count"),
    "text": ("user_artists.dat", PLAYS + "2\t51\tmany\n", "row 2, column 'weight': 'many'"),
    "text user": ("user_artists.dat", PLAYS + "a\t51\t3\n", "row 2, column 'userID': 'a'"),
    "no plays": ("user_artists.dat", PLAYS + "2\t51\t\n", "row 2, column 'weight': is empty"),
    "short": ("user_artists.dat", PLAYS + "2\t51\n", "row 2: has 2 columns", r"'\t'"),
    "no header": ("user_artists.dat", "2\t51\t3\n", "row 1: expected userID, artistID, weight"),
    "no rows": ("user_artists.dat", PLAYS, "user_artists.dat: a header and no ratings"),
    "empty": ("user_artists.dat", "", "user_artists.dat: the file is empty"),
    "artists": ("artists.dat", "id\tname\turl\tpictureURL\n1\tA\tx\ty\nB\tx\n",
                "artists.dat: row 3: expected an artist id, a name", r"'B\tx'"),
    "header of artists": ("artists.dat", "1\tA\tx\ty\n", "artists.dat: row 1: expected id, name"),
    "no artists": ("artists.dat", "", "artists.dat: the file is empty"),
}


@pytest.mark.parametrize("case", BAD_LASTFM)
def test_bad_lastfm(case, tmp_path, cache):
    file, content, *parts = BAD_LASTFM[case]
    folder = write_folder(tmp_path / "fm", lastfm_files() | {file: content})
    refused(folder, cache, file, *parts)


def test_options_of_a_set_of_plays(tmp_path, cache):
    folder = write_folder(tmp_path / "fm", lastfm_files())
    for options in ({"rating": "weight"}, {"interactions": True}, {"drop_zeros": True}):
        refused(folder, cache, "columns of a published format are known", **options)


BAD_NETFLIX = {
    "header": ("mv_0000002.txt", "two:\n7,3,2005-09-06\n", "row 1: bad movie header 'two:'"),
    "no number": ("mv_0000002.txt", "2:\n7,3,2005-09-06\n:\n", "row 3: bad movie header ':'"),
    "huge movie": ("mv_0000002.txt", "99999999999:\n7,3,2005-09-06\n", "row 1: bad movie header"),
    "no header": ("mv_0000002.txt", "7,3,2005-09-06\n", "row 1: a row before any movie header"),
    "text": ("mv_0000003.txt", "3:\n7,3,2005-09-06\nx,3,2005-09-06\n", "row 3: column 'user'"),
    "short": ("mv_0000003.txt", "3:\n7,3\n", "row 2: expected user,rating,time, found '7,3'"),
    "scale": ("mv_0000003.txt", "3:\n7,6,2005-09-06\n", "row 2: column 'rating': 6", "1 to 5"),
    "date": ("mv_0000003.txt", "3:\n7,3,2005-13-06\n", "row 2: column 'time': '2005-13-06'"),
    "odd space": ("mv_0000003.txt", b"3:\n7,3,2005-09-06\n\xa08,3,2005-09-06\n",
                  "row 3: column 'user'", "something around it"),
    "odd break": ("mv_0000003.txt", "3:\n7,3,\r2005-09-06\n", "row 2: column 'time'"),
    "blank": ("mv_0000003.txt", "3:\n\n7,3,2005-09-06\n", "row 2"),
}


@pytest.mark.parametrize("case", BAD_NETFLIX)
def test_bad_netflix(case, tmp_path, cache):
    file, content, *parts = BAD_NETFLIX[case]
    folder = write_folder(tmp_path / "netflix", SINGLE | {file: content})
    refused(folder, cache, file, *parts)


def test_bad_netflix_neighbours(tmp_path, cache):
    folder = netflix_folder(tmp_path / "netflix", "folder")
    (folder / "probe.txt").write_text("1:\n2\nx\n")
    refused(folder, cache, "probe.txt: row 3: column 'user': 'x'")
    (folder / "probe.txt").unlink()
    (folder / "movie_titles.txt").write_text("1,2003,A\n2;2004;B\n")
    refused(folder, cache, "movie_titles.txt: row 2: expected id,year,title")
    some = write_folder(tmp_path / "some", dict([*COMBINED.items()][:2]))
    refused(some, cache, "combined_data_1.txt to 4 belong together")


def test_missing(tmp_path, cache):
    refused(tmp_path / "none.csv", cache, "none.csv: no such file", "ml-1m", error=SourceMissing)
    refused(tmp_path / "none.csv", cache, "none.csv", error=FileNotFoundError)
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", cache, "no ratings in a known format")
    (tmp_path / "a.doc").write_text(HEADER + GOOD)
    refused(tmp_path / "a.doc", cache, "a.doc", ".csv")


@pytest.mark.parametrize("name, meant", [("ml-1n", "ml-1m"), ("ML-100K", "ml-100k"),
                                         ("syntetic-2k", "synthetic"),
                                         ("synthetic-purchase", "synthetic-purchases"),
                                         ("Netflix", "netflix")])
def test_a_set_that_was_nearly_named(name, meant, cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(name, cache, f"{name}: no such file", f"did you mean {meant}?", error=SourceMissing)


# Archives and downloads

@pytest.mark.parametrize("name", ["../ratings.dat", "/tmp/ratings.dat", "a/../../b",
                                  "C:\\ratings.dat", "..\\b"])
def test_unsafe_members(name, tmp_path, cache):
    files = movielens_files("ml-1m")
    refused(write_zip(tmp_path / "ml.zip", files | {name: "x"}), cache, "outside its folder")
    refused(write_tar(tmp_path / "ml.tar.gz", SINGLE | {name: "x"}, "w:gz"), cache,
            "outside its folder")


def test_links_in_a_tar(tmp_path, cache):
    path = write_tar(tmp_path / "training.tar", SINGLE)
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("mv_0000009.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    refused(path, cache, "mv_0000009.txt", "is a link")


def test_truncated_archives(tmp_path, cache):
    files = movielens_files("ml-1m") | {"filler": os.urandom(5000)}
    path = write_zip(tmp_path / "ml.zip", files)
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    refused(path, cache, str(path), "truncated")
    compressed = zlib.compress(files["ratings.dat"].encode())[2:-4]
    at = whole.index(compressed[:8])
    path.write_bytes(whole[:at + 4] + b"\0\0\0\0" + whole[at + 8:])
    refused(path, cache, str(path), "damaged")
    tar = write_tar(tmp_path / "training.tar.gz", SINGLE, "w:gz")
    tar.write_bytes(tar.read_bytes()[:-40])
    refused(tar, cache, str(tar), "truncated")


def test_a_known_archive_has_its_checksum(data, cache):
    write_zip(data / "ml-1m.zip", movielens_files("ml-1m"))
    refused("ml-1m", cache, "ml-1m.zip: md5 ", download.PUBLISHED["ml-1m"].md5, "https://files")
    assert_reads_ratings(load(data / "ml-1m.zip", cache=cache))     # by its path it is the user's


def served(tmp_path, monkeypatch, name="ml-1m"):
    """Serve a tiny ml-1m.zip in the place of the publisher; return its checksum."""
    path = write_zip(tmp_path / "served.zip", movielens_files(name))

    def fetch(url, output_file, pooch, check_only=False):
        assert url == f"https://files.grouplens.org/datasets/movielens/{name}.zip"
        Path(output_file).write_bytes(path.read_bytes())

    monkeypatch.setattr(pooch, "HTTPDownloader", lambda **options: fetch)
    return pooch.file_hash(str(path), alg="md5")


def test_download(tmp_path, data, cache, monkeypatch):
    md5 = served(tmp_path, monkeypatch)
    monkeypatch.setitem(download.PUBLISHED, "ml-1m", download._movielens("ml-1m", md5))
    assert_reads_ratings(load("ml-1m", cache=cache))
    assert [path.name for path in (tmp_path / "home/data").iterdir()] == ["ml-1m.zip"]
    monkeypatch.setattr(pooch, "HTTPDownloader", None)     # the second time needs none
    assert_reads_ratings(load("ml-1m", cache=cache))


def test_download_with_a_wrong_checksum(tmp_path, data, cache, monkeypatch):
    served(tmp_path, monkeypatch)
    refused("ml-1m", cache, "ml-1m.zip", "checksum", "not kept")
    assert not (tmp_path / "home/data").exists()


def test_no_network(tmp_path, data, cache, monkeypatch):
    def fail(*arguments, **options):
        raise ConnectionError("a long story\nof retries")

    monkeypatch.setattr(pooch, "HTTPDownloader", lambda **options: fail)
    refused("ml-10m", cache, str(data), "https://files.grouplens.org/datasets/movielens/ml-10m.zip",
            str(tmp_path / "home/data"), error=SourceMissing)
    assert not (tmp_path / "home/data").exists()


def test_sets_that_are_never_downloaded(tmp_path, data, cache, monkeypatch):
    refused("netflix", cache, str(tmp_path / "home/data/netflix"), "probe.txt", error=SourceMissing)
    refused("ml-latest-small", cache, str(tmp_path / "home/data"), error=SourceMissing)
    refused("lastfm-2k", cache, str(tmp_path / "home/data"), "hetrec2011-lastfm-2k.zip",
            error=SourceMissing)
    monkeypatch.setenv("RSLIB_DATA", str(tmp_path / "nowhere"))
    refused("ml-1m", cache, "RSLIB_DATA", "nowhere", error=SourceMissing)
