"""The rules: how often, how good, until when; and the clock they are read against."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

__all__ = ["ContestError", "Rules", "SimulatedClock", "SystemClock", "improvement", "line",
           "published"]


class ContestError(ValueError):
    """What the prize master refuses: one line that says what is wrong and what to do."""


@dataclass(frozen=True)
class Rules:
    """What a contest allows.

    Parameters
    ----------
    hours_between : float
        Hours between two accepted submissions of a team; 24 in the contest. Counted from the last
        accepted one and not by the calendar: two submissions around midnight would be two in the
        last day, and the contest allowed one.
    improvement : float
        Per cent below the RMSE of the baseline that a quiz score must reach to start the last call;
        10 in the contest. Quiz decides, so that the call tells nothing about test.
    last_call_days : float
        Days from that submission to the end; 30 in the contest.
    ends : datetime or None
        End of the contest if nobody reaches the line; None leaves it open. A submission at the
        very end, or later, is too late.
    teams_per_user : int
        Teams that one OS user may join through the socket.

    Raises
    ------
    ContestError
        If a number is not positive, or ``ends`` has no time zone.
    """

    hours_between: float = 24.0
    improvement: float = 10.0
    last_call_days: float = 30.0
    ends: datetime | None = None
    teams_per_user: int = 1

    def __post_init__(self):
        for name in ("hours_between", "last_call_days", "teams_per_user"):
            if not 0 < getattr(self, name) < 1e6:
                raise ContestError(f"{name} must be a positive number, not {getattr(self, name)}")
        if not 0 < self.improvement < 100:
            raise ContestError("improvement must lie between 0 and 100 per cent, not "
                               f"{self.improvement}")
        if self.ends is not None and self.ends.tzinfo is None:
            raise ContestError(f"ends must name its time zone, as {self.ends}+00:00")

    @property
    def pause(self):
        return timedelta(hours=self.hours_between)

    @property
    def last_call(self):
        return timedelta(days=self.last_call_days)


class SystemClock:
    """The time of this machine."""

    def now(self):
        return datetime.now(UTC)


class SimulatedClock:
    """A clock that stands still until it is told to advance, for a contest played in a notebook.

    Parameters
    ----------
    start : datetime
        With a time zone.
    """

    def __init__(self, start=datetime(2009, 6, 26, 18, 42, 37, tzinfo=UTC)):
        self._now = start

    def now(self):
        return self._now

    def advance(self, **steps):
        """Go on by ``days=``, ``hours=``, ``minutes=`` ..., as ``timedelta`` takes them."""
        step = timedelta(**steps)
        if step < timedelta(0):
            raise ContestError("a clock cannot be set back")
        self._now += step
        return self._now


def published(rmse):
    """Return an RMSE as it is published: four decimals. Scores equal there are a tie."""
    return round(float(rmse), 4)


def improvement(rmse, baseline):
    """Return by how many per cent a published RMSE is below the baseline's, two decimals.

    Zero where the baseline makes no error that one could improve on.
    """
    if not published(baseline):
        return 0.0
    return round(100 * (1 - published(rmse) / published(baseline)), 2)


def line(baseline, percent):
    """Return the published RMSE that is ``percent`` per cent below the baseline.

    With the 0.9514 of Cinematch and 10 per cent this is the 0.8563 of the Grand Prize.
    """
    return published((1 - percent / 100) * published(baseline))
