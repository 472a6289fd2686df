"""What was made of a table of one's own, in words, and the call that says all of it."""

import itertools
from dataclasses import asdict
from datetime import date, timedelta

import numpy as np

from rslib.sources.form import form_of
from rslib.sources.locate import shown
from rslib.sources.matrix import MatrixTable
from rslib.sources.tables import TextTable

__all__ = ["call", "describe", "options_of", "understood_of"]

_MARKS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars", " ": "spaces",
          "::": "pairs of colons"}
_BARS = 40      # signs of the longest bar of a histogram
_LEVELS = 12    # bars of a histogram, at most


def understood_of(reader, form, scale):
    """Return how a reader reads its table, as what JSON can hold; see `describe`.

    Parameters
    ----------
    reader : TextTable or ParquetTable
    form : Form
        What was asked for.
    scale : (float, float) or None
    """
    clock, wide = reader.rules.clock, isinstance(reader, MatrixTable)
    reader = reader.cells if wide else reader
    found = asdict(form) | {"time_unit": None}
    text = isinstance(reader, TextTable)
    names, used, quotes = list(reader.names), {*reader.positions.values()}, ""
    named = (form.header or not text) and len({*names}) == len(names)
    columns = {role: names[k] if named else k for role, k in reader.positions.items()}
    unused = [name for k, name in enumerate(names) if k not in used]
    if text:
        found["delimiter"] = reader.delimiter
        quotes = "; quotes hold fields together" if reader.quoting \
            else "; quotes are letters" if reader.rules.stray or form.quoting is False else ""
        if reader.rules.stray:
            found["quoting"] = False
    if wide:
        columns, unused = {"user": columns["user"]}, []
    if "time" in columns:
        found["time_unit"] = {"zoned": "iso", "dates": None}.get(clock.unit, clock.unit)
    return {"columns": columns, "unused": unused, "form": found, "scale": scale and [*scale],
            "text": text, "quotes": quotes,
            "times": clock.said() if "time" in columns else None}


def options_of(understood):
    """Return the options of `load` that read the file as it was read."""
    form = understood["form"]
    usual = asdict(form_of({"interactions": form.get("interactions", False)}))
    usual["interactions"] = False
    form = {name: value for name, value in form.items() if value != usual[name]}
    options = understood["columns"] | form
    if understood["scale"]:
        options["scale"] = tuple(understood["scale"])
    return options


def call(understood):
    """Return the call of `load` that reads the file as it was read."""
    options = options_of(understood)
    words = [repr(understood["path"]), *(f"{name}={value!r}" for name, value in options.items())]
    return f"sources.load({', '.join(words)})"


def _exact(value):
    """Return a rating in as many digits as tell it from all others."""
    short = f"{value:g}"
    return short if np.float32(short) == np.float32(value) else f"{value:.9g}"


def _histogram(values, counted):
    """Return a line for each level, or for each of twelve steps: equal ones, or of counts, whose
    tail is long, such that each is as many times as high as the one before."""
    levels, counts = np.unique(values, return_counts=True)
    names = [_exact(level) for level in levels]
    if len(levels) > _LEVELS:
        steps = np.geomspace(levels[0], levels[-1], _LEVELS + 1) if counted else _LEVELS
        counts, edges = np.histogram(values, steps)
        names = [f"{low:g} to {high:g}" for low, high in itertools.pairwise(edges)]
    return [(name, f"{count:>11,} {'#' * round(_BARS * count / counts.max())}".rstrip())
            for name, count in zip(names, counts.tolist(), strict=True)]


def _times(ratings, understood):
    if ratings.days is None:
        unused = understood.get("unused")
        return "no time column" + (f" among {shown(unused)}; time= names one" if unused else "")
    first = date.fromisoformat(ratings.info.first_day)
    span = [(first + timedelta(days=int(day))).isoformat()
            for day in (ratings.days.min(), ratings.days.max())]
    if not understood.get("times"):
        return " to ".join(span)
    return (f"{span[0]} to {span[1]}, from `{understood['columns']['time']}`, "
            f"{understood['times']}")


def _sizes(ratings):
    """How many ratings there are; of interactions how many, and of how many pairs."""
    measure, n = ratings.info.measure, f"{len(ratings):,}"
    if measure is None:
        return [("ratings", n)]
    known, total = ratings.info.understood, float(ratings.values.sum(dtype="f8"))
    ones = bool(known) and not known["form"]["wide"] and "rating" not in known["columns"]
    return [(measure, f"{total:,.10g}" + ", a row each" * ones), ("pairs", n)]


def _what_counts(info):
    """What became of the rows of a pair that repeats, where there are any."""
    usual = "last" if info.measure is None else "sum"
    kept = info.understood["form"]["duplicates"] if info.understood else usual
    said = "added up" if kept == "sum" else f"{kept} counts"
    return f", {said}" if info.n_duplicates else ""


def describe(ratings):
    """Return what was understood of a source, line by line: a name and what is to be said of it.

    Parameters
    ----------
    ratings : Ratings
        As `load` returned them, on the host.

    Returns
    -------
    list of (str, str)
    """
    known, info = ratings.info.understood, ratings.info
    lines = [("data", known.get("path", info.name))]
    if known:
        said = {"rating": info.measure or "rating"}
        lines.append(("columns", ", ".join(f"{said.get(role, role)} from `{name}`"
                                           for role, name in known["columns"].items())
                      + ", an item from each other column" * known["form"]["wide"]))
        if known["unused"]:
            lines.append(("not used", shown(known["unused"])))
        if known["text"]:
            mark = known["form"]["delimiter"]
            lines.append(("delimiter", _MARKS.get(mark, repr(mark)) + known["quotes"]))
        lines.append(("rows", f"{known['n_rows']:,}"))
    low, high = ratings.scale
    lines += [("time", _times(ratings, known)), *_sizes(ratings),
              ("users", f"{ratings.n_users:,}"), ("items", f"{ratings.n_items:,}"),
              ("scale", f"{_exact(low)} to {_exact(high)}"
               + (" as declared" if known.get("scale") else " as seen" if known else "")),
              ("mean", f"{float(ratings.values.mean(dtype='f8')):.4f}"),
              ("density", f"{100 * len(ratings) / ratings.n_users / ratings.n_items:.2f} %")]
    lines.append(("duplicates", f"{info.n_duplicates:,}" + _what_counts(info)))
    if known.get("n_zeros"):
        lines.append(("left out", f"{known['n_zeros']:,} {info.measure or 'ratings'} of 0"))
    lines += _histogram(ratings.values, info.measure is not None)
    if known and known["path"] != "dataframe":
        lines.append(("call", call(known)))
    return lines
