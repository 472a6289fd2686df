"""Tables as people have them: quotes, line breaks, separators, options, and what was understood."""

import csv as python_csv
import random
import re
import warnings
from io import BytesIO, StringIO

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from rslib.sources import SourceError, from_dataframe, load
from rslib.sources import records as records_module
from rslib.sources.records import LONGEST, examine, records, split
from rslib.sources.understood import call


def written(tmp_path, content, name="mine.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows_of(ratings):
    """User, item, rating as the file has them, in its order."""
    info = ratings.info
    return list(zip(info.user_ids[ratings.users].tolist(), info.item_ids[ratings.items].tolist(),
                    ratings.values.tolist(), strict=True))


def refusal(path, cache, **options):
    with pytest.raises(SourceError) as caught:
        load(path, cache=cache, **options)
    message = str(caught.value)
    assert "\n" not in message and message.startswith(str(path)), message
    assert not cache.exists()
    return message.removeprefix(f"{path}: ")


# Records

READ = {        # text, options, rows
    "line breaks in quotes": ('user,item,rating,review\n1,10,5,"Great.\nAgain, ""yes"".\n\n"\n'
                              '2,10,3,"Fine"\n', {}, [(1, 10, 5), (2, 10, 3)]),
    "CR only": ("user,item,rating\r1,10,5\r2,10,3\r", {}, [(1, 10, 5), (2, 10, 3)]),
    "CRLF and no end": ("user,item,rating\r\n1,10,5\r\n2,10,3", {}, [(1, 10, 5), (2, 10, 3)]),
    "BOM": ("\ufeffuser,item,rating\n1,10,5\n", {}, [(1, 10, 5)]),
    "BOM and quotes": ('\ufeff"user","item","rating"\n"1","10","5"\n', {}, [(1, 10, 5)]),
    "BOM without names": ("\ufeff1,10,5\n2,10,3\n", {"header": None}, [(1, 10, 5), (2, 10, 3)]),
    "line break in the header": ('user,item,rating,"my\nnotes"\n1,10,5,x\n', {}, [(1, 10, 5)]),
    "inches": ('user,item,rating,title\n1,10,5,7" single\n2,10,3,12"\n', {},
               [(1, 10, 5), (2, 10, 3)]),
    "letters in tabs": ('user\titem\ttitle\trating\n1\t10\t"Heroes" and co\t5\n'
                        '2\t11\t"Weird Al\t4\n3\t10\t"Weird Al\t3\n',
                        {}, [(1, 10, 5), (2, 11, 4), (3, 10, 3)]),
    "letters by option": ('user,item,rating,title\n1,10,5,"Weird Al\n2,10,3,"x\n',
                          {"quoting": False}, [(1, 10, 5), (2, 10, 3)]),
    "quoted ids in tabs": ('user\titem\trating\n"a\tb"\t10\t5\n', {}, [("a\tb", 10, 5)]),
    "blank lines": ("user,item,rating\n\n1,10,5\n\n\n2,10,3\n\n", {}, [(1, 10, 5), (2, 10, 3)]),
    "semicolons": ("user;item;rating\n1;10;5\n", {}, [(1, 10, 5)]),
    "bars": ("user|item|rating\n1|10|5\n", {}, [(1, 10, 5)]),
    "spaces": ("user item rating\n1 10 5\n", {}, [(1, 10, 5)]),
    "colons": ("user::item::rating\n1::10::5\n", {}, [(1, 10, 5)]),
    "spaces in names": ("User ID;Movie ID;Star\n1;10;5\n", {}, [(1, 10, 5)]),
    "commas in titles": ("user;item;title;rating\n1;10;A, B, C;5\n2;10;D, E, F;4\n", {},
                         [(1, 10, 5), (2, 10, 4)]),
    "unusual delimiter": ("user!item!rating\n1!10!5\n", {"delimiter": "!"}, [(1, 10, 5)]),
    "decimal comma": ("user;item;rating\n1;10;4,5\n1;11;3,0\n", {"decimal": ","},
                      [(1, 10, 4.5), (1, 11, 3)]),
    "decimal comma in quotes": ('user,item,rating\n1,10,"4,5"\n1,11,3\n',
                                {"decimal": ",", "delimiter": ","}, [(1, 10, 4.5), (1, 11, 3)]),
    "no names": ("506246\t104000100187\t49.25\n506247\t104000100150\t50\n", {"header": None},
                 [(506246, 104000100187, 49.25), (506247, 104000100150, 50)]),
    "by position": ("5,1,10\n3,2,10\n", {"header": None, "rating": 0, "user": 1, "item": 2},
                    [(1, 10, 5), (2, 10, 3)]),
    "twice a name": ("user,item,rating,rating\n1,10,5,2\n", {"rating": 3}, [(1, 10, 2)]),
    "zeros": ("user,item,rating\n1,10,0\n2,10,3\n2,11,0.0\n", {"drop_zeros": True}, [(2, 10, 3)]),
    "halves": ("user,item,rating\n1.0,10,4\n1,11,3\n2.00,-3.0,5\n", {},
               [(1, 10, 4), (1, 11, 3), (2, -3, 5)]),
    "versions": ("user,item,rating\n1,1.0,4\n1,1.1,3\n", {}, [(1, "1.0", 4), (1, "1.1", 3)]),
}


@pytest.mark.parametrize("case", READ)
def test_tables_are_read(case, tmp_path, cache):
    text, options, expected = READ[case]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")     # ids that hold text
        ratings = load(written(tmp_path, text), cache=cache, **options)
    assert rows_of(ratings) == expected


REFUSED = {     # text, options, parts of the message
    "row after a line break": ('user,item,rating,review\n1,10,5,"a\n\nb"\n2,10,good,"c"\n', {},
                               "row 3 (line 5), column 'rating': 'good' is not a number"),
    "CR only": ("user,item,rating\r1,10,5\r2,10,x\r", {}, "row 3, column 'rating': 'x'"),
    "unclosed": ('user,item,rating,t\n1,10,5,"a\n2,10,3,b\n', {}, "row 2: a quote",
                 "quoting=False"),
    "swallowing": ('user,item,title,rating\n1,10,"Weird Al,5\n2,10,"Al,4\n3,10,x,3\n', {},
                   "row 2: a quote", "quoting=False"),
    "decimal comma": ("user;item;rating\n1;10;4,5\n", {}, "row 2, column 'rating': '4,5'",
                      "decimal=','"),
    "decimal point": ("user;item;rating\n1;10;4.5\n", {"decimal": ","}, "row 2", "decimal='.'"),
    "no names": ("1\t10\t5\n", {}, "row 1: no user column", "header=None"),
    "twice a name": ("user,item,rating,rating\n1,10,5,2\n", {}, "rating=2 or rating=3"),
    "far position": ("1,10,5\n", {"header": None, "rating": 3}, "no column 3", "there are 3"),
    "long name": ("user,item,rating\n" + "1,10,5\n" * 3 + "a" * 200_000 + ",10,x\n", {},
                  "row 5, column 'rating': 'x'"),
    "missing id": ("user,item,rating\n1,10,5\nNaN,10,4\n", {}, "row 3, column 'user': 'NaN'"),
    "only zeros": ("user,item,rating\n1,10,0\n", {"drop_zeros": True}, "no ratings but zeros"),
    "duplicates": ("user,item,rating\n1,10,5\n2,10,4\n1,10,3\n", {"duplicates": "error"},
                   "user 1 rated item 10 more than once", "duplicates="),
    "full width": ("user,item,rating\n1,10,5\n2,10,５\n", {}, "row 3, column 'rating': '５'"),
    "break in a number": ('user,item,rating\n1,10,"5\n"\n', {}, "row 2, column 'rating': '5"),
    "break, and a scale": ('user,item,rating\n1,10,"9\n"\n', {"scale": (1, 5)}, "row 2, column"),
    "lone colons": ("1::10::5\n2:3::10::4\n", {"header": None}, "row 2: has a single ':'"),
    "aligned": ("user   item   rating\n1   2   3\n10  2   3\n", {}, "row 3: has 6 columns",
                "several spaces are several columns"),
    "names of rows": ("user,item,rating,time\n1,5,10,2.5,1126045800\n", {},
                      "row 2: has 5 columns separated by ',', not 4"),
    "quotes as letters": ('user\titem\ttitle\trating\n1\t2\t"a\tb"\t3\n1\t3\t"Al\t4\n', {},
                          "row 2: has 5 columns", "quotes are read as letters"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_tables_are_refused_by_their_true_row(case, tmp_path, cache):
    text, options, *parts = REFUSED[case]
    message = refusal(written(tmp_path, text), cache, **options)
    assert all(part in message for part in parts), message


@pytest.mark.parametrize(("quoted", "size"), [(True, 140_000), (True, 3_000_000),
                                              (False, 3_000_000)])
def test_long_fields(quoted, size, tmp_path, cache):
    text = "x,\n" * (size // 3) if quoted else "x" * size
    mark = '"' if quoted else ""
    path = written(tmp_path, f"user,item,review,rating\n1,10,{mark}{text}{mark},5\n2,10,y,3\n"
                             f"2,11,z,bad\n")
    assert "row 4" in refusal(path, cache)
    path.write_text(path.read_text().replace("bad", "4"))
    assert rows_of(load(path, cache=cache)) == [(1, 10, 5), (2, 10, 3), (2, 11, 4)]


def test_a_row_without_end_is_no_table(tmp_path, cache, monkeypatch):
    monkeypatch.setattr("rslib.sources.records.LONGEST", 1 << 20)
    assert LONGEST > 1 << 20
    path = written(tmp_path, "user,item,rating\n" + "1" * (3 << 20))
    assert "no table" in refusal(path, cache)


class Whole:
    """A member in memory."""

    label = "here"

    def __init__(self, data):
        self.data = data

    def open(self):
        return BytesIO(self.data)


@pytest.mark.parametrize("block", [7, 1 << 20])
def test_records_agree_with_the_csv_module(block, monkeypatch):
    """What is quoted strictly is split as Python's reader does, however blocks cut it."""
    monkeypatch.setattr("rslib.sources.records._BLOCK", block)
    draw = random.Random(0)
    for _ in range(200):
        end = draw.choice(["\n", "\r\n", "\r"])
        table = [["".join(draw.choices('ab ,"\n\r', k=draw.randrange(5))) for _ in range(3)]
                 for _ in range(draw.randrange(1, 6))]
        text = "".join(",".join('"' + field.replace('"', '""') + '"' if draw.random() < 0.5
                                or set(field) & set(',"\n\r') else field
                                for field in row) + end for row in table)
        data = text.encode()
        found = [split(record, ",", True) for record in records(Whole(data).open(), ",", True)]
        assert found == list(python_csv.reader(StringIO(text, newline=""))) == table
        assert examine(Whole(data), ",", True)[:2] == (b'"' in data, None)


@pytest.mark.parametrize("block", [5, 1 << 20])
def test_stray_quotes_are_found_wherever_blocks_end(block, monkeypatch):
    monkeypatch.setattr("rslib.sources.records._BLOCK", block)
    for text, row in (('a,b\n"c"d,e\n', 2), ('a,b\nc,"d\ne,f\n', 2), ('a,"b\nc"\nd,"e"f"g"\n', 2),
                      ('a,"b', 1), ('a,""b\n', 1), ('a,"b"\n7",c\n"x"y\n', 3)):
        assert examine(Whole(text.encode()), ",", True).stray.row == row, text
        assert examine(Whole(text.encode()), ",", False).stray is None
    for text in ('a,"b"\n7",c\n', '"a"\n7"\n"b"', '"a""",7" x\nb"', 'a"b,"c"\n'):
        assert examine(Whole(text.encode()), ",", True).stray is None, text


def test_the_quick_look_at_quotes_agrees_with_the_pattern():
    draw, strict, quick = random.Random(1), records_module._patterns(",", True)[1], 0
    for _ in range(20_000):
        block = "".join(draw.choices('ab,"\n', [3, 1, 3, 4, 2], k=draw.randrange(1, 12))).encode()
        end = records_module._end_of_clean(block, ",")
        if end is not None:
            quick += 1
            assert strict.match(block[:end]).end() == end, block
    assert quick > 300


# Options

@pytest.mark.parametrize(("duplicates", "expected"), [
    ("last", [(2, 10, 4), (1, 10, 5)]), ("first", [(1, 10, 2), (2, 10, 4)]),
    ("mean", [(2, 10, 4), (1, 10, 10 / 3)])])
def test_duplicates(duplicates, expected, tmp_path, cache):
    path = written(tmp_path, "user,item,rating,date\n1,10,2,2005-01-01\n2,10,4,2005-01-01\n"
                             "1,10,5,2005-03-01\n1,10,3,2005-02-01\n")
    with pytest.warns(UserWarning, match="2 duplicate ratings"):
        ratings = load(path, duplicates=duplicates, cache=cache)
    assert rows_of(ratings) == [(user, item, pytest.approx(stars))
                                for user, item, stars in expected]
    assert ratings.info.n_duplicates == 2
    day = 0 if duplicates == "first" else 59
    assert ratings.days[ratings.info.user_ids[ratings.users] == 1].tolist() == [day]


def test_zeros_may_lie_outside_the_scale_where_they_are_no_ratings(tmp_path, cache):
    path = written(tmp_path, '"User-ID";"ISBN";"Book-Rating"\n"276725";"034545104X";"0"\n'
                             '"276726";"0155061224";"5"\n"276727";"0446520802";"0"\n')
    assert "outside the declared scale" in refusal(path, cache, scale=(1, 10))
    ratings = load(path, scale=(1, 10), drop_zeros=True, cache=cache)
    assert rows_of(ratings) == [(276726, "0155061224", 5)] and ratings.n_users == 1
    assert ratings.info.understood["n_zeros"] == 2 and ratings.info.understood["n_rows"] == 3


@pytest.mark.parametrize(("options", "words"), [
    ({"delimiter": "ab"}, "delimiter"), ({"delimiter": '"'}, "delimiter"),
    ({"decimal": ";"}, "decimal"),
    ({"header": 0}, "header"), ({"header": 1}, "header"), ({"wide": 1}, "wide"),
    ({"scale": 5}, "scale"), ({"scale": (1, 2, 3)}, "scale"), ({"scale": (None, 5)}, "scale"),
    ({"quoting": "yes"}, "quoting"), ({"header": "x"}, "header"), ({"time_unit": "weeks"}, "weeks"),
    ({"duplicates": "drop"}, "'mean'"), ({"drop_zeros": 3}, "drop_zeros")])
def test_options_out_of_range(options, words, tmp_path, cache):
    with pytest.raises(ValueError, match=words) as caught:
        load(written(tmp_path, "user,item,rating\n1,1,1\n"), cache=cache, **options)
    assert "\n" not in str(caught.value)


def test_options_that_do_not_exist(tmp_path, cache):
    path = written(tmp_path, "user,item,rating\n1,1,1\n")
    with pytest.raises(TypeError, match="no option delimeter=; did you mean delimiter="):
        load(path, cache=cache, delimeter=";")
    with pytest.raises(TypeError, match="there are delimiter, decimal, quoting"):
        load(path, cache=cache, qqq=1)


def test_every_option_has_its_own_store(tmp_path, cache):
    path = written(tmp_path, "user,item,rating\n1,1,0\n1,2,3\n")
    assert len(load(path, cache=cache)) == 2
    assert len(load(path, cache=cache, drop_zeros=True)) == 1
    assert len(load(path, cache=cache)) == 2


# Ids of Parquet files

def test_parquet_views_and_bytes(tmp_path, cache):
    for kind in (pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view(),
                 pa.dictionary(pa.int32(), pa.string())):
        users = pa.array(["b", "a"]).dictionary_encode() if pa.types.is_dictionary(kind) \
            else pa.array([b"b", b"a"]).cast(kind)
        table = pa.table({"user": users, "item": [1, 2], "rating": ["4.5", " 3 "]})
        parquet.write_table(table, tmp_path / "a.parquet")
        assert rows_of(load(tmp_path / "a.parquet", cache=cache)) == [("b", 1, 4.5), ("a", 2, 3)]


@pytest.mark.parametrize(("ids", "words"), [
    ([1.0, float("nan")], "row 2, column 'user': is empty"),
    ([1.0, 2.0**53], "row 2, column 'user': 9007199254740992 may have lost digits"),
    ([1.0, 0.5], "row 2, column 'user': '0.5'"),
    ([b"a", b"\xff"], "row 2, column 'user': is not UTF-8"),
    (np.array([1, 2**24], np.float32), "row 2, column 'user': 16777216 may have lost digits"),
    (np.array([1, 2**11], np.float16), "row 2, column 'user': 2048 may have lost digits"),
    ([True, False], "column 'user': bool is no type of ids"),
    (np.array([1, 2], "datetime64[ms]"), "column 'user': timestamp[ms] is no type of ids"),
])
def test_parquet_ids_that_are_none(ids, words, tmp_path, cache):
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"user": ids, "item": [1, 2], "rating": [1, 2]}), path)
    assert words in refusal(path, cache)


def test_large_ids_of_parquet_keep_their_digits(tmp_path, cache):
    ids = np.array([2**63 - 1, 10**18 + 1, 2**53 + 1])
    parquet.write_table(pa.table({"user": ids, "item": [1, 2, 3], "rating": [1, 2, 3]}),
                        tmp_path / "a.parquet")
    ratings = load(tmp_path / "a.parquet", cache=cache)
    assert (ratings.info.user_ids[ratings.users] == ids).all()


def test_whole_ratings_of_parquet_are_rounded_like_others(tmp_path, cache):
    large = 2**24 + 1
    for kind in (pa.int64(), pa.uint32(), pa.decimal128(19, 0), pa.string()):
        table = pa.table({"user": [1], "item": [1], "rating": pa.array([large]).cast(kind)})
        parquet.write_table(table, tmp_path / "a.parquet")
        assert load(tmp_path / "a.parquet", cache=cache).values.tolist() == [float(2**24)]


def test_columns_of_one_name_in_parquet(tmp_path, cache):
    table = pa.table([[1, 2], [10, 10], [5, 4], [1, 2]], ["user", "item", "rating", "rating"])
    path = tmp_path / "a.parquet"
    parquet.write_table(table, path)
    assert "rating=2 or rating=3" in refusal(path, cache)
    assert rows_of(load(path, rating=2, cache=cache)) == [(1, 10, 5), (2, 10, 4)]
    ratings = load(path, rating=3, cache=cache)
    assert rows_of(ratings) == rows_of(from_dataframe(table, rating=3)) == [(1, 10, 1), (2, 10, 2)]
    assert "user=0, item=1, rating=3)" in call(ratings.info.understood)


def one_row(header):
    """A table of one rating, whose times are seconds."""
    values = ["1400000000" if re.search("time|date", name, re.I) else "1"
              for name in header.split(",")]
    return f"{header}\n{','.join(values)}\n"


@pytest.mark.parametrize(("header", "columns"), [
    ("user,user_id,item,rating", ("user_id", "item", "rating")),
    ("movie,movieId,user,rating", ("user", "movieId", "rating")),
    ("rating,score,user,item", ("user", "item", "rating")),
    ("reviewTime,unixReviewTime,reviewerID,asin,overall",
     ("reviewerID", "asin", "overall", "unixReviewTime")),
])
def test_of_two_columns_for_one_thing_the_plainer_is_read(header, columns, tmp_path, cache):
    understood = load(written(tmp_path, one_row(header)), cache=cache).info.understood
    assert tuple(understood["columns"].values()) == columns and len(understood["unused"]) == 1


@pytest.mark.parametrize(("header", "words"), [
    ("user,artist_id,track_id,rating", "2 columns may be the item; say which: item='artist_id' or "
                                       "item='track_id'"),
    ("User,user,item,rating", "user='User' or user='user'"),
    ("user,item,score,stars", "rating='score' or rating='stars'"),
    ("user,item,rating,date,time", "time='date' or time='time'"),
])
def test_of_two_columns_for_one_thing_none_is_read_in_silence(header, words, tmp_path, cache):
    path = written(tmp_path, one_row(header))
    assert words in refusal(path, cache)
    role, name = words.split(" or ")[-1].split("=")
    assert load(path, cache=cache, **{role: name.strip("'")},
                **({"time_unit": "seconds"} if role == "time" else {})).n_items == 1


# A matrix of users by items

MATRIX = "who;Alien;Solaris, 1972;Stalker\nann;5;  ;4,5\nbob;;NaN;\ncy;0;3;1\n"


def test_a_matrix(tmp_path, cache):
    ratings = load(written(tmp_path, MATRIX), wide=True, decimal=",", cache=cache)
    assert rows_of(ratings) == [("ann", "Alien", 5), ("ann", "Stalker", 4.5), ("cy", "Alien", 0),
                                ("cy", "Solaris, 1972", 3), ("cy", "Stalker", 1)]
    fewer = load(written(tmp_path, MATRIX), wide=True, decimal=",", drop_zeros=True, cache=cache)
    assert len(fewer) == 4 and fewer.info.understood["n_zeros"] == 1
    path = written(tmp_path, "1,2,7\n,3,8\n4,,9\n", "bare.csv")
    assert rows_of(load(path, header=None, wide=True, user=2, cache=cache)) == [
        (7, 0, 1), (7, 1, 2), (8, 1, 3), (9, 0, 4)]


@pytest.mark.parametrize(("change", "options", "words"), [
    (("4,5", "good"), {}, "row 2, column 'Stalker': 'good' is not a number"),
    (("ann", ""), {}, "row 2, column 'who': is empty"),
    (("Stalker", ""), {}, "row 2: '4,5' stands in a column without a name"),
    (("Stalker", "Alien"), {}, "'Alien' is there more than once"),
    (("cy;0", "cy"), {}, "row 4: has 3 columns"),
    (("", ""), {"scale": (1, 5)}, "row 4, column 'Alien': 0 is outside"),
    (("", ""), {"item": "Alien"}, "only user= can be given"),
    (("", ""), {"user": "x"}, "no column 'x'"),
])
def test_a_bad_matrix(change, options, words, tmp_path, cache):
    path = written(tmp_path, MATRIX.replace(*change))
    assert words in refusal(path, cache, wide=True, decimal=",", **options)
