"""How kernels are compiled for the CPU."""

import numba

# sums may be reordered and multiply-adds fused; NaN and infinity keep their meaning
OPTIONS = {"fastmath": {"reassoc", "contract", "nsz"}, "error_model": "numpy"}

compiled = numba.njit(cache=True, **OPTIONS)
inlined = numba.njit(inline="always", **OPTIONS)
threaded = numba.njit(cache=True, parallel=True, **OPTIONS)
