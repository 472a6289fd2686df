"""The four parts of a contest: by the Netflix rule, at random, or by time."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from rslib.backend import array_module, asnumpy
from rslib.numbering import digest_of_rows
from rslib.ratings import Ratings
from rslib.splits.picks import last_ratings, require_share

__all__ = ["Split", "by_time", "carve", "netflix", "random"]


@dataclass(frozen=True, eq=False)
class Split:
    """The four parts of a contest.

    ``train`` and ``probe`` are what competitors see, values included; ``quiz`` feeds the public
    leaderboard, ``test`` decides. Tune on probe after fitting on train; fit ``final`` (train and
    probe together) once, then score quiz and test.

    Parameters
    ----------
    train, probe, quiz, test : Ratings
    rows : dict of str to int64 array
        Positions of each part in the ratings that were split; "held_out" are those of quiz, then
        test.

    Attributes
    ----------
    held_out : Ratings
        Quiz, then test: the one place where the two are joined, in the order of every prediction
        for both.
    asked : Pairs
        The pairs of ``held_out``, which is what competitors know of it.
    is_test : bool array (n_quiz + n_test,)
        Which rows of ``held_out`` are test.
    """

    train: Ratings
    probe: Ratings
    quiz: Ratings
    test: Ratings
    final: Ratings = field(repr=False)
    rows: dict = field(repr=False)

    @cached_property
    def held_out(self):
        xp = array_module(self.quiz.values, self.test.values)
        columns = {name: None if getattr(self.quiz, name) is None
                   else xp.concatenate([getattr(self.quiz, name), getattr(self.test, name)])
                   for name in ("users", "items", "days", "values", "ranks")}
        return replace(self.quiz, **columns)

    @property
    def asked(self):
        return self.held_out.pairs

    @property
    def is_test(self):
        return np.repeat([False, True], [len(self.quiz), len(self.test)])

    @cached_property
    def content(self):
        """A digest that two splits share when they deal the same ratings in the same way.

        Of raw ids where they are known, whatever the order of the rows and the name of the file.
        """
        parts = (self.train, self.probe, self.quiz, self.test)
        facts = [parts[0].scale, parts[0].n_users, parts[0].n_items,
                 getattr(parts[0].numbering, "digests", None),
                 [[digest_of_rows(part, seed) for seed in (1, 2)] for part in parts]]
        return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()


def _split(ratings, rows):
    for name, picked in rows.items():
        if not len(picked):
            raise ValueError(f"{name} would be empty: {ratings!r} is too small for this split")
    final = np.sort(np.concatenate([rows["train"], rows["probe"]]))
    held_out = np.concatenate([rows["quiz"], rows["test"]])
    return Split(**{name: ratings[picked] for name, picked in rows.items()},
                 final=ratings[final], rows={**rows, "final": final, "held_out": held_out})


def _deal(held_out, rng, names=("probe", "quiz", "test")):
    """Deal positions at random into parts; sizes differ by at most one."""
    dealt = np.array_split(rng.permutation(held_out), len(names))
    return {name: np.sort(part) for name, part in zip(names, dealt, strict=True)}


def netflix(ratings, *, seed=0, n_last=9):
    """Split as the Netflix Prize did: the last nine of each user, three ways at random.

    Parameters
    ----------
    ratings : Ratings
    seed : int
        Seed of the three-way deal.
    n_last : int
        See `last_ratings`.

    Returns
    -------
    Split

    Raises
    ------
    ValueError
        If a part would be empty.
    """
    mask = last_ratings(ratings, n_last)
    rows = {"train": np.flatnonzero(~mask)}
    rows |= _deal(np.flatnonzero(mask), np.random.default_rng(seed))
    return _split(ratings, rows)


def random(ratings, *, fraction=0.1, seed=0):
    """Hold out a random ``fraction`` of all ratings, dealt three ways.

    The mask is ``default_rng(seed).random(n) < fraction`` in the order of the file, the protocol
    of most papers that report MovieLens 1M.

    Returns
    -------
    Split

    Raises
    ------
    ValueError
        If ``fraction`` is not inside (0, 1) or a part would be empty.
    """
    require_share(fraction)
    rng = np.random.default_rng(seed)
    mask = rng.random(len(ratings)) < fraction
    rows = {"train": np.flatnonzero(~mask)} | _deal(np.flatnonzero(mask), rng)
    return _split(ratings, rows)


def _cut(days, fraction):
    """Return the first day of the last ``fraction`` of ``days``, give or take the cut day."""
    return np.sort(days)[max(round(len(days) * (1 - fraction)), 1) - 1] + 1


def by_time(ratings, *, fraction=0.1, seed=0):
    """Hold out the last ``fraction`` of all ratings in time.

    Cuts fall between two days. The first third of the held-out period is probe; the rest is dealt
    at random into quiz and test. So neither train nor final holds a rating younger than one that
    is scored after it.

    Returns
    -------
    Split

    Raises
    ------
    ValueError
        If the ratings carry no days, ``fraction`` is not inside (0, 1), or a part would be empty.
    """
    if ratings.days is None:
        raise ValueError("by_time needs days; these ratings carry none")
    require_share(fraction)
    days = asnumpy(ratings.days)
    first = _cut(days, fraction)
    held_out = days[days >= first]
    later = _cut(held_out, 2 / 3) if held_out.size else first
    rows = {"train": np.flatnonzero(days < first),
            "probe": np.flatnonzero((days >= first) & (days < later))}
    rows |= _deal(np.flatnonzero(days >= later), np.random.default_rng(seed), ("quiz", "test"))
    return _split(ratings, rows)


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
    require_share(fraction)
    final, rng = np.flatnonzero(~is_test), np.random.default_rng(seed)
    inner = rng.random(len(final)) < fraction if n_last is None else last_ratings(
        ratings[final], n_last)
    rows = {"train": final[~inner], "probe": final[inner]}
    rows |= _deal(np.flatnonzero(is_test), rng, ("quiz", "test"))
    return _split(ratings, rows)
