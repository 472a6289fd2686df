"""Damaged tables give ratings or one line, never a traceback.

``python tests/test_fuzz.py 20000`` tries as many, and prints the longest processor time of one.
"""

import gzip
import io
import random
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from rslib.ratings import Ratings
from rslib.sources import SourceError, SourceMissing, load

HEADERS = [("user", "item", "rating", "timestamp"), ("userId", "movieId", "rating"),
           ("reviewerID", "asin", "overall", "unixReviewTime", "review"),
           ("user", "item", "stars", "date"), ("uid", "isbn", "score", "ts"),
           ("user", "item", "plays", "ts"), ("user", "item"), ("a", "b", "c"),
           ("user", "item", "rating", "rating")]
FIELDS = [["1", "2", "007", "x", "ü", "1.0", str(2**63), "nan", "", " 3 ", '"a', '"a\nb"'],
          ["10", "11", "y", "-3", '"p,q"', "9" * 19, "0x1", '"', "1e3"],
          ["4", "4,5", "3.5", "0", "", "inf", "x", "-1", "1e39", "5"],
          ["978300760", "2000-12-31", "20001231", "978300760000", "2000-12-31T10:00:00Z", "0",
           "36891.5", "2000", "31/12/2000", "", "1e17"],
          ["good", '"say ""hi"""', "a\rb", "\0", "é" * 9, "x" * 999]]
OPTIONS = {"delimiter": [";", ",", "\t", "::"], "decimal": [","], "quoting": [True, False],
           "header": [None], "time_unit": ["seconds", "excel", "year", "yyyymmdd", "iso", "%Y",
                                           "minutes", "nanoseconds"],
           "drop_zeros": [True], "duplicates": ["first", "mean", "error"], "user": ["user", 0, 9],
           "time": [3, "when"], "scale": [(1, 5)], "interactions": [True]}


def text_of(draw):
    """A table of mostly plain values."""
    mark, end = draw.choice([",", "\t", ";", "|", "::", " "]), draw.choice(["\n", "\r\n", "\r"])
    header = draw.choice(HEADERS if draw.random() < 0.1 else HEADERS[:7])
    odd = draw.choice([0, 0, 0.02, 0.3])
    rows = [header] * (draw.random() < 0.9)
    for _ in range(draw.randrange(1, 12)):
        rows.append([draw.choice(FIELDS[k]) if draw.random() < odd else FIELDS[k][0]
                     for k in range(len(header))])
    return end.join(mark.join(row) for row in rows).encode() + end.encode() * draw.randrange(3)


def parquet_of(draw):
    n = draw.randrange(5)
    kinds = [list(range(n)), list("abcdefgh")[:n], [1.0] * n, [0.5] * n, ["2000-12-31"] * n,
             np.arange(n) * 10**9, np.arange(n).astype("datetime64[D]"), [True] * n, [b"\xff"] * n,
             [None, 1, 2, 3, 4][:n], [float("nan")] * n, np.arange(n).astype(np.uint64) + 2**63,
             np.arange(n).astype("timedelta64[s]"), [[1]] * n, [{"a": 1}] * n]
    likely = kinds[:3], kinds[:3], kinds[2:4], kinds[4:7], kinds
    odd = draw.choice([0, 0.2])
    sink = io.BytesIO()
    columns = {name: pa.array(draw.choice(kinds if draw.random() < odd else likely[k]))
               for k, name in enumerate(draw.choice(HEADERS[:7]))}
    parquet.write_table(pa.table(columns), sink)
    return sink.getvalue()


def damaged(data, draw):
    """Bytes flipped, cut, doubled or put in."""
    data = bytearray(data)
    for _ in range(draw.choice([0, 0, 0, 1, 2, 9])):
        at, length = draw.randrange(len(data) + 1), draw.randrange(1, 30)
        kind = draw.randrange(5)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del data[at:at + length]
        elif kind == 2:
            data[at:at] = data[at:at + length] * draw.randrange(1, 4)
        elif kind == 3:
            data[at:at] = draw.choice([b'"', b'""', b"\n", b"\r", b",", b"\0", b"\xff", b"\xef"])
        else:
            del data[at:]
    return bytes(data)


def write_one(folder, draw):
    """Write one file and return its path."""
    kind = draw.choice(["csv", "csv", "csv", "tsv", "txt", "parquet", "csv.gz", "zip"])
    path = folder / f"a.{kind}"
    data = damaged(parquet_of(draw) if kind == "parquet" else text_of(draw), draw)
    if kind == "csv.gz":
        data = damaged(gzip.compress(data), draw) if draw.random() < 0.5 else gzip.compress(data)
    if kind == "zip":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", draw.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
                             ) as archive:
            archive.writestr(draw.choice(["b.csv", "ratings.csv", "c/u.data", "d.parquet"]), data)
        data = packed.getvalue()
        data = damaged(data, draw) if draw.random() < 0.5 else data
    path.write_bytes(data)
    return path


def outcome(folder, seed):
    """Load one damaged table; return "read" or what refused it, or raise what is no refusal."""
    draw = random.Random(seed)
    path = write_one(folder, draw)
    options = {name: draw.choice(values) for name, values in OPTIONS.items()
               if draw.random() < (0.2 if name == "interactions" else 0.04)}
    if "interactions" in options:
        options.pop("scale", None)      # a wrong call, whatever the file
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            ratings = load(path, cache=folder / "cache", **options)
    except (SourceError, SourceMissing) as error:
        assert "\n" not in str(error) and str(path) in str(error), (seed, str(error))
        return "refused"
    except BaseException as error:
        error.add_note(f"seed {seed}, options {options}")
        raise
    finally:
        path.unlink()
    assert isinstance(ratings, Ratings) and len(ratings) and np.isfinite(ratings.values).all()
    return "read"


def test_damaged_tables_are_read_or_refused(tmp_path):
    found = Counter(outcome(tmp_path, seed) for seed in range(400))
    assert min(found["read"], found["refused"]) > 60, found


if __name__ == "__main__":
    found, longest = Counter(), 0.0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(int(sys.argv[1])):
            start = time.process_time()
            found[outcome(Path(folder), seed)] += 1
            longest = max(longest, time.process_time() - start)
    print(dict(found), f"longest {longest:.2f} s of processor time")
