"""Columns between Arrow and NumPy, and the order of ratings within a day.

Ids and titles are text of variable width on both sides, so memory follows the text.
"""

import re

import numpy as np
import pyarrow as pa

__all__ = ["ARROW_TEXT", "TEXT", "as_array", "is_any_text", "is_number", "is_text",
           "number", "ranks_within_days"]

ARROW_TEXT = pa.large_string()      # the offsets of pa.string() end at 2 GiB of text
TEXT = np.dtypes.StringDType()
_BLOCK = 1 << 17        # rows turned into Python text at once
_NUMBER = re.compile(r"[ \t]*[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|inf(?:inity)?|nan)[ \t]*",
                     re.A | re.I)


def number(text, decimal="."):
    """Return the number that text is to Arrow, which knows fewer than Python.

    Raises
    ------
    ValueError
        If it is none.
    """
    if decimal != ".":
        text = "" if "." in text else text.replace(decimal, ".")
    if not _NUMBER.fullmatch(text):
        raise ValueError("not a number")
    return float(text)


def is_text(kind):
    """Return True for the Arrow type of text that the sources use."""
    return pa.types.is_large_string(kind)


def is_any_text(kind):
    """Return True for every Arrow type that holds text, as bytes too."""
    checks = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view",
              "fixed_size_binary")
    return any(getattr(pa.types, f"is_{check}")(kind) for check in checks)


def is_number(kind):
    """Return True for the Arrow types of numbers, and for that of a column that holds nothing."""
    checks = ("integer", "floating", "decimal", "null")
    return any(getattr(pa.types, f"is_{check}")(kind) for check in checks)


def as_array(column):
    """Return an Arrow column without nulls as an array of its own."""
    if not is_text(column.type):
        return np.array(column.to_numpy(zero_copy_only=False))
    text = np.empty(len(column), TEXT)
    for start in range(0, len(column), _BLOCK):
        block = column.slice(start, _BLOCK)
        text[start:start + _BLOCK] = block.to_numpy(zero_copy_only=False)
    return text


def ranks_within_days(users, times):
    """Return the rank of each rating within its user's day, or None where all are first.

    The rank counts the ratings that the user gave earlier on the same day, ties in the order of
    the rows.

    Parameters
    ----------
    users : int32 array (n,)
    times : int64 array (n,)
        Seconds since 1970, below 2^32.

    Returns
    -------
    uint8, uint16 or uint32 array (n,), or None
    """
    key = users.astype(np.int64) << 32
    key |= times
    order = np.argsort(key, kind="stable")
    key = key[order]
    day = (key & 0xFFFFFFFF) // 86400
    key >>= 32
    starts = np.flatnonzero(np.concatenate(
        [[True], (key[1:] != key[:-1]) | (day[1:] != day[:-1])]))
    del key, day
    lengths = np.diff(starts, append=len(order))
    if lengths.max() == 1:
        return None
    ranks = np.empty(len(order), np.min_scalar_type(lengths.max() - 1))
    ranks[order] = np.arange(len(order)) - np.repeat(starts, lengths)
    return ranks
