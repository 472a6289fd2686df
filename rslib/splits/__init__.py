"""Who is held out: by the rules of a contest, or to see how well models rank."""

from rslib.splits.contest import Split, by_time, carve, netflix, random
from rslib.splits.picks import last_ratings
from rslib.splits.ranking import HoldOut, by_user, last_out, strong

__all__ = ["HoldOut", "Split", "by_time", "by_user", "carve", "last_out", "last_ratings",
           "netflix", "random", "strong"]
