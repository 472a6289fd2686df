"""``rslib recommend`` and ``predict``: what a model says, that is fitted once and kept."""

import math
import warnings
from pathlib import Path

from rslib.commands.parser import suggested, whole
from rslib.commands.reading import add_named, add_reading, load_asked, pair_of, reading
from rslib.files import require_writable, write_text

__all__ = ["add_commands"]


def _raw(text, ids):
    """An id from the command line, as the source has it: whole numbers where all ids are such."""
    if ids.dtype.kind not in "iu":
        return text
    try:
        number = int(text)
    except ValueError:
        number = None
    if str(number) != text:     # int() reads 007, 1_0 and other digits too
        raise ValueError(f"--user {text}: ids of users are whole numbers here")
    return number


def _because(model, user, raw_item):
    """Title of what speaks most for an item, where the model can tell."""
    item = int(model.numbering_.numbers("item", [raw_item])[0])
    try:
        voices = model.explain(user, item)
    except NotImplementedError:
        return None
    best = max(voices, key=lambda voice: voice.contribution, default=None)
    return None if best is None or best.contribution <= 0 else model.numbering_.title(best.item)


def _rated_often(ratings, at_least):
    """Raw ids of the items with so many ratings, or None for all."""
    import numpy as np

    if at_least <= 1:
        return None
    counts = np.bincount(ratings.items, minlength=ratings.n_items)
    return ratings.numbering.item_ids[counts >= at_least].tolist()


def _ratings(arguments):
    """The ratings that a command names, once it is sure that there is such a model."""
    from rslib.runs.rungs import RUNGS
    from rslib.runs.settings import OWN

    if arguments.model not in OWN:
        raise ValueError(f"no model {arguments.model!r}; {suggested(arguments.model, OWN)}")
    options = reading(arguments, map(pair_of, arguments.option))
    ratings = load_asked(arguments.dataset, options)
    if ratings.values.min() == ratings.values.max():
        raise ValueError(f"{arguments.dataset}: all values are equal, so that a model of ratings "
                         "has nothing to learn; in Python, models.EASE and others rank such items")
    if RUNGS[arguments.model].part == "Time" and ratings.days is None:
        raise ValueError(f"{arguments.dataset}: has no times, which {arguments.model} needs")
    return ratings, options


def _recommend(arguments):
    from rslib.plots import Table
    from rslib.recommend import recommend
    from rslib.runs.kept import fitted

    ratings, _ = _ratings(arguments)
    numbering = ratings.numbering
    users = [_raw(text, numbering.user_ids) for text in arguments.user]
    numbers = dict(zip(users, numbering.numbers("user", users).tolist(), strict=True))
    model = fitted(ratings, arguments.model)
    found = recommend(model, users, arguments.n, known=ratings,
                      among=_rated_often(ratings, arguments.at_least))
    rows = [{"user": str(user), "place": place, "item": str(each.item), "title": each.title,
             "score": each.score, "because of": _because(model, numbers[user], each.item)}
            for user in users for place, each in enumerate(found[user], 1)]
    shown = ["user", "place", "item", "title", "score"]
    shown += ["because of"] if any(row["because of"] for row in rows) else []
    print(Table(rows, shown, digits={"score": _digits(ratings)}) if rows
          else "nothing is left to recommend")
    for user in (each for each in users if rows and not found[each]):
        print(f"user {user}: nothing is left to recommend")
    return 0


def _digits(ratings):
    """Digits behind the point by which scores of these ratings can be told apart."""
    return max(0, 3 - math.floor(math.log10(ratings.spread)))


def _check_out(out, *inputs):
    """Refuse to write over what is no plain file, or over what is read."""
    if out.is_dir():
        raise ValueError(f"{out}: is a folder; name the file to write")
    if out.is_symlink() or (out.exists() and not out.is_file()):
        raise ValueError(f"{out}: is a link or a device; name a plain file")
    if any(Path(each).exists() and out.exists() and out.samefile(each) for each in inputs):
        raise ValueError(f"{out}: is what is read; name another file")
    require_writable(out.absolute().parent, "name another file")


def _asked(path, ratings, options):
    """Pairs of a file in the numbering of the ratings; what is said of its form holds here too."""
    from rslib.sources import load
    from rslib.sources.errors import NoRatingColumn

    form = {name: value for name, value in options.items()
            if name not in ("rating", "scale", "duplicates", "interactions", "wide")}
    try:
        asked = load(path, like=ratings, **form)
    except NoRatingColumn:
        asked = load(path, like=ratings, interactions=True, **form)
    if asked.info.n_duplicates:
        warnings.warn(f"{path}: {asked.info.n_duplicates:,} rows repeat a pair and get no line of "
                      "their own", stacklevel=2)
    return asked.pairs


def _predict(arguments):
    """Write a prediction for each pair of a file that the ratings know."""
    import csv
    from io import StringIO

    from rslib.metrics import clip
    from rslib.runs.kept import fitted

    _check_out(arguments.out, arguments.dataset, arguments.pairs)
    ratings, options = _ratings(arguments)
    asked = _asked(arguments.pairs, ratings, options)
    model = fitted(ratings, arguments.model)
    said, text = clip(model.predict(asked), ratings.scale), StringIO()
    writer, known = csv.writer(text, lineterminator="\n"), ratings.numbering
    writer.writerow(["user", "item", "prediction"])
    writer.writerows([known.user_ids[user], known.item_ids[item], f"{value:.6g}"]
                     for user, item, value in zip(asked.users, asked.items, said, strict=True))
    write_text(arguments.out, text.getvalue())
    print(f"{arguments.out}: {len(asked):,} predictions")
    return 0


def _add_model(command):
    command.add_argument("--model", default="svdpp", metavar="RUNG",
                         help="the rung whose model answers (default svdpp); what is fitted is "
                              "kept, and answers at once the next time")
    add_named(command)


def _add_recommend(commands):
    command = commands.add_parser("recommend", help="the best items for users of a data set")
    command.add_argument("dataset", metavar="NAME|PATH")
    command.add_argument("--user", action="append", required=True, metavar="ID",
                         help="whom to recommend to, by the id in the source; may be repeated")
    command.add_argument("-n", type=whole, default=10, metavar="N",
                         help="items for each (default 10)")
    command.add_argument("--at-least", type=whole, default=1, metavar="N",
                         help="only items with so many ratings (default 1)")
    _add_model(command)
    add_reading(command, but=("user",))
    command.set_defaults(command=_recommend)


def _add_predict(commands):
    command = commands.add_parser("predict", help="a prediction for each pair of a file")
    command.add_argument("dataset", metavar="NAME|PATH")
    command.add_argument("pairs", type=Path, metavar="PAIRS",
                         help="a table with columns for user, item and, if there is one, time")
    command.add_argument("out", type=Path, metavar="OUT", help="the CSV to write")
    _add_model(command)
    add_reading(command)
    command.set_defaults(command=_predict)


def add_commands(commands):
    """Add both parsers."""
    _add_recommend(commands)
    _add_predict(commands)
