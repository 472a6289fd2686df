"""``rslib contest``: open one, take part, watch it, end it."""

from pathlib import Path

from rslib.commands.reading import add_reading, load_asked, reading
from rslib.files import require_writable

__all__ = ["add_commands"]


def _opened(arguments):
    from rslib import models, splits
    from rslib.contest import commands

    options = reading(arguments)
    for folder in (arguments.master, arguments.handout):
        require_writable(folder.absolute().parent, "name another place for it")
    return commands.opened(
        arguments, lambda seed: splits.netflix(load_asked(arguments.dataset, options), seed=seed),
        models.Baseline().fit)


def _contest(arguments):
    from rslib.contest import commands
    from rslib.plots import Table

    said = (_opened(arguments) if arguments.action == "opened"
            else getattr(commands, arguments.action)(arguments))
    if said is not None:
        print(said if isinstance(said, str) else Table(said, digits={"improvement": 2}))
    return 0


def _add_open(add, folder):
    opening = add("open", "opened", "deal a data set into labels and a hand-out",
                  master=f"{folder}, new", handout="folder for the competitors, new")
    opening.add_argument("--dataset", default="ml-latest-small", metavar="NAME|PATH")
    for option, default, words in (("hours", 24, "between two submissions of a team"),
                                   ("improvement", 10, "per cent that start the last call"),
                                   ("last-call-days", 30, "from then to the end")):
        opening.add_argument(f"--{option}", type=float, default=default, metavar="N",
                             help=f"{words} (default {default})")
    opening.add_argument("--ends", metavar="DATE", help="the end if nobody reaches the line")
    opening.add_argument("--teams-per-user", type=int, default=1, metavar="N",
                         help="that an OS user may join (default 1)")
    add_reading(opening)


def add_commands(commands):
    """Add the parser and one for each action."""
    contest = commands.add_parser("contest", help="hold a contest with hidden labels")
    contest.set_defaults(command=_contest)
    actions = contest.add_subparsers(required=True, metavar="ACTION")

    def add(name, action, words, **places):
        parser = actions.add_parser(name, help=words)
        parser.set_defaults(action=action)
        for place, about in places.items():
            parser.add_argument(place, type=Path, metavar=place.upper(), help=about)
        return parser

    folder = "the prize master's folder"
    anywhere = f"socket of the prize master, or (the teacher) {folder}"
    _add_open(add, folder)
    joining = add("join", "join", "register a team", place=anywhere)
    joining.add_argument("team", metavar="TEAM")
    joining.add_argument("--user", help="OS user it belongs to, where the teacher registers it")
    handing = add("submit", "submit", "hand in predictions", place=anywhere)
    handing.add_argument("team", metavar="TEAM")
    handing.add_argument("file", type=Path, metavar="FILE")
    add("board", "board", "show the leaderboard", place=anywhere)
    merging = add("merge", "merge", "make one team of two", master=folder)
    merging.add_argument("name", metavar="NEW")
    merging.add_argument("teams", nargs=2, metavar="TEAM")
    add("serve", "served", "answer competitors", master=folder, socket="Unix socket, new")
    revealing = add("reveal", "reveal", "show the test scores, once it is over", place=anywhere)
    revealing.add_argument("--close", action="store_true", help="end the contest now (the teacher)")
