"""Slow motion: the readable twins in the place of the compiled kernels, to teach from."""

from contextlib import contextmanager
from contextvars import ContextVar

_SLOW = ContextVar("slow", default=False)


def is_slow():
    """Whether kernels of gradient descent run as their slow twins now."""
    return _SLOW.get()


@contextmanager
def slow_motion():
    """Run the kernels of gradient descent on the CPU as their readable twins inside the block.

    The numbers agree to rounding, at some ten thousand ratings a second in place of millions.
    """
    token = _SLOW.set(True)
    try:
        yield
    finally:
        _SLOW.reset(token)
