"""The protocol: how predictions and rankings are scored, and how models are compared."""

from rslib.metrics.bootstrap import Interval, paired_bootstrap, standard_error
from rslib.metrics.comparing import compare, compare_means, compare_rankings, holm
from rslib.metrics.errors import clip, clipped_rmse, mae, rmse
from rslib.metrics.full_ranking import rank
from rslib.metrics.rankings import Ranking

__all__ = ["Interval", "Ranking", "clip", "clipped_rmse", "compare", "compare_means",
           "compare_rankings", "holm", "mae", "paired_bootstrap", "rank", "rmse",
           "standard_error"]
