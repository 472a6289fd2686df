"""Blending: models trained on residuals of others, and many models made one."""

from rslib.blend.blender import Blender
from rslib.blend.chain import Chain
from rslib.blend.crossfit import cross_fit, folds_of
from rslib.blend.linear import Average, NonNegative, Ridge
from rslib.blend.local import Binned, FeatureWeighted
from rslib.blend.members import Members
from rslib.blend.side import Side, side_features, side_of_split
from rslib.blend.trained import Neural, Trees
from rslib.blend.worth import Step, diversity, greedy, leave_one_out, two_member_optimum

__all__ = ["Average", "Binned", "Blender", "Chain", "FeatureWeighted", "Members", "Neural",
           "NonNegative", "Ridge", "Side", "Step", "Trees", "cross_fit", "diversity",
           "folds_of", "greedy", "leave_one_out", "side_features", "side_of_split",
           "two_member_optimum"]
