"""What the numerical core does without: imported where it is used, named where it is missing."""

from contextlib import contextmanager

__all__ = ["needs"]


@contextmanager
def needs(extra):
    """Turn a failed import inside the block into one line that names the extra to install.

    Raises
    ------
    ModuleNotFoundError
        If a package that the block imports is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{error.name} is not installed: install the extra {extra}, in a "
                                  f"checkout by pip install '.[{extra}]'",
                                  name=error.name) from None
