"""A model and a data set so small that a notebook about them takes no time."""

from dataclasses import dataclass

import numpy as np

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
