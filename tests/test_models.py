"""The contract that every model keeps, and that each is the best it claims to be."""

from dataclasses import asdict, fields, replace
from itertools import pairwise

import numpy as np
import pytest
from worlds import planted_world

from rslib.metrics import rmse
from rslib.models import (
    BPR,
    EASE,
    MODELS,
    NSVD,
    RBM,
    AsymmetricSVD,
    Baseline,
    BiasedMF,
    GlobalWeights,
    ImplicitALS,
    ImputedSVD,
    Integrated,
    ItemWeights,
    MatrixFactorisation,
    Mean,
    Neighbours,
    Popularity,
    SVDpp,
    TemporalAsymmetricSVD,
    TemporalBaseline,
    TemporalIntegrated,
    TemporalWeights,
    TimeSVDpp,
)
from rslib.ratings import Pairs, Ratings

VARIANTS = [Mean("global"), Mean("user"), Mean("item"),
            Baseline("decoupled", reg_user=10, reg_item=25), Baseline("ridge"),
            Baseline("sgd", reg_user=5, reg_item=3),
            Neighbours(), Neighbours(by="user", similarity="pearson", power=2),
            Neighbours(similarity="adjusted-cosine", deviations=False),
            Neighbours(similarity="cosine"),
            ItemWeights(10), ItemWeights(10, "gd", n_epochs=20), GlobalWeights(n_epochs=10),
            BiasedMF(4, "sgd", reg=0.02, n_epochs=80), BiasedMF(4, "als", reg=0.02, n_epochs=20),
            ImputedSVD(4, "zero", shrinkage=0), ImputedSVD(4, "user"), ImputedSVD(4, "item"),
            ImputedSVD(4, "baseline"), ImputedSVD(3, "iterate", shrinkage=3),
            MatrixFactorisation(3, "gd", reg_user=0.02, reg_item=0.02, n_epochs=60, centred=False),
            MatrixFactorisation(3, "sgd", reg_user=0.02, reg_item=0.02, n_epochs=60),
            MatrixFactorisation(3, "als", reg_user=0.02, reg_item=0.02, n_epochs=20,
                                centred=False),
            MatrixFactorisation(3, "als", reg_user=0.02, reg_item=0.02, weighted=False,
                                centred=True, start="random", n_epochs=20),
            NSVD(4, n_epochs=20), AsymmetricSVD(4, n_epochs=20), SVDpp(4, reg=0.02, n_epochs=60),
            Integrated(4, reg=0.02, n_epochs=30),
            TemporalBaseline(n_epochs=20),
            TemporalBaseline(calendar_days=0, item_bin_days=0, drift="spline", frequency=False),
            TimeSVDpp(n_factors=4, reg=0.02, n_epochs=60, day_weight=0),
            TemporalWeights(n_epochs=10), TemporalAsymmetricSVD(n_factors=4, n_epochs=20),
            TemporalIntegrated(n_factors=4, reg=0.02, n_epochs=30),
            RBM(n_hidden=20, n_epochs=10),
            RBM(n_hidden=20, n_epochs=10, visible="items", case_bias=False),
            RBM(n_hidden=20, n_epochs=10, conditional=True, session_bias=True, sampled=True),
            RBM(n_hidden=20, n_epochs=10, rank=5, n_steps=3),
            RBM(n_hidden=20, n_epochs=10, hidden="gaussian", learning_rate=1e-4),
            Popularity(), BPR(4, n_epochs=20), BPR(4, bias=False, n_epochs=20),
            ImplicitALS(4, n_epochs=10), ImplicitALS(4, "cg", alpha=0.3, nu=0.5, n_epochs=10),
            EASE(20), EASE(20, binary=False)]
each_model = pytest.mark.parametrize(
    "model", VARIANTS, ids=[f"{at}-{type(model).__name__}" for at, model in enumerate(VARIANTS)])
SUMS = (NSVD, AsymmetricSVD, SVDpp, Integrated)
IDS_MATTER = (*SUMS, BPR, BiasedMF, ImplicitALS, MatrixFactorisation, RBM)  # draws follow ids
VISITS_RATINGS = (*SUMS, BPR, GlobalWeights, TimeSVDpp, TemporalWeights, TemporalAsymmetricSVD,
                  TemporalIntegrated)       # SGD without a field that says so
CANNOT_FOLD_IN = (BPR, TemporalWeights, TemporalAsymmetricSVD, TemporalIntegrated)


def is_sgd(model):
    return getattr(model, "solver", "") == "sgd" or isinstance(model, VISITS_RATINGS)


def cannot_fold_in(model):
    by_user = isinstance(model, Neighbours) and model.by == "user"
    by_user |= isinstance(model, RBM) and model.visible == "users"
    return by_user or isinstance(model, CANNOT_FOLD_IN)


def learned(model):
    return {name: np.copy(getattr(model, name)) for name in model._learned}


def same(ours, theirs):
    return all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_every_model_is_tried():
    assert {type(model) for model in VARIANTS} == set(MODELS)


@each_model
def test_fit_returns_self_and_is_deterministic(model, train):
    model = replace(model)
    assert model.fit(train) is model
    first = learned(model)
    assert same(first, learned(model.fit(train))), "a refit remembers the first fit"
    assert same(first, learned(replace(model).fit(train)))


@each_model
def test_train_is_unaltered(model, train):
    before = [np.copy(getattr(train, name)) for name in ("users", "items", "values", "days")]
    replace(model).fit(train)
    for name, column in zip(("users", "items", "values", "days"), before, strict=True):
        assert np.array_equal(getattr(train, name), column)


@each_model
def test_learned_arrays_are_float32_on_the_host_and_counted(model, train):
    model = replace(model).fit(train)
    arrays = [array for array in learned(model).values() if array.ndim]
    assert all(array.dtype == np.float32 for array in arrays if array.dtype.kind == "f")
    global_mean = 0 if model == Mean("global") or model.preferences else 1
    derived = sum(np.size(getattr(model, name)) for name in model._derived
                  if np.ndim(getattr(model, name)))
    assert model.n_parameters == sum(array.size for array in arrays) + global_mean - derived
    assert model.predict(train.pairs).dtype == np.float32


@each_model
def test_fields_are_hyper_parameters_and_nothing_else(model, train):
    before = asdict(model)
    assert asdict(replace(model).fit(train)) == before
    assert not any(field.name.endswith("_") for field in fields(model))


@each_model
def test_predict_never_sees_values(model, train):
    model = replace(model).fit(train)
    with pytest.raises(TypeError, match=r"pass ratings\.pairs"):
        model.predict(train)


@each_model
def test_users_and_items_without_ratings_get_a_finite_fallback(model, train):
    known = (train.users > 5) & (train.items > 5)
    model = replace(model).fit(train[known])
    everyone = Pairs(np.arange(6), np.arange(6), n_users=120, n_items=80)
    if model.preferences:       # of an item that nobody has: no recommendation
        usual = np.median(model.predict(train[known].pairs))
        assert np.isfinite(model.predict(everyone)).all() and model.predict(everyone).max() < usual
        return
    of_the_day = model.calendar_bias_[-1] if getattr(model, "calendar_days", 0) else 0
    np.testing.assert_allclose(model.predict(everyone),
                               model.global_mean_ + of_the_day * model.unit_, atol=1e-6)


@each_model
def test_one_rating_is_enough(model):
    one = Ratings(np.array([0]), np.array([0]), values=np.array([4.0]), n_users=2, n_items=2)
    model = replace(model).fit(one)
    pairs = Pairs(np.array([0, 0, 1]), np.array([0, 1, 1]), n_users=2, n_items=2)
    if model.preferences:       # the user may have an item rather than another
        assert model.predict(pairs)[0] >= max(model.predict(pairs)[1:])
        return
    np.testing.assert_allclose(model.predict(pairs), 4.0, atol=0.05)


@each_model
def test_the_order_of_the_rows_of_predict_is_kept(model, train):
    model = replace(model).fit(train)
    backwards = train[np.arange(len(train))[::-1]]
    assert np.array_equal(model.predict(backwards.pairs), model.predict(train.pairs)[::-1])


@each_model
def test_permuted_ids_permute_the_model(model, train):
    """Nothing but the order of the draws may depend on what a user is called."""
    if is_sgd(model) or isinstance(model, IDS_MATTER):
        pytest.skip("starts or visits depend on ids by design")
    to = np.random.default_rng(0).permutation(train.n_users)
    renamed = replace(train, users=to[train.users])
    ours = replace(model).fit(train).predict(train.pairs)
    theirs = replace(model).fit(renamed).predict(renamed.pairs)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=2e-6)


@each_model
def test_shuffled_labels_teach_nothing_about_the_held_out(model, train):
    if model.preferences:
        pytest.skip("foretells who has what, and no labels")
    rng = np.random.default_rng(0)
    held_out = rng.random(len(train)) < 0.2
    shuffled = replace(train, values=rng.permutation(train.values))
    fitted = replace(model).fit(shuffled[~held_out])
    error = rmse(fitted.predict(shuffled[held_out].pairs), shuffled[held_out].values)
    assert error > 0.97 * shuffled[held_out].values.std()


@each_model
def test_save_and_load_agree(model, train, tmp_path):
    model = replace(model).fit(train)
    model.save(tmp_path / "model.npz")
    again = type(model).load(tmp_path / "model.npz")
    assert again == model and same(learned(model), learned(again))
    assert np.array_equal(again.predict(train.pairs), model.predict(train.pairs))
    assert [path.name for path in tmp_path.iterdir()] == ["model.npz"]
    other = next(cls for cls in MODELS if cls is not type(model))
    with pytest.raises(ValueError, match=f"holds a {type(model).__name__}"):
        other.load(tmp_path / "model.npz")


@each_model
def test_scores_are_predictions_of_every_item(model, train):
    model = replace(model).fit(train)
    scores = model.score(np.array([3, 7]))
    pairs = Pairs(np.full(80, 7), np.arange(80), n_users=120, n_items=80)
    np.testing.assert_allclose(scores[1], model.predict(pairs), rtol=1e-5)
    assert scores.shape == (2, 80)


@each_model
def test_a_user_folded_in_gets_what_a_row_of_the_fit_would_get(model, train):
    """Fold a user of the training set back in: where the fit has settled, nothing moves."""
    if cannot_fold_in(model):
        with pytest.raises(NotImplementedError, match="cannot take a user in without a new fit: "):
            replace(model).fit(train).fold_in(train)
        return
    settled = {"sgd": dict(n_epochs=600, decay=0.985, learning_rate=0.05),
               "gd": dict(n_epochs=3000), "als": dict(n_epochs=400), "cholesky": dict(n_epochs=100),
               "cg": dict(n_epochs=100), "ridge": dict(n_epochs=100)}
    solver = "sgd" if is_sgd(model) else getattr(model, "solver", None)
    model = replace(model, **settled.get(solver, {}))
    fitted = replace(model).fit(train)
    mine = train[train.users == 17]
    newcomer = Ratings(np.zeros(len(mine), int), mine.items, mine.days, values=mine.values,
                       n_items=80)
    folded = fitted.fold_in(newcomer)
    pairs = Pairs(np.zeros(80, int), np.arange(80), n_users=1, n_items=80)
    np.testing.assert_allclose(folded.predict(pairs), fitted.score(np.array([17]))[0], atol=0.02)
    assert fitted.n_users_ == 120 and folded.n_users_ == 1


@pytest.mark.parametrize("model", [Baseline("ridge"), Baseline("sgd"), BiasedMF(4, "als"),
                                   BiasedMF(4, "sgd")], ids=str)
def test_on_epoch_sees_every_epoch_and_can_stop(model, train):
    epochs = []
    fitted = replace(model).fit(train, on_epoch=lambda epoch, m: epochs.append(epoch) or epoch == 3)
    assert epochs == [1, 2, 3]
    assert same(learned(fitted), learned(replace(model, n_epochs=3).fit(train)))


# optimality: the gradient of each docstring's objective, as a slow double loop


def gradient_of_baseline(model, train):
    """Half the gradient of J with respect to user and item biases, rating by rating."""
    users, items = (np.float64(array) for array in (model.user_bias_, model.item_bias_))
    to_users, to_items = model.reg_user * users, model.reg_item * items
    for user, item, value in zip(train.users, train.items, train.values, strict=True):
        error = value - model.global_mean_ - users[user] - items[item]
        to_users[user] -= error
        to_items[item] -= error
    return np.concatenate([to_users, to_items])


def test_ridge_baseline_stands_at_the_minimum(train):
    model = Baseline("ridge", n_epochs=60).fit(train)
    assert abs(gradient_of_baseline(model, train)).max() < 1e-3
    model.item_bias_ *= 1.02        # the test would notice a bias off by two per cent
    assert abs(gradient_of_baseline(model, train)).max() > 0.1


def test_every_solver_of_the_baseline_descends_the_same_objective(train):
    ridge, sgd, decoupled = (Baseline(solver, n_epochs=60).fit(train).objective(train)
                             for solver in ("ridge", "sgd", "decoupled"))
    assert ridge < sgd < ridge * 1.001
    assert ridge < decoupled


def test_decoupled_baseline_by_hand():
    r = Ratings(np.array([0, 0, 1]), np.array([0, 1, 0]), values=np.array([5.0, 3.0, 4.0]))
    model = Baseline("decoupled", reg_user=1, reg_item=2).fit(r)
    np.testing.assert_allclose(model.item_bias_, [1 / 4, -1 / 3], rtol=1e-6)
    np.testing.assert_allclose(model.user_bias_, [(0.75 - 2 / 3) / 3, -0.25 / 2], rtol=1e-5)


def gradient_of_biased_mf(model, train):
    """Half the gradient of J with respect to each of the four arrays, rating by rating."""
    parts = [np.float64(array) for array in (model.user_bias_, model.item_bias_,
                                             model.user_factors_, model.item_factors_)]
    bu, bi, p, q = parts
    to = [np.zeros_like(part) for part in parts]
    for u, i, value in zip(train.users, train.items, model.in_units(train).values, strict=True):
        error = value - bu[u] - bi[i] - p[u] @ q[i]
        to[0][u] += model.reg_bias * bu[u] - error
        to[1][i] += model.reg_bias * bi[i] - error
        to[2][u] += model.reg * p[u] - error * q[i]
        to[3][i] += model.reg * q[i] - error * p[u]
    return to


def test_als_leaves_the_side_it_solved_last_at_its_minimum(train):
    model = BiasedMF(4, "als", n_epochs=3).fit(train)
    _, to_item_bias, _, to_item_factors = gradient_of_biased_mf(model, train)
    assert abs(to_item_bias).max() < 1e-3 and abs(to_item_factors).max() < 1e-3


def test_als_settles_where_the_whole_gradient_vanishes(train):
    model = BiasedMF(4, "als", n_epochs=400).fit(train)
    assert max(abs(part).max() for part in gradient_of_biased_mf(model, train)) < 0.05
    model.user_bias_ *= 1.02
    assert max(abs(part).max() for part in gradient_of_biased_mf(model, train)) > 0.2


def test_als_never_raises_its_objective(train):
    curve = []
    BiasedMF(8, "als", n_epochs=15).fit(
        train, on_epoch=lambda _, model: curve.append(model.objective(train)))
    assert all(later <= earlier * (1 + 1e-6) for earlier, later in pairwise(curve))


def test_the_objective_is_the_docstring_s_and_its_gradient_agrees(train):
    """Finite differences of `objective` against the double loop, at a random place."""
    rng = np.random.default_rng(3)
    model = BiasedMF(3, "als", n_epochs=1).fit(train)
    names = "user_bias_", "item_bias_", "user_factors_", "item_factors_"
    for name in names:
        setattr(model, name, rng.normal(0, 0.5, getattr(model, name).shape))
    for name, gradient in zip(names, gradient_of_biased_mf(model, train), strict=True):
        array = getattr(model, name)
        place = tuple(rng.integers(0, array.shape))
        ends = []
        for step in (1e-4, -2e-4):
            array[place] += step
            ends.append(model.objective(train) / model.unit_ ** 2)
        assert (ends[0] - ends[1]) / 2e-4 == pytest.approx(2 * gradient[place], rel=1e-3)


def test_sgd_and_als_reach_the_same_depth(train):
    sgd = BiasedMF(2, "sgd", n_epochs=300, decay=0.985, learning_rate=0.03).fit(train)
    als = BiasedMF(2, "als", n_epochs=60).fit(train)
    assert sgd.objective(train) == pytest.approx(als.objective(train), rel=0.01)


# recovery: a planted truth comes back, and each rung beats the one below


def test_planted_biases_come_back():
    train, stars = planted_world(n_users=400, n_items=150, noise=0.3)
    model = Baseline("ridge").fit(train)
    truth = stars - stars.mean()
    assert np.corrcoef(model.user_bias_, truth.mean(1))[0, 1] > 0.95
    assert np.corrcoef(model.item_bias_, truth.mean(0))[0, 1] > 0.95


@pytest.mark.parametrize("solver", ["sgd", "als"])
def test_planted_taste_comes_back(solver):
    train, stars = planted_world(n_users=400, n_items=150, noise=0.3)
    reg = 0.005
    model = BiasedMF(2, solver, reg=reg, reg_bias=reg, n_epochs=100, learning_rate=0.02).fit(train)
    everyone = model.score(np.arange(400))
    assert rmse(everyone.ravel(), stars.ravel()) < 0.15       # half of the noise in each rating


def test_each_rung_beats_the_one_below():
    train, _ = planted_world(n_users=400, n_items=150, noise=0.5, density=0.3)
    held_out = np.random.default_rng(0).random(len(train)) < 0.2
    fit, quiz = train[~held_out], train[held_out]
    ladder = [Mean("global"), Mean("item"), Baseline("decoupled"), Baseline("ridge"),
              BiasedMF(2, "als", reg=0.02, n_epochs=30)]
    errors = [rmse(model.fit(fit).predict(quiz.pairs), quiz.values) for model in ladder]
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.65 < errors[-2]
