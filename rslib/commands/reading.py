"""The options of `rslib.sources.load` as options of a command."""

import json
import shlex

__all__ = ["add_named", "add_reading", "load_asked", "pair_of", "reading", "require_data",
           "value_of", "written"]

_COLUMN = "column of the {}, by name or by position from 0"
_OPTIONS = {        # name in `load`: what its value is called, and what it says
    "user": ("COLUMN", _COLUMN.format("users")),
    "item": ("COLUMN", _COLUMN.format("items")),
    "rating": ("COLUMN", _COLUMN.format("ratings")),
    "time": ("COLUMN", _COLUMN.format("times")),
    "delimiter": ("MARK", "what stands between two columns: one character, ::, or tab"),
    "decimal": ("MARK", "decimal mark, . or ,"),
    "quoting": ("yes|no", "whether quotes hold a field together"),
    "header": ("yes|no", "whether the first row names the columns"),
    "scale": ("LOW,HIGH", "lowest and highest rating there can be, as 1,5"),
    "time_unit": ("UNIT", "seconds, milliseconds, minutes, hours, days, excel, year, yyyymmdd, "
                          "iso, or a format as %%d/%%m/%%Y"),
    "drop_zeros": (None, "a rating of 0 means: seen, not rated"),
    "duplicates": ("WHICH", "of two ratings of one item by one user the last, the first, their "
                            "mean, or an error; of interactions the sum, unless one is named"),
    "wide": (None, "a row is a user, each other column an item"),
    "interactions": (None, "no ratings: each row is a click, or a count where a column holds "
                           "counts"),
}
_SWITCHES = [name for name, (value, _) in _OPTIONS.items() if value in (None, "yes|no")]
_TRUTH = {"yes": True, "no": False, "True": True, "False": False, "None": None}


def add_reading(command, *, but=()):
    """Add an option for each of `load`'s that say how a table of one's own is read.

    Those named by ``but`` are left out, because they mean something else to this command.
    """
    group = command.add_argument_group("how a table of your own is read, where that is not found")
    for name, (value, words) in ((name, _OPTIONS[name]) for name in _OPTIONS if name not in but):
        how = ({"action": "store_const", "const": "yes"} if value is None else {"metavar": value})
        group.add_argument(f"--{name.replace('_', '-')}", dest=f"read_{name}", help=words, **how)


def add_named(command):
    """Add ``-o``, which takes any of these options by its name in Python; see `pair_of`."""
    command.add_argument("-o", dest="option", action="append", default=[], metavar="NAME=VALUE",
                         help="an option below by its name in Python, as time_unit=minutes")


def pair_of(words):
    """Return name and text of one ``-o``."""
    name, equals, text = words.partition("=")
    if not equals:
        raise ValueError(f"-o {words}: write NAME=VALUE, as in -o delimiter=';'")
    return name, text


def value_of(name, text):
    """Return what `load` takes for the text of an option, as JSON can hold it."""
    if name in ("user", "item", "rating", "time") and text.isdigit():
        return int(text)
    if name in _SWITCHES:
        if text not in _TRUTH:
            raise ValueError(f"{name} is yes or no, not {text!r}")
        return _TRUTH[text]
    if name == "scale":
        try:
            return [float(part) for part in text.split(",")]
        except ValueError:
            raise ValueError(f"scale must be LOW,HIGH, as 1,5, not {text!r}") from None
    return {"None": None, "tab": "\t", "\\t": "\t"}.get(text, text)


def reading(arguments, more=()):
    """Return the options of `load` that the command line sets, checked as far as they can be.

    Parameters
    ----------
    arguments : Namespace
        Of a parser with `add_reading`.
    more : iterable of (str, str)
        Further names and texts.

    Raises
    ------
    ValueError
        If there is no such option, or it can't have that value.
    """
    given = {name: getattr(arguments, f"read_{name}", None) for name in _OPTIONS}
    texts = {name: text for name, text in given.items() if text is not None} | dict(more)
    options = {name: value_of(name, text) for name, text in texts.items()}
    if not options:
        return {}
    from rslib.sources.form import checked_scale, form_of

    checked_scale(options.get("scale"), options.get("interactions", False))
    try:
        form_of({name: value for name, value in options.items()
                 if name not in ("user", "item", "rating", "time", "scale")})
    except TypeError as error:          # no such option
        raise ValueError(str(error)) from None
    return options


def written(options):
    """Return options of `load` as they are written on the command line."""
    words = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if name in _SWITCHES:
            words += [flag] if _OPTIONS[name][0] is None else [flag, "yes" if value else "no"]
        elif name == "scale":
            words.append(f"{flag}={','.join(f'{each:g}' for each in value)}")
        else:
            words += [flag, "tab" if value == "\t" else str(value)]
    return shlex.join(words)


def load_asked(dataset, options):
    """Return what `load` reads; a wrong name of an option is the user's error too."""
    from rslib.sources import load

    try:
        return load(dataset, **options)
    except TypeError as error:
        raise ValueError(f"OPTIONS = {options}: {error}") from None


def require_data(notebook, runs):
    """Read the data sets of some runs, where the notebook says that it reads them by `load`.

    A name that is wrong then costs no kernel; what was read is kept for the notebook. One that has
    OPTIONS calls ``load(DATASET, **OPTIONS)``.

    Parameters
    ----------
    notebook : Path
    runs : iterable of dict
        Parameters of each.
    """
    from rslib.runs.parameters import defaults

    known = defaults(notebook)
    if not {"DATASET", "OPTIONS"} <= known.keys():
        return
    asked = [{name: each[name] for name in ("DATASET", "OPTIONS") if name in each}
             for each in runs]
    for each in {json.dumps(each, sort_keys=True): each for each in asked if each}.values():
        each = known | each
        load_asked(each["DATASET"], each["OPTIONS"])
