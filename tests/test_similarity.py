"""Similarities, top-k and neighbours: each fast path against its slow twin, and by hand."""

import numba
import numpy as np
import pytest

import rslib.kernels.similarity as similarity_module
from rslib.kernels.neighbours import (
    neighbour_deviations,
    neighbour_deviations_batched,
    neighbour_deviations_slow,
    similar_items,
)
from rslib.kernels.similarity import (
    CoRatings,
    co_ratings,
    co_ratings_dense,
    co_ratings_slow,
    similarity,
    similarity_blocks,
)
from rslib.kernels.top_k import top_k, top_k_array, top_k_products
from rslib.ratings import CSR, Ratings

DTYPES = pytest.mark.parametrize("dtype, tolerance", [(np.float32, 3e-5), (np.float64, 1e-12)])


def small_world(n=200, n_users=30, n_items=12):
    """Return at most 280 unique pairs with stars; the last two users and items have none."""
    rng = np.random.default_rng(0)
    users, items = np.divmod(rng.permutation(280)[:n], 10)
    return Ratings(users, items, values=rng.integers(1, 6, len(users)), n_users=n_users,
                   n_items=n_items)


WORLDS = {"dense": small_world(), "sparse": small_world(60), "one rating": small_world(1),
          "none": small_world(0),
          "pair rated twice": Ratings(np.array([0, 0, 0, 1]), np.array([0, 1, 0, 1]),
                                      values=np.array([1, 2, 4, 5]))}
EACH_WORLD = pytest.mark.parametrize("ratings", WORLDS.values(), ids=WORLDS.keys())


def sides(ratings, dtype=np.float64):
    """Arguments of `co_ratings`, with deviations from 3 stars."""
    x = (ratings.values - 3).astype(dtype)
    return ratings.by_item, ratings.by_user, x[ratings.by_item.rows], x[ratings.by_user.rows]


def n_threads_in_turn(function):
    """Results of ``function()`` with one thread and with all."""
    before, results = numba.get_num_threads(), []
    try:
        for n_threads in (1, before):
            numba.set_num_threads(n_threads)
            results.append(function())
    finally:
        numba.set_num_threads(before)
    return results


@EACH_WORLD
@DTYPES
@pytest.mark.parametrize("sums", [True, False])
def test_co_ratings_equal_the_slow_twin(ratings, dtype, tolerance, sums):
    arguments, first, last = sides(ratings, dtype), 1, ratings.n_items
    slow = co_ratings_slow(*arguments, first, last)
    for fast in (co_ratings(*arguments, first, last, sums=sums),
                 co_ratings_dense(arguments[1], arguments[3], ratings.n_items, first, last,
                                  sums=sums, budget=1000)):
        for ours, theirs in zip(fast[:6 if sums else 4], slow, strict=False):
            assert ours.dtype == dtype
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)
        assert sums or fast.row_sums is fast.column_sums is None


def test_co_ratings_by_hand():
    """Items 0 and 1 were both rated by users 0 and 2."""
    ratings = Ratings(np.array([0, 0, 1, 2, 2]), np.array([0, 1, 0, 0, 1]),
                      values=np.array([5, 4, 1, 2, 3]))
    stats = co_ratings(ratings.by_item, ratings.by_user, ratings.by_item.values,
                       ratings.by_user.values, 0, 2)
    assert [float(total[0, 1]) for total in stats] == [2, 26, 29, 25, 7, 7]
    assert [float(total[0, 0]) for total in stats] == [3, 30, 30, 30, 8, 8]


def one_pair(x, y):
    x, y = np.array(x, float), np.array(y, float)
    return CoRatings(*(np.array([[term]]) for term in (float(len(x)), x @ y, x @ x, y @ y, x.sum(),
                                                       y.sum())))


@pytest.mark.parametrize("kind, x, y, shrinkage, expected", [
    ("pearson", [1, 2, 3], [2, 4, 6], 0, 1),
    ("pearson", [1, 2, 3], [3, 2, 1], 2, -1 / 2),
    ("pearson", [1, 2, 3], [1, 3, 2], 0, 1 / 2),
    ("pearson", [.1] * 6, [.1] * 6, 0, 0),              # vary by rounding only
    ("cosine", [1, 2], [2, 1], 0, 4 / 5),
    ("cosine", [1, 2], [2, 1], 100, 4 / 5 / 101),
    ("cosine", [0, 0], [2, 1], 0, 0),
    ("cosine", [1], [1], 0, 0),                         # one user says nothing
    ("cosine", [], [], 100, 0)])
def test_similarity_by_hand(kind, x, y, shrinkage, expected):
    ours = similarity(one_pair(x, y), kind, shrinkage)
    assert ours.shape == (1, 1) and float(ours[0, 0]) == pytest.approx(expected, abs=1e-12)


def test_pearson_is_the_correlation_of_the_common_users():
    ratings = small_world(200)
    stars = np.full((ratings.n_users, ratings.n_items), np.nan)
    stars[ratings.users, ratings.items] = ratings.values
    (_, ours), = similarity_blocks(*sides(ratings, np.float32), kind="pearson")
    both = np.isfinite(stars[:, 2]) & np.isfinite(stars[:, 7])
    assert ours.dtype == np.float32
    assert ours[2, 7] == pytest.approx(np.corrcoef(stars[both][:, [2, 7]].T)[0, 1], abs=1e-5)


def test_equal_similarities_stay_equal_however_sums_are_rounded(monkeypatch):
    """Three items that all users rate alike: each is the others' nearest, in order of their ids."""
    rng, sum_block = np.random.default_rng(0), similarity_module._sum_block
    stars = 3 + rng.normal(0, 1, (9, 1)) * [1.0, 1.7, 0.3]      # alike, up to a factor
    users, items = np.divmod(np.arange(27), 3)
    ratings = Ratings(users, items, values=stars.ravel())

    def moved(*arguments):
        return CoRatings(*(array if array is None or at == 0 else array * rng.uniform(
            1 - 3e-7, 1 + 3e-7, array.shape).astype(np.float32)
            for at, array in enumerate(sum_block(*arguments))))
    monkeypatch.setattr(similarity_module, "_sum_block", moved)
    for _ in range(20):
        ids, best = similar_items(*sides(ratings, np.float32), 2, kind="cosine", shrinkage=5)
        assert ids.tolist() == [[1, 2], [0, 2], [0, 1]] and len(set(best.ravel().tolist())) == 1


@pytest.mark.parametrize("kind", ["pearson", "cosine"])
def test_blocks_and_threads_do_not_change_a_bit(kind):
    arguments = sides(small_world(), np.float32)

    def all_pairs(budget):
        blocks = list(similarity_blocks(*arguments, kind=kind, shrinkage=5, budget=budget))
        assert [first for first, _ in blocks] == np.cumsum(
            [0, *(len(block) for _, block in blocks[:-1])]).tolist()
        return np.concatenate([block for _, block in blocks])

    one, many = n_threads_in_turn(lambda: all_pairs(1 << 20))
    assert np.array_equal(one, many) and np.array_equal(one, all_pairs(3000))
    lists = [similar_items(*arguments, 4, kind=kind, shrinkage=5, budget=b) for b in (1, 1 << 20)]
    for small, large in zip(*lists, strict=True):
        assert np.array_equal(small, large)
    np.fill_diagonal(one, -2)
    assert np.array_equal(lists[0][0], np.argsort(-one, axis=1, kind="stable")[:, :4])


@pytest.mark.parametrize("change, error, match", [
    (dict(values_by_item=np.ones(280, int)), TypeError, "must be float32 or float64"),
    (dict(values_by_user=np.ones(280, np.float32)), TypeError, "the same on both sides"),
    (dict(values_by_user=np.ones(5)), ValueError, r"values_by_user has shape \(5,\)"),
    (dict(values_by_item=np.append(np.ones(279), np.nan)), ValueError, "row 279 is nan"),
    (dict(by_user=small_world(280).by_item), ValueError, "from the same Ratings"),
    (dict(first=3, last=3), ValueError, "at least one of them"),
    (dict(last=13), ValueError, "must lie in 0..12")])
def test_co_ratings_refuses(change, error, match):
    names = ("by_item", "by_user", "values_by_item", "values_by_user")
    good = dict(zip(names, sides(small_world(280)), strict=True), first=0, last=12)
    with pytest.raises(error, match=match):
        co_ratings(**good | change)


def test_similarity_refuses():
    with pytest.raises(ValueError, match="'pearson' without sums"):
        similarity(one_pair([1], [1])._replace(row_sums=None))
    with pytest.raises(ValueError, match="not 'euclid'"):
        similarity(one_pair([1], [1]), "euclid")
    with pytest.raises(ValueError, match="shrinkage must be at least 0"):
        similarity(one_pair([1], [1]), shrinkage=-1)
    for n_neighbours in (0, 12):
        with pytest.raises(ValueError, match=r"n_neighbours must lie in 1\.\.11"):
            similar_items(*sides(small_world()), n_neighbours)


@DTYPES
@pytest.mark.parametrize("k", [1, 3, 7])
def test_top_k_equals_a_stable_sort(dtype, tolerance, k):
    scores = np.random.default_rng(0).integers(0, 4, (50, 7)).astype(dtype)     # full of ties
    scores[3] = -np.inf
    ids, best = top_k(scores, k)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    assert ids.dtype == np.int32 and best.dtype == dtype and np.array_equal(ids, order)
    assert np.array_equal(best, np.take_along_axis(scores, order, axis=1))


@pytest.mark.parametrize("kind", ["floats", "mostly zero", "few values", "sorted", "infinities"])
@DTYPES
def test_top_k_equals_its_twin_by_whole_arrays(kind, dtype, tolerance):
    rng = np.random.default_rng(3)
    for n_items in (1, 2, 3, 10, 501):
        scores = rng.normal(size=(20, n_items)).astype(dtype)
        if kind == "mostly zero":
            scores[rng.random(scores.shape) < 0.9] = 0
        elif kind == "few values":
            scores = np.rint(scores)
        elif kind == "sorted":
            scores = np.sort(scores, axis=1)[:, ::rng.choice([-1, 1])]
        elif kind == "infinities":
            scores[rng.random(scores.shape) < 0.3] = -np.inf
            scores[rng.random(scores.shape) < 0.3] = np.inf
        before = scores.copy()
        for k in {1, (n_items + 1) // 2, n_items}:
            for ours, theirs in zip(top_k(scores, k), top_k_array(scores, k), strict=True):
                assert ours.dtype == theirs.dtype and np.array_equal(ours, theirs)
        assert np.array_equal(scores, before)


@pytest.mark.parametrize("scores, k, error, match", [
    (np.ones((2, 3)), 0, ValueError, r"k must lie in 1\.\.3"),
    (np.ones((2, 3)), 4, ValueError, r"k must lie in 1\.\.3"),
    (np.ones((2, 3), int), 1, TypeError, "must be float32 or float64"),
    (np.ones(3), 1, TypeError, r"of shape \(n_rows, n_items\)"),
    (np.array([[1, 2], [np.nan, 1]]), 1, ValueError, "row 1 holds NaN")])
def test_top_k_refuses(scores, k, error, match):
    with pytest.raises(error, match=match):
        top_k(scores, k)


@pytest.mark.parametrize("block", [None, 1, 7])
def test_products_in_blocks_leave_out_what_was_rated(block):
    ratings, rng = small_world(), np.random.default_rng(0)
    p, q, bias = rng.normal(size=(30, 3)), rng.normal(size=(12, 3)), rng.normal(size=12)
    ids, best = top_k_products(p, q, 5, item_bias=bias, exclude=ratings.by_user, block=block)
    scores = p @ q.T + bias
    scores[ratings.users, ratings.items] = -np.inf
    for user in range(30):
        left = [i for i in np.argsort(-scores[user]) if scores[user, i] > -np.inf][:5]
        assert ids[user].tolist() == left + [-1] * (5 - len(left))
        np.testing.assert_allclose(best[user, :len(left)], scores[user, left], rtol=1e-12)
    assert (ids == -1).any() and np.array_equal(best == -np.inf, ids == -1)


def test_products_refuse_a_list_of_other_users():
    with pytest.raises(ValueError, match="exclude has 30 rows for 4 users"):
        top_k_products(np.ones((4, 2)), np.ones((12, 2)), 3, exclude=small_world().by_user)


def neighbourhood(ratings, dtype, seed=1):
    """Arguments of `neighbour_deviations`: 200 pairs, a similarity with ties, its full lists."""
    rng = np.random.default_rng(seed)
    table = (rng.integers(-3, 6, (ratings.n_items,) * 2) / 4).astype(dtype)
    x = (ratings.by_user.values - 3).astype(dtype)
    users = rng.integers(0, ratings.n_users, 200).astype(np.int32)
    items = rng.integers(0, ratings.n_items, 200).astype(np.int32)
    return users, items, ratings.by_user, x, table


@EACH_WORLD
@DTYPES
@pytest.mark.parametrize("n_neighbours, min_neighbours", [(1, 1), (3, 1), (3, 3), (99, 1)])
def test_neighbours_equal_the_slow_twin(ratings, dtype, tolerance, n_neighbours, min_neighbours):
    *pairs, table = neighbourhood(ratings, dtype)
    slow = neighbour_deviations_slow(*pairs, table, n_neighbours, min_neighbours)
    for known in (table, top_k(table, ratings.n_items)):
        for fast in (neighbour_deviations, neighbour_deviations_batched):
            ours = fast(*pairs, known, n_neighbours, min_neighbours)
            assert ours.dtype == dtype
            np.testing.assert_allclose(ours, slow, rtol=0, atol=tolerance)
    assert slow.any() or len(ratings) < 5


def test_neighbours_outside_a_short_list_do_not_count():
    *pairs, table = neighbourhood(WORLDS["dense"], np.float64)
    ids, similarities = top_k(table, 3)
    short = np.zeros_like(table)
    np.put_along_axis(short, ids, similarities, axis=1)
    slow = neighbour_deviations_slow(*pairs, short, 9)
    for fast in (neighbour_deviations, neighbour_deviations_batched):
        np.testing.assert_allclose(fast(*pairs, (ids, similarities), 9), slow, atol=1e-12)


def test_neighbours_by_hand():
    """Item 0 likes item 1 twice as much as item 2, dislikes item 3, and is not its own."""
    by_user = CSR(np.array([0, 4, 4]), np.arange(4, dtype=np.int32), None, None)
    x, table = np.array([9., 3, -3, 5]), np.zeros((4, 4))
    table[0] = 1, .8, .4, -.5
    table[3] = np.nan
    users, items = np.array([0, 1, 0], np.int32), np.array([0, 0, 3], np.int32)
    for fast in (neighbour_deviations, neighbour_deviations_batched):
        assert fast(users, items, by_user, x, table, 9).tolist() == pytest.approx([1, 0, 0])
        assert fast(users, items, by_user, x, table, 1).tolist() == pytest.approx([3, 0, 0])
        assert fast(users, items, by_user, x, table, 9, 3).tolist() == [0, 0, 0]


def test_neighbours_have_the_same_bits_for_any_number_of_threads(monkeypatch):
    arguments = neighbourhood(WORLDS["dense"], np.float32)
    one, many = n_threads_in_turn(lambda: neighbour_deviations(*arguments, 3))
    assert np.array_equal(one, many)
    whole = neighbour_deviations_batched(*arguments, 3)
    monkeypatch.setattr("rslib.kernels.neighbours.BLOCK", 50)
    np.testing.assert_allclose(neighbour_deviations_batched(*arguments, 3), whole, rtol=1e-6)


@pytest.mark.parametrize("place, value, error, match", [
    (0, np.array([30], np.int32), ValueError, r"users: ids must lie in 0\.\.29, found 30"),
    (1, np.array([-1], np.int32), ValueError, r"items: ids must lie in 0\.\.11, found -1"),
    (3, np.ones(280, int), TypeError, "deviations must be float32 or float64"),
    (3, np.ones(2), ValueError, "for 280 ratings"),
    (3, np.full(280, np.nan), ValueError, "deviations: row 0 is nan"),
    (4, np.ones((12, 12), int), TypeError, "similarities must be"),
    (4, np.ones((11, 11)), ValueError, "items: ids must lie in 0..10"),
    (5, 0, ValueError, "must be at least 1")])
def test_neighbours_refuse(place, value, error, match):
    arguments = [*neighbourhood(small_world(280), np.float64), 3]
    arguments[1][0] = 11
    arguments[place] = value
    with pytest.raises(error, match=match):
        neighbour_deviations(*arguments)
