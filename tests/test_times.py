"""Times: what a column means, read right or asked for, never taken for unix seconds in silence."""

import warnings
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from rslib.sources import SourceError, load
from rslib.sources.times import UNITS, Clock, seconds_of

HALF_PAST_TEN = datetime(2005, 9, 6, 22, 30, tzinfo=UTC)
UNIX = int(HALF_PAST_TEN.timestamp())


def csv_file(tmp_path, times, name="timestamp"):
    """Rows of one user a day apart, with the times as they are written."""
    path = tmp_path / "mine.csv"
    path.write_text(f"user;item;{name};rating\n" + "".join(
        f"1;{k};{value};3\n" for k, value in enumerate(times)))
    return path


def refusal(path, cache, **options):
    with pytest.raises(SourceError) as caught:
        load(path, cache=cache, **options)
    message = str(caught.value)
    assert "\n" not in message and message.startswith(str(path)), message
    return message


FOUND = {       # column, values of 2005-09-06 and 2005-09-08, what they are
    "seconds": ("timestamp", [UNIX, UNIX + 2 * 86400], "unix seconds"),
    "milliseconds": ("ts", [UNIX * 1000 + 1, (UNIX + 2 * 86400) * 1000], "milliseconds"),
    "microseconds": ("ts", [UNIX * 10**6, (UNIX + 2 * 86400) * 10**6], "microseconds"),
    "nanoseconds": ("ts", [UNIX * 10**9, (UNIX + 2 * 86400) * 10**9], "nanoseconds"),
    "yyyymmdd": ("date", [20050906, 20050908], "yyyymmdd"),
    "ISO": ("date", ["2005-09-06 22:30:00", "2005-09-08"], "ISO dates"),
    "ISO, zone": ("date", ["2005-09-06T23:30:00+01:00", "2005-09-08T00:00:00Z"],
                  "ISO dates with a zone"),
    "reviews": ("unixReviewTime", [UNIX, UNIX + 2 * 86400], "unix seconds"),
}


@pytest.mark.parametrize("kind", ["csv", "parquet", "parquet text"])
@pytest.mark.parametrize("case", FOUND)
def test_units_that_can_be_told(case, kind, tmp_path, cache):
    name, values, words = FOUND[case]
    path = csv_file(tmp_path, values, name)
    if kind != "csv":
        path = tmp_path / "mine.parquet"
        column = pa.array([str(value) for value in values] if "text" in kind else values)
        parquet.write_table(pa.table({"user": [1, 1], "item": [0, 1], name: column,
                                      "rating": [3, 3]}), path)
    for _ in range(2):      # as read, and from the store
        ratings = load(path, cache=cache)
        assert ratings.info.first_day == "2005-09-06" and ratings.days.tolist() == [0, 2]
        known = ratings.info.understood
        assert words in known["times"] and known["columns"]["time"] == name


ASKED = {       # values, the unit that is meant, its dates
    "minutes": ([UNIX // 60, UNIX // 60 + 1440], "minutes", ["2005-09-06", "2005-09-07"]),
    "hours": ([UNIX // 3600, UNIX // 3600 + 24], "hours", ["2005-09-06", "2005-09-07"]),
    "days": ([13032, 13033], "days", ["2005-09-06", "2005-09-07"]),
    "excel": (["38601.9375", "38602"], "excel", ["2005-09-06", "2005-09-07"]),
    "year": ([2005, 2006], "year", ["2005-01-01", "2006-01-01"]),
    "old seconds": ([1, 86401], "seconds", ["1970-01-01", "1970-01-02"]),
    "day first": (["06/09/2005", "07/09/2005"], "%d/%m/%Y", ["2005-09-06", "2005-09-07"]),
    "reviews": (["09 6, 2005", "09 7, 2005"], "%m %d, %Y", ["2005-09-06", "2005-09-07"]),
    "not quite dates": ([20050906, 20051399], "minutes", ["2008-02-14", "2008-02-15"]),
}


@pytest.mark.parametrize("case", ASKED)
def test_units_that_cannot_be_told_are_asked_for(case, tmp_path, cache):
    values, unit, dates = ASKED[case]
    path = csv_file(tmp_path, values)
    message = refusal(path, cache)
    assert "row 2, column 'timestamp'" in message and "time_unit=" in message
    if case == "not quite dates":
        dates = [(datetime(1970, 1, 1) + timedelta(minutes=value)).date().isoformat()
                 for value in values]
    ratings = load(path, time_unit=unit, cache=cache)
    first = date.fromisoformat(ratings.info.first_day)
    assert [(first + timedelta(days=int(day))).isoformat() for day in ratings.days] == dates
    assert ratings.info.understood["form"]["time_unit"] == unit


def test_a_year_is_one_where_its_name_says_so(tmp_path, cache):
    path = csv_file(tmp_path, [2005, 2007], "rating_year")
    ratings = load(path, time="rating_year", cache=cache)
    assert ratings.info.first_day == "2005-01-01" and ratings.days.tolist() == [0, 730]


MIXED = {
    "seconds, then milliseconds": ([UNIX, UNIX * 1000], "milliseconds: divide by 1000"),
    "milliseconds, then seconds": ([UNIX * 1000, UNIX], "before 1985"),
    "seconds, then none": ([UNIX, 0], "time_unit='seconds'"),
    "dates, then seconds": ([20050906, UNIX], "unknown unit"),
    "ISO, then another": (["2005-09-06", "06.09.2005"], "not one of the ISO dates"),
    "zone, then none": (["2005-09-06T10:00:00Z", "2005-09-06T10:00:00"], "with a zone"),
    "number, then text": ([UNIX, "yesterday"], "'yesterday' is not one of the unix seconds"),
}


@pytest.mark.parametrize("case", MIXED)
def test_mixed_times_are_refused(case, tmp_path, cache):
    values, words = MIXED[case]
    message = refusal(csv_file(tmp_path, values), cache)
    assert words in message
    assert ("row 2" if "unknown" in words else "row 3") in message


def test_the_31st_of_february_is_refused(tmp_path, cache):
    path = csv_file(tmp_path, [20050228, 20050231])
    assert "row 3, column 'timestamp': '20050231'" in refusal(path, cache, time_unit="yyyymmdd")


def test_what_is_told_reaches_back_to_1970(tmp_path, cache):
    ratings = load(csv_file(tmp_path, [UNIX, 0]), time_unit="seconds", cache=cache)
    assert ratings.info.first_day == "1970-01-01" and ratings.days.tolist() == [13032, 0]


def test_a_column_of_times_that_no_name_tells_is_pointed_at(tmp_path, cache):
    path = csv_file(tmp_path, ["2005-09-06", "2005-09-07"], "when")
    with pytest.warns(UserWarning, match="no time column was found, but column 'when' looks like "
                                         "ISO dates; if so, pass time='when'"):
        assert load(path, cache=cache).days is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(path, time="when", cache=cache)
        load(csv_file(tmp_path, ["Alien", "Solaris"], "title"), cache=cache)


WRITTEN = {     # format: text, seconds or None
    "%d/%m/%Y": [("06/09/2005", "2005-09-06"), ("6/9/2005", "2005-09-06"), ("31/02/2005", None),
                 ("29/02/2005", None), ("29/02/2004", "2004-02-29"), ("06/09/2005 x", None)],
    "%d %b %y %H:%M:%S.%f": [("06 Sep 05 22:30:00.75", "2005-09-06T22:30:00.750")],
    "%H:%M %z, %m/%d/%Y": [("22:30 +0300, 09/06/2005", "2005-09-06T19:30:00"),
                           ("01:30 +0300, 02/29/2005", None)],
    "%Y %j": [("2005 249", "2005-09-06"), ("2005 365", "2005-12-31")],
    "%H:%M:%S %d.%m.%Y": [("22:30:60 06.09.2005", None)],
    "100%% on %Y-%m-%d": [("100% on 2005-09-06", "2005-09-06")],
}


@pytest.mark.parametrize("form", WRITTEN)
def test_formats_are_those_of_strptime(form):
    clock = Clock(form)
    for text, expected in WRITTEN[form]:
        found = clock.seconds(pa.array([f" {text} "], pa.large_string())).tolist()
        if expected is None:
            assert np.isnan(found), text
            with pytest.raises(ValueError):
                clock.seconds_of_one(text)
        else:
            when = datetime.fromisoformat(expected).replace(tzinfo=UTC).timestamp()
            assert found == [when] == [clock.seconds_of_one(text)], text


@pytest.mark.parametrize("unit", ["%q", "%F", "%", "%d/%d/%Y", "%d %", "bad %q"])
def test_formats_that_are_none(unit, tmp_path, cache):
    with pytest.raises(ValueError, match="time_unit must be one of"):
        load(csv_file(tmp_path, [UNIX]), time_unit=unit, cache=cache)


@pytest.mark.parametrize("values", [
    ["20050906T223000"], ["2005-W36-2"], ["2005-09-06x22:30"], ["2005-09-06T22:30:00 Z"],
    ["2005-09-06T22:30:00,5"], ["2005-09"]])
def test_other_forms_of_iso_are_asked_for(values, tmp_path, cache):
    path = csv_file(tmp_path, values)
    assert "is neither a number nor an ISO date; say how" in refusal(path, cache)
    later = csv_file(tmp_path, ["2005-09-06", *values])
    assert "row 3, column 'timestamp': '" in refusal(later, cache)


def test_space_around_dates(tmp_path, cache):
    path = csv_file(tmp_path, [" 2005-09-06", "2005-09-08T10:00 "])
    assert load(path, cache=cache).days.tolist() == [0, 2]


@pytest.mark.parametrize("value", ['"1126045800\n"', "１１２６０４５８００", "1_126_045_800",
                                   "\u00a01126045800"])
def test_numbers_of_python_alone_are_no_times(value, tmp_path, cache):
    message = refusal(csv_file(tmp_path, [UNIX, value]), cache)
    assert "column 'timestamp': '" in message and "is not one of the unix seconds" in message


def test_decimal_commas_in_times(tmp_path, cache):
    path = csv_file(tmp_path, ["38601,9375", "38602,5"])
    ratings = load(path, time_unit="excel", decimal=",", cache=cache)
    assert ratings.info.first_day == "2005-09-06" and ratings.days.tolist() == [0, 1]


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit != "iso"])
def test_one_value_is_read_as_many_are(unit):
    numbers = np.array([0.0, 1, 2005, 20050906, 38601.5, 20050231, UNIX, -7, np.nan])
    found = seconds_of(numbers, unit)
    clock = Clock(unit)
    alone = [clock.seconds_of_one(number) for number in numbers]
    assert np.array_equal(found, alone, equal_nan=True)


def test_dates_as_numbers_are_those_of_the_calendar():
    days = np.arange("1970-01-01", "2100-01-01", dtype="datetime64[D]")
    numbers = np.char.replace(days.astype(str), "-", "").astype(np.float64)
    assert (seconds_of(numbers, "yyyymmdd") == days.astype("datetime64[s]").astype(np.int64)).all()
    every = np.arange(20040000, 20060000, dtype=np.float64)
    assert np.isfinite(seconds_of(every, "yyyymmdd")).sum() == 366 + 365
    excel = (days - np.datetime64("1899-12-30")).astype(np.float64)
    assert (seconds_of(excel, "excel") == days.astype("datetime64[s]").astype(np.int64)).all()
