"""Side features: what is known of a pair besides the predictions of the members."""

from typing import NamedTuple

import numpy as np

from rslib.backend import asnumpy
from rslib.models.doors import require_ratings
from rslib.models.parts.sessions import keys_of
from rslib.ratings import Pairs, Ratings

__all__ = ["Side", "side_features", "side_of_split"]

SHRINKAGE = 5.0     # ratings; a mean or spread backed by that many stands halfway to everybody's


class Side(NamedTuple):
    """Side features of pairs."""

    values: np.ndarray          # (n_pairs, n_features) float64
    names: tuple[str, ...]


def side_features(train, pairs, *, seen=None):
    """Return what the training ratings, and the pairs themselves, tell about each pair.

    Of the user and of the movie: log of 1 + the number of ratings, their mean and standard
    deviation in stars, both shrunken to those of all ratings. With days on both sides also: log of
    the number of ratings that the user gave on that day, the day, and the days since the first
    rating of the user and of the movie (zero where there is none).

    Values come from ``train`` only. The number of ratings on a day counts every pair that is
    known to be rated: those of ``train``, ``pairs`` and ``seen``. The contest published user,
    movie and date of all that it asked for, so a competitor knew how many ratings a day held; at
    the time of the rating nobody does, so a recommender in service should not use that column.

    Parameters
    ----------
    train : Ratings
    pairs : Pairs
        Those to describe; ratings would bring their values along and are refused.
    seen : Pairs or None
        Other pairs known to be rated, their ratings unknown.

    Returns
    -------
    Side

    Raises
    ------
    TypeError
        If ``train`` is not Ratings, or ``pairs`` are.

    References
    ----------
    Koren, The BellKor Solution to the Netflix Grand Prize (2009), section VII.
    """
    require_ratings(train, "side_features")
    if isinstance(pairs, Ratings) or not isinstance(pairs, Pairs):
        raise TypeError("side_features takes Pairs, which carry no values: pass ratings.pairs, not "
                        f"{type(pairs).__name__}")
    columns = {}
    for who, ids in (("user", "users"), ("movie", "items")):
        n = getattr(train, f"n_{ids}")
        columns |= _support(who, asnumpy(getattr(train, ids)), n, asnumpy(train.values),
                            asnumpy(getattr(pairs, ids)))
    if train.days is not None and pairs.days is not None:
        columns |= _time(train, pairs, seen)
    return Side(np.column_stack(list(columns.values())).astype(np.float64), tuple(columns))


def side_of_split(split):
    """Return the features of probe, told by train, and of quiz and test, told by train and probe.

    The pairs of probe, quiz and test are known to be rated in both, as they were in the contest.

    Returns
    -------
    Side, Side
    """
    return (side_features(split.train, split.probe.pairs, seen=split.asked),
            side_features(split.final, split.asked))


def _support(who, ids, n, values, at):
    """Number, mean and spread of the training ratings of each user or movie, looked up."""
    values = values.astype(np.float64)
    everybody = values.mean()
    counts = np.bincount(ids, minlength=n)
    sums = np.bincount(ids, weights=values - everybody, minlength=n)
    mean = sums / (counts + SHRINKAGE)
    squares = np.bincount(ids, weights=(values - everybody - mean[ids]) ** 2, minlength=n)
    spread = np.sqrt((squares + SHRINKAGE * values.var()) / (counts + SHRINKAGE))
    return {f"log ratings of {who}": np.log1p(counts)[at], f"mean of {who}": everybody + mean[at],
            f"spread of {who}": spread[at]}


def _time(train, pairs, seen):
    days = asnumpy(pairs.days)
    columns = {"log ratings on the day": np.log(_on_the_day(train, pairs, seen)), "day": days}
    for who, ids in (("user", "users"), ("movie", "items")):
        first = np.full(getattr(train, f"n_{ids}"), np.iinfo(np.int32).max)
        np.minimum.at(first, asnumpy(getattr(train, ids)), asnumpy(train.days))
        of_pair = first[asnumpy(getattr(pairs, ids))]
        columns[f"days since first of {who}"] = np.where(
            of_pair < np.iinfo(np.int32).max, days - of_pair, 0)
    return columns


def _on_the_day(train, pairs, seen):
    """How many pairs of the user are known on the day of each of ``pairs``, itself included."""
    parts = [pairs, train] + ([seen] if seen is not None and seen.days is not None else [])
    _, session = np.unique(np.concatenate([asnumpy(keys_of(part, part.days)) for part in parts]),
                           return_inverse=True)
    _, once = np.unique(np.concatenate([asnumpy(part.users).astype(np.int64) * train.n_items
                                        + asnumpy(part.items) for part in parts]),
                        return_index=True)
    sizes = np.bincount(session[once])      # a pair in two of the parts is one rating
    return np.maximum(sizes[session[:len(pairs)]], 1)
