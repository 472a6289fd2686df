"""Members by the protocol, resumed runs, side features and a probe carved out of train."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from toy import Shifted, toy
from worlds import planted_world

from rslib import blend, splits
from rslib.blend import Chain, Members, cross_fit, side_features, side_of_split
from rslib.metrics import clip, rmse
from rslib.models import Baseline, BiasedMF, Mean, Neighbours, SVDpp
from rslib.ratings import Pairs, Ratings
from rslib.splits import carve

MODELS = {"baseline": Baseline(), "factors": BiasedMF(2, "als", reg=0.02, n_epochs=8)}


@pytest.fixture(scope="module")
def split():
    return splits.netflix(planted_world(n_users=300, n_factors=4, noise=0.5)[0])


@pytest.fixture(scope="module")
def members(split):
    return Members.fit(MODELS, split)


def test_columns_are_what_a_fit_by_hand_predicts(split, members):
    model = MODELS["factors"]
    probe = replace(model).fit(split.train).predict(split.probe.pairs)
    final = replace(model).fit(split.final)
    held_out = np.concatenate([final.predict(part.pairs) for part in (split.quiz, split.test)])
    assert np.array_equal(members.probe[:, 1], probe)
    assert np.array_equal(members.held_out[:, 1], held_out)
    assert members.probe.dtype == np.float64 and members.names == ("baseline", "factors")
    assert members.n_parameters[1] == final.n_parameters and len(members) == 2
    assert not hasattr(model, "n_users_"), "the model that was given was fitted"


def test_rows_are_quiz_then_test(split, members):
    for name, part in (("users", "held_out_users"), ("values", "held_out_values")):
        both = np.concatenate([getattr(split.quiz, name), getattr(split.test, name)])
        assert np.array_equal(getattr(members, part), both)
    assert np.array_equal(members.probe_values, split.probe.values)
    assert np.array_equal(members.is_test, np.arange(len(both)) >= len(split.quiz))
    score = rmse(clip(members.probe[:, 1], members.scale), members.probe_values)
    assert members.probe_scores["factors"] == score and members.scale == split.final.scale


def test_members_are_told_what_is_held_out_only_when_asked(split):
    model = {"svdpp": SVDpp(2, n_epochs=3)}
    told, untold = Members.fit(model, split, seen=True), Members.fit(model, split)
    pairs = split.asked
    final = replace(model["svdpp"]).fit(split.final, seen=pairs)
    held_out = np.concatenate([final.predict(part.pairs) for part in (split.quiz, split.test)])
    assert np.array_equal(told.held_out[:, 0], held_out)
    assert not np.isclose(told.probe, untold.probe).all()


def test_a_member_can_join_and_a_few_can_be_picked(split, members):
    more = members.add("mean", Mean("item"), split)
    assert more.names == ("baseline", "factors", "mean") and len(members) == 2
    picked = more[["mean", "baseline"]]
    assert picked.names == ("mean", "baseline")
    assert np.array_equal(picked.held_out, more.held_out[:, [2, 0]])
    assert picked.n_parameters == (more.n_parameters[2], more.n_parameters[0])
    assert np.array_equal(members["factors"].probe[:, 0], members.probe[:, 1])


def test_a_blend_of_two_kinds_beats_both_on_ratings_that_nobody_saw(split):
    members = Members.fit({"neighbours": Neighbours(shrinkage=5),
                           "two factors": BiasedMF(2, "als", reg=0.02, n_epochs=8)}, split)
    ridge = blend.Ridge().fit(members.probe, members.probe_values)
    alone = [rmse(column, members.held_out_values) for column in members.held_out.T]
    assert rmse(ridge.predict(members.held_out), members.held_out_values) < 0.99 * min(alone)
    outside = cross_fit(blend.Ridge(), members.probe, members.probe_values, members.probe_users)
    outside = clip(outside, members.scale)
    assert rmse(outside, members.probe_values) < 0.99 * min(members.probe_scores.values())


@dataclass
class Counted(Shifted):
    """Counts its fits, and may be told to stop the run."""

    stops: bool = False

    def fit(self, train, *, seen=None):
        fits.append(self.shift)
        if self.stops:
            raise KeyboardInterrupt
        return super().fit(train, seen=seen)


fits = []


@pytest.fixture
def counted():
    fits.clear()
    return splits.netflix(toy())


def test_an_interrupted_run_takes_up_where_it_was(counted, tmp_path):
    told = []
    run = dict(folder=tmp_path, on_member=lambda name, members: told.append((name, len(members))))
    with pytest.raises(KeyboardInterrupt):
        Members.fit({"a": Counted(0.1), "b": Counted(0.2, stops=True)}, counted, **run)
    assert fits == [0.1, 0.1, 0.2] and told == [("a", 1)]
    fits.clear()
    members = Members.fit({"a": Counted(0.1), "b": Counted(0.2)}, counted, **run)
    assert fits == [0.2, 0.2] and told[1:] == [("a", 1), ("b", 2)]
    fresh = Members.fit({"a": Counted(0.1), "b": Counted(0.2)}, counted)
    for name in ("probe", "held_out", "probe_values", "is_test"):
        assert np.array_equal(getattr(members, name), getattr(fresh, name))
    assert members.n_parameters == fresh.n_parameters and members.fit_seconds[0] > 0
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_what_is_kept_is_of_this_model_these_ratings_and_this_question(counted, tmp_path):
    model, other = {"a": Counted(0.1)}, {"a": Counted(0.3)}
    Members.fit(model, counted, folder=tmp_path)
    values = counted.train.values.copy()
    values[0] = 6 - values[0] if values[0] != 3 else 4
    changed = replace(counted, train=replace(counted.train, values=values))
    fewer = replace(counted, quiz=counted.quiz[1:])
    for models, split, seen in ((other, counted, False), (model, counted, True),
                                (model, changed, False), (model, fewer, False)):
        fits.clear()
        Members.fit(models, split, folder=tmp_path, seen=seen)
        assert len(fits) == 2
    fits.clear()
    hidden = replace(counted.quiz, values=6 - counted.quiz.values)
    Members.fit({"b": Counted(0.1)}, replace(counted, quiz=hidden), folder=tmp_path)
    assert not fits, "neither a name nor the values of quiz change a prediction"


def test_links_of_a_chain_are_part_of_its_key(counted):
    keys = {blend.columns.key_of(Chain(models), "data", False) for models in (
        (Mean("item"), Baseline()), (Baseline(), Mean("item")), (Mean("item"), Mean("item")),
        (Mean("item"), Baseline(reg_user=7)))}
    assert len(keys) == 4


@pytest.mark.parametrize("damage", [
    lambda data: b"", lambda data: data[:len(data) // 2],
    lambda data: data[:-40] + b"x" * 40,
    lambda data: data.replace(data[len(data) // 3:len(data) // 3 + 8], b"\x01" * 8)],
    ids=["empty", "cut off", "its end overwritten", "a few bytes changed"])
def test_a_damaged_file_is_fitted_again_and_mended(counted, tmp_path, damage):
    whole = Members.fit({"a": Counted(0.1)}, counted, folder=tmp_path)
    file, = tmp_path.glob("*/column.npz")
    data = file.read_bytes()
    file.write_bytes(damage(data))
    fits.clear()
    again = Members.fit({"a": Counted(0.1)}, counted, folder=tmp_path)
    assert len(fits) == 2 and np.array_equal(again.probe, whole.probe)
    fits.clear()
    Members.fit({"a": Counted(0.1)}, counted, folder=tmp_path)
    assert not fits


def test_a_file_under_another_s_name_is_not_trusted(counted, tmp_path):
    Members.fit({"a": Counted(0.1)}, counted, folder=tmp_path)
    mine, = tmp_path.iterdir()
    Members.fit({"b": Counted(0.2)}, counted, folder=tmp_path)
    theirs, = set(tmp_path.iterdir()) - {mine}
    (theirs / "column.npz").write_bytes((mine / "column.npz").read_bytes())
    members = Members.fit({"b": Counted(0.2)}, counted, folder=tmp_path)
    level = float(counted.train.values.mean())
    np.testing.assert_allclose(members.probe, level + 0.2, rtol=1e-6)


@dataclass
class Broken(Shifted):
    def predict(self, pairs):
        return np.where(np.arange(len(pairs)) == 4, np.nan, 3.0)


def test_bad_members_get_one_line(split, members, counted):
    with pytest.raises(ValueError, match="give at least one model"):
        Members.fit({}, split)
    with pytest.raises(ValueError, match=r"'odd' \(Broken\) predicts nan for row 4 of probe"):
        Members.fit({"odd": Broken()}, counted)
    with pytest.raises(ValueError, match="no member is called 'mf'; there are baseline, factors"):
        members[["baseline", "mf"]]
    with pytest.raises(ValueError, match="name at least one"):
        members[[]]
    with pytest.raises(ValueError, match="called 'factors' already"):
        members.add("factors", Baseline(), split)
    with pytest.raises(ValueError, match="fitted on another split"):
        members.add("mean", Mean("item"), counted)


# side features


def by_hand():
    users, items = np.array([0, 0, 0, 1, 1]), np.array([0, 1, 2, 0, 1])
    train = Ratings(users, items, np.array([10, 10, 12, 5, 30]),
                    values=np.array([5.0, 3, 4, 2, 1]), n_users=3, n_items=4)
    asked = Pairs(np.array([0, 0, 1, 2]), np.array([3, 3, 2, 0]), np.array([10, 13, 30, 8]), 3, 4)
    return train, asked


def test_side_features_by_hand():
    train, asked = by_hand()
    values, names = side_features(train, asked)
    column = dict(zip(names, values.T, strict=True))
    np.testing.assert_allclose(np.expm1(column["log ratings of user"]), [3, 3, 2, 0])
    np.testing.assert_allclose(np.expm1(column["log ratings of movie"]), [0, 0, 1, 2])
    mean = 3 + np.array([3, 3, -3, 0]) / (np.array([3, 3, 2, 0]) + 5)
    np.testing.assert_allclose(column["mean of user"], mean)
    squares = ((np.array([5, 3, 4]) - mean[0]) ** 2).sum() + 5 * train.values.var()
    assert column["spread of user"][0] == pytest.approx(np.sqrt(squares / 8))
    assert column["spread of user"][3] == pytest.approx(train.values.std())
    np.testing.assert_allclose(column["day"], asked.days)
    np.testing.assert_allclose(column["days since first of user"], [0, 3, 25, 0])
    np.testing.assert_allclose(column["days since first of movie"], [0, 0, 18, 3])


def test_ratings_of_a_day_are_counted_once_each_known_pair():
    train, asked = by_hand()
    at = side_features(train, asked).names.index("log ratings on the day")
    once = asked[np.array([0, 2, 3])]
    np.testing.assert_allclose(np.exp(side_features(train, once).values[:, at]), [3, 2, 1])
    seen = Pairs(np.array([2, 2, 0]), np.array([1, 0, 3]), np.array([8, 8, 10]), 3, 4)
    told = side_features(train, once, seen=seen)
    np.testing.assert_allclose(np.exp(told.values[:, at]), [3, 2, 2])


def test_without_days_the_columns_of_time_are_left_out():
    train, asked = by_hand()
    for here, there in ((replace(train, days=None), asked), (train, replace(asked, days=None))):
        values, names = side_features(here, there)
        assert values.shape == (4, 6) and not any("day" in name for name in names)


def test_side_features_know_nothing_of_held_out_values(split):
    """Turn every held-out rating round: only what was told to train, and then to final, is used."""
    probe, held_out = side_of_split(split)
    turned = {name: replace(getattr(split, name), values=-9 * getattr(split, name).values)
              for name in ("quiz", "test")}
    other = side_of_split(replace(split, **turned))
    assert np.array_equal(probe.values, other[0].values)
    assert np.array_equal(held_out.values, other[1].values)
    turned["probe"] = replace(split.probe, values=-9 * split.probe.values)
    assert np.array_equal(probe.values, side_of_split(replace(split, **turned))[0].values)
    louder = replace(split, train=replace(split.train, values=2 * split.train.values))
    assert not np.array_equal(probe.values, side_of_split(louder)[0].values)


def test_a_day_holds_as_many_pairs_for_probe_as_for_quiz_and_test(split):
    """Both are told all pairs that were asked for, so a blend finds the column as it was fitted."""
    probe, held_out = side_of_split(split)
    at = probe.names.index("log ratings on the day")
    everything = Pairs(*(np.concatenate([getattr(split.final, name), getattr(split.quiz, name),
                                         getattr(split.test, name)])
                         for name in ("users", "items", "days")), 300, 80)
    days = everything.users.astype(int) * 1000 + everything.days
    for part, side in ((split.probe, probe), (split.quiz, held_out)):
        sizes = np.bincount(days)[part.users.astype(int) * 1000 + part.days]
        np.testing.assert_allclose(np.exp(side.values[:len(part), at]), sizes)


def test_side_features_refuse_values_and_foreign_things():
    train, _ = by_hand()
    with pytest.raises(TypeError, match=r"pass ratings\.pairs"):
        side_features(train, train)
    with pytest.raises(TypeError, match="side_features needs Ratings"):
        side_features(train.pairs, train.pairs)


def test_side_features_come_from_the_device_to_the_host(cupy):
    train, asked = by_hand()
    there = side_features(train.to("gpu"), asked.to("gpu"))
    assert type(there.values) is np.ndarray
    assert np.array_equal(there.values, side_features(train, asked).values)


# a probe carved out of an ordinary split


def ordinary(ratings):
    return np.random.default_rng(0).random(len(ratings)) < 0.1


@pytest.mark.parametrize("how", [{"fraction": 0.2}, {"n_last": 3}], ids=str)
def test_a_carved_split_parts_the_training_ratings_and_leaves_test(how):
    ratings = planted_world()[0]
    is_test = ordinary(ratings)
    split = carve(ratings, is_test, **how)
    rows = [split.rows[part] for part in ("train", "probe", "quiz", "test")]
    assert np.array_equal(np.sort(np.concatenate(rows)), np.arange(len(ratings)))
    assert np.array_equal(split.rows["final"], np.flatnonzero(~is_test))
    assert np.array_equal(np.sort(np.concatenate(rows[2:])), np.flatnonzero(is_test))
    for part in ("train", "probe", "quiz", "test", "final"):
        assert np.array_equal(getattr(split, part).values, ratings.values[split.rows[part]])


def test_a_carved_probe_is_random_or_the_last_of_each_user():
    ratings = planted_world()[0]
    is_test = ordinary(ratings)
    drawn, again, other = (carve(ratings, is_test, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(drawn.rows["probe"], again.rows["probe"])
    assert not np.array_equal(drawn.rows["probe"], other.rows["probe"])
    assert len(drawn.probe) == pytest.approx(0.1 * len(drawn.final), rel=0.15)
    last = carve(ratings, is_test, n_last=3)
    assert np.all(np.bincount(last.probe.users, minlength=120) == 3)
    for user in range(120):
        kept, taken = (part.days[part.users == user] for part in (last.train, last.probe))
        assert kept.max() <= taken.min()


def test_members_can_be_fitted_on_a_carved_split():
    ratings = planted_world()[0]
    members = Members.fit({"baseline": Baseline()}, carve(ratings, ordinary(ratings)))
    assert members.held_out.shape == (ordinary(ratings).sum(), 1)


@pytest.mark.parametrize("is_test, options, said", [
    (np.zeros(5, bool), {}, "must hold"), (np.zeros(20), {}, "booleans"),
    (np.zeros(20, bool), {}, "quiz would be empty"), (np.ones(20, bool), {}, "train would be"),
    (np.arange(20) < 4, {"fraction": 1.0}, "between 0 and 1")])
def test_splits_that_cannot_be_carved_are_refused(is_test, options, said):
    ratings = planted_world()[0][:20]
    with pytest.raises(ValueError, match=said):
        carve(ratings, is_test, **options)
