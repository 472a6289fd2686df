"""What the models of time have in common: the settings of their biases."""

from dataclasses import dataclass

from rslib.models.additive import Additive


@dataclass(kw_only=True)
class Temporal(Additive):
    """Base of the models with the biases b_ui(t) of `TemporalBaseline`, which explains the fields.

    `rslib.models.parts.time.time_biases` makes parts of them.
    """

    calendar_days: int = 30
    item_bin_days: int = 70
    drift: str = "linear"
    day_bias: bool = True
    frequency: bool = False
    beta: float = 0.4
    spline_decay: float = 0.3
    frequency_base: float = 6.76
    reg_user: float = 5.0
    reg_item: float = 3.0
    reg_calendar: float = 50.0
    reg_bin: float = 100.0
    reg_drift: float = 50.0
    reg_day: float = 15.0
    reg_frequency: float = 25.0
