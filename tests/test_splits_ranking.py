"""Splits for models that rank: weak generalisation asks the same users, strong asks others."""

import numpy as np
import pytest
from test_splits import history

from rslib import splits
from rslib.models import MatrixFactorisation
from rslib.ratings import Ratings

COUNTS = [40, 18, 10, 5, 4, 1]


def held_out_of(split, n_users):
    return np.bincount(split.held_out.users, minlength=n_users).tolist()


def test_last_out_leaves_the_last_one_out_of_all_but_those_with_one():
    r = history(COUNTS)
    split = splits.last_out(r)
    assert held_out_of(split, 6) == [1, 1, 1, 1, 1, 0]
    for user, day in zip(split.held_out.users, split.held_out.days, strict=True):
        assert day == r.days[r.users == user].max()
    assert held_out_of(splits.last_out(split.train), 6) == [1, 1, 1, 1, 1, 0]   # a validation part


def test_last_out_breaks_ties_of_a_day_by_row():
    same_day = Ratings(np.zeros(3, int), np.arange(3), values=np.ones(3), days=np.zeros(3, int))
    assert splits.last_out(same_day).held_out.items.tolist() == [2]


def test_by_user_holds_out_a_share_of_each_user_rounded_down():
    r = history(COUNTS)
    assert held_out_of(splits.by_user(r, fraction=0.2), 6) == [8, 3, 2, 1, 0, 0]
    assert held_out_of(splits.by_user(history([100]), fraction=0.29), 1) == [29]


def test_what_is_known_of_the_same_users_is_train():
    for split in (splits.last_out(history(COUNTS)), splits.by_user(history(COUNTS))):
        assert split.known is split.train


def test_strong_holds_out_whole_users_and_keeps_a_share_of_each():
    r = history([10] * 30)
    split = splits.strong(r, n_users=6, kept=0.7)
    asked = set(split.known.users.tolist())
    assert len(asked) == 6 and asked == set(split.held_out.users.tolist())
    assert not asked & set(split.train.users.tolist())
    assert {np.sum(split.known.users == user) for user in asked} == {7}
    assert len(set(splits.strong(r, fraction=0.5).known.users.tolist())) == 15


def test_strong_draws_only_users_who_have_ratings():
    r = history([10] * 30)
    split = splits.strong(r, n_users=6)
    again = splits.strong(split.train, n_users=23)      # of the 24 who are left
    assert len(np.unique(again.known.users)) == 23
    assert not set(again.known.users.tolist()) & set(split.known.users.tolist())


@pytest.mark.parametrize("split", [splits.last_out, splits.by_user, splits.strong])
def test_parts_are_a_partition_of_the_same_size_and_numbering(split):
    r = history([10] * 30)
    parts = split(r)
    names = ("train", "held_out") if parts.known is parts.train else ("train", "known", "held_out")
    assert sorted(np.concatenate([parts.rows[name] for name in names])) == list(range(len(r)))
    for name in ("train", "known", "held_out"):
        part = getattr(parts, name)
        assert np.array_equal(part.items, r.items[parts.rows[name]])
        assert (part.n_users, part.n_items) == (r.n_users, r.n_items)


@pytest.mark.parametrize("split", [splits.by_user, splits.strong])
def test_same_seed_same_parts_other_seed_others(split):
    r = history([10] * 30)
    held_out = [split(r, seed=seed).rows["held_out"].tolist() for seed in (0, 0, 1)]
    assert held_out[0] == held_out[1] != held_out[2]


def test_users_held_out_whole_are_folded_in(train):
    split = splits.strong(train, kept=0.5)
    model = MatrixFactorisation(solver="als", n_factors=2, n_epochs=3).fit(split.train)
    asked = np.unique(split.known.users)
    assert not model.user_factors_[asked].any()
    assert model.fold_in(split.known).user_factors_[asked].any(axis=1).all()


def test_what_can_not_be_split_is_refused():
    with pytest.raises(ValueError, match="held_out would be empty"):
        splits.by_user(history([4, 4]))
    with pytest.raises(ValueError, match="held_out would be empty"):
        splits.last_out(history([1, 1]))
    for options in ({"n_users": 3}, {"n_users": 0}, {"fraction": 0.1}):
        with pytest.raises(ValueError, match="of 3 users with ratings would be held out"):
            splits.strong(history([9, 9, 9]), **options)
    for name, share in (("kept", 1), ("fraction", 0)):
        with pytest.raises(ValueError, match=f"{name} must lie between 0 and 1"):
            splits.strong(history([9, 9, 9]), **{name: share})
    with pytest.raises(ValueError, match="between 0 and 1"):
        splits.by_user(history([9]), fraction=1)
