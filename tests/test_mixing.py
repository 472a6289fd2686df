"""Records of other ratings or other settings never stand on a ladder."""

import random
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pytest
from toy import Shifted, toy

from rslib import models, runs, splits
from rslib.numbering import digest_of_rows
from rslib.runs.rungs import RUNGS
from rslib.runs.settings import CHOSEN
from rslib.runs.shelf import keep
from rslib.sources import SourceMissing


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("RSLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("rslib.runs.shelf.RECORDED", tmp_path / "recorded")
    monkeypatch.setattr("rslib.runs.records.RECORDED", tmp_path / "recorded")
    return tmp_path / "runs"


def world(seed, name="ratings"):
    ratings = toy(name)
    values = np.random.default_rng(seed).integers(1, 6, len(ratings)).astype(np.float32)
    return replace(ratings, values=values)


def test_two_files_of_one_name_are_kept_apart():
    ours, theirs = world(1), world(2)
    mine = runs.record("global-mean", models.Mean("global"), splits.netflix(ours))
    assert runs.read(ours) == [mine] == runs.read("ratings") and runs.read(theirs) == []
    other = runs.record("global-mean", models.Mean("global"), splits.netflix(theirs))
    assert runs.read(ours) == [mine] and runs.read(theirs) == [other]
    with pytest.raises(ValueError, match="2 sets of ratings"):
        runs.ladder_rows("ratings")


def test_the_order_of_rows_and_another_name_make_no_other_data():
    ratings = world(1)
    order = np.random.default_rng(0).permutation(len(ratings))
    assert digest_of_rows(ratings, 1) == digest_of_rows(ratings[order], 1, chunk=100)
    assert digest_of_rows(ratings, 1) != digest_of_rows(ratings, 2)
    assert splits.netflix(ratings).content != splits.netflix(ratings, seed=1).content
    named = replace(ratings, info=replace(ratings.info, name="other"))
    assert splits.netflix(named).content == splits.netflix(ratings).content


@pytest.mark.parametrize("change", ["values", "users", "days", "ids", "scale"])
def test_whatever_differs_makes_other_data(change):
    ratings = world(1)
    info = ratings.info
    other = {"values": lambda: replace(ratings, values=np.roll(ratings.values, 1)),
             "users": lambda: replace(ratings, users=ratings.users[::-1].copy()),
             "days": lambda: replace(ratings, days=ratings.days + 1),
             "ids": lambda: replace(ratings, numbering=None,
                                    info=replace(info, item_ids=np.arange(1, 61))),
             "scale": lambda: replace(ratings, info=replace(info, scale=(0.0, 5.0)))}[change]()
    assert splits.netflix(ratings).content != splits.netflix(other).content


def test_a_run_with_other_settings_is_not_the_rung():
    ratings = world(1)
    split = splits.netflix(ratings)
    own = models.Mean("item")
    other = runs.record("item-mean", models.Mean("user"), split)
    assert runs.read(ratings) == [] and runs.others(ratings) == [other]
    rung = runs.record("item-mean", own, split)
    runs.record("item-mean", own, split, seen=True)
    assert runs.read(ratings) == [rung] and len(runs.others(ratings)) == 2
    assert runs.record("item-mean", own, splits.netflix(ratings, seed=1)) not in runs.read(ratings)


def test_a_model_of_one_s_own_is_a_rung_of_one_s_own():
    ratings = world(1)
    split = splits.netflix(ratings)
    runs.record("mine", Shifted(0.5), split, label="My model")
    runs.record("global-mean", models.Mean("global"), split)
    newest = runs.record("mine", Shifted(1.0), split, label="My model")
    below, own = runs.ladder_rows(ratings)
    assert (own["label"], own["part"], own["published"]) == ("My model", "Your own", None)
    assert own["held_out"] == newest.held_out_rmse > below["held_out"]
    assert own["step"].resolved and own["resolved"] == "worse"


@pytest.mark.parametrize("rung, label, said", [
    ("mine", None, "pass label="), ("svdpp", "Better", "is a rung of the ladder"),
    ("My model", "Mine", "small letters"), ("../up", "Mine", "small letters")])
def test_a_name_that_cannot_be_is_refused(rung, label, said, root):
    with pytest.raises(ValueError, match=said):
        runs.record(rung, Shifted(), splits.netflix(world(1)), label=label)
    assert not root.exists()


def test_committed_records_stand_in_for_the_same_ratings_only(root):
    ratings = world(1)
    runs.record("global-mean", models.Mean("global"), splits.netflix(ratings))
    keep(ratings)
    for folder in root.iterdir():
        folder.rename(root.parent / "gone")
    assert [each.is_recorded_copy for each in runs.read(ratings)] == [True]
    assert runs.read(world(2)) == [] and len(runs.read("ratings")) == 1


def test_a_dictionary_of_parameters_reads_back_equal():
    ratings = world(1)
    split = splits.netflix(ratings)
    sizes = {"probe": len(split.probe), "held_out": len(split.held_out)}
    record = runs.record_predictions(
        "mine", split, **{name: np.full(n, 3.0) for name, n in sizes.items()}, model="Mine",
        params={"by": ("user", "item")}, n_parameters=1, fit_seconds=0.0, label="Mine")
    assert runs.read(ratings) == [record]


@dataclass
class Killed:
    """A model whose fit is killed: the one of train, or the one of train and probe."""

    longest: int

    def fit(self, train, *, seen=None):
        if len(train) > self.longest:
            raise KeyboardInterrupt
        return models.Mean("global").fit(train)


@pytest.mark.parametrize("seed", range(12))
def test_any_order_of_runs_shows_only_what_belongs(seed, monkeypatch):
    """Two files of one name, own and other settings, another seed, runs killed at any time."""
    draw = random.Random(seed)
    worlds = {1: world(1), 2: world(2)}
    todo = list(product(worlds, ("user-mean", "item-mean"), ("own", "other", "reseeded"))) * 2
    draw.shuffle(todo)
    finished = {}
    for which, rung, how in todo:
        by = RUNGS[rung].label.split()[0].lower().replace("movie", "item")
        model = models.Mean({"own": by, "other": "global", "reseeded": by}[how])
        split = splits.netflix(worlds[which], seed=how == "reseeded")
        with monkeypatch.context() as patch:
            killed = draw.choice([None, "while fitting", "while writing"])
            if killed == "while writing":
                patch.setattr("rslib.runs.records.json.dumps", _interrupt_at(draw.randrange(6)))
            try:
                longest = draw.choice([0, len(split.train)])
                record = runs.record(rung, Killed(longest) if killed == "while fitting" else model,
                                     split)
            except KeyboardInterrupt:
                continue
        if how == "own":
            finished[which, rung] = record
    for which, ratings in worlds.items():
        assert {each.rung: each for each in runs.read(ratings)} == {
            rung: record for (at, rung), record in finished.items() if at == which}


def _interrupt_at(count):
    from json import dumps

    def interrupted(*arguments, **options):
        nonlocal count
        count -= 1
        if count < 0:
            raise KeyboardInterrupt
        return dumps(*arguments, **options)
    return interrupted


def test_settings_that_were_chosen_for_the_data_are_the_rung_s_own(root):
    ratings = world(1)
    split = splits.netflix(ratings)
    default = runs.record("baseline-ridge", models.Baseline("ridge"), split)
    assert runs.read(ratings) == [default]
    (default.folder.parent / CHOSEN).write_text('{"parameters": {"01": {"REG_USER": 50.0}}}')
    assert runs.read(ratings) == []
    ours = runs.record("baseline-ridge", models.Baseline("ridge", reg_user=50.0), split)
    assert runs.read(ratings) == [ours] and runs.others(ratings) == [default]


def test_records_can_be_read_where_their_ratings_are_not(monkeypatch):
    ratings = world(1)
    mine = runs.record("global-mean", models.Mean("global"), splits.netflix(ratings))
    monkeypatch.setattr("rslib.runs.shelf.load", lambda name: ratings)
    assert runs.ratings_or_name("ratings") is ratings

    def missing(name):
        raise SourceMissing(f"{name}: not here")

    monkeypatch.setattr("rslib.runs.shelf.load", missing)
    assert runs.read(runs.ratings_or_name("ratings")) == [mine]
