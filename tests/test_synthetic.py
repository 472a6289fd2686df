"""The synthetic source: every planted effect is there, and goes when its strength is 0."""

from dataclasses import fields

import numpy as np
import pytest

from rslib import splits
from rslib.backend import sum_by
from rslib.metrics import rmse
from rslib.ratings import Info, Ratings
from rslib.sources import or_planted
from rslib.sources.planted import RISE_DAY, Strengths, expected_stars
from rslib.sources.synthetic import generate, load_synthetic

QUIET = {field.name: 0 for field in fields(Strengths)} | {"mean": 3, "noise": 0.5}


@pytest.fixture(scope="module")
def million():
    return generate(1_000_000)


def quiet(n_ratings=60_000, **strengths):
    """A world with only the named effects."""
    return generate(n_ratings, n_users=400, n_items=800, **(QUIET | strengths))


def slope(effect, column):
    """Least-squares slope of ``column`` on ``effect`` and its standard error."""
    effect = effect - effect.mean(dtype=float)
    squares = (effect * effect).sum(dtype=float)
    fitted = (effect * column).sum(dtype=float) / squares
    residual = column - column.mean(dtype=float) - fitted * effect
    return fitted, np.sqrt((residual ** 2).mean(dtype=float) / squares)


def surprise(ratings):
    return ratings.values - ratings.info.extra["expected"]


def days_of_users(ratings):
    """Number the (user, day) groups; return the group of each row and the group sizes."""
    _, groups, sizes = np.unique(ratings.users * 4096 + ratings.days,
                                 return_inverse=True, return_counts=True)
    return groups, sizes


def ridge_biases(ratings, reg_user=3, reg_item=5, n_epochs=10):
    users, items = ratings.users, ratings.items
    centred = ratings.values - ratings.values.mean(dtype=float)
    user_bias = np.zeros(ratings.n_users)
    for _ in range(n_epochs):
        item_bias = (sum_by(items, centred - user_bias[users], ratings.n_items)
                     / (reg_item + np.bincount(items, minlength=ratings.n_items)))
        user_bias = (sum_by(users, centred - item_bias[items], ratings.n_users)
                     / (reg_user + np.bincount(users, minlength=ratings.n_users)))
    return user_bias, item_bias


# the ratings

def test_the_same_seed_gives_the_same_ratings():
    one, same, other = generate(5000, seed=4), generate(5000, seed=4), generate(5000, seed=5)
    for column in ("users", "items", "days", "values", "ranks"):
        assert np.array_equal(getattr(one, column), getattr(same, column))
    assert np.array_equal(one.info.extra["expected"], same.info.extra["expected"])
    assert not np.array_equal(one.items, other.items)


@pytest.mark.parametrize("n_ratings", [1, 20, 999, 12_345])
def test_sizes_are_exact_and_no_pair_comes_twice(n_ratings):
    ratings = generate(n_ratings)
    assert len(ratings) == n_ratings
    assert len(np.unique(ratings.users.astype(np.int64) * ratings.n_items + ratings.items)) \
        == n_ratings


def test_a_world_can_be_as_dense_as_allowed():
    ratings = generate(200 * 30, n_users=200, n_items=60, selection=3)
    assert np.array_equal(np.bincount(ratings.users), np.full(200, 30))
    with pytest.raises(ValueError, match=r"6,001 ratings do not fit 200 users x 60 items"):
        generate(200 * 30 + 1, n_users=200, n_items=60)


def test_names_give_sizes():
    assert len(load_synthetic("synthetic")) == 100_000
    assert len(load_synthetic("synthetic-2k")) == len(load_synthetic("synthetic-2000")) == 2000
    assert load_synthetic("synthetic-2k").info.name == "synthetic-2k"
    for name in ("synthetic-", "synthetic-0", "synthetic-1.5m", "synthetic-1g", "movies"):
        with pytest.raises(ValueError, match="no synthetic set"):
            load_synthetic(name)


def test_a_misspelt_strength_is_refused():
    with pytest.raises(TypeError, match="moods"):
        generate(1000, moods=0.1)


def test_it_looks_like_netflix(million):
    assert (million.n_users, million.n_items) == (6000, 3700)
    assert abs(million.values.mean(dtype=float) - 3.6) < 0.05
    assert abs(million.values.std(dtype=float) - 1.1) < 0.06
    assert set(np.unique(million.values)) == {1, 2, 3, 4, 5}
    assert np.bincount(million.users).min() >= 20
    assert splits.last_ratings(million).sum() == 9 * million.n_users


def test_rows_are_in_order_of_user_day_and_rank(million):
    keys = million.ranks, million.days, million.users
    assert np.array_equal(np.lexsort(keys), np.arange(len(million)))
    groups, sizes = days_of_users(million)
    assert np.array_equal(np.bincount(groups, weights=million.ranks), sizes * (sizes - 1) / 2)


def test_no_item_is_rated_before_its_first_day(million):
    first_days = million.info.extra["planted"].first_days
    assert (million.days >= first_days[million.items]).all()
    assert 0.49 < (first_days == 0).mean() < 0.51
    assert million.days.max() < 2200


# the floor

def test_expected_is_the_mean_of_what_is_told():
    stars = np.linspace(0, 6, 13, dtype=np.float32)
    told = stars + 0.75 * np.random.default_rng(0).standard_normal((200_000, 1))
    told = np.rint(told).clip(1, 5).mean(axis=0)
    np.testing.assert_allclose(expected_stars(stars, 0.75), told, atol=4 * 0.8 / 200_000 ** 0.5)


def test_surprises_average_to_zero_in_every_bin(million):
    expected, left = million.info.extra["expected"], surprise(million)
    for column in (expected, million.days, million.items, million.ranks):
        bins = np.digitize(column, np.quantile(column, np.linspace(0, 1, 11)[1:-1]))
        counts, squares = np.bincount(bins), np.bincount(bins, weights=left ** 2.0)
        z = np.bincount(bins, weights=left)[counts > 0] / np.sqrt(squares[counts > 0])
        assert abs(z).max() < 4


def test_the_floor_is_a_floor(million):
    expected, planted = million.info.extra["expected"], million.info.extra["planted"]
    split = splits.netflix(million)
    test, rows = split.test, split.rows["test"]
    floor = rmse(expected[rows], test.values)
    rng = np.random.default_rng(0)
    noisy = expected + 0.05 * rng.standard_normal(len(expected), dtype=np.float32)
    perturbed = {"up": expected + 0.05, "down": expected - 0.05, "flat": 0.95 * expected + 0.18,
                 "steep": 1.05 * expected - 0.18, "noisy": noisy, "raw": planted.static(million)}
    assert all(floor < rmse(other[rows], test.values) for other in perturbed.values())


def test_without_noise_the_floor_is_zero():
    ratings = generate(20_000, noise=0)
    assert rmse(ratings.info.extra["expected"], ratings.values) < 1e-3


def test_all_strengths_at_zero_leave_a_constant():
    ratings = quiet()
    assert np.ptp(ratings.info.extra["expected"]) == 0
    assert abs(surprise(ratings).mean()) < 4 * 0.6 / len(ratings) ** 0.5


# the effects

@pytest.mark.parametrize("rise", [0, 0.3])
def test_the_mean_rises_on_one_day(rise):
    ratings = quiet(rise=rise)
    fitted, error = slope((ratings.days >= RISE_DAY).astype(float), ratings.values)
    assert abs(fitted - rise) < 4 * error < 0.05
    day_before = slope((ratings.days >= RISE_DAY - 300).astype(float)[ratings.days < RISE_DAY],
                       ratings.values[ratings.days < RISE_DAY])
    assert abs(day_before[0]) < 4 * day_before[1]


@pytest.mark.parametrize("ageing", [0, 0.05])
def test_movies_age_well(ageing):
    ratings = quiet(ageing=ageing)
    first_days = ratings.info.extra["planted"].first_days
    fitted, error = slope((ratings.days - first_days[ratings.items]) / 365.25, ratings.values)
    assert abs(fitted - ageing) < 4 * error < 0.02


@pytest.mark.parametrize("mood", [0, 0.3])
def test_ratings_of_a_day_share_a_mood(mood):
    ratings = quiet(mood=mood)
    groups, sizes = days_of_users(ratings)
    left = ratings.values - ratings.values.mean(dtype=float)
    sums = np.bincount(groups, weights=left)
    products = (sums ** 2 - np.bincount(groups, weights=left ** 2))[sizes > 1]
    pairs = (sizes * (sizes - 1))[sizes > 1]
    covariance = products.sum() / pairs.sum()
    error = np.sqrt(((products - covariance * pairs) ** 2).sum()) / pairs.sum()
    assert abs(covariance - mood ** 2) < 4 * error < 0.05


@pytest.mark.parametrize("frequency", [0, 0.3])
def test_the_ratings_of_a_day_shift_each_item_its_own_way(frequency):
    ratings = quiet(frequency=frequency)
    groups, sizes = days_of_users(ratings)
    coefficients = ratings.info.extra["planted"].frequency
    assert abs(coefficients.std() - frequency) < 0.03
    signs = np.random.default_rng(0).standard_normal(800) if frequency == 0 else coefficients
    effect = np.log(sizes / 6)[groups] * signs[ratings.items]
    fitted, error = slope(effect, ratings.values)
    assert abs(fitted - (frequency > 0)) < 4 * error < 0.05


@pytest.mark.parametrize("selection", [0, 0.5])
def test_users_choose_what_they_will_like(selection):
    ratings = quiet(selection=selection, taste=0.45, item_bias=0.45)
    planted = ratings.info.extra["planted"]
    rng = np.random.default_rng(0)
    anyhow = rng.integers(0, ratings.n_items, len(ratings))
    liking = planted.user_factors[ratings.users] * (planted.item_factors[ratings.items]
                                                    - planted.item_factors[anyhow])
    gain = sum_by(ratings.users, liking.sum(axis=1), ratings.n_users) / np.bincount(ratings.users)
    error = gain.std() / len(gain) ** 0.5
    assert error < 0.02
    assert (gain.mean() > 8 * error) if selection else (abs(gain.mean()) < 4 * error)
    chosen = np.bincount(ratings.items, minlength=ratings.n_items)
    better = np.corrcoef(chosen, planted.item_bias)[0, 1]
    assert better > 0.7 if selection else abs(better) < 4 / ratings.n_items ** 0.5


@pytest.mark.parametrize("popularity", [0, 1.2])
def test_popularity_is_skewed(popularity):
    ratings = quiet(popularity=popularity, n_ratings=40_000)
    chosen = np.sort(np.bincount(ratings.items, minlength=800))[::-1]
    top_tenth = chosen[:80].sum() / len(ratings)
    assert 0.25 < top_tenth < 0.45 if popularity else top_tenth < 0.16


def test_a_single_choice_follows_the_weights():
    n_users = 20_000
    ratings = generate(n_users, n_users=n_users, n_items=8, popularity=1, selection=0)
    planted = ratings.info.extra["planted"]
    there = planted.first_days == 0         # the others are not there for everyone
    chosen = np.bincount(ratings.items, minlength=8)[there]
    weights = np.exp(planted.log_popularity[there])
    wanted = chosen.sum() * weights / weights.sum()
    assert (abs(chosen - wanted) < 4 * np.sqrt(wanted)).all()


def test_activity_is_skewed(million):
    counts = np.bincount(million.users)
    assert counts.max() > 8 * counts.mean() > 10 * np.median(counts)
    assert np.ptp(np.bincount(quiet().users)) <= 1


def test_taste_has_the_planted_size_and_rank(million):
    planted = million.info.extra["planted"]
    block = planted.user_factors[:500] @ planted.item_factors.T
    assert abs(block.std() - 0.45) < 0.03
    assert np.linalg.matrix_rank(block) == 8


@pytest.mark.parametrize("change, asked, words", [
    ({"days": None}, {"times": True}, "carry no times"), ({"days": None}, {}, None),
    ({"days": np.full(60, 7)}, {"times": True}, "of one day"), ({}, {"users": 7}, "6 users only"),
    ({"users": np.zeros(60, int), "items": np.arange(60)}, {}, "1 user only"),
    ({"values": np.full(60, 4)}, {}, "all equal"), ({}, {"items": 59}, "60 items"),
    ({}, {"times": True, "users": 6}, None)])
def test_ratings_that_cannot_answer_are_stood_in_for(change, asked, words, capsys):
    rng = np.random.default_rng(0)
    columns = {"users": np.repeat(np.arange(6), 10), "items": np.tile(np.arange(10), 6),
               "days": rng.integers(0, 99, 60), "values": rng.integers(1, 6, 60)} | change
    n = {"n_users": 6, "n_items": 60}
    ratings = Ratings(**columns, **n, info=Info("mine", np.arange(6), np.arange(60)))
    found = or_planted(ratings, **asked, stand_in="synthetic-2k")
    said = capsys.readouterr().out
    if words is None:
        assert found is ratings and not said
    else:
        assert found.info.name == "synthetic-2k" and len(np.unique(found.days)) > 1
        assert words in said and said.count("\n") == 1 and "mine" in said


# recovery

def test_a_ridge_baseline_recovers_the_planted_biases(million):
    planted = million.info.extra["planted"]
    for found, truth in zip(ridge_biases(million), (planted.user_bias, planted.item_bias),
                            strict=True):
        assert np.corrcoef(found, truth)[0, 1] > 0.95       # over all, however few their ratings
        assert abs(truth.mean(dtype=float)) < 1e-6


def test_the_rungs_are_apart_on_the_netflix_split(million):
    split = splits.netflix(million)
    final, quiz = split.final, split.quiz
    mean = final.values.mean(dtype=float)
    user_bias, item_bias = ridge_biases(final)
    item_mean = sum_by(final.items, final.values, final.n_items) \
        / np.bincount(final.items, minlength=final.n_items).clip(1)
    rungs = [np.full(len(quiz), mean), item_mean[quiz.items],
             mean + user_bias[quiz.users] + item_bias[quiz.items],
             million.info.extra["expected"][split.rows["quiz"]]]
    scores = np.array([rmse(rung, quiz.values) for rung in rungs])
    assert (np.diff(scores) < -0.05).all()
