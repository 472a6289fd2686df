"""Ratings that can tell of time, or a planted set in their place."""

import numpy as np

__all__ = ["with_times"]


def _why_not(ratings):
    """What keeps ratings from telling of time, as the end of a sentence, or None."""
    if ratings.days is None:
        return "carry no times"
    if len(np.unique(ratings.days)) < 2:
        return "are all of one day"
    if len(np.unique(ratings.users)) < 2:
        return "are all of one user"
    return "are all equal" if len(np.unique(ratings.values)) < 2 else None


def with_times(ratings, stand_in="synthetic-50k"):
    """Return ratings if they can tell of time, else a planted set that can, and say so.

    For a notebook about time: on ratings without times, all of one day, all of one user or all
    equal it has nothing to show. With the planted set it still shows its point, and whatever it
    records is filed under the name of that set.

    Parameters
    ----------
    ratings : Ratings
        On the CPU, as they were loaded.
    stand_in : str
        A synthetic set, see `rslib.sources.load`.

    Returns
    -------
    Ratings
    """
    from rslib.sources.synthetic import load_synthetic

    why_not = _why_not(ratings)
    if why_not is None:
        return ratings
    print(f"The ratings of {ratings.info.name} {why_not}, and this notebook is about time: it runs "
          f"on {stand_in} instead, and records no rung for {ratings.info.name}.")
    return load_synthetic(stand_in)
