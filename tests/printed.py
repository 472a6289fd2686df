"""Text printed by a notebook, equal to another printing of it up to rounding."""

import re

RELATIVE = 2e-4     # narrower than the smallest resolved step of the ladder
NUMBER = re.compile(r"[-+−]?\d+(?:,\d{3})*(?:\.\d+)?(?:[eE][-+]?\d+)?")


def _value(token):
    return float(token.replace(",", "").replace("−", "-"))


def _tolerance(token):
    """Zero for an integer; for a decimal one unit of its last digit, or 2e-4 of it if larger."""
    if re.fullmatch(r"[-+−]?[\d,]+", token):
        return 0.0
    digits, _, exponent = token.lower().partition("e")
    last_digit = 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))
    return max(last_digit, RELATIVE * abs(_value(token))) * (1 + 1e-9)


def _close(ours, theirs):
    """Whether two number tokens are the same up to the finer of their tolerances."""
    allowed = min(_tolerance(ours), _tolerance(theirs))
    return abs(_value(ours) - _value(theirs)) <= allowed


class Printed(str):
    """A string whose decimal numbers compare with a tolerance and whose spaces do not count."""

    def _words(self):
        return [" ".join(words.split()) for words in NUMBER.split(self)]

    def __eq__(self, other):
        ours, theirs = NUMBER.findall(self), NUMBER.findall(other)
        return (len(ours) == len(theirs) and self._words() == Printed(other)._words()
                and all(map(_close, ours, theirs)))

    def __ne__(self, other):
        return not self == other

    __hash__ = str.__hash__
