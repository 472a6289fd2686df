"""The inner loops, and what they promise.

============================  ============================================  ==================
function                      does                                          devices
============================  ============================================  ==================
``ridge_rows``                one ridge regression per row of a CSR         CPU compiled, GPU
``ridge_rows_batched``        the same in array expressions                 both
``ridge_rows_cg``             a few steps of conjugate gradients instead    CPU compiled, GPU
``ridge_rows_slow``           its readable twin, a loop over rows           CPU
``predict_pairs``             bias plus dot product for a list of pairs     both
``deal_blocks``               ratings in blocks that threads can share      CPU
``sgd_epoch``                 one pass of an update rule over ratings       CPU (compiled)
``sgd_epoch_slow``            the same rule, interpreted                    CPU
============================  ============================================  ==================

The update rules of ``sgd_epoch`` are plain functions of one rating in `rslib.kernels.rules`,
written once: a driver says how lanes share the factors and how their sums are reduced.
"""

from rslib.kernels.conjugate import (
    ridge_rows_cg,
    ridge_rows_cg_batched,
    ridge_rows_cg_slow,
)
from rslib.kernels.normal_equations import ridge_rows, ridge_rows_batched, ridge_rows_slow
from rslib.kernels.predict import predict_pairs
from rslib.kernels.sgd import deal_blocks, sgd_epoch, sgd_epoch_slow

__all__ = ["deal_blocks", "predict_pairs", "ridge_rows", "ridge_rows_batched", "ridge_rows_cg",
           "ridge_rows_cg_batched", "ridge_rows_cg_slow", "ridge_rows_slow",
           "sgd_epoch", "sgd_epoch_slow"]
