"""The SVD of a filled matrix: its kernels, its optimum, and what iterated filling converges to."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from strict import close, device
from worlds import planted_world

from rslib import kernels
from rslib.metrics import rmse
from rslib.models import Baseline, ImputedSVD
from rslib.ratings import Ratings

FIXED = [ImputedSVD(4, fill, shrinkage=2) for fill in ("zero", "user", "item", "baseline")]
each_fixed = pytest.mark.parametrize("model", FIXED, ids=lambda model: model.fill)
SIDES = {"filled": (), "empty rows": (0, 7, 119), "one rating": tuple(range(1, 120))}


def dense(ratings, values=None):
    matrix = np.zeros((ratings.n_users, ratings.n_items))
    matrix[ratings.users, ratings.items] = ratings.values if values is None else values
    return matrix


def left_over(model, train):
    """The matrix that the model decomposes, written down in full."""
    return dense(train, np.float64(model._left_over(model.in_units(train))))


def without(train, users):
    some = train[~np.isin(train.users, users)]
    return some[:1] if len(users) == 119 else some


# the kernels


@pytest.mark.parametrize("dtype, atol", [(np.float32, 2e-3), (np.float64, 1e-10)])
@pytest.mark.parametrize("with_mine", [False, True])
@pytest.mark.parametrize("users", SIDES.values(), ids=SIDES.keys())
def test_products_equal_the_slow_twin(users, with_mine, dtype, atol, train, cupy):
    side = without(train, users).by_user
    rng = np.random.default_rng(0)
    other, mine = (rng.normal(size=(n, 5)).astype(dtype) for n in (80, 120))
    inputs = side, side.values, other, mine if with_mine else None
    ours = kernels.filled_products(*inputs)
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours, kernels.filled_products_slow(*inputs), atol=atol)
    close(kernels.filled_products(*device(cupy, inputs)), ours, atol)


@pytest.mark.parametrize("n_factors", [1, 4, 30])
def test_truncated_svd_is_that_of_the_dense_matrix(n_factors, train):
    left, lengths, right = kernels.truncated_svd(
        train.by_user, train.by_item, train.by_user.values, train.by_item.values, n_factors)
    full = np.linalg.svd(dense(train), full_matrices=False)
    np.testing.assert_allclose(lengths, full[1][:n_factors], rtol=1e-9)
    np.testing.assert_allclose(left.T @ left, np.eye(n_factors), atol=1e-9)
    best = (full[0][:, :n_factors] * lengths) @ full[2][:n_factors]
    np.testing.assert_allclose(left * lengths @ right.T, best, atol=1e-4)
    assert (right.max(axis=0) == abs(right).max(axis=0)).all(), "signs are not fixed"


def test_truncated_svd_past_the_rank_is_zero():
    one = Ratings(np.array([0, 1]), np.array([1, 1]), values=np.array([3.0, 4]), n_items=9)
    left, lengths, right = kernels.truncated_svd(
        one.by_user, one.by_item, one.by_user.values, one.by_item.values, 3)
    np.testing.assert_allclose(lengths, [5, 0, 0])
    np.testing.assert_allclose(left[:, 0], [0.6, 0.8])
    assert right.shape == (9, 3) and right[1, 0] == pytest.approx(1) and not right[:, 1:].any()


def test_product_svd_is_that_of_the_product():
    rng = np.random.default_rng(0)
    p, q = rng.normal(size=(30, 4)), rng.normal(size=(20, 4))
    p[:, 3] = p[:, 2]           # rank three only
    left, lengths, right = kernels.product_svd(p, q)
    np.testing.assert_allclose(left * lengths @ right.T, p @ q.T, atol=1e-7)
    np.testing.assert_allclose(lengths, np.linalg.svd(p @ q.T)[1][:4], atol=1e-6)


# what a fixed fill minimises


@each_fixed
def test_a_fixed_fill_is_the_shrunken_svd_of_the_dense_matrix(model, train):
    model = replace(model).fit(train)
    left, lengths, right = np.linalg.svd(left_over(model, train), full_matrices=False)
    shrunken = np.maximum(lengths[:4] - 2, 0)
    np.testing.assert_allclose(model.user_factors_ @ model.item_factors_.T,
                               (left[:, :4] * shrunken) @ right[:4], atol=1e-3)


def gradients(model, train):
    """Half the gradient of J with respect to both sides, cell by cell."""
    p, q = (np.float64(table) for table in (model.user_factors_, model.item_factors_))
    to_p, to_q = model.shrinkage * p, model.shrinkage * q
    x, known = left_over(model, train), dense(train, 1) > 0
    for u, i in np.ndindex(x.shape):
        if known[u, i] or model.fill != "iterate":
            error = x[u, i] - p[u] @ q[i]
            to_p[u] -= error * q[i]
            to_q[i] -= error * p[u]
    return to_p, to_q


@pytest.mark.parametrize("model", [*FIXED, ImputedSVD(2, "iterate", shrinkage=3, n_epochs=400)],
                         ids=lambda model: model.fill)
def test_the_gradient_vanishes_at_the_fit(model, train):
    model = replace(model).fit(train)
    assert max(abs(part).max() for part in gradients(model, train)) < 5e-3
    model.item_factors_ = model.item_factors_ * np.float32(1.02)
    assert max(abs(part).max() for part in gradients(model, train)) > 0.05


@pytest.mark.parametrize("model", [*FIXED, ImputedSVD(4, "iterate", shrinkage=2, n_epochs=1)],
                         ids=lambda model: model.fill)
def test_the_objective_is_the_docstring_s_and_its_gradient_agrees(model, train):
    """Finite differences of `objective` against the double loop, at a random place."""
    rng = np.random.default_rng(3)
    model = replace(model).fit(train)
    names = "user_factors_", "item_factors_"
    for name in names:
        setattr(model, name, rng.normal(0, 0.5, getattr(model, name).shape))
    for name, gradient in zip(names, gradients(model, train), strict=True):
        array = getattr(model, name)
        place = tuple(rng.integers(0, array.shape))
        ends = []
        for step in (1e-4, -2e-4):
            array[place] += step
            ends.append(model.objective(train) / model.unit_ ** 2)
        assert (ends[0] - ends[1]) / 2e-4 == pytest.approx(2 * gradient[place], rel=1e-3)


# iterated filling


@pytest.mark.parametrize("shrinkage", [0, 3])
def test_filling_again_never_raises_the_objective(shrinkage, train):
    curve = []
    ImputedSVD(6, "iterate", shrinkage=shrinkage, n_epochs=40).fit(
        train, on_epoch=lambda _, model: curve.append(model.objective(train)))
    assert len(curve) == 40 and curve[-1] < 0.95 * curve[0]
    assert all(later <= earlier * (1 + 1e-6) for earlier, later in pairwise(curve))


def test_an_epoch_is_one_fill_and_one_projection_of_each_side(train):
    """The slow twin writes the filled matrix down."""
    start = ImputedSVD(3, "iterate", shrinkage=2, n_epochs=0).fit(train)
    p, q = (np.float64(table) for table in (start.user_factors_, start.item_factors_))
    x, known = left_over(start, train), dense(train, 1) > 0
    ridge = 2 * np.eye(3)
    p = np.where(known, x, p @ q.T) @ q @ np.linalg.inv(q.T @ q + ridge)
    left, lengths, right = kernels.product_svd(p, q)
    p, q = left * np.sqrt(lengths), right * np.sqrt(lengths)
    q = np.where(known, x, p @ q.T).T @ p @ np.linalg.inv(p.T @ p + ridge)
    ours = replace(start, n_epochs=1).fit(train)
    np.testing.assert_allclose(ours.user_factors_ @ ours.item_factors_.T, p @ q.T, atol=1e-4)


def test_on_epoch_can_stop(train):
    epochs = []
    model = ImputedSVD(2, n_epochs=9)
    model.fit(train, on_epoch=lambda epoch, _: epochs.append(epoch) or epoch == 3)
    assert epochs == [1, 2, 3]


def test_columns_are_orthogonal_and_fall(train):
    model = ImputedSVD(4, "iterate", shrinkage=1, n_epochs=10).fit(train)
    for table in (model.user_factors_, model.item_factors_):
        gram = table.T @ table
        assert abs(gram - np.diag(np.diag(gram))).max() < 1e-3
        assert (np.diff(np.diag(gram)) < 0).all()


# what is recovered, and in which order the fills stand


def test_planted_taste_comes_back_by_iteration_and_not_by_one_fill():
    train, stars = planted_world(n_users=400, n_items=150, noise=0.3)
    errors = {fill: rmse(ImputedSVD(2, fill, shrinkage=1, n_epochs=100).fit(train)
                         .score(np.arange(400)).ravel(), stars.ravel())
              for fill in ("zero", "baseline", "iterate")}
    assert errors["iterate"] < 0.15 < 0.3 < errors["baseline"] < 0.6 < 1.5 < errors["zero"]


def test_zero_fill_drags_predictions_to_zero(train):
    model = ImputedSVD(4, "zero", shrinkage=0).fit(train)
    assert model.predict(train.pairs).mean() < 0.6 * train.values.mean()


def test_zero_fill_gives_the_unknown_the_global_mean(train):
    known = train[(train.users > 5) & (train.items > 5)]
    scores = ImputedSVD(4, "zero", shrinkage=0).fit(known).score(np.arange(120))
    mean = known.values.mean()
    np.testing.assert_allclose(scores[:6], mean, rtol=1e-6)
    np.testing.assert_allclose(scores[:, :6], mean, rtol=1e-6)


def test_all_factors_of_a_full_matrix_give_it_back():
    rng = np.random.default_rng(0)
    users, items = np.divmod(np.arange(48), 8)
    full = Ratings(users, items, values=rng.uniform(1, 5, 48))
    model = ImputedSVD(6, "zero", shrinkage=0).fit(full)
    np.testing.assert_allclose(model.predict(full.pairs), full.values, atol=1e-4)


def test_more_shrinkage_than_signal_leaves_the_baseline(train):
    for fill in ("baseline", "iterate"):
        model = ImputedSVD(4, fill, shrinkage=1e4, n_epochs=2).fit(train)
        baseline = Baseline("ridge").fit(train)
        np.testing.assert_allclose(model.predict(train.pairs), baseline.predict(train.pairs),
                                   atol=2e-6)
