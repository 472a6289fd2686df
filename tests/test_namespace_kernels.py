"""Conjugate gradients, similarity, neighbours and top-k on the pretend device."""


import numpy as np
import pytest
import strict
from strict import close, device
from test_kernels import SHAPES, extras, problem
from test_similarity import neighbourhood, sides, small_world

from rslib import kernels
from rslib.kernels.neighbours import neighbour_deviations, similar_items
from rslib.kernels.similarity import similarity_blocks
from rslib.kernels.top_k import top_k, top_k_products


@pytest.mark.parametrize("kind", ["pearson", "cosine"])
def test_similarities(cupy, kind):
    arguments = sides(small_world(), np.float32)
    options = dict(kind=kind, shrinkage=5, budget=4000)
    for (_, ours), (_, theirs) in zip(similarity_blocks(*device(cupy, arguments), **options),
                                      similarity_blocks(*arguments, **options), strict=True):
        close(ours, theirs)
    for ours, theirs in zip(similar_items(*device(cupy, arguments), 3, kind=kind),
                            similar_items(*arguments, 3, kind=kind), strict=True):
        assert isinstance(ours, strict.ndarray) and ours.shape == theirs.shape
    close(ours, theirs)


def test_top_k(cupy):
    rng = np.random.default_rng(0)
    p, q = rng.normal(size=(30, 3)), rng.normal(size=(12, 3))
    by_user = small_world().by_user
    there = top_k_products(*device(cupy, (p, q)), 5, item_bias=device(cupy, q[:, 0]),
                           exclude=device(cupy, by_user), block=7)
    here = top_k_products(p, q, 5, item_bias=q[:, 0], exclude=by_user)
    for ours, theirs in zip(there, here, strict=True):
        close(ours, theirs)
    with pytest.raises(ValueError, match="row 1 holds NaN"):
        top_k(cupy.asarray(np.array([[1., 2], [np.nan, 3]])), 1)
    with pytest.raises(TypeError, match="different devices"):
        top_k_products(cupy.asarray(p), q, 5)


def test_neighbours(cupy):
    *pairs, table = neighbourhood(small_world(), np.float32)
    for known in (table, top_k(table, 4)):
        close(neighbour_deviations(*device(cupy, (*pairs, known)), 3),
              neighbour_deviations(*pairs, known, 3))


@pytest.mark.parametrize("kind", ["plain", "weighted", "implicit"])
def test_conjugate_gradients(cupy, kind):
    inputs = problem(SHAPES["skewed"], 5)
    options, start = extras(kind, inputs), np.ones_like(inputs[-1])
    there = {name: cupy.asarray(array) for name, array in options.items()}
    ours = kernels.ridge_rows_cg(*device(cupy, inputs), cupy.asarray(start), **there)
    close(ours, kernels.ridge_rows_cg(*inputs, start, **options), atol=1e-3)
