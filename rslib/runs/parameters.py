"""Parameters of a notebook: the literals of its tagged cell, checked before a kernel starts."""

import ast
import difflib
import json
from pathlib import Path

__all__ = ["check", "code_cells", "defaults", "parse", "parse_grid"]


def _cells(path):
    try:
        cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError):
        raise ValueError(f"{path}: not a readable notebook; give the path of an .ipynb") from None
    return [cell for cell in cells if cell["cell_type"] == "code"]


def code_cells(path):
    """Return the sources of the code cells of a notebook."""
    return ["".join(cell["source"]) for cell in _cells(path)]


def _assignment(node, path):
    """Name and literal of one line of the parameters cell."""
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
    try:
        return target.id, ast.literal_eval(node.value)
    except (AttributeError, ValueError):
        raise ValueError(f"{path}: line {node.lineno} of the parameters cell is not "
                         "NAME = literal") from None


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
    for cell in _cells(path):
        if "parameters" in cell["metadata"].get("tags", []):
            return dict(_assignment(node, path) for node in ast.parse("".join(cell["source"])).body)
    return {}


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
