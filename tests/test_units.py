"""Ratings on any scale: every fit works in standard units, and answers in the user's."""

from dataclasses import replace

import numpy as np
import pytest
from test_models import VARIANTS, each_model
from worlds import planted_world

from rslib.models import MODELS, RBM, BiasedMF, ImputedSVD, MatrixFactorisation, SVDpp, TimeSVDpp
from rslib.ratings import Ratings

FACTORS = [0.01, 0.1, 2, 10, 1000]
SHIFTED = [(1, -3), (10, -50), (0.5, 1000)]
ROUNDING = 2e-5     # of ratings around 3.5 in float32, whose last bit is 2e-7
TIES = 3e-4         # one neighbour for another of the same similarity


@pytest.fixture(scope="module")
def train():
    return planted_world()[0]


@pytest.fixture(scope="module")
def as_they_are(train):
    """Predictions of every variant for the ratings as they are."""
    return {id(model): np.float64(replace(model).fit(train).predict(train.pairs))
            for model in VARIANTS}


def rescaled(ratings, a, c=0.0):
    return replace(ratings, values=ratings.values * np.float64(a) + c)


def follows_the_scale_only(model):
    """Whether the equation takes ratings with their mean, or predicts none at all."""
    return (model.preferences or (isinstance(model, MatrixFactorisation) and not model.centred)
            or (isinstance(model, ImputedSVD) and model.fill == "zero")
            or getattr(model, "similarity", None) == "cosine")


def tolerance(model):
    return TIES if type(model).__name__ == "Neighbours" else ROUNDING


@each_model
def test_ratings_times_a_give_predictions_times_a(model, train, as_they_are):
    if model.preferences:
        pytest.skip("a preference has no points")
    for a in FACTORS:
        fitted = replace(model).fit(rescaled(train, a))
        np.testing.assert_allclose(fitted.predict(train.pairs) / a, as_they_are[id(model)],
                                   rtol=0, atol=tolerance(model))


@each_model
def test_ratings_plus_c_give_predictions_plus_c(model, train, as_they_are):
    if follows_the_scale_only(model):
        pytest.skip("its equation has no mean, and zero stars are not the same as zero degrees")
    for a, c in SHIFTED:
        fitted = replace(model).fit(rescaled(train, a, c))
        last_bit = np.spacing(np.float32(abs(c) + 5 * a)) / a     # lost when c was added
        np.testing.assert_allclose(
            (np.float64(fitted.predict(train.pairs)) - c) / a, as_they_are[id(model)], rtol=0,
            atol=tolerance(model) + 20 * last_bit)


@pytest.mark.parametrize("model", [BiasedMF(4, n_epochs=5), BiasedMF(4, "als", n_epochs=3),
                                   MatrixFactorisation(3, "als", n_epochs=3),
                                   SVDpp(4, n_epochs=5), TimeSVDpp(n_factors=4, n_epochs=3),
                                   ImputedSVD(3, n_epochs=3)],
                         ids=lambda model: type(model).__name__)
def test_all_that_a_model_says_is_in_the_user_s_units(model, train):
    one, ten = (replace(model).fit(rescaled(train, a)) for a in (1, 10))
    users = np.arange(5)
    np.testing.assert_allclose(ten.score(users), 10 * one.score(users), rtol=1e-5)
    assert ten.objective(rescaled(train, 10)) == pytest.approx(100 * one.objective(train), rel=1e-5)
    if hasattr(one, "terms"):
        for name, value in one.terms(train.pairs).items():
            np.testing.assert_allclose(ten.terms(train.pairs)[name], 10 * value, atol=2e-5)
    few = Ratings(np.zeros(4, int), np.arange(4), np.arange(4), n_items=train.n_items,
                  values=np.array([5.0, 4, 1, 3]))
    np.testing.assert_allclose(ten.fold_in(rescaled(few, 10)).score([0]),
                               10 * one.fold_in(few).score([0]), rtol=1e-4)


@each_model
def test_explanations_are_in_the_user_s_units(model, train):
    if "_explain" not in vars(type(model)):
        pytest.skip("no single voices are summed")
    user, item = int(train.users[0]), int(train.items[-1])
    one, ten = (replace(model).fit(rescaled(train, a)).explain(user, item) for a in (1, 10))
    assert len(one) == len(ten) > 0
    for name in ("deviation", "contribution"):
        ours, theirs = (np.array([getattr(voice, name) for voice in voices])
                        for voices in (one, ten))
        np.testing.assert_allclose(theirs, 10 * ours, atol=1e-3)


@each_model
def test_ratings_that_are_all_the_same_are_what_is_predicted(model, train):
    same = replace(train, values=np.full(len(train), 3.7))
    predictions = replace(model).fit(same).predict(same.pairs)
    if not follows_the_scale_only(model):
        np.testing.assert_allclose(predictions, 3.7, atol=0.02)
    assert np.isfinite(predictions).all()


STEPS = [model for model in VARIANTS if hasattr(model, "learning_rate") and getattr(
    model, "solver", "sgd") == "sgd" and type(model) is not RBM]       # whose units saturate


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("model", STEPS, ids=lambda model: type(model).__name__)
def test_a_fit_that_diverges_says_what_to_lower(model, train):
    fast = replace(model, learning_rate=300.0, decay=1.0, n_epochs=8)
    with pytest.raises(FloatingPointError) as caught:
        fast.fit(train)
    message = str(caught.value)
    assert message.startswith(f"{type(model).__name__}: the fit diverged")
    assert "lower learning_rate (it is 300)" in message and "\n" not in message


@each_model
def test_a_long_tail_is_learned_or_refused_and_never_nan(model, train):
    """Plays of a song: most are few, and some are a hundred thousand."""
    rng = np.random.default_rng(0)
    plays = np.ceil(rng.lognormal(3, 2.5, len(train)))
    try:
        fitted = replace(model).fit(replace(train, values=plays))
    except FloatingPointError as error:
        assert "the fit diverged" in str(error)
    else:
        assert np.isfinite(fitted.predict(train.pairs)).all()


def test_every_model_is_tried():
    assert {type(model) for model in VARIANTS} == set(MODELS)
