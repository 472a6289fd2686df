"""A parser whose every error is one line, and the arguments that several commands share."""

import argparse
import difflib

__all__ = ["Parser", "add_jobs", "add_notebook_help", "add_parameters", "suggested", "whole"]


def _close(word, known):
    near = difflib.get_close_matches(word, known, 1)
    return f"did you mean {near[0]}?" if near else ""


def suggested(word, known):
    """Return which of the known words may be meant, else all of them, as the end of a line."""
    return _close(word, known) or f"there are {', '.join(known)}"


class Parser(argparse.ArgumentParser):
    """A parser that raises ValueError: one line that says what is wrong and what would be right."""

    def error(self, message):
        inner = self.prog.partition(" ")[2]
        said = message.removeprefix("argument ")
        hint = "" if said.endswith("?") else f"; {self.prog} --help says more"
        raise ValueError((f"{inner}: " if inner else "") + said + hint)

    def _check_value(self, action, value):
        """Name the command that was meant, where argparse would list all of them."""
        if action.choices is None or value in action.choices:
            return
        self.error(f"no {action.metavar.lower()} {value!r}; {suggested(value, action.choices)}")

    def parse_known_args(self, args=None, namespace=None):
        """Refuse here what is unknown, where the options that could be meant are known."""
        args = args if args is None else _joined(list(args))
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:
            word = unknown[0].partition("=")[0]
            known = [name for action in self._actions for name in action.option_strings]
            if word.startswith("-"):
                self.error(f"no option {word}" + f"; {_close(word, known)}".rstrip("; "))
            self.error(f"what is {word!r} for? Names of files come before the options")
        return namespace, unknown


def _joined(words):
    """Write ``--scale -10,10`` as ``--scale=-10,10``, which is not taken for an option."""
    for at in reversed(range(len(words) - 1)):
        if words[at] == "--scale":
            words[at:at + 2] = [f"--scale={words[at + 1]}"]
    return words


def whole(text):
    """Return the whole number from 1 on that a text is, as the type of an argument."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on, not {text!r}")
    return number


def add_jobs(command):
    """Add ``--jobs``."""
    command.add_argument("--jobs", type=whole, default=2, metavar="N",
                         help="notebooks at the same time (default 2)")


def add_parameters(command):
    """Add ``-p``."""
    command.add_argument("-p", dest="parameter", action="append", default=[],
                         metavar="NAME=VALUE", help="a parameter of the notebook; may be repeated")


def add_notebook_help(command):
    """Add a ``--help`` that also lists the parameters of the notebook that is named."""
    command.add_argument("-h", "--help", action="store_const", const=command.format_help,
                         help="show this; after a notebook, its parameters too")
