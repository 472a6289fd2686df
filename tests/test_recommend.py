"""The best items by raw ids: the right order, ties alike everywhere, nothing that is known."""

from dataclasses import replace

import numpy as np
import pytest
from toy import toy

from rslib import models, recommend, runs
from rslib.__main__ import main
from rslib.numbering import Numbering
from rslib.ratings import Pairs
from rslib.recommend import recommend as best_of
from rslib.sources import load


class Fixed(models.Mean):
    """A model whose scores are given."""

    def give(self, scores, numbering=None):
        self.n_users_, self.n_items_ = np.shape(scores)
        self.numbering_, self.scores = numbering, np.asarray(scores, np.float32)
        return self

    def check_fitted(self):
        pass

    def score(self, users):
        return self.scores[users]


TEXT = Numbering(np.array(["ann", "bob"], np.dtypes.StringDType()), np.array([10, 20, 30, 40]),
                 np.array(["Alien", "Brazil", "Cube", "Dune"], np.dtypes.StringDType()))
SCORES = [[3, 5, 4, 1], [1, 2, 2, 9]]


def items(found):
    return {user: [each.item for each in best] for user, best in found.items()}


def test_the_best_come_first_by_raw_ids_with_titles():
    found = best_of(Fixed().give(SCORES, TEXT), ["bob", "ann"], 2)
    assert items(found) == {"bob": [40, 20], "ann": [20, 30]}
    assert found["ann"][0] == recommend.Recommendation(20, "Brazil", 5.0)
    assert isinstance(found["ann"][0].item, int) and list(found) == ["bob", "ann"]


def test_of_equal_scores_and_of_those_that_rounding_tells_apart_the_lower_number_goes_first():
    nearly = [[1, 1 + 1e-7, 1 - 1e-7, 0], [0, 1e6, 1e6 + 0.0625, 2e6]]
    assert items(best_of(Fixed().give(nearly), [0, 1], 3)) == {0: [0, 1, 2], 1: [3, 1, 2]}


def test_what_is_excluded_or_not_among_is_never_recommended():
    model = Fixed().give(SCORES, TEXT)
    assert items(best_of(model, ["ann"], exclude=[20])) == {"ann": [30, 10, 40]}
    assert items(best_of(model, ["ann"], among=[10, 20, 40], exclude=[20])) == {"ann": [10, 40]}
    assert items(best_of(model, ["ann"], among=[])) == {"ann": []}
    assert items(best_of(Fixed().give([[2, 2, 2]]), [0], among=[2, 1])) == {0: [1, 2]}


@pytest.mark.parametrize("block", [recommend.BLOCK, 1, 130])
def test_nothing_is_recommended_to_whoever_has_it(block, monkeypatch):
    monkeypatch.setattr(recommend, "BLOCK", block)
    ratings = toy()
    model, users = models.Baseline().fit(ratings), list(range(40))
    found, scores = best_of(model, users, 60, known=ratings), model.score(np.arange(40))
    for user in users:
        has = set(ratings.items[ratings.users == user].tolist())
        best = [each.item for each in found[user]]
        assert set(best) == set(range(60)) - has
        assert all(np.diff(scores[user, best]) <= np.ptp(scores[user]) * recommend.GRID)


def test_a_folded_in_newcomer_is_served():
    ratings = toy()
    new = replace(ratings[:3], users=np.zeros(3, np.int32), n_users=1, info=None, numbering=None)
    model = models.BiasedMF(2, n_epochs=2).fit(ratings).fold_in(new)
    best = best_of(model, [0], 5, known=new)[0]
    assert len(best) == 5 and not {each.item for each in best} & set(new.items.tolist())


@pytest.mark.parametrize("change, said", [
    ({"users": ["eve"]}, "no user 'eve': there are 2, such as 'ann', 'bob'"),
    ({"among": [10, 11]}, "no item 11: there are 4, such as 10, 20, 30"),
    ({"exclude": ["10"]}, "no item '10'"), ({"n": 0}, "n must be at least 1, not 0"),
    ({"known": toy()}, "pairs of 40 users x 60 items, but Fixed was fitted on 2 users")])
def test_what_is_wrong_is_said_in_one_line(change, said):
    with pytest.raises(ValueError) as error:
        best_of(Fixed().give(SCORES, TEXT), **({"users": ["ann"]} | change))
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_model_without_ids_goes_by_numbers():
    model = Fixed().give(SCORES)
    assert items(best_of(model, [1], 1)) == {1: [3]} and best_of(model, [1], 1)[1][0].title == "3"
    with pytest.raises(ValueError, match="user"):
        best_of(model, [2])
    with pytest.raises(ValueError, match="nothing is known of the ids of users"):
        Numbering().numbers("user", [1])


# The command


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.setenv("RSLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("RSLIB_CACHE", str(tmp_path / "cache"))
    path, rng = tmp_path / "mine.csv", np.random.default_rng(0)

    def write(seed):
        pairs = np.argwhere(np.random.default_rng(seed).random((12, 9)) < 0.5)
        path.write_text("user,item,rating\n" + "".join(
            f"u{user},film {item},{rng.integers(1, 6)}\n" for user, item in pairs))
        return str(path)
    write(1)
    return write


def kept(tmp_path):
    return sorted((tmp_path / "runs" / "models").iterdir())


def test_the_second_answer_is_that_of_the_model_that_was_kept(mine, tmp_path, capsys, monkeypatch):
    words = ["recommend", mine(1), "--user", "u3", "-n", "2", "--model", "baseline-ridge"]
    assert main(words) == 0
    first, (model,) = capsys.readouterr().out, kept(tmp_path)
    assert "film" in first and first.count("u3") == 2
    monkeypatch.setattr(models.Baseline, "fit", lambda *arguments, **options: 1 / 0)
    assert main(words) == 0 and capsys.readouterr().out == first
    monkeypatch.undo()
    monkeypatch.setenv("RSLIB_RUNS", str(tmp_path / "runs"))
    mine(2)
    assert main(words) == 0 and len(kept(tmp_path)) == 2 and model in kept(tmp_path)


def test_reasons_stand_beside_what_a_model_can_explain(mine, capsys):
    assert main(["recommend", mine(1), "--user", "u1", "--user", "u2", "--model",
                 "item-neighbours", "--at-least", "3"]) == 0
    said = capsys.readouterr().out
    assert "because of" in said and "u1" in said and "u2" in said


@pytest.mark.parametrize("words, said", [
    ("--user u99", "no user 'u99': there are 12"), ("", "required: --user"),
    ("--user u1 -n 0", "must be a whole number from 1 on"),
    ("--user u1 --model svd", "no model 'svd'; did you mean"),
    ("--user u1 --model blend", "no model 'blend'"),
    ("--user u1 --model time-svdpp", "has no times, which time-svdpp needs"),
    ("--user u1 --scale 5", "scale")])
def test_a_wrong_call_fits_nothing(words, said, mine, tmp_path, capsys):
    assert main(["recommend", mine(1), *words.split()]) == 2
    line = capsys.readouterr().err
    assert said in line and line.count("\n") == 1 and not (tmp_path / "runs").exists()


def test_pairs_of_a_file_get_predictions_in_its_order(mine, tmp_path, capsys):
    pairs, out = tmp_path / "pairs.csv", tmp_path / "out.csv"
    pairs.write_text("item,user\nfilm 3,u2\nfilm 0,u11\nfilm 99,u1\n")
    ratings = load(mine(1))
    assert main(["predict", str(tmp_path / "mine.csv"), str(pairs), str(out), "--model",
                 "baseline-ridge"]) == 0
    said = capsys.readouterr()
    assert "2 predictions" in said.out and "film 99" in said.err
    header, *rows = [line.split(",") for line in out.read_text().splitlines()]
    wanted = ratings.numbering.numbers("user", ["u2", "u11"]), ratings.numbering.numbers(
        "item", ["film 3", "film 0"])
    model = models.Baseline().fit(ratings)
    guess = np.clip(model.predict(Pairs(*wanted, n_users=12, n_items=9)), 1, 5)
    assert header == ["user", "item", "prediction"] and [row[:2] for row in rows] == [
        ["u2", "film 3"], ["u11", "film 0"]]
    np.testing.assert_allclose([float(row[2]) for row in rows], guess, rtol=1e-5)


def test_pairs_that_repeat_are_told_and_ratings_beside_them_are_left_alone(mine, tmp_path, capsys):
    pairs, out = tmp_path / "pairs.csv", tmp_path / "out.csv"
    pairs.write_text("who;user;rating\nfilm 3;u2;0\nfilm 3;u2;1\nfilm 1;u2;2\n")
    text = (tmp_path / "mine.csv").read_text().replace(",", ";").replace("item", "who")
    (tmp_path / "mine.csv").write_text(text)
    assert main(["predict", str(tmp_path / "mine.csv"), str(pairs), str(out), "--model",
                 "user-mean", "--item", "who"]) == 0
    assert "1 rows repeat a pair" in capsys.readouterr().err
    assert len(out.read_text().splitlines()) == 3


def test_what_is_read_or_no_plain_file_is_never_written_over(mine, tmp_path, capsys):
    path, link = mine(1), tmp_path / "link.csv"
    (tmp_path / "pairs.csv").write_text("user,item\nu1,film 1\n")
    link.symlink_to(path)
    before = (tmp_path / "mine.csv").read_text()
    for out in (path, str(tmp_path / "pairs.csv"), str(link), "/dev/null"):
        assert main(["predict", path, str(tmp_path / "pairs.csv"), out, "--model",
                     "user-mean"]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert (tmp_path / "mine.csv").read_text() == before and link.is_symlink()


def test_a_kept_model_that_is_damaged_is_fitted_anew(mine, tmp_path, capsys):
    words = ["recommend", mine(1), "--user", "u3", "--model", "user-mean"]
    assert main(words) == 0
    first, (model,) = capsys.readouterr().out, kept(tmp_path)
    model.write_bytes(model.read_bytes()[:100])
    assert main(words) == 0
    said = capsys.readouterr()
    assert said.out == first and "was damaged" in said.err
    assert main(words) == 0 and "damaged" not in capsys.readouterr().err


def test_small_scales_whole_ids_and_those_who_have_all(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RSLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("RSLIB_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "small.csv"
    path.write_text("user,item,rating\n1,1,2e-6\n1,2,4e-6\n2,1,3e-6\n2,2,5e-6\n2,3,1e-6\n")
    words = ["recommend", str(path), "--model", "baseline-ridge", "--user"]
    assert main([*words, "1", "--user", "2"]) == 0
    said = capsys.readouterr().out
    assert "user 2: nothing is left to recommend" in said and "0.00000" in said
    for text in ("01", "1_0", "1.0"):
        assert main([*words, text]) == 2
        assert "whole numbers here" in capsys.readouterr().err
    path.write_text("user,item\n1,1\n1,2\n2,1\n")
    assert main([*words, "1", "--interactions"]) == 2
    assert "all values are equal" in capsys.readouterr().err


@pytest.mark.parametrize("pairs, out, said", [
    ("none.csv", "out.csv", "none.csv: no such file"), ("pairs.csv", ".", "is a folder"),
    ("odd.csv", "out.csv", "no item column")])
def test_a_wrong_call_of_predict_writes_nothing(pairs, out, said, mine, tmp_path, capsys):
    (tmp_path / "pairs.csv").write_text("user,item\nu1,film 1\n")
    (tmp_path / "odd.csv").write_text("user,what is it\nu1,film 1\n")
    assert main(["predict", mine(1), str(tmp_path / pairs), str(tmp_path / out)]) == 2
    line = capsys.readouterr().err
    assert said in line and line.count("\n") == 1
    assert not (tmp_path / "out.csv").exists() and not (tmp_path / "runs").exists()


def test_the_models_of_all_rungs_can_be_asked(mine):
    assert main(["recommend", mine(1), "--user", "u1", "-n", "1", "--model", "nsvd"]) == 0
    assert "svdpp" in runs.RUNGS
