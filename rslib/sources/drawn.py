"""Planted sets by name and size: drawn with seed 0, or kept from an earlier call."""

import re
from dataclasses import replace

from rslib import HOME
from rslib.sources import store

__all__ = ["load_drawn"]


def load_drawn(name, stem, examples, generate, kept_from, version, cache=None):
    """Return the set that a name describes.

    Parameters
    ----------
    name : str
        ``stem`` (100,000 rows) or ``stem-<n>``, ``-<n>k``, ``-<n>m``.
    stem : str
    examples : (str, str)
        Two sizes for the line that refuses a name, as "500k".
    generate : callable (n) -> Ratings
    kept_from : int
        Rows from which a set is kept: fewer are drawn as fast as they are read.
    version : list
        What the drawn numbers depend on.
    cache : path or None
        Folder of the stores; see `rslib.sources.load`.

    Raises
    ------
    ValueError
        If the name is none of these.
    OSError
        If the store cannot be written.
    """
    match = re.fullmatch(rf"{stem}(?:-([1-9]\d*)([km]?))?", name)
    if not match:
        raise ValueError(f"no synthetic set is called {name!r}: write {stem}, or a size as in "
                         + " or ".join(f"{stem}-{size}" for size in examples))
    size, unit = match.groups()
    n = int(size) * {"": 1, "k": 1_000, "m": 1_000_000}[unit] if size else 100_000
    if n < kept_from:
        ratings = generate(n)
    else:
        full = f"{stem}-{n}"
        ratings = store.keep(full, [full], version, lambda folder: generate(n),
                             store.place(cache, HOME))
    return replace(ratings, info=replace(ratings.info, name=name))
