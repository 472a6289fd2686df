"""The inner loops, and what they promise.

============================  ============================================  ==================
function                      does                                          devices
============================  ============================================  ==================
``ridge_rows``                one ridge regression per row of a CSR         CPU compiled, GPU
``ridge_rows_batched``        the same in array expressions                 both
``ridge_rows_cg``             a few steps of conjugate gradients instead    CPU compiled, GPU
``ridge_rows_slow``           its readable twin, a loop over rows           CPU
``co_ratings``                sums over the users two items share           both
``similarity_blocks``         similarities of all items, block by block     both
``similar_items``             the most similar items of each                both
``neighbour_deviations``      what the nearest rated items say of a pair    both
``weighted_sums``             what they say by weights, for pairs           both
``top_k_products``            the best items of each user, block by block   both
``filled_products``           a filled matrix times a thin one              both
``truncated_svd``             largest singular values, sparse matrix        both
``product_svd``               the same of a product of thin matrices        both
``predict_pairs``             bias plus dot product for a list of pairs     both
``deal_blocks``               ratings in blocks that threads can share      both
``sgd_epoch``                 one pass of an update rule over ratings       both (compiled)
``sgd_epoch_slow``            the same rule, interpreted                    CPU
``feature_sgd_epoch``         the same where users are sums of features     both (compiled)
``feature_sums``              those sums                                    both
``session_sgd_epoch``         the same where users change from day to day   both (compiled)
``pairwise_epoch``            one pass of steps on pairs of items           both (compiled)
``pairwise_epoch_slow``       the same, interpreted                         CPU
``deal_owned``                who has what, in blocks for them              both
``draw_negatives``            an item for each that a user has              CPU compiled
``contrastive_divergence``    gradient of CD-T for a minibatch of cases     CPU compiled, GPU
``level_probabilities``       of a rating, given the hidden units           both
============================  ============================================  ==================

The update rules of ``sgd_epoch`` are plain functions of one rating in `rslib.kernels.rules`,
written once: a driver says how lanes share the factors and how their sums are reduced.
"""

from rslib.kernels.conjugate import ridge_rows_cg, ridge_rows_cg_batched, ridge_rows_cg_slow
from rslib.kernels.contrastive import contrastive_divergence, level_probabilities
from rslib.kernels.features import feature_sgd_epoch, feature_sgd_epoch_slow, feature_sums
from rslib.kernels.filled import (
    filled_products,
    filled_products_slow,
    product_svd,
    truncated_svd,
)
from rslib.kernels.interpolation import weighted_sums, weighted_sums_slow
from rslib.kernels.neighbours import neighbour_deviations, neighbour_deviations_slow, similar_items
from rslib.kernels.normal_equations import ridge_rows, ridge_rows_batched, ridge_rows_slow
from rslib.kernels.pairwise import (
    deal_owned,
    draw_negatives,
    pairwise_epoch,
    pairwise_epoch_slow,
)
from rslib.kernels.predict import predict_pairs
from rslib.kernels.sessions import session_sgd_epoch
from rslib.kernels.sessions_slow import session_sgd_epoch_slow
from rslib.kernels.sgd import deal_blocks, sgd_epoch, sgd_epoch_slow
from rslib.kernels.similarity import co_ratings, co_ratings_slow, similarity_blocks
from rslib.kernels.slow import slow_motion
from rslib.kernels.top_k import top_k_products

__all__ = [
    "co_ratings",
    "co_ratings_slow",
    "contrastive_divergence",
    "deal_blocks",
    "deal_owned",
    "draw_negatives",
    "feature_sgd_epoch",
    "feature_sgd_epoch_slow",
    "feature_sums",
    "filled_products",
    "filled_products_slow",
    "level_probabilities",
    "neighbour_deviations",
    "neighbour_deviations_slow",
    "pairwise_epoch",
    "pairwise_epoch_slow",
    "predict_pairs",
    "product_svd",
    "ridge_rows",
    "ridge_rows_batched",
    "ridge_rows_cg",
    "ridge_rows_cg_batched",
    "ridge_rows_cg_slow",
    "ridge_rows_slow",
    "session_sgd_epoch",
    "session_sgd_epoch_slow",
    "sgd_epoch",
    "sgd_epoch_slow",
    "similar_items",
    "similarity_blocks",
    "slow_motion",
    "top_k_products",
    "truncated_svd",
    "weighted_sums",
    "weighted_sums_slow",
]
