"""The models, in the order of the ladder."""

from rslib.models.asymmetric_svd import AsymmetricSVD
from rslib.models.base import Model
from rslib.models.baseline import Baseline
from rslib.models.biased_mf import BiasedMF
from rslib.models.mean import Mean
from rslib.models.nsvd import NSVD
from rslib.models.svdpp import SVDpp

MODELS = [Mean, Baseline, BiasedMF, NSVD, AsymmetricSVD, SVDpp]

__all__ = ["MODELS", "NSVD", "AsymmetricSVD", "Baseline", "BiasedMF", "Mean", "Model", "SVDpp"]
