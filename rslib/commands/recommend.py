"""``rslib recommend``: the best items for users of a data set, by a model that is kept."""

from rslib.commands.parser import suggested, whole
from rslib.commands.reading import add_named, add_reading, load_asked, pair_of, reading

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


def _recommend(arguments):
    from rslib.plots import Table
    from rslib.recommend import recommend
    from rslib.runs.kept import fitted
    from rslib.runs.settings import OWN

    if arguments.model not in OWN:
        raise ValueError(f"no model {arguments.model!r}; {suggested(arguments.model, OWN)}")
    ratings = load_asked(arguments.dataset, reading(arguments, map(pair_of, arguments.option)))
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


def add_commands(commands):
    """Add the parser."""
    command = commands.add_parser("recommend", help="the best items for users of a data set")
    command.add_argument("dataset", metavar="NAME|PATH")
    command.add_argument("--user", action="append", required=True, metavar="ID",
                         help="whom to recommend to, by the id in the source; may be repeated")
    command.add_argument("-n", type=whole, default=10, metavar="N",
                         help="items for each (default 10)")
    command.add_argument("--model", default="svdpp", metavar="RUNG",
                         help="the rung whose model answers (default svdpp); what is fitted is "
                              "kept, and answers at once the next time")
    command.add_argument("--at-least", type=whole, default=1, metavar="N",
                         help="only items with so many ratings (default 1)")
    add_named(command)
    add_reading(command, but=("user",))
    command.set_defaults(command=_recommend)
