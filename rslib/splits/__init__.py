"""Who is held out: the Netflix rule, at random, or by time."""

from rslib.splits.contest import Split, by_time, carve, last_ratings, netflix, random

__all__ = ["Split", "by_time", "carve", "last_ratings", "netflix", "random"]
