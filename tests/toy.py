"""A model and a data set so small that a notebook about them takes no time; a made-up ladder."""

from dataclasses import dataclass

import numpy as np

from rslib.metrics import Interval
from rslib.ratings import Info, Ratings


@dataclass
class Shifted:
    """The mean plus a constant: the larger the shift, the worse."""

    shift: float = 0.0

    def fit(self, train, *, seen=None):
        self.level_ = float(train.values.mean()) + self.shift
        self.n_parameters = 1
        return self

    def predict(self, pairs):
        return np.full(len(pairs), self.level_)


def toy(name="toy", extra=None):
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((40, 60)) < 0.5)
    return Ratings(users, items, values=rng.integers(1, 6, len(users)),
                   days=rng.integers(0, 99, len(users)), n_users=40, n_items=60,
                   info=Info(name, np.arange(40), np.arange(60), first_day="2000-01-01",
                             extra=extra or {}))


def ladder_of(n_rungs, level=1.0, **changes):
    """Rows as of `ladder_rows`; every third step goes up, every fourth is not resolved."""
    rows = []
    for i in range(n_rungs):
        change = level * (0.01 if i % 3 == 2 else -0.02)
        half = level * (0.05 if i % 4 == 3 else 0.005)
        step = Interval(change, change - half, change + half) if i else None
        held_out = rows[-1]["held_out"] + change if i else level
        rows.append({
            "rung": f"rung-{i}", "label": f"Model number {i}", "part": f"Part {i // 6}",
            "in_lecture": i % 3 == 0, "published": 0.9, "published_improvement": 5.4,
            "quiz": held_out, "test": held_out, "held_out": held_out, "half_width": level / 50,
            "improvement": i - 2.0, "best": None, "step": step, "n_parameters": i,
            "fit_seconds": 1.0, "resolved": None if step is None else
            "no" if not step.resolved else "yes" if change < 0 else "worse"} | changes)
    return rows
