"""``rslib recommend`` and ``predict``: what a model says, that is fitted once and kept."""

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
        return int(text)
    except ValueError:
        raise ValueError(f"--user {text}: ids of users are whole numbers here") from None


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
    if at_least <= 1:
        return None
    indptr = ratings.by_item.indptr
    return ratings.numbering.item_ids[indptr[1:] - indptr[:-1] >= at_least].tolist()


def _ratings(arguments):
    """The ratings that a command names, once it is sure that there is such a model."""
    from rslib.runs.settings import OWN

    if arguments.model not in OWN:
        raise ValueError(f"no model {arguments.model!r}; {suggested(arguments.model, OWN)}")
    return load_asked(arguments.dataset, reading(arguments, map(pair_of, arguments.option)))


def _recommend(arguments):
    from rslib.plots import Table
    from rslib.recommend import recommend
    from rslib.runs.kept import fitted

    ratings = _ratings(arguments)
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
    print(Table(rows, shown, digits={"score": 3}) if rows else "nothing is left to recommend")
    return 0


def _predict(arguments):
    """Write a prediction for each pair of a file that the ratings know."""
    import csv
    from io import StringIO

    from rslib.metrics import clip
    from rslib.runs.kept import fitted
    from rslib.sources import load

    require_writable(arguments.out.absolute().parent, "name another file")
    if arguments.out.is_dir():
        raise ValueError(f"{arguments.out}: is a folder; name the file to write")
    ratings = _ratings(arguments)
    asked = load(arguments.pairs, like=ratings, interactions=True).pairs
    model = fitted(ratings, arguments.model)
    said, text = clip(model.predict(asked), ratings.scale), StringIO()
    writer, known = csv.writer(text, lineterminator="\n"), ratings.numbering
    writer.writerow(["user", "item", "prediction"])
    writer.writerows([known.user_ids[user], known.item_ids[item], f"{value:.4f}"]
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
