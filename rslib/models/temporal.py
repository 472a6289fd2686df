"""What the models of time have in common: the settings of their biases."""

from dataclasses import dataclass
from typing import Literal

from rslib.models.additive import Additive
from rslib.models.domains import Positive, Whole, number


@dataclass(kw_only=True)
class Temporal(Additive):
    """Base of the models with the biases b_ui(t) of `TemporalBaseline`, which explains the fields.

    `rslib.models.parts.time.time_biases` makes parts of them.
    """

    calendar_days: Whole = 90
    item_bin_days: Whole = 280
    drift: Literal["none", "linear", "spline"] = "linear"
    day_bias: bool = True
    frequency: bool = False
    beta: Positive = 0.2
    spline_decay: Positive = 0.3
    frequency_base: number(float, 1, open_low=True) = 6.76
    reg_user: Positive = 4.0
    reg_item: Positive = 6.0
    reg_calendar: Positive = 50.0
    reg_bin: Positive = 100.0
    reg_drift: Positive = 20.0
    reg_day: Positive = 25.0
    reg_frequency: Positive = 25.0
