"""Tables and figures used by more than one notebook; a figure takes and returns an Axes."""

from rslib.plots.findings import finding
from rslib.plots.ladders import ladder
from rslib.plots.panels import PALETTE, label_points, panels
from rslib.plots.sweeps import sweep
from rslib.plots.tables import Table

__all__ = ["PALETTE", "Table", "finding", "label_points", "ladder", "panels", "sweep"]
