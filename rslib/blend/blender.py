"""What every blender shares: checks at the door, and predictions on the host."""

import numpy as np

from rslib.backend import asnumpy

__all__ = ["Blender"]


def require_table(name, table, n_rows=None):
    """Return a table of numbers on the host as float64, or raise saying what is wrong with it."""
    table = np.asarray(asnumpy(table), np.float64)
    if table.ndim != 2:
        raise ValueError(f"{name} must be a table (n_pairs, n_columns), not of shape {table.shape}")
    if not table.shape[1]:
        raise ValueError(f"{name} has no columns: a blend needs at least one member")
    if n_rows is not None and len(table) != n_rows:
        raise ValueError(f"{name} has {len(table)} rows for {n_rows} pairs; need one for each")
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0]
        raise ValueError(f"{name}: row {row} of column {column} is {table[row, column]}, "
                         "not a number")
    return table


def require_column(name, column, n_rows):
    """Return one finite number a row, on the host as float64, or raise."""
    column = np.asarray(asnumpy(column), np.float64)
    if column.ndim != 1:
        raise ValueError(f"{name} must be a column (n_pairs,), not of shape {column.shape}")
    return require_table(name, column[:, None], n_rows)[:, 0]


def require_spread(predictions):
    """Raise if a member says the same of every pair: an intercept says as much."""
    constant = np.flatnonzero(np.ptp(predictions, axis=0) == 0)
    if len(constant):
        raise ValueError(f"member {constant[0]} predicts {predictions[0, constant[0]]:g} for every "
                         "pair: leave it out, a blend has an intercept")


class Blender:
    """Base of all blenders.

    A subclass is a dataclass whose fields are its hyper-parameters and nothing else; what it learns
    are attributes with a trailing underscore. Tables are moved to the host as float64: a blend has
    few columns, and is fitted once.
    """

    _takes_side = _needs_side = False

    def fit(self, predictions, targets, side=None):
        """Fit the blend and return self.

        Parameters
        ----------
        predictions : array (n_pairs, n_members)
            Stars; a column a member, from models that did not see ``targets``.
        targets : array (n_pairs,)
            Stars.
        side : array (n_pairs, n_features) or None
            What is known of each pair, as `side_features` tells it; a blender that has no use for
            it leaves it alone.

        Raises
        ------
        ValueError
            Different lengths, NaN, no members, a member that is constant, no side features where
            the blender needs them.
        """
        predictions, side = self._door(predictions, side)
        targets = require_column("targets", targets, len(predictions))
        require_spread(predictions)
        self.n_members_, self.n_side_ = predictions.shape[1], n_columns(side)
        self._fit(predictions, targets, side)
        return self

    def predict(self, predictions, side=None):
        """Return the blend of each pair, float64 (n_pairs,), in stars, not clipped."""
        if not hasattr(self, "n_members_"):
            raise ValueError(f"{type(self).__name__} is not fitted: call fit first")
        predictions, side = self._door(predictions, side)
        if predictions.shape[1] != self.n_members_:
            raise ValueError(f"predictions of {predictions.shape[1]} members, but "
                             f"{type(self).__name__} was fitted on {self.n_members_}")
        if n_columns(side) != self.n_side_:
            raise ValueError(f"{self.n_side_} side features in the fit, {n_columns(side)} now: "
                             "pass the same")
        return self._predict(predictions, side)

    def _door(self, predictions, side):
        predictions = require_table("predictions", predictions)
        if side is not None:
            side = require_table("side", side, len(predictions))
            return predictions, side if self._takes_side else None
        if self._needs_side:
            raise ValueError(f"{type(self).__name__} needs side features: pass "
                             "side=side_features(...).values")
        return predictions, None


def n_columns(side):
    return 0 if side is None else side.shape[1]


def extended(predictions, side):
    """Put side features, where there are any, beside the predictions."""
    return predictions if side is None else np.hstack([predictions, side])


def spread_of(table):
    """Return mean and standard deviation of each column; a constant column gets deviation one."""
    mean, spread = table.mean(axis=0), table.std(axis=0)
    return mean, np.where(spread > 1e-12 * (1 + abs(mean)), spread, 1.0)    # rounding is no spread
