"""What every public method of every model refuses, in one line, and every field."""

import json
import re
from dataclasses import fields, replace
from datetime import date, timedelta

import numpy as np
import pytest
from test_models import CANNOT_FOLD_IN, VARIANTS, cannot_fold_in, each_model
from worlds import planted_world

import rslib
from rslib import models, sources, splits
from rslib.__main__ import main
from rslib.blend import Chain
from rslib.models import MODELS
from rslib.ratings import Info, Pairs, Ratings
from rslib.sources import SourceError

EXPLAIN = (models.Neighbours, models.ItemWeights, models.GlobalWeights, models.Integrated)


def named(ratings, *, users=0, items=0, first_day="2000-01-01"):
    """The same ratings, with raw ids that start at some number."""
    info = Info("named", np.arange(ratings.n_users) + users, np.arange(ratings.n_items) + items,
                first_day=first_day)
    return replace(ratings, info=info, numbering=info.numbering)


def calls(model, ratings, path):
    """Every public method of a model that takes or needs something of a fit: name to a call."""
    found = {"predict": lambda: model.predict(ratings.pairs),
             "score": lambda: model.score(ratings.users[:3]),
             "fold_in": lambda: model.fold_in(ratings),
             "objective": lambda: model.objective(ratings),
             "objective, seen": lambda: model.objective(ratings, seen=ratings.pairs),
             "explain": lambda: model.explain(0, 0),
             "n_parameters": lambda: model.n_parameters,
             "save": lambda: model.save(path)}
    more = {"terms": lambda: model.terms(ratings.pairs),
            "probabilities": lambda: model.probabilities(ratings.pairs),
            "free_energy": lambda: model.free_energy(ratings),
            "normal_equations": lambda: model.normal_equations(),
            "weights_of": lambda: model.weights_of(0),
            "weights_of, of others": lambda: model.weights_of([0, 1], [1, 0])}
    return found | {name: call for name, call in more.items()
                    if hasattr(type(model), name.partition(",")[0])}


def refusal(call, error=(TypeError, ValueError)):
    with pytest.raises(error) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def numbered():
    return named(planted_world()[0])


@pytest.fixture(scope="module")
def fitted(numbered):
    """Every variant, fitted once to ratings with a numbering."""
    short = [replace(model, n_epochs=2) if hasattr(model, "n_epochs") else model
             for model in VARIANTS]
    return {id(model): replace(quick).fit(numbered)
            for model, quick in zip(VARIANTS, short, strict=True)}


def test_no_public_method_is_left_out():
    tried = {name.partition(",")[0] for model in VARIANTS for name in calls(model, None, None)}
    public = {name for kind in MODELS for name in dir(kind)
              if not name.startswith(("_", "check_")) and name not in kind.__dataclass_fields__}
    assert public - tried <= {"fit", "load", "learn", "learned", "parts", "at", "standardise",
                              "standardised", "preferences", "in_units", "in_stars", "unit_"}


@each_model
def test_unfitted(model, numbered, tmp_path):
    for name, call in calls(replace(model), numbered, tmp_path / "model.npz").items():
        assert "not fitted: call fit first" in refusal(call), name
    assert not any(tmp_path.iterdir())


@each_model
def test_the_same_numbering_passes(model, fitted, numbered):
    again = named(replace(numbered, info=None, numbering=None))
    assert again.numbering is not numbered.numbering
    np.testing.assert_array_equal(fitted[id(model)].predict(again.pairs),
                                  fitted[id(model)].predict(numbered.pairs))
    unnamed = replace(numbered, info=None, numbering=None)
    np.testing.assert_array_equal(fitted[id(model)].predict(unnamed.pairs),
                                  fitted[id(model)].predict(numbered.pairs))


READS_PAIRS = ("predict", "terms", "objective", "objective, seen", "probabilities", "free_energy")


def reads(model, found):
    """Methods that take known users only, and those that take new ones."""
    new = ["fold_in"]
    if isinstance(model, models.RBM) and model.visible == "items" and not (
            model.case_bias or model.session_bias):
        new.append("free_energy")       # of cases that have nothing of their own
    return [name for name in READS_PAIRS if name in found and name not in new], new


@each_model
@pytest.mark.parametrize("change, words", [
    (dict(items=7), "items are numbered by other ids than where "),
    (dict(users=7), "users are numbered by other ids than where "),
    (dict(first_day="2001-01-01"), "days count from 2001-01-01, where ")],
    ids=["items", "users", "days"])
def test_another_numbering(model, change, words, fitted, numbered, tmp_path):
    model = fitted[id(model)]
    other = calls(model, named(numbered, **change), tmp_path)
    of_known, of_new = reads(model, other)
    for name in of_known:
        message = refusal(other[name])
        assert words in message and "sources.load(path, like=model)" in message, name
    if "users" in change:       # new users are what fold_in is for
        return
    for name in of_new:
        message = refusal(other[name])
        assert words in message and "like=model, new_users=True" in message


@each_model
def test_another_size(model, fitted, numbered, tmp_path):
    small = Ratings(np.array([0]), np.array([0]), values=np.array([3.0]))
    foreign = calls(fitted[id(model)], small, tmp_path)
    of_known, of_new = reads(model, foreign)
    for name in of_known:
        assert "1 users x 1 items, but" in refusal(foreign[name]), name
    for name in of_new:
        assert "pairs of 1 items, but" in refusal(foreign[name]), name


@each_model
def test_out_of_range(model, fitted, numbered):
    model = fitted[id(model)]
    for users in ([-1], [0, 120], np.array([2**40])):
        assert "users must lie in 0..119" in refusal(lambda users=users: model.score(users))
    assert "users must be integers" in refusal(lambda: model.score(np.array([0.5])))
    if isinstance(model, EXPLAIN):
        assert "user must lie in 0..119" in refusal(lambda: model.explain(-1, 0))
        assert "item must lie in 0..79" in refusal(lambda: model.explain(0, 80))
    else:
        assert "no voices" in refusal(lambda: model.explain(0, 0), NotImplementedError)


@each_model
def test_empty(model, fitted, numbered):
    model, none = fitted[id(model)], numbered[:0]
    assert model.predict(none.pairs).shape == (0,) and model.score([]).shape == (0, 80)
    for call in (lambda: replace(model).fit(none), lambda: model.objective(none)):
        assert "needs at least one rating" in refusal(call)
    if not cannot_fold_in(model):       # a newcomer who has rated nothing yet
        assert np.isfinite(model.fold_in(none).predict(numbered.pairs)).all()


@each_model
def test_other_types(model, fitted, numbered):
    model = fitted[id(model)]
    assert "pass ratings.pairs" in refusal(lambda: model.predict(numbered), TypeError)
    assert "not ndarray" in refusal(lambda: model.predict(numbered.users), TypeError)
    for call in (lambda: replace(model).fit(numbered.pairs), lambda: model.fold_in(numbered.pairs),
                 lambda: model.objective(numbered.pairs)):
        assert "needs Ratings, not Pairs" in refusal(call, TypeError)


@each_model
def test_seen_of_another_world(model, numbered):
    wider = Pairs(np.array([130]), np.array([0]))
    assert "seen has 131 users x 1 items, but train has 120 x 80" in refusal(
        lambda: replace(model).fit(numbered, seen=wider))
    other = named(numbered, items=7).pairs
    assert "seen: items are numbered by other ids than in train" in refusal(
        lambda: replace(model).fit(numbered, seen=other))
    assert "seen needs Pairs" in refusal(lambda: replace(model).fit(numbered, seen=numbered.users))


def test_a_chain_has_the_same_doors(numbered, tmp_path):
    chain = Chain((models.Baseline(), models.Neighbours()))
    for name, call in calls(chain, numbered, tmp_path / "model.npz").items():
        assert "not fitted: call fit first" in refusal(call), name
    chain.fit(numbered)
    assert "other ids" in refusal(lambda: chain.predict(named(numbered, items=7).pairs))
    assert "0..119" in refusal(lambda: chain.score([-1]))
    chain.save(tmp_path / "chain.npz")
    again = Chain.load(tmp_path / "chain.npz")
    assert again.numbering_.differs(numbered.numbering) is None
    assert again.predict(numbered.pairs).tobytes() == chain.predict(numbered.pairs).tobytes()


@each_model
def test_the_numbering_is_saved(model, fitted, numbered, tmp_path):
    model = fitted[id(model)]
    model.save(tmp_path / "model.npz")
    again = type(model).load(tmp_path / "model.npz")
    assert again.numbering_.differs(numbered.numbering) is None
    assert "other ids" in refusal(lambda: again.predict(named(numbered, users=7).pairs))


def test_text_ids_and_titles_are_saved(train, tmp_path):
    ids = np.array([f"0{user}\nü" for user in range(120)], object)
    info = Info("text", ids, np.arange(80), np.array([f"film {item}" for item in range(80)]))
    model = models.Mean().fit(replace(train, info=info))
    model.save(tmp_path / "model.npz")
    again = models.Mean.load(tmp_path / "model.npz").numbering_
    assert again.user_ids.tolist() == ids.tolist() and again.title(3) == "film 3"
    assert again.item_ids.tolist() == list(range(80)) and again.first_day is None


@each_model
def test_a_file_says_what_it_holds(model, fitted, tmp_path):
    fitted[id(model)].save(tmp_path / "model.npz")
    assert rslib.load_model(tmp_path / "model.npz") == fitted[id(model)]


def test_files_that_hold_no_model(train, tmp_path):
    path = tmp_path / "model.npz"
    assert "No such file" in refusal(lambda: rslib.load_model(path), FileNotFoundError)
    models.Mean().fit(train).save(path)
    whole = path.read_bytes()
    for content in (b"", b"no model", whole[:len(whole) // 2], whole[:-30]):
        path.write_bytes(content)
        for load in (rslib.load_model, models.Mean.load):
            assert "not a saved model, or a damaged one" in refusal(lambda load=load: load(path))
    np.savez(path, weights=np.ones(3))
    assert "not a saved model" in refusal(lambda: rslib.load_model(path))
    np.save(tmp_path / "array.npy", np.ones(3))
    assert "not a saved model" in refusal(lambda: rslib.load_model(tmp_path / "array.npy"))
    for header, words in (({"model": "Newer", "parameters": {}}, "holds a Newer, which is not"),
                          ({"model": "Mean"}, "its header holds model"),
                          ({"model": "Mean", "parameters": {"of": 1}, "n_users": 1, "n_items": 1},
                           "Mean has no field of: another version"),
                          ({"model": "Mean", "parameters": {}, "n_users": 1, "n_items": 1},
                           "without means_, global_mean_")):
        np.savez(path, header=np.array(json.dumps(header)))
        assert words in refusal(lambda: rslib.load_model(path))


# A file of one's own

MATRIX = ["Matrix, The (1999)", "Terminator 2: Judgment Day (1991)", "Pretty Woman (1990)"]


@pytest.fixture
def three(tmp_path):
    path = tmp_path / "three.csv"
    path.write_text("userId,movieId,rating,timestamp\nme,2571,5,1500000000\n"
                    "me,589,4.5,1500000100\nme,597,1,1500000200\n")
    return path


@pytest.fixture(scope="module")
def movielens():
    """The most popular tenth of the bundled set: it has all three, and fits in a moment."""
    ratings = sources.load("ml-latest-small")
    popular = np.bincount(ratings.items) > 30
    return ratings[popular[ratings.items]]


@pytest.mark.parametrize("model", [
    model for model in VARIANTS if not cannot_fold_in(model)
    and not isinstance(model, CANNOT_FOLD_IN)], ids=lambda model: type(model).__name__)
def test_movielens_ids_are_the_right_movies_or_refused(model, movielens, three, tmp_path):
    if hasattr(model, "n_epochs"):
        model = replace(model, n_epochs=1)
    model = replace(model).fit(movielens)
    message = refusal(lambda: model.fold_in(sources.load(three, cache=tmp_path / "cache")))
    assert "3 items, but" in message and "like=model, new_users=True" in message
    mine = sources.load(three, like=model, new_users=True, cache=tmp_path / "cache")
    assert [mine.numbering.title(item) for item in mine.items] == MATRIX
    assert mine.numbering.user_ids.tolist() == ["me"] and mine.n_items == 9724
    assert date.fromisoformat(mine.numbering.first_day) + timedelta(
        days=int(mine.days[0])) == date(2017, 7, 14)
    folded = model.fold_in(mine)
    assert folded.numbering_.user_ids.tolist() == ["me"]
    assert folded.predict(mine.pairs).shape == (3,)
    assert folded.n_users_ == 1


def test_what_is_unknown_is_said(movielens, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("userId,movieId,rating\n1,2571,5\n1,-4,4\n999,589,3\nx,-5,3\n")
    with pytest.warns(UserWarning, match=re.escape(
            "3 of 4 ratings left out: 2 unknown users ('999', 'x'), 2 unknown items ('-4', '-5'"
            ) + ".*|" + re.escape("3 of 4 ratings left out: ")):
        mine = sources.load(path, like=movielens, cache=tmp_path / "cache")
    assert (len(mine), mine.n_users, mine.n_items) == (1, 610, 9724)
    assert mine.users.tolist() == [0] and mine.numbering.title(mine.items[0]) == MATRIX[0]
    path.write_text("userId,movieId,rating\nme,2571,5\n")
    with pytest.raises(SourceError, match=r"unknown users \('me'\); if its users are new, pass "
                                          "new_users=True"):
        sources.load(path, like=movielens, cache=tmp_path / "cache")


def test_like_needs_a_numbering(train, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("userId,movieId,rating\n1,2,5\n")
    model = models.Mean().fit(train)
    assert "knows no raw ids" in refusal(lambda: sources.load(path, like=model))
    assert "like takes" in refusal(lambda: sources.load(path, like=3))
    assert "pass like=model, too" in refusal(lambda: sources.load(path, new_users=True))


def test_parts_of_a_split_share_one_numbering(movielens):
    split = splits.netflix(movielens)
    numberings = {id(part.numbering) for part in (split.train, split.probe, split.quiz, split.test,
                                                  split.final, split.quiz.pairs)}
    assert numberings == {id(movielens.numbering)}


# Fields

def stated(kind):
    """The domain that the docstring of a model states for each field, references followed."""
    found = {}
    section = re.search(r"\n    Parameters\n    -+\n(.*?)\n    (?:Attributes|Raises|Notes)\n",
                        kind.__doc__, re.DOTALL)[1]
    lines = section.split("\n")
    for at, line in enumerate(lines):
        if not re.match(r"    [a-z]", line):
            continue
        names, _, domain = line.strip().partition(" : ")
        if domain:
            found |= dict.fromkeys(names.split(", "), domain)
            continue
        first = at
        while re.match(r"    [a-z]", lines[first - 1]) and lines[first - 1].endswith(","):
            first -= 1
        last = at
        while lines[last].endswith(","):
            last += 1
        names = " ".join(each.strip() for each in lines[first:last + 1])
        other = re.search(r"See `(\w+)`", lines[last + 1])[1]
        theirs = stated(getattr(models, other))
        found |= {name: theirs[name] for name in names.split(", ")}
    return found


def outside(domain):
    """Values outside a domain, in the words of a docstring."""
    domain = domain.partition(";")[0]       # what only some solvers need comes after
    if domain.startswith("{"):
        return ["no such", 1]
    if domain == "bool":
        return [1, "True", None]
    whole = [1.5, True] if domain.startswith("int") else [True]
    values = ["1", None, float("nan"), *whole]
    if found := re.search(r"at least (\d+)", domain):
        values.append(int(found[1]) - 1)
    if found := re.search(r"above (\d+)", domain):
        values += [int(found[1]), float(found[1]) - 0.5]
    if found := re.search(r"in ([\[(])(\d+), (\d+)([\])])", domain):
        values += [float(found[2]) - 0.1, float(found[3]) + 0.1]
        values += [float(found[2])] * (found[1] == "(") + [float(found[3])] * (found[4] == ")")
    return values


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)
def test_every_field_keeps_to_the_domain_of_its_docstring(kind):
    domains = stated(kind)
    assert domains.keys() == {field.name for field in fields(kind)}
    for name, domain in domains.items():
        for value in outside(domain):
            message = refusal(lambda name=name, value=value: kind(**{name: value}))
            assert message.startswith(f"{kind.__name__}: {name} must be "), (name, value)
        default = getattr(kind(), name)
        changed = kind(**{name: np.array([default])[0]})      # a scalar of NumPy
        assert type(getattr(changed, name)) is type(default)


def test_fields_changed_later_are_checked_by_fit(train):
    model = models.BiasedMF()
    model.n_epochs = 0
    assert "BiasedMF: n_epochs must be at least 1, not 0" == refusal(lambda: model.fit(train))
    assert "BiasedMF: n_factors must be at least 1, not 0" == refusal(lambda: models.BiasedMF(0))


def test_the_command_line_lists_models_and_says_what_saved_ones_are(numbered, tmp_path, capsys):
    assert main(["models"]) == 0
    listed = capsys.readouterr().out
    assert all(kind.__name__ in listed for kind in MODELS)
    models.Baseline("ridge").fit(numbered).save(tmp_path / "mine.npz")
    for place in (tmp_path, tmp_path / "mine.npz"):
        assert main(["models", str(place)]) == 0
        said = capsys.readouterr().out
        assert "mine.npz: Baseline(solver='ridge'" in said and "120 users and 80 items" in said
        assert "with raw ids" in said
    for place, words in ((tmp_path / "none.npz", "No such file"), (tmp_path / "empty", "no .npz")):
        (tmp_path / "empty").mkdir(exist_ok=True)
        assert main(["models", str(place)]) == 2
        assert words in capsys.readouterr().err
