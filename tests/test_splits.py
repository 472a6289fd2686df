from dataclasses import replace

import numpy as np
import pytest

from rslib import splits
from rslib.ratings import Ratings


def history(counts, seed=0):
    """Ratings of users with the given counts, in shuffled file order, a day apart."""
    users = np.repeat(np.arange(len(counts)), counts)
    days = np.concatenate([np.arange(count) for count in counts])
    order = np.random.default_rng(seed).permutation(len(users))
    return Ratings(users[order], days[order], values=np.full(len(users), 3.0), days=days[order])


def test_last_nine_or_half_of_each_user():
    counts = [40, 18, 17, 5, 2, 1]
    mask = splits.last_ratings(history(counts))
    r = history(counts)
    held_out = np.bincount(r.users[mask], minlength=6)
    assert held_out.tolist() == [9, 9, 8, 2, 1, 0]
    for user in range(6):
        mine = r.users == user
        if held_out[user]:
            assert r.days[mine & mask].min() > r.days[mine & ~mask].max()


def test_ties_within_a_day_follow_ranks_then_rows():
    users = np.zeros(18, int)
    r = Ratings(users, np.arange(18), values=np.ones(18), days=users, ranks=np.arange(18)[::-1])
    assert splits.last_ratings(r).tolist() == [True] * 9 + [False] * 9
    r = Ratings(users, np.arange(18), values=np.ones(18), days=users)
    assert splits.last_ratings(r).tolist() == [False] * 9 + [True] * 9


@pytest.mark.parametrize("split", [splits.netflix, splits.random])
def test_parts_are_of_equal_size(split):
    parts = split(history([40] * 30))
    sizes = [len(parts.probe), len(parts.quiz), len(parts.test)]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("split", [splits.netflix, splits.random, splits.by_time])
def test_parts_are_a_partition_and_final_is_train_and_probe(split):
    r = history([40] * 30)
    parts = split(r)
    rows = np.concatenate([parts.rows[name] for name in ("train", "probe", "quiz", "test")])
    assert sorted(rows) == list(range(len(r)))
    assert sorted(parts.rows["final"]) == sorted([*parts.rows["train"], *parts.rows["probe"]])
    assert (r.items[parts.rows["quiz"]] == parts.quiz.items).all()


@pytest.mark.parametrize("split", [splits.netflix, splits.random, splits.by_time])
def test_held_out_is_quiz_then_test(split):
    parts = split(history([40] * 30))
    for name in ("users", "items", "days", "values"):
        both = np.concatenate([getattr(parts.quiz, name), getattr(parts.test, name)])
        assert np.array_equal(getattr(parts.held_out, name), both)
    assert parts.held_out.ranks is None and parts.held_out.info is parts.quiz.info
    assert not hasattr(parts.asked, "values")
    assert np.array_equal(parts.asked.items, parts.held_out.items)
    assert parts.is_test.tolist() == [False] * len(parts.quiz) + [True] * len(parts.test)
    assert np.array_equal(parts.rows["held_out"][parts.is_test], parts.rows["test"])


def test_held_out_follows_parts_that_are_replaced():
    parts = splits.netflix(history([40] * 30))
    swapped = replace(parts, quiz=parts.test, test=parts.quiz)
    assert np.array_equal(swapped.held_out.items[~swapped.is_test], parts.test.items)


def test_same_seed_same_deal_other_seed_another():
    r = history([40] * 30)
    quiz = [splits.netflix(r, seed=seed).rows["quiz"].tolist() for seed in (0, 0, 1)]
    assert quiz[0] == quiz[1] != quiz[2]


def test_random_follows_the_published_recipe():
    r = history([40] * 30)
    expected = np.flatnonzero(np.random.default_rng(0).random(len(r)) >= 0.1)
    assert splits.random(r).rows["train"].tolist() == expected.tolist()


def test_global_time_never_trains_on_the_future():
    r = history([40] * 30)
    parts = splits.by_time(r, fraction=0.3)
    scored = min(parts.quiz.days.min(), parts.test.days.min())
    assert parts.train.days.max() < parts.probe.days.min() <= parts.probe.days.max() < scored
    assert parts.final.days.max() < scored
    held_out = len(r) - len(parts.train)
    assert held_out == pytest.approx(0.3 * len(r), rel=0.1)
    assert len(parts.probe) == pytest.approx(held_out / 3, rel=0.1)


def test_a_side_that_would_be_empty_is_refused():
    with pytest.raises(ValueError, match="probe would be empty"):
        splits.netflix(history([1, 1, 1]))
    with pytest.raises(ValueError, match="quiz would be empty"):
        splits.netflix(history([2, 1]))
    same_day = Ratings(np.arange(9), np.arange(9), values=np.ones(9), days=np.zeros(9, int))
    with pytest.raises(ValueError, match="would be empty"):
        splits.by_time(same_day)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 2])
def test_fractions_outside_zero_to_one_are_refused(fraction):
    for split in (splits.random, splits.by_time):
        with pytest.raises(ValueError, match="between 0 and 1"):
            split(history([10]), fraction=fraction)


def test_by_time_needs_days():
    with pytest.raises(ValueError, match="needs days"):
        splits.by_time(Ratings(np.arange(3), np.arange(3), values=np.ones(3)))
