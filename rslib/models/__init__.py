"""The models, in the order of the ladder."""

from rslib.models.base import Model
from rslib.models.baseline import Baseline
from rslib.models.biased_mf import BiasedMF
from rslib.models.mean import Mean

MODELS = [Mean, Baseline, BiasedMF]

__all__ = ["MODELS", "Baseline", "BiasedMF", "Mean", "Model"]
