"""A planted set in the place of ratings on which a question makes no sense."""

import numpy as np

__all__ = ["or_planted"]


def _why_not(ratings, times, users, items):
    """What keeps ratings from answering, as the end of a sentence, or None."""
    if times and ratings.days is None:
        return "carry no times"
    if times and len(np.unique(ratings.days)) < 2:
        return "are all of one day"
    n_users = len(np.unique(ratings.users))
    if n_users < users:
        return f"are of {n_users} user{'s' * (n_users > 1)} only"
    if items is not None and ratings.n_items > items:
        return f"are of {ratings.n_items:,} items, and weights between all pairs of them do not fit"
    return "are all equal" if len(np.unique(ratings.values)) < 2 else None


def or_planted(ratings, *, times=False, users=2, items=None, stand_in="synthetic-50k"):
    """Return ratings if they can answer what a notebook asks, else a planted set, and say so.

    Ratings that are all equal, of too few users, or of a single day where the question is about
    time, have nothing to show. On the planted set the notebook still shows its point, and whatever
    it records is filed under the name of that set.

    Parameters
    ----------
    ratings : Ratings
        On the CPU, as they were loaded.
    times : bool
        Whether the question is about time.
    users : int
        How many users it takes to ask it.
    items : int or None
        How many items it can be asked of at most.
    stand_in : str
        A synthetic set, see `rslib.sources.load`.

    Returns
    -------
    Ratings
    """
    from rslib.sources.synthetic import load_synthetic

    name, why_not = ratings.info.name, _why_not(ratings, times, users, items)
    if why_not is None:
        return ratings
    print(f"The ratings of {name} {why_not}: this notebook has nothing to show on them. It runs on "
          f"{stand_in} instead, and records no rung for {name}.")
    return load_synthetic(stand_in)
