"""The models, in the order of the ladder."""

from rslib.models.asymmetric_svd import AsymmetricSVD
from rslib.models.base import Model
from rslib.models.baseline import Baseline
from rslib.models.biased_mf import BiasedMF
from rslib.models.bpr import BPR
from rslib.models.ease import EASE
from rslib.models.global_weights import GlobalWeights
from rslib.models.implicit_als import ImplicitALS
from rslib.models.imputed_svd import ImputedSVD
from rslib.models.integrated import Integrated
from rslib.models.item_weights import ItemWeights
from rslib.models.matrix_factorisation import MatrixFactorisation
from rslib.models.mean import Mean
from rslib.models.neighbours import Neighbours
from rslib.models.nsvd import NSVD
from rslib.models.popularity import Popularity
from rslib.models.rbm import RBM
from rslib.models.svdpp import SVDpp
from rslib.models.temporal_asymmetric_svd import TemporalAsymmetricSVD
from rslib.models.temporal_baseline import TemporalBaseline
from rslib.models.temporal_integrated import TemporalIntegrated
from rslib.models.temporal_weights import TemporalWeights
from rslib.models.time_svdpp import TimeSVDpp

MODELS = [Mean, Baseline, Neighbours, ItemWeights, GlobalWeights, ImputedSVD, MatrixFactorisation,
          BiasedMF, NSVD, AsymmetricSVD, SVDpp, Integrated, TemporalBaseline, TimeSVDpp,
          TemporalWeights, TemporalAsymmetricSVD, TemporalIntegrated, RBM, Popularity, BPR,
          ImplicitALS, EASE]

__all__ = ["BPR", "EASE", "MODELS", "NSVD", "RBM", "AsymmetricSVD", "Baseline", "BiasedMF",
           "GlobalWeights", "ImplicitALS", "ImputedSVD", "Integrated", "ItemWeights",
           "MatrixFactorisation", "Mean", "Model", "Neighbours", "Popularity", "SVDpp",
           "TemporalAsymmetricSVD", "TemporalBaseline", "TemporalIntegrated", "TemporalWeights",
           "TimeSVDpp"]
