"""Domains of hyper-parameters, stated as the types of the fields and checked at the door."""

import math
from dataclasses import dataclass, fields
from typing import Annotated, Literal, get_args, get_origin

import numpy as np

__all__ = ["Count", "NonNegative", "Positive", "Share", "Whole", "check_fields", "number"]


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, the ends left out where they are open."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value):
        above = value > self.low if self.open_low else value >= self.low
        return above and (value < self.high if self.open_high else value <= self.high)

    def __str__(self):
        """As docstrings say it."""
        if self.high < math.inf:
            return (f"in {'(' if self.open_low else '['}{self.low:g}, {self.high:g}"
                    f"{')' if self.open_high else ']'}")
        return f"{'above' if self.open_low else 'at least'} {self.low:g}"


def number(kind, low, high=math.inf, *, open_low=False, open_high=False):
    """Return the type of a field that takes numbers of this kind in this range."""
    return Annotated[kind, Range(low, high, open_low, open_high)]


Count = number(int, 1)
Whole = number(int, 0)
NonNegative = number(float, 0)
Positive = number(float, 0, open_low=True)
Share = number(float, 0, 1, open_low=True)

_NAMES = {int: "a whole number", float: "a number", bool: "True or False", str: "text"}


def _is_a(value, kind):
    """Whether a value is of a kind; a whole number is a number, and True is not one."""
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    return isinstance(value, (int, float) if kind is float else kind)


def _refusal(value, expected):
    """Return the error that says what a field of this type takes, or None if it takes the value."""
    given = get_args(expected)
    if get_origin(expected) is Literal:
        choices = " or ".join([", ".join(map(repr, given[:-1])), repr(given[-1])])
        return None if value in given else ValueError(f"must be {choices}")
    kind, bounds = given if get_origin(expected) is Annotated else (expected, None)
    if kind in _NAMES and not _is_a(value, kind):
        return TypeError(f"must be {_NAMES[kind]}")
    if bounds is not None and value not in bounds:
        return ValueError(f"must be {bounds}")
    return None


def check_fields(model):
    """Raise unless every field of a model lies in its domain; NumPy's scalars become Python's.

    Raises
    ------
    TypeError, ValueError
        A field of another type, or outside its domain: one line naming it.
    """
    for field in fields(model):
        value = getattr(model, field.name)
        if isinstance(value, np.generic):
            value = value.item()
            setattr(model, field.name, value)
        error = _refusal(value, field.type)
        if error is not None:
            raise type(error)(f"{type(model).__name__}: {field.name} {error}, not {value!r}")
