"""Parameters of a notebook: the literals of its tagged cell, checked before a kernel starts."""

import ast
import difflib
import io
import json
import tokenize
from pathlib import Path

__all__ = ["check", "code_cells", "defaults", "described", "parse", "parse_grid", "require_file",
           "with_options"]


def require_file(path, what):
    """Refuse a path that names no file; what is like it in its folder may have been meant."""
    path = Path(path)
    if path.is_file():
        return
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; give the path of {what}")
    suffix = path.suffix or ".ipynb"
    there = sorted(each.stem for each in path.parent.glob(f"*{suffix}"))
    near = difflib.get_close_matches(path.stem, there, 1)
    hint = (f"did you mean {path.with_name(near[0] + suffix)}?" if near
            else f"give the path of {what}")
    raise ValueError(f"{path}: does not exist; {hint}")


def _cells(path):
    require_file(path, "an .ipynb")
    try:
        cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
        return [cell for cell in cells if cell["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(f"{path}: not a readable notebook; give the path of an .ipynb") from None


def code_cells(path):
    """Return the sources of the code cells of a notebook."""
    return ["".join(cell["source"]) for cell in _cells(path)]


def _assignment(node, path):
    """Name and literal of one line of the parameters cell."""
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
    try:
        return target.id, ast.literal_eval(node.value)
    except (AttributeError, TypeError, ValueError):
        raise ValueError(f"{path}: line {node.lineno} of the parameters cell is not "
                         "NAME = literal") from None


def _parameters_cell(path):
    """Source of the tagged cell, and its lines as nodes; both empty where there is none."""
    for cell in _cells(path):
        if "parameters" in cell.get("metadata", {}).get("tags", []):
            source = "".join(cell["source"])
            try:
                return source, ast.parse(source).body
            except SyntaxError as error:
                raise ValueError(f"{path}: line {error.lineno} of the parameters cell is not "
                                 "NAME = literal") from None
    return "", []


def defaults(path):
    """Return the parameters of a notebook with their default values, in order.

    Parameters
    ----------
    path : path
        A notebook whose parameters cell, tagged ``parameters``, holds literals only.

    Raises
    ------
    ValueError
        If the file is no notebook or the cell holds more than literals.
    """
    return dict(_assignment(node, path) for node in _parameters_cell(path)[1])


def described(path):
    """Return name, default and comment of every parameter of a notebook, in order."""
    source, nodes = _parameters_cell(path)
    comments = {token.start[0]: token.string.lstrip("# ")
                for token in tokenize.generate_tokens(io.StringIO(source).readline)
                if token.type == tokenize.COMMENT}
    return [(*_assignment(node, path),
             " ".join(comments[line] for line in range(node.lineno, node.end_lineno + 1)
                      if line in comments)) for node in nodes]


def _default(path, known, name):
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(known) or 'none'}"
    raise ValueError(f"{path}: no parameter {name}; {hint}")


def _fits(value, default):
    """Whether a value may stand where ``default`` stands; None as a default takes anything."""
    if default is None:
        return True
    if type(default) is float:
        return type(value) in (int, float)
    return type(value) is type(default)


def check(path, parameters):
    """Check names and types of ``parameters`` against the notebook at ``path``.

    Raises
    ------
    ValueError
        On a name that the notebook lacks or a value of another type than its default.
    """
    known = defaults(path)
    for name, value in parameters.items():
        default = _default(path, known, name)
        if not _fits(value, default):
            raise ValueError(f"{path}: {name} = {value!r} must be {type(default).__name__}, "
                             f"as its default {default!r} is")


def _literal(text, default):
    """Value of a command-line word: text where the default is text, else a Python literal."""
    if isinstance(default, str):
        return text
    try:
        return ast.literal_eval({"true": "True", "false": "False"}.get(text, text))
    except (ValueError, SyntaxError):
        return text


def _assignments(words):
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name:
            raise ValueError(f"{word!r} is not NAME=VALUE")
        yield name, text


def parse(path, words):
    """Return the parameters that command-line words ``NAME=VALUE`` set, checked."""
    known = defaults(path)
    parameters = {name: _literal(text, _default(path, known, name))
                  for name, text in _assignments(words)}
    check(path, parameters)
    return parameters


def parse_grid(path, words):
    """Return the grid that command-line words ``NAME=VALUE,VALUE`` span, unchecked."""
    known = defaults(path)
    grid = {}
    for name, text in _assignments(words):
        default = _default(path, known, name)
        whole = _literal(f"[{text}]", None)     # commas inside a list do not part two values
        grid[name] = (whole if isinstance(whole, list) and not isinstance(default, str)
                      else [_literal(each, default) for each in text.split(",")])
    return grid


def with_options(path, parameters, options):
    """Return parameters with options of `rslib.sources.load` among them, if there are any.

    A notebook that takes them has ``OPTIONS = {}`` in its parameters cell and calls
    ``load(DATASET, **OPTIONS)``.

    Raises
    ------
    ValueError
        If there are options and the notebook takes none.
    """
    if not options:
        return parameters
    if not isinstance(defaults(path).get("OPTIONS"), dict):
        raise ValueError(f"{path}: takes no options of a data set ({', '.join(options)}): its "
                         "parameters cell has no OPTIONS = {}")
    return parameters | {"OPTIONS": parameters.get("OPTIONS", {}) | options}
