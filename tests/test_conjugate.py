import numpy as np
import pytest
from test_kernels import SHAPES, extras, problem

from rslib import kernels


def start_of(ridge, seed=2):
    return np.random.default_rng(seed).normal(size=ridge.shape).astype(ridge.dtype)


@pytest.mark.parametrize("fast", [kernels.ridge_rows_cg, kernels.ridge_rows_cg_batched])
@pytest.mark.parametrize("kind", ["plain", "weighted", "implicit"])
@pytest.mark.parametrize("lengths", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-3), (np.float64, 1e-10)])
@pytest.mark.parametrize("k", [1, 5, 33])
def test_conjugate_gradients_equal_the_slow_twin(fast, kind, lengths, dtype, tolerance, k):
    inputs = problem(lengths, k, dtype=dtype)
    start, options = start_of(inputs[-1]), extras(kind, inputs)
    ours = fast(*inputs, start, n_steps=3, **options)
    slow = kernels.ridge_rows_cg_slow(*inputs, start, n_steps=3, **options)
    assert ours.dtype == dtype
    scale = abs(slow).max(initial=1)
    np.testing.assert_allclose(ours, slow, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("kind", ["plain", "implicit"])
def test_as_many_steps_as_factors_solve_the_rows(kind):
    inputs = problem(SHAPES["skewed"], 6, dtype=np.float64)
    options = extras(kind, inputs)
    solved = kernels.ridge_rows(*inputs, **options)
    ours = kernels.ridge_rows_cg(*inputs, start_of(inputs[-1]), n_steps=12, **options)
    np.testing.assert_allclose(ours, solved, rtol=1e-7, atol=1e-7)


def test_each_step_comes_closer_and_the_start_is_unaltered():
    inputs = problem(SHAPES["skewed"], 20, dtype=np.float64)
    start, solved = start_of(inputs[-1]), kernels.ridge_rows(*inputs)
    before = start.copy()
    rated = np.diff(inputs[0]) > 0
    off = [abs(kernels.ridge_rows_cg(*inputs, start, n_steps=n) - solved)[rated].max()
           for n in (1, 4, 16, 40)]
    assert off == sorted(off, reverse=True) and off[-1] < 1e-6 < off[0]
    assert np.array_equal(start, before)


def test_no_steps_are_refused():
    inputs = problem([3], 4)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        kernels.ridge_rows_cg(*inputs, start_of(inputs[-1]), n_steps=0)
