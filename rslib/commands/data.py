"""``rslib data`` and ``rslib models``: what there is, and what was understood of a file."""

import inspect
from pathlib import Path

from rslib.commands.reading import (
    add_named,
    add_reading,
    load_asked,
    pair_of,
    reading,
    written,
)

__all__ = ["add_commands"]


def _data(arguments):
    from rslib.plots import Table
    from rslib.sources import PUBLISHED, describe
    from rslib.sources.download import here
    from rslib.sources.understood import options_of

    options = reading(arguments, map(pair_of, arguments.option))
    if arguments.dataset is None:
        if options:
            raise ValueError("data: name the file that the options are for, as in "
                             "rslib data ratings.csv --delimiter ';'")
        print(Table([{"data set": name, "here": here(name)} for name in PUBLISHED]
                    + [{"data set": name, "here": "made on request, of any size"}
                       for name in ("synthetic-1m", "synthetic-purchases-1m")]))
        return 0
    ratings = load_asked(arguments.dataset, options)
    lines = describe(ratings)
    if ratings.info.understood:
        lines.append(("options", written(options_of(ratings.info.understood))))
    width = max(len(name) for name, _ in lines) + 2
    print("\n".join(f"{name:{width}}{words}" for name, words in lines))
    return 0


def _models(arguments):
    from rslib import load_model
    from rslib.models import MODELS
    from rslib.plots import Table

    if not arguments.files:
        print(Table([{"model": kind.__name__, "": inspect.getdoc(kind).partition("\n")[0]}
                     for kind in MODELS]))
        return 0
    files = [file for place in arguments.files
             for file in (sorted(place.glob("*.npz")) if place.is_dir() else [place])]
    if not files:
        raise ValueError(f"{arguments.files[0]}: no .npz file in this folder")
    for file in files:
        model = load_model(file)
        numbered = "with raw ids" if model.numbering_ is not None else "without raw ids"
        print(f"{file}: {model}, of {model.n_users_:,} users and {model.n_items_:,} items, "
              f"{model.n_parameters:,} parameters, {numbered}")
    return 0


def add_commands(commands):
    """Add both parsers."""
    data = commands.add_parser("data", help="list the data sets, or load one and print what was "
                                            "understood of it")
    data.add_argument("dataset", nargs="?", metavar="NAME|PATH")
    add_named(data)
    add_reading(data)
    data.set_defaults(command=_data)

    models = commands.add_parser("models", help="list the models, or say what saved ones are")
    models.add_argument("files", nargs="*", type=Path, metavar="FILE|FOLDER",
                        help="a saved model, or a folder of them")
    models.set_defaults(command=_models)
