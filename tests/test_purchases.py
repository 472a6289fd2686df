"""The planted purchases: the equation, the draws, what is kept, what they are called."""

import numpy as np
import pytest
from test_saved import assert_same

from rslib.metrics import rmse
from rslib.sources import SourceError, load, purchases
from rslib.sources.purchases import generate


@pytest.fixture(scope="module")
def drawn():
    return generate(40_000)


@pytest.mark.parametrize("n_purchases", [1, 20, 999, 12_345])
def test_counts_add_up_exactly_and_no_pair_comes_twice(n_purchases):
    bought = generate(n_purchases)
    assert bought.values.sum(dtype=float) == n_purchases and bought.values.min() >= 1
    assert (bought.values == bought.values.round()).all()
    pairs = bought.users.astype(np.int64) * bought.n_items + bought.items
    assert len(np.unique(pairs)) == len(pairs) == n_purchases - bought.info.n_duplicates
    assert len(np.unique(bought.users)) == bought.n_users
    assert bought.measure == "purchases" and bought.scale == (1, bought.values.max())
    n = np.bincount(bought.users, bought.values)
    assert (n == bought.info.extra["planted"].n_purchases).all()


def test_the_same_seed_gives_the_same_purchases():
    assert_same(generate(3000, seed=4), generate(3000, seed=4))
    assert not np.array_equal(generate(3000, seed=4).items, generate(3000, seed=5).items)


def test_blocks_of_users_make_no_difference_to_what_is_planted(monkeypatch):
    whole = generate(3000)
    monkeypatch.setattr(purchases, "BLOCK", 1)
    parts = generate(3000)
    assert_same(whole.info.extra["planted"], parts.info.extra["planted"])
    assert parts.values.sum() == 3000 and (np.diff(parts.users) >= 0).all()


def test_rows_are_in_order_of_user_and_time(drawn):
    order = np.lexsort((drawn.ranks, drawn.days, drawn.users))
    assert (order == np.arange(len(drawn))).all()
    assert 0 <= drawn.days.min() and drawn.days.max() < purchases.N_DAYS
    key = np.stack([drawn.users, drawn.days, drawn.ranks])
    assert len(np.unique(key, axis=1).T) == len(drawn)


def test_chances_by_hand(drawn):
    planted = drawn.info.extra["planted"]
    for u in (0, 7):
        p, wanted = planted.user_factors[u].astype(float), []
        for q, popularity in zip(planted.item_factors.astype(float), planted.log_popularity,
                                 strict=True):
            wanted.append(np.exp(popularity - q @ q / 2 + p @ q))
        chances = np.array(wanted) / sum(wanted)
        assert np.allclose(planted.chances(u), chances, rtol=1e-12)
        assert np.allclose(planted.chances(slice(u, u + 1))[0], chances, rtol=1e-12)


def test_popularity_falls_as_zipf_found():
    planted = generate(2000, n_users=2, n_items=50, zipf=0.7).info.extra["planted"]
    assert np.allclose(np.sort(np.exp(planted.log_popularity))[::-1], np.arange(1, 51) ** -0.7)
    bought = generate(60_000, n_users=30, n_items=50, taste=0)      # all want the same
    sums, chance = np.bincount(bought.items, bought.values, 50), 1 / np.arange(1, 51)
    chance /= chance.sum()
    order = np.argsort(-bought.info.extra["planted"].log_popularity)
    errors = (sums[order] - 60_000 * chance) / np.sqrt(60_000 * chance * (1 - chance))
    assert abs(errors).max() < 4 and 0.5 < (errors ** 2).mean() < 1.6


def test_taste_leaves_the_mean_of_what_is_wanted_alone():
    planted = generate(20_000, n_users=10_000, n_items=20, taste=0.7).info.extra["planted"]
    q = planted.item_factors.astype(float)
    wanted = np.exp(planted.user_factors @ q.T - (q * q).sum(axis=1) / 2)
    assert (abs(wanted.mean(axis=0) - 1) < 5 * wanted.std(axis=0) / 100).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_users_buy_what_they_want(seed):
    """Counts of one user and item, never bought or often, against n_u pi."""
    bought = generate(50_000, n_users=10, n_items=40, seed=seed)
    planted, counts = bought.info.extra["planted"], np.zeros((10, 40))
    counts[bought.users, bought.items] = bought.values
    chances = planted.chances(slice(None))
    n = planted.n_purchases[:, None]
    errors = (counts - n * chances) / np.sqrt(n * chances * (1 - chances))
    assert abs(errors[n * chances > 5]).max() < 5
    assert 0.7 < (errors[n * chances > 5] ** 2).mean() < 1.3


def test_expected_is_the_mean_of_a_count_that_is_there(drawn):
    expected, off = drawn.info.extra["expected"], drawn.info.extra["expected"] - drawn.values
    assert expected.dtype == np.float32 and expected.min() >= 1
    for rows in (expected < 1.1, (expected > 1.1) & (expected < 2), expected > 2):
        assert abs(off[rows].mean()) < 4 * off[rows].std() / np.sqrt(rows.sum())
    planted, row = drawn.info.extra["planted"], int(np.argmax(expected))
    u, i = drawn.users[row], drawn.items[row]
    n, chance = planted.n_purchases[u], planted.chances(u)[i]
    assert expected[row] == pytest.approx(n * chance / (1 - (1 - chance) ** n), rel=1e-5)
    popular = drawn.values.mean()
    assert rmse(expected, drawn.values) < 0.5 * rmse(np.full_like(expected, popular), drawn.values)


def test_pairs_are_the_log_added_up_at_the_last_purchase():
    planted = generate(600, n_users=6, n_items=12).info.extra["planted"]
    chances, counts = planted.chances(slice(None)), planted.n_purchases
    log = purchases._log(chances, counts, np.random.default_rng(3))
    times, last = {}, {}
    for at, (user, item, day) in enumerate(zip(*(column.tolist() for column in log), strict=True)):
        times[user, item] = times.get((user, item), 0) + 1
        last[user, item] = at, day
    users, items, days, _, found, _ = purchases._block(chances, counts, np.random.default_rng(3))
    pairs = list(zip(users.tolist(), items.tolist(), strict=True))
    assert pairs == sorted(last, key=last.get)
    assert found.tolist() == [times[pair] for pair in pairs]
    assert days.tolist() == [last[pair][1] for pair in pairs]


def test_large_sets_are_kept(cache, monkeypatch):
    monkeypatch.setattr(purchases, "KEPT", 2000)
    small = load("synthetic-purchases-1k", cache=cache)
    assert not cache.exists() and small.info.name == "synthetic-purchases-1k"
    first = load("synthetic-purchases-2k", cache=cache)
    assert len([*cache.iterdir()]) == 1
    monkeypatch.setattr(purchases, "generate", None)
    assert_same(load("synthetic-purchases-2k", cache=cache), first)
    assert load("synthetic-purchases-2000", cache=cache).info.name == "synthetic-purchases-2000"
    assert len([*cache.iterdir()]) == 1


def test_names_and_options(cache):
    assert load("synthetic-purchases", cache=cache).values.sum(dtype=float) == 100_000
    with pytest.raises(ValueError, match="no synthetic set is called 'synthetic-purchases-0k'"):
        load("synthetic-purchases-0k", cache=cache)
    for options in ({"user": "who"}, {"interactions": True}, {"scale": (1, 5)}):
        with pytest.raises(SourceError, match=r"^synthetic-purchases: planted sets"):
            load("synthetic-purchases", cache=cache, **options)
    with pytest.raises(ValueError, match="2 purchases do not fit 3 users"):
        generate(2, n_users=3)
