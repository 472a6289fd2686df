"""The protocol: how predictions are scored and how models are compared."""

from rslib.metrics.comparing import Interval, paired_bootstrap, standard_error
from rslib.metrics.errors import clip, clipped_rmse, mae, rmse

__all__ = ["Interval", "clip", "clipped_rmse", "mae", "paired_bootstrap", "rmse", "standard_error"]
