"""The GPU driver without a GPU: numba's simulator is switched on before numba is imported."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from test_kernels import RULES

from rslib.kernels import rules


def test_the_gpu_driver_under_the_simulator():
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", here / "simulated_sgd.py"],
        cwd=here.parent, env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}, capture_output=True,
        text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule, start", RULES, ids=[rule.__name__ for rule, _ in RULES])
def test_the_rules_compile_for_a_warp(rule, start, dtype, train, monkeypatch):
    """To the instructions of a device that need not be here; only the compiler has to be."""
    pytest.importorskip("numba_cuda", reason="numba-cuda (extra gpu12 or gpu13) is not installed")
    from numba import cuda
    from numba.cuda import dispatcher, types

    from rslib.kernels.sgd_gpu import kernel_of

    def type_of(value):
        if not isinstance(value, np.ndarray):
            return getattr(types, dtype)
        kind = dtype if value.dtype.kind == "f" else str(value.dtype)
        return types.Array(getattr(types, kind), value.ndim, "C")

    monkeypatch.setattr(dispatcher, "get_current_device",
                        lambda: SimpleNamespace(compute_capability=(9, 0)))
    state, steps = (types.Tuple([type_of(value) for value in values]) for values in start(train))
    integers = types.Array(types.int64, 1, "C")
    columns = (integers, types.Array(types.int32, 1, "C"), types.Array(types.float32, 1, "C"))
    signature = (*columns, *[integers] * 4, types.Array(types.float64, 1, "C"), state, steps)
    code, _ = cuda.compile_ptx(kernel_of(rule).py_func, signature, cc=(9, 0))
    assert "bar.warp.sync" in code
    assert ("shfl.sync.bfly" in code) == (rule is not rules.baseline)    # which has nothing to sum
