"""Figures of rankings: by hand, against slow twins, and canaries for leaks and wrong masks."""

from dataclasses import dataclass
from math import log2

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score
from strict import device
from worlds import data_folder

from rslib import metrics, sources, splits
from rslib.models import MatrixFactorisation
from rslib.numbering import Numbering
from rslib.ratings import Pairs, Ratings


@dataclass
class Scores:
    """A model that knows the score of every user for every item."""

    table: np.ndarray

    def score(self, users):
        return self.table[users]


def pairs_of(mask, **options):
    users, items = np.nonzero(mask)
    return Pairs(users, items, None, *mask.shape, **options)


def problem(n_users=30, n_items=25, n_levels=5, seed=0):
    """Scores with ties, what is known and what is held out, as tables."""
    rng = np.random.default_rng(seed)
    draw = rng.random((n_users, n_items))
    known, held_out = draw < 0.3, (draw > 0.3) & (draw < rng.uniform(0.3, 0.9, n_users)[:, None])
    scores = rng.integers(0, n_levels, draw.shape).astype(np.float64)
    held_out[3] = False                 # knows some, nothing held out
    known[4] = held_out[4] = False      # not there at all
    known[5] = True                     # knows everything
    held_out[5] = False
    known[6] = False                    # known by nothing, asked all the same
    known[7] = ~held_out[7]             # has no other item left than those held out
    held_out[7] |= held_out[7].sum() == 0
    return scores, known & ~held_out, held_out


def ranked(scores, known, held_out, **options):
    return metrics.rank(Scores(scores), pairs_of(known), pairs_of(held_out), **options)


# slow twins, of one user: a list of items, best first, and the set of those held out

def slow_list(scores, known, k):
    left = [item for item in range(len(scores)) if not known[item]]
    return sorted(left, key=lambda item: (-scores[item], item))[:k]


def slow_precision(best, wanted, k):
    return len(set(best) & wanted) / k


def slow_recall(best, wanted, k):
    return len(set(best) & wanted) / len(wanted)


def slow_calibrated_recall(best, wanted, k):
    return len(set(best) & wanted) / min(k, len(wanted))


def slow_ndcg(best, wanted, k):
    gain = sum(1 / log2(at + 2) for at, item in enumerate(best) if item in wanted)
    return gain / sum(1 / log2(at + 2) for at in range(min(k, len(wanted))))


def slow_average_precision(best, wanted, k):
    total = 0
    for at, item in enumerate(best):
        if item in wanted:
            total += len(set(best[:at + 1]) & wanted) / (at + 1)
    return total / min(k, len(wanted))


def slow_reciprocal_rank(best, wanted, k):
    for at, item in enumerate(best):
        if item in wanted:
            return 1 / (at + 1)
    return 0


TWINS = {"precision": slow_precision, "recall": slow_recall, "ndcg": slow_ndcg,
         "calibrated_recall": slow_calibrated_recall,
         "average_precision": slow_average_precision, "reciprocal_rank": slow_reciprocal_rank}


@pytest.mark.parametrize("k", [1, 2, 7, 25])
@pytest.mark.parametrize("seed", range(3))
def test_every_figure_equals_its_slow_twin(k, seed):
    scores, known, held_out = problem(seed=seed)
    ranking = ranked(scores, known, held_out, k=25, block=4)
    users = [user for user in range(30) if held_out[user].any()]
    assert ranking.users.tolist() == users
    lists = [slow_list(scores[user], known[user], k) for user in users]
    wanted = [set(np.flatnonzero(held_out[user]).tolist()) for user in users]
    for found, best in zip(ranking.items[:, :k].tolist(), lists, strict=True):
        assert found == best + [-1] * (k - len(best))
    for name, twin in TWINS.items():
        slow = [twin(best, items, k) for best, items in zip(lists, wanted, strict=True)]
        np.testing.assert_allclose(getattr(ranking, name)(k), slow, rtol=1e-12, err_msg=name)
    shown = [item for best in lists for item in best]
    assert ranking.coverage(k) == len(set(shown)) / 25
    n_knowing = sum(known.any(axis=1))
    bits = [-log2(max(known[:, item].sum(), 1) / n_knowing) for item in shown]
    assert ranking.novelty(k) == pytest.approx(sum(bits) / len(bits), rel=1e-12)


def worked():
    """Two users and six items; the first knows item 0, the second items 1 and 5.

    The first is shown 1 2 3 4 (5), and 2, 4 and 5 were held out; the second 0 2 3 4, and 0 was.
    """
    scores = np.array([[9.0, 8, 7, 6, 5, 4], [8.0, 9, 7, 6, 5, 9]])
    known, held_out = np.zeros((2, 6), bool), np.zeros((2, 6), bool)
    known[0, 0] = known[1, 1] = known[1, 5] = True
    held_out[0, [2, 4, 5]] = held_out[1, 0] = True
    return ranked(scores, known, held_out, k=4)


def test_an_example_worked_by_hand():
    ranking = worked()
    assert ranking.items.tolist() == [[1, 2, 3, 4], [0, 2, 3, 4]]
    assert ranking.hits.astype(int).tolist() == [[0, 1, 0, 1], [1, 0, 0, 0]]
    assert ranking.n_held_out.tolist() == [3, 1]
    expected = {"precision": [2 / 4, 1 / 4],
                "recall": [2 / 3, 1],
                "calibrated_recall": [2 / 3, 1],                        # min(4, 3), min(4, 1)
                "ndcg": [(1 / log2(3) + 1 / log2(5)) / (1 + 1 / log2(3) + 1 / log2(4)), 1],
                "average_precision": [(1 / 2 + 2 / 4) / 3, 1],
                "reciprocal_rank": [1 / 2, 1]}
    for name, figures in expected.items():
        np.testing.assert_allclose(getattr(ranking, name)(), figures, rtol=1e-15, err_msg=name)
    assert ranking.recall(2).tolist() == [1 / 3, 1]
    assert ranking.calibrated_recall(2).tolist() == [1 / 2, 1]          # two places for three
    assert ranking.coverage() == 5 / 6                                  # all but item 5
    # items 0 and 1: one of two users knows them, 1 bit; nobody knows 2, 3, 4: as if one did
    assert ranking.novelty() == 1.0
    summary = ranking.summary()
    assert summary["map"] == pytest.approx(2 / 3) and summary["mrr"] == 0.75
    assert summary["n_users"] == 2 and summary["n_left_out"] == 0
    assert repr(ranking) == "Ranking(2 users, 4 places of 6 items; 0 users left out)"


def test_an_independent_library_agrees():
    """Without ties, scikit-learn says the same; its average precision knows no k."""
    scores, known, held_out = problem(seed=5)
    scores = np.random.default_rng(0).permutation(scores.size).reshape(scores.shape) * 1.0
    ranking = ranked(scores, known, held_out, k=25)
    masked = np.where(known, -1.0, scores)
    for k in (1, 5, 25):
        theirs = [ndcg_score(held_out[[user]], masked[[user]], k=k) for user in ranking.users]
        np.testing.assert_allclose(ranking.ndcg(k), theirs, rtol=1e-12)
    theirs = [average_precision_score(held_out[user], masked[user]) for user in ranking.users]
    np.testing.assert_allclose(ranking.average_precision(), theirs, rtol=1e-12)


def test_canary_a_leak_of_the_held_out_scores_one():
    scores, known, held_out = problem()
    ranking = ranked(scores + 10 * held_out, known, held_out, k=20)
    for k in (1, 3, 20):
        for name in ("calibrated_recall", "ndcg", "average_precision", "reciprocal_rank"):
            assert (getattr(ranking, name)(k) == 1).all(), name
        n = np.minimum(k, ranking.n_held_out)
        assert (ranking.precision(k) == n / k).all()
        assert (ranking.recall(k) == n / ranking.n_held_out).all()


def test_canary_scores_of_what_is_known_are_worth_nothing():
    """Four items are known, four held out: a model that learnt the known by heart finds none."""
    n_users, n_items = 9, 20
    known, held_out = np.zeros((2, n_users, n_items), bool)
    known[:, 3:7] = held_out[:, 16:] = True
    ranking = ranked(known * 5.0, known, held_out, k=10)
    assert not ranking.hits.any() and not np.isin(ranking.items, np.arange(3, 7)).any()
    assert all(ranking.summary()[name] == 0 for name in ("recall", "ndcg", "map", "mrr"))


def test_canary_what_is_known_and_held_out_is_refused():
    scores, known, held_out = problem()
    user, item = np.argwhere(held_out)[7]
    known[user, item] = True
    with pytest.raises(ValueError, match=f"both hold: user {user}, item {item}, and 0 other"):
        ranked(scores, known, held_out, k=5)


def test_an_item_held_out_twice_is_refused():
    twice = Pairs(np.array([0, 1, 1]), np.array([2, 3, 3]), n_users=2, n_items=4)
    with pytest.raises(ValueError, match="holds twice: user 1, item 3, and 0 other"):
        metrics.rank(Scores(np.zeros((2, 4))), twice[:0], twice, k=2)


def test_users_with_nothing_held_out_are_left_out_and_counted():
    scores, known, held_out = problem()
    ranking = ranked(scores, known, held_out, k=5)
    asked = held_out.any(axis=1)
    assert ranking.n_left_out == (known.any(axis=1) & ~asked).sum() >= 2    # also who knows all
    assert {3, 4, 5}.isdisjoint(ranking.users.tolist()) and {6, 7} <= set(ranking.users.tolist())
    again = ranked(scores[asked], known[asked], held_out[asked], k=5)
    assert np.array_equal(again.items, ranking.items) and again.n_left_out == 0


def test_a_user_with_few_items_left_has_empty_places():
    known, held_out = np.ones((2, 1, 6), bool)
    known[0, [1, 4]] = False
    held_out[:] = ~known
    ranking = ranked(np.zeros((1, 6)), known, held_out, k=5)
    assert ranking.items.tolist() == [[1, 4, -1, -1, -1]]
    assert ranking.precision().tolist() == [2 / 5] and ranking.ndcg().tolist() == [1]
    assert ranking.coverage() == 2 / 6


def test_an_item_scored_minus_infinity_is_never_recommended():
    nothing = np.full((1, 3), -np.inf)
    ranking = ranked(nothing, np.zeros((1, 3), bool), np.eye(1, 3, dtype=bool), k=2)
    assert ranking.items.tolist() == [[-1, -1]] and not ranking.hits.any()
    assert ranking.coverage() == 0 and np.isnan(ranking.novelty())


@pytest.mark.parametrize("k", [0, 26])
def test_k_beyond_the_catalogue_is_refused(k):
    with pytest.raises(ValueError, match=rf"k must lie in 1\.\.25, the number of items, not {k}"):
        ranked(*problem(), k=k)


@pytest.mark.parametrize("k", [0, 5])
def test_k_beyond_what_was_ranked_is_refused(k):
    with pytest.raises(ValueError, match=rf"k must lie in 1\.\.4, the places that.*not {k}"):
        worked().recall(k)


def test_a_score_that_is_nan_is_refused_and_named():
    scores, known, held_out = problem()
    scores[9, 11] = np.nan
    with pytest.raises(ValueError, match="item 11 for user 9 is NaN"):
        ranked(scores, known, held_out, k=5, block=4)


@pytest.mark.parametrize("wrong", [np.zeros((30, 24)), np.zeros((30, 25), int), np.zeros(30)])
def test_scores_of_another_shape_or_kind_are_refused(wrong):
    _, known, held_out = problem()
    with pytest.raises(ValueError, match="need floats of shape"):
        ranked(wrong, known, held_out, k=5)


def test_parts_that_do_not_belong_together_are_refused():
    scores, known, held_out = problem()
    model, known, asked = Scores(scores), pairs_of(known), pairs_of(held_out)
    with pytest.raises(TypeError, match="known needs Pairs or Ratings, not ndarray"):
        metrics.rank(model, held_out, asked, k=5)
    with pytest.raises(ValueError, match="split one Ratings"):
        metrics.rank(model, known, pairs_of(held_out[:, :20]), k=5)
    with pytest.raises(ValueError, match="nothing to find"):
        metrics.rank(model, known, asked[:0], k=5)
    for block in (0, -1):
        with pytest.raises(ValueError, match=f"block must be at least 1, or None, not {block}"):
            metrics.rank(model, known, asked, k=5, block=block)
    with pytest.raises(TypeError, match="train needs Pairs or Ratings, not int"):
        metrics.rank(model, known, asked, k=5, train=3)
    with pytest.raises(ValueError, match="split one Ratings"):
        metrics.rank(model, known, asked, k=5, train=pairs_of(held_out[:, :20]))
    ours, theirs = (Numbering(np.arange(30), np.arange(25) + shift) for shift in (0, 1))
    known = pairs_of(problem()[1], numbering=ours)
    with pytest.raises(ValueError, match="items are numbered by other ids in known than in held"):
        metrics.rank(model, known, pairs_of(held_out, numbering=theirs), k=5)
    model.numbering_ = theirs
    with pytest.raises(ValueError, match="in known than in the model"):
        metrics.rank(model, known, pairs_of(held_out, numbering=ours), k=5)


def test_popularity_on_real_ratings_equals_the_slow_twins(cache):
    data_folder("ml-100k")
    split = splits.strong(sources.load("ml-100k", cache=cache), n_users=40)
    counts = np.bincount(split.train.items, minlength=split.train.n_items).astype(float)
    ranking = metrics.rank(Scores(np.tile(counts, (split.train.n_users, 1))), split.known,
                           split.held_out, k=50)
    known = np.zeros((split.train.n_users, split.train.n_items), bool)
    known[split.known.users, split.known.items] = True
    wanted = [set(split.held_out.items[split.held_out.users == user].tolist())
              for user in ranking.users]
    best = [slow_list(counts, known[user], 50) for user in ranking.users]
    for name, twin in TWINS.items():
        slow = [twin(each, items, 50) for each, items in zip(best, wanted, strict=True)]
        np.testing.assert_allclose(getattr(ranking, name)(), slow, rtol=1e-12, err_msg=name)
    assert 0.15 < ranking.ndcg().mean() < 0.4       # the popular do find much


def test_the_model_s_own_arrays_stay_as_they_are():
    scores, known, held_out = problem()

    class Whole(Scores):
        def score(self, users):
            return self.table if len(users) == len(self.table) else self.table[users]

    everyone = held_out.any(axis=1)
    kept = scores[everyone].copy()
    metrics.rank(Whole(kept), pairs_of(known[everyone]), pairs_of(held_out[everyone]), k=5)
    assert np.array_equal(kept, scores[everyone])


def test_blocks_change_nothing_and_hold_few_scores():
    scores, known, held_out = problem()
    asked = []

    class Watched(Scores):
        def score(self, users):
            asked.append(len(users))
            return self.table[users]

    rankings = [metrics.rank(Watched(scores), pairs_of(known), pairs_of(held_out), k=9, block=block)
                for block in (1, 4, None)]
    assert max(asked[:-1]) == 4 and asked[-1] == len(rankings[0].users)
    for other in rankings[1:]:
        assert np.array_equal(rankings[0].items, other.items)
        assert np.array_equal(rankings[0].hits, other.hits)


def test_novelty_counts_what_it_is_told_to():
    scores, known, held_out = problem()
    train = np.zeros((30, 25), bool)
    train[:8] = True
    assert ranked(scores, known, held_out, k=5, train=pairs_of(train)).novelty() == 0
    train[1:8] = False
    train[1:8, 0] = True                    # items but 0 are known to one of eight: 3 bits
    assert ranked(scores, known, held_out, k=5, train=pairs_of(train)).novelty(1) <= 3


def test_a_device_gives_the_same_ranking(cupy):
    scores, known, held_out = problem()
    ours = ranked(scores, known, held_out, k=9)
    d_scores, = device(cupy, (scores,))
    theirs = metrics.rank(Scores(d_scores), *(pairs_of(mask).to("gpu")
                                              for mask in (known, held_out)), k=9, block=4)
    for name in ("users", "n_held_out", "items", "hits", "popularity"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name


def liked_world(seed=0):
    """Users of two kinds, each of whom rated a third of the items of their kind, and few others."""
    rng = np.random.default_rng(seed)
    same = np.add.outer(np.arange(120), np.arange(60)) % 2 == 0
    users, items = np.nonzero(rng.random(same.shape) < np.where(same, 0.3, 0.05))
    return Ratings(users, items, values=np.ones(len(users)), n_users=120, n_items=60), same


@pytest.mark.parametrize("split", [splits.by_user, splits.strong, splits.last_out])
def test_whoever_knows_the_kinds_ranks_better_than_chance(split):
    ratings, same = liked_world()
    parts = split(ratings)
    found = [metrics.rank(Scores(table), parts.known, parts.held_out, k=10).recall().mean()
             for table in (same * 1.0, np.random.default_rng(0).random(same.shape))]
    assert found[0] > 1.4 * found[1]


def test_a_fitted_model_is_ranked_for_users_folded_in(train):
    split = splits.strong(train, kept=0.5)
    model = MatrixFactorisation(solver="als", n_factors=2, n_epochs=3).fit(split.train)
    folded = model.fold_in(split.known)
    liked = split.held_out[split.held_out.values >= 4]
    ranking = metrics.rank(folded, split.known, liked, k=10, train=split.train)
    bad = metrics.rank(Scores(-folded.score(np.arange(train.n_users))), split.known, liked, k=10)
    assert ranking.ndcg().mean() > 2 * bad.ndcg().mean()
