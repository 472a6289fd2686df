"""Command line: run a notebook, a sweep or the ladder, see data, recommend, hold a contest."""

import os
import sys
import warnings

from rslib import __version__
from rslib.commands import contest, data, notebooks, recommend
from rslib.commands.parser import Parser


def _parser():
    parser = Parser("rslib", description=__doc__)
    parser.add_argument("--version", action="version", version=f"rslib {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (notebooks, data, recommend, contest):
        module.add_commands(commands)
    return parser


def _note(message, *_):
    """Say a warning in one line, without the place in the source that it comes from."""
    print(f"rslib: note: {message}", file=sys.stderr)


def _line(error):
    """Return what an exception says, on one line."""
    said = getattr(error, "strerror", None) or str(error)
    named = getattr(error, "filename", None)
    return " ".join(f"{named}: {said}".split("\n") if named else said.split("\n"))


def _answer(words):
    """Run one command; return its exit code, and say in one line why it could not be run."""
    try:
        arguments = _parser().parse_args(words)
        return arguments.command(arguments)
    except BrokenPipeError:
        raise
    except (ValueError, ArithmeticError, OSError, ModuleNotFoundError) as error:
        print(f"rslib: {_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("rslib: stopped; what had finished is kept", file=sys.stderr)
        return 130


def main(words=None):
    """Run one command; return its exit code.

    0, 1 a notebook failed, 2 bad input, 130 Ctrl-C, 141 whoever read the output went away.
    """
    try:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _note
                return _answer(words)
        finally:
            print(end="", flush=True)       # here, where it can be noticed that nobody reads
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)    # the flush at the end has nobody either
        return 141


if __name__ == "__main__":
    sys.exit(main())
