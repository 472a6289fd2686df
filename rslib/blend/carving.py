"""A probe for splits that have none."""

import numpy as np

from rslib.backend import asnumpy
from rslib.splits import Split, last_ratings

__all__ = ["carve"]


def carve(ratings, is_test, *, fraction=0.1, n_last=None, seed=0):
    """Return an ordinary split into training and test ratings as one with a probe.

    Blends need ratings that no member was fitted to. They are carved out of the training part: at
    random, which suits a random test part, or the last of each user, which suits a later one. All
    that is not test is ``final``, and test is dealt at random into two halves, quiz and test: both
    together are the test part of the split that was given.

    Parameters
    ----------
    ratings : Ratings
        All of them.
    is_test : bool array (n_ratings,)
        Those held out.
    fraction : float in (0, 1)
        Share of the training part that becomes probe.
    n_last : int or None
        Take as many of the last ratings of each user in place of a random share; half of those of
        a user who has fewer than twice as many.
    seed : int

    Returns
    -------
    Split

    Raises
    ------
    ValueError
        If ``is_test`` does not fit, ``fraction`` is outside (0, 1), or a part would be empty.

    Examples
    --------
    The random ten per cent of most papers that report MovieLens 1M:

    >>> is_test = np.random.default_rng(0).random(len(ratings)) < 0.1       # doctest: +SKIP
    >>> split = carve(ratings, is_test)                                     # doctest: +SKIP
    """
    is_test = asnumpy(is_test)
    if is_test.dtype != bool or is_test.shape != (len(ratings),):
        raise ValueError(f"is_test must hold {len(ratings)} booleans, not {is_test.dtype} of shape "
                         f"{is_test.shape}")
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must lie between 0 and 1, not {fraction}")
    final, rng = np.flatnonzero(~is_test), np.random.default_rng(seed)
    inner = rng.random(len(final)) < fraction if n_last is None else last_ratings(
        ratings[final], n_last)
    quiz, test = np.array_split(rng.permutation(np.flatnonzero(is_test)), 2)
    rows = {"train": final[~inner], "probe": final[inner], "quiz": np.sort(quiz),
            "test": np.sort(test), "final": final}
    for name, picked in rows.items():
        if not len(picked):
            raise ValueError(f"{name} would be empty: {ratings!r} is too small for this split")
    return Split(**{name: ratings[picked] for name, picked in rows.items()}, rows=rows)
