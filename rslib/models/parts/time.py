"""Biases that depend on the day: of users, of items, of the calendar."""

from dataclasses import dataclass, replace

import numpy as np

from rslib.backend import array_module
from rslib.models.parts.bias import ItemBias, UserBias
from rslib.models.parts.part import Lookup
from rslib.models.parts.sessions import Sessions, Span

DRIFTS = ("none", "linear", "spline")


@dataclass(frozen=True, kw_only=True)
class CalendarBias(Lookup):
    """b_cal(t): one number for all ratings of some ``n_days`` of the calendar."""

    n_days: int

    name, table = "calendar", "calendar_bias_"

    def shape(self, model):
        return (model.last_day_ - model.first_day_) // self.n_days + 1

    def cells(self, model, at):
        return [((at.days - model.first_day_) // self.n_days, None)]


class LinearDrift(Lookup):
    """alpha_u dev_u(t): a user's level moves from one end of the span to the other."""

    name, table, of_users = "drift", "drift_", True

    def shape(self, model):
        return model.n_users_, 1

    def cells(self, model, at):
        return [(at.users, at.deviations)]


@dataclass(frozen=True, kw_only=True)
class SplineDrift(Lookup):
    r"""A user's level at n_u^(1/4) knots, and between them by closeness in time.

    .. math:: \sum_l e^{-\sigma |t - t^u_l|} b_{ul} / \sum_l e^{-\sigma |t - t^u_l|}

    The knots lie in ``knots_`` float32 (n_users, most knots): days, infinite beyond a user's own.
    """

    decay: float        # sigma, per day

    name, table, of_users, derived = "drift", "drift_", True, ("knots_",)

    @property
    def learned(self):
        return self.table, "knots_"

    def start(self, model, train, seen, rng):
        """Spread n_u^(1/4) knots, at least one, evenly over the days of each user."""
        xp, n_users = array_module(train.users), train.n_users
        days, counts = model.at(train.pairs).days, xp.bincount(train.users, minlength=n_users)
        days = days[xp.lexsort(xp.stack([days, train.users]))]        # of each user in a row
        days = days if len(days) else xp.full(1, model.last_day_)     # newcomers without ratings
        ends = xp.cumsum(counts)
        first = days[xp.minimum(ends - counts, len(days) - 1)]
        last = days[xp.maximum(ends - 1, 0)]
        n_knots = xp.maximum((counts ** 0.25 + 1e-9).astype(int), 1)[:, None]
        places = xp.arange(int(n_knots.max()))
        knots = first[:, None] + (last - first)[:, None] * (places + 0.5) / n_knots
        model.knots_ = xp.where(places < n_knots, knots, np.inf).astype(xp.float32)
        super().start(model, train, seen, rng)

    def shape(self, model):
        return model.knots_.shape

    def shares(self, model, users, days):
        """Return the share of each knot in each row, (n, most knots)."""
        xp = array_module(users)
        gaps = abs(days[:, None].astype(xp.float32) - model.knots_[users])
        kernel = xp.exp(-self.decay * (gaps - gaps.min(1, keepdims=True)))
        return (kernel / kernel.sum(1, keepdims=True)).astype(xp.float32)

    def cells(self, model, at):
        n_knots, shares = model.knots_.shape[1], self.shares(model, at.users, at.days)
        return [(at.users.astype(np.int64) * n_knots + knot, shares[:, knot])
                for knot in range(n_knots)]


class DayBias(Lookup):
    """b_ut: a user's mood of one day; the last number, zero, is for days never seen."""

    name, table, of_users = "day_bias", "day_bias_", True

    def shape(self, model):
        return len(model.session_keys_) + 1

    def cells(self, model, at):
        return [(at.sessions, None)]


@dataclass(frozen=True, kw_only=True)
class ItemBins(Lookup):
    """b_i,Bin(t): how far an item stands off its bias during some ``n_days``."""

    n_days: int

    name, table = "item_bins", "item_bins_"

    def shape(self, model):
        return model.n_items_, (model.last_day_ - model.first_day_) // self.n_days + 1

    def cells(self, model, at):
        bins = (at.days - model.first_day_) // self.n_days
        return [(at.items.astype(np.int64) * model.item_bins_.shape[1] + bins, None)]


@dataclass(frozen=True, kw_only=True)
class FrequencyBias(Lookup):
    r"""b_i,f: how an item is rated by those who rate many on one day, f = floor(log_a F)."""

    base: float         # a

    name, table = "frequency", "item_frequencies_"

    def level(self, sizes):
        """Return f of days with so many ratings."""
        xp = array_module(sizes)
        return (xp.log(sizes) / np.log(self.base) + 1e-6).astype(int)

    def shape(self, model):
        return model.n_items_, int(self.level(model.session_sizes_).max()) + 1

    def cells(self, model, at):
        n_levels = model.item_frequencies_.shape[1]
        levels = self.level(at.sizes).clip(0, n_levels - 1)
        return [(at.items.astype(np.int64) * n_levels + levels, None)]


class UserScale(Lookup):
    """c_u: how much wider than others a user spreads the items' biases."""

    table, of_users = "user_scale_", True

    def shape(self, model):
        return model.n_users_

    def cells(self, model, at):
        return [(at.users, None)]


class DayScale(Lookup):
    """c_ut: the same of one day; the last number, zero, is for days never seen."""

    table, of_users = "day_scale_", True

    def shape(self, model):
        return len(model.session_keys_) + 1

    def cells(self, model, at):
        return [(at.sessions, None)]


def time_biases(model, reg_scale=None):
    """Return the parts of b_ui(t), in the order of the equation of `TemporalBaseline`.

    ``model`` has the fields of that equation; those of c_u(t) come where ``reg_scale`` is given.
    """
    if model.drift not in DRIFTS:
        raise ValueError(f"drift must be one of {', '.join(DRIFTS)}, not {model.drift!r}")
    bins = [ItemBins(reg=model.reg_bin, n_days=model.item_bin_days)] if model.item_bin_days else []
    items, scale = (ItemBias(reg=model.reg_item), *bins), ()
    if reg_scale is not None:
        scale = UserScale(reg=reg_scale), DayScale(reg=10 * reg_scale)
    parts = [Span(), Sessions(model.beta)]
    if model.calendar_days:
        parts.append(CalendarBias(reg=model.reg_calendar, n_days=model.calendar_days))
    parts.append(UserBias(reg=model.reg_user))
    if model.drift == "linear":
        parts.append(LinearDrift(reg=model.reg_drift))
    if model.drift == "spline":
        parts.append(SplineDrift(reg=model.reg_drift, decay=model.spline_decay))
    if model.day_bias:
        parts.append(DayBias(reg=model.reg_day))
    parts += [replace(part, times=scale, offset=1.0) for part in items]
    if model.frequency:
        parts.append(FrequencyBias(reg=model.reg_frequency, base=model.frequency_base))
    return [*parts, *(replace(part, times=items) for part in scale)]
