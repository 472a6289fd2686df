"""Models of time: their objectives, what they recover, and that the future stays closed."""

from copy import deepcopy
from dataclasses import asdict, replace

import numpy as np
import pytest
from test_models import VARIANTS
from worlds import drifting_world, fading_world, planted_world

from rslib.kernels import feature_sums
from rslib.metrics import rmse
from rslib.models import (
    Baseline,
    SVDpp,
    TemporalAsymmetricSVD,
    TemporalBaseline,
    TemporalIntegrated,
    TemporalWeights,
    TimeSVDpp,
    descent,
)
from rslib.models.parts.factors import Factors
from rslib.models.parts.part import Lookup
from rslib.models.parts.sessions import Sessions, Span
from rslib.models.parts.time import FrequencyBias, SplineDrift
from rslib.ratings import Pairs, Ratings
from rslib.sources.synthetic import generate

OFF = dict(calendar_days=0, item_bin_days=0, drift="none", day_bias=False, scale=False,
           frequency=False)
SGD = [TimeSVDpp(n_factors=3), TimeSVDpp(n_factors=3, drift="spline", frequency=True),
       TemporalWeights(), TemporalAsymmetricSVD(n_factors=3), TemporalIntegrated(n_factors=3)]
IN_TIME = [TemporalBaseline(), TemporalBaseline(drift="spline"), *SGD]
each_sgd = pytest.mark.parametrize("model", SGD, ids=lambda model: type(model).__name__)
each_in_time = pytest.mark.parametrize("model", IN_TIME, ids=lambda model: type(model).__name__)


# the temporal baseline

def test_with_every_switch_off_it_is_the_static_baseline(train):
    ours, theirs = TemporalBaseline(**OFF, n_epochs=20).fit(train), Baseline(n_epochs=20).fit(train)
    np.testing.assert_allclose(ours.predict(train.pairs), theirs.predict(train.pairs), atol=2e-6)
    assert ours.n_parameters == theirs.n_parameters


@pytest.mark.parametrize("drift", ["none", "linear", "spline"])
@pytest.mark.parametrize("scale", [False, True])
def test_the_gradient_of_the_objective_vanishes_at_the_fit(drift, scale, train):
    model = TemporalBaseline(drift=drift, scale=scale, n_epochs=1000, reg_scale=30).fit(train)
    rng = np.random.default_rng(0)
    for name in [part.table for part in model.parts() if isinstance(part, Lookup)]:
        array = getattr(model, name)
        for _ in range(3):
            place = tuple(rng.integers(0, array.shape))
            assert abs(slope(model, train, array, place, 0.05)) < 0.02
            array[place] += 0.1     # the test would notice a parameter off by a tenth of a star
            used = abs(slope(model, train, array, place, 0.05))
            array[place] -= 0.1
            assert used > 0.5


def slope(model, ratings, array, place, step):
    """Slope of the objective along one parameter, by a central difference."""
    kept, ends = array[place], []
    for to in (kept + step, kept - step):
        array[place] = to
        ends.append(model.objective(ratings))
    array[place] = kept
    return (ends[0] - ends[1]) / (2 * step)


def test_no_round_raises_the_objective(train):
    curve = []
    TemporalBaseline(drift="spline", n_epochs=20).fit(
        train, on_epoch=lambda _, model: curve.append(model.objective(train)))
    assert len(curve) == 20 and all(np.diff(curve) <= 1e-4 * curve[0])
    assert curve[-1] < curve[0]


def test_deviations_levels_and_knots_by_hand():
    days = np.array([0, 10, 20, 100])
    r = Ratings(np.array([0, 0, 0, 1]), np.arange(4), days, values=np.ones(4))
    model = TemporalBaseline(drift="spline", beta=0.5, frequency_base=2).fit(r)
    assert model.user_days_.tolist() == [10, 100]
    np.testing.assert_allclose(model.at(r.pairs).deviations, [-0.1 ** 0.5, 0, 0.1 ** 0.5, 0])
    frequency = FrequencyBias(reg=1, base=2)
    assert frequency.level(np.array([1, 2, 3, 4, 8, 1000])).tolist() == [0, 1, 1, 2, 3, 9]
    assert model.knots_.tolist() == [[10], [100]]       # three ratings to the power 1/4: one knot
    many = Ratings(np.zeros(16, int), np.arange(16), np.arange(16) * 10, values=np.ones(16))
    model.fit(many)
    assert model.knots_.tolist() == [[37.5, 112.5]]
    shares = SplineDrift(reg=1, decay=0.3).shares(model, np.zeros(2, int), np.array([37, 75]))
    np.testing.assert_allclose(shares, [[1, 0], [0.5, 0.5]], atol=1e-6)


def test_ratings_of_a_day_are_counted_with_what_is_seen_and_no_pair_twice():
    r = Ratings(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([5, 5, 5]), values=np.ones(3),
                n_items=4)
    seen = Pairs(np.array([0, 0, 1]), np.array([1, 2, 3]), np.array([5, 5, 9]), 2, 4)
    model = TemporalBaseline().fit(r, seen=seen)
    assert model.session_sizes_.tolist() == [3, 1, 1]
    assert model.at(seen).sizes.tolist() == [3, 3, 1]
    assert model.at(seen).sessions.tolist() == [0, 0, 2]
    bare = Pairs(seen.users, seen.items, n_users=2, n_items=4)
    assert TemporalBaseline().fit(r, seen=bare).session_sizes_.tolist() == [2, 1]


# the models that step rating by rating

def one_epoch_from_anywhere(model, train):
    """Return a model at a random place, and the same after one epoch more."""
    before, rng = [], np.random.default_rng(4)

    def go_anywhere(epoch, fitted):
        if epoch > 1:
            return
        for name in moved_by_steps(fitted):
            array = fitted.learned(name)        # a view: the fit goes on from here
            array += rng.normal(0, 0.2, array.shape).astype("f4")
            if name in ("weights_", "implicit_weights_"):
                np.fill_diagonal(array, 0)
        before.append(deepcopy(fitted))
    after = replace(model, n_epochs=2, decay=1.0).fit(train, on_epoch=go_anywhere)
    return before[0], after


def moved_by_steps(model):
    """Names of all that gradient descent moves: what is learned, but the mean and the calendar."""
    still = {*model._derived, "calendar_bias_", "global_mean_"}
    return [name for name in model._learned if name not in still]


@each_sgd
def test_an_epoch_descends_the_objective_of_the_docstring(model, train):
    """With a small step an epoch moves every parameter along minus half the gradient of J."""
    few, rate = train[train.users < 40], 2e-5
    rates = {name: rate for name in asdict(model) if name.startswith("learning_rate")}
    rates |= {name: 1e-3 for name in rates if name.endswith("_forgetting")}  # of numbers near -6
    free = {"init_std": 0.2, "day_weight": 0.6} if hasattr(model, "day_weight") else {}
    before, after = one_epoch_from_anywhere(replace(model, **free, **rates), few)
    factors = descent.find(before.parts(), Factors)
    rng = np.random.default_rng(5)
    for name in moved_by_steps(before):
        array = before.learned(name)
        start = array.copy()
        taken = 1e-3 if name == "log_rates_" else rate
        moved = (np.float64(after.learned(name)) - start) / taken
        places = np.argwhere(abs(moved) > 0.3 * abs(moved).max())
        for place in map(tuple, rng.permutation(places)[:3]):
            slopes = []
            for step in (0.02, -0.02):
                array[place] = start[place] + step
                if factors:
                    before.user_sums_ = feature_sums(factors.features_of(before, few, None),
                                                     factors.table(before))
                slopes.append(before.objective(few) / before.unit_ ** 2)
            array[place] = start[place]
            expected = -(slopes[0] - slopes[1]) / 0.04 / 2
            assert moved[place] == pytest.approx(expected, rel=0.03, abs=0.05), (name, place)


def test_the_biases_of_the_rule_settle_where_alternation_does(train, monkeypatch):
    """Factors at zero stay at zero, and the rest of timeSVD++ is the temporal baseline."""
    biases = dict(calendar_days=0, reg_drift=5, reg_day=10)
    ridge = TemporalBaseline(scale=False, frequency=True, n_epochs=300, **biases).fit(train)
    model = TimeSVDpp(n_factors=1, init_std=0, frequency=True, n_epochs=400, learning_rate=0.02,
                      decay=0.985, **biases)
    monkeypatch.setattr(descent, "START", 0)        # not at the minimum, but at zero
    sgd = model.fit(train)
    assert not sgd.item_factors_.any()
    assert sgd.objective(train) == pytest.approx(ridge.objective(train), rel=2e-3)
    np.testing.assert_allclose(sgd.predict(train.pairs), ridge.predict(train.pairs), atol=0.03)


@each_sgd
def test_no_penalty_is_too_large_for_a_step(model, train):
    hard = {name: 1e6 for name in asdict(model) if name.startswith("reg_") and name not in
            ("reg_weights", "reg_forgetting")}
    fitted = replace(model, n_epochs=3, **hard).fit(train)
    for name in ("user_bias_", "item_bias_", "item_bins_", "drift_", "day_bias_"):
        assert abs(getattr(fitted, name)).max() < 1e-3
    assert np.isfinite(fitted.predict(train.pairs)).all()


@each_in_time
def test_the_order_of_the_rows_of_train_does_not_matter(model, train):
    order = np.random.default_rng(0).permutation(len(train))
    ours, theirs = (replace(model, n_epochs=3).fit(rows) for rows in (train, train[order]))
    np.testing.assert_allclose(ours.predict(train.pairs), theirs.predict(train.pairs), atol=1e-4)


# days

@each_in_time
def test_a_day_outside_the_span_is_the_nearest_day_inside_without_its_session(model, train):
    inside = train[(train.days >= 100) & (train.days < 400)]
    model = replace(model, n_epochs=3).fit(inside)
    users, items = np.arange(80), np.arange(80)

    def on(day):
        return model.predict(Pairs(users, items, np.full(80, day), 120, 80))
    for far, near in ((-10**6, 100), (10**6, 399)):
        assert np.isfinite(on(far)).all()
        np.testing.assert_array_equal(on(far), on(far // 2 + near // 2))
        busy = np.isin(users * 1000 + near, inside.users * 1000 + inside.days)
        np.testing.assert_allclose(on(far)[~busy], on(near)[~busy], atol=1e-6)
    bare = model.predict(Pairs(users, items, n_users=120, n_items=80))
    np.testing.assert_array_equal(bare, on(399))


@each_in_time
def test_ratings_without_days_are_of_one_day(model, train):
    bare = replace(train, days=None)
    fitted = replace(model, n_epochs=3).fit(bare)
    assert (fitted.first_day_, fitted.last_day_) == (0, 0)
    assert np.isfinite(fitted.predict(bare.pairs)).all()
    same = replace(model, n_epochs=3).fit(replace(train, days=np.zeros(len(train), int)))
    np.testing.assert_array_equal(fitted.predict(bare.pairs), same.predict(bare.pairs))


# the canary: nothing that a user does later may be read from the days of `seen`

def sings(model, ratings):
    """Whether the model reads the days of what is seen: fit it on three stories of the future."""
    past = ratings.days < 350
    train, later = ratings[past], ratings[~past].pairs
    other = replace(later, days=np.random.default_rng(0).integers(350, 450, len(later)))
    stories = later, other, replace(later, days=None)
    told = [replace(model).fit(train, seen=story) for story in stories]
    return not all(np.array_equal(told[0].predict(asked), fitted.predict(asked))
                   for asked in (later, replace(later, days=np.full(len(later), 340)))
                   for fitted in told[1:])


class PeekingSessions(Sessions):
    """Sessions that take the middle day of a user from all days they can get hold of."""

    def start(self, model, train, seen, rng):
        super().start(model, train, seen, rng)
        if seen.days is not None:
            days, users = (np.concatenate([getattr(part, name) for part in (train, seen)])
                           for name in ("days", "users"))
            model.user_days_ = (np.bincount(users, days) / np.bincount(users)).astype("f4")


class WideSpan(Span):
    """A span that ends at the last day it can get hold of."""

    def start(self, model, train, seen, rng):
        super().start(model, train, seen, rng)
        if seen.days is not None:
            model.last_day_ = int(seen.days.max())


def peeking(part, kind):
    """A temporal baseline with one of its parts in the place of another."""
    class Peeking(TemporalBaseline):
        def parts(self):
            return [part if isinstance(each, kind) else each for each in super().parts()]
    return Peeking


def test_the_canary_sings_for_a_model_that_peeks(train):
    assert sings(peeking(PeekingSessions(0.4), Sessions)(frequency=False), train)
    assert sings(peeking(WideSpan(), Span)(frequency=False, item_bin_days=0, calendar_days=0),
                 train)


@pytest.mark.parametrize("model", VARIANTS, ids=lambda model: type(model).__name__)
def test_no_model_reads_the_days_of_what_is_seen_unless_asked_for_frequencies(model, train):
    if hasattr(model, "frequency"):
        assert not sings(replace(model, n_epochs=3, frequency=False), train)
        busy = replace(train, days=train.days // 50 * 50 + train.users % 3)
        assert sings(replace(model, n_epochs=3, frequency=True, frequency_base=1.5), busy)
    else:
        assert not sings(replace(model, n_epochs=2) if hasattr(model, "n_epochs") else model,
                         train)


def test_a_planted_leak_shows_in_the_error():
    """How busy a day of the future will be gives its stars away: the error is too good to be true.

    A user's good ratings come all on one day, the others on days of their own. That can be learned
    honestly; but how busy a day will be is known only when it is over.
    """
    rng = np.random.default_rng(0)
    world, _ = planted_world(n_users=300, n_items=60, noise=0.5)
    later = rng.random(len(world)) < 0.3
    days = np.where(world.values > 4, 0, rng.permutation(len(world)) + 1) + later * 10_000
    world = replace(world, days=days)
    train, quiz = world[~later], world[later]
    model = TemporalBaseline(**(OFF | dict(frequency=True)), frequency_base=2, reg_frequency=5)
    closed, dated = (rmse(model.fit(train, seen=seen).predict(quiz.pairs), quiz.values)
                     for seen in (replace(quiz.pairs, days=None), quiz.pairs))
    assert dated < 0.8 * closed
    assert closed == rmse(model.fit(train).predict(quiz.pairs), quiz.values)


# recovery

def test_planted_drift_and_moods_come_back():
    world, drift, mood = drifting_world()
    model = TemporalBaseline(**(OFF | dict(drift="linear", day_bias=True)), beta=1.0,
                             reg_drift=0.3, reg_day=3).fit(world)
    # drift_ is in stars from the middle day to a day T away, the planted one from end to end
    assert np.corrcoef(model.drift_[:, 0], drift)[0, 1] > 0.9
    fit = np.polyfit(drift, model.drift_[:, 0], 1)[0]
    assert 0.75 < fit < 1.05
    days = model.session_days_, model.session_users_
    assert np.corrcoef(model.day_bias_[:-1], mood[days[1], days[0]])[0, 1] > 0.75


def test_each_term_moves_the_error_towards_the_floor():
    world = generate(120_000, n_users=300, n_items=1200, seed=1, drift=0.8, taste=0,
                     frequency=0.2)
    quiz = np.random.default_rng(0).random(len(world)) < 0.1
    floor = rmse(world.info.extra["expected"][quiz], world.values[quiz])
    steps = [dict(), dict(calendar_days=30), dict(drift="linear", beta=1.0),
             dict(day_bias=True), dict(frequency=True, frequency_base=2.7)]
    errors, on = [], dict(OFF)
    for step in steps:
        on |= step
        fitted = TemporalBaseline(**on).fit(world[~quiz])
        errors.append(rmse(fitted.predict(world[quiz].pairs), world[quiz].values))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] - floor < 0.75 * (errors[0] - floor)      # the item bins are left out


def test_the_change_point_and_the_rise_come_back():
    world = generate(300_000, n_users=1500, n_items=1200, seed=2, rise=0.3)
    model = TemporalBaseline(calendar_days=20, day_bias=False, scale=False, frequency=False).fit(
        world)
    curve = model.calendar_bias_[4:]        # the first months have few ratings
    middle = np.arange(3, len(curve) - 3)
    jumps = [curve[at:at + 12].mean() - curve[max(0, at - 12):at].mean() for at in middle]
    day = (int(middle[np.argmax(jumps)]) + 4) * 20 + model.first_day_
    assert abs(day - 1520) <= 20
    assert max(jumps) == pytest.approx(0.3 * 0.85, abs=0.06)    # stars are clipped at five


def test_taste_that_drifts_is_worth_the_drift_of_the_factors():
    world = generate(150_000, n_users=300, n_items=1000, n_factors=2, seed=3, taste=0.8,
                     taste_drift=4, mood=0, noise=0.5)
    quiz = np.random.default_rng(0).random(len(world)) < 0.1
    train, quiz = world[~quiz], world[quiz]
    same = dict(n_factors=4, reg=0.01, n_epochs=30, init_std=0.05)
    static, drifting = (model.fit(train) for model in (
        SVDpp(**same), TimeSVDpp(beta=1.0, drift_weight=2, day_weight=0, **same)))
    fixed = TimeSVDpp(beta=1.0, drift_weight=0, day_weight=0, **same).fit(train)
    error = {name: rmse(model.predict(quiz.pairs), quiz.values) for name, model in
             (("static", static), ("fixed", fixed), ("drifting", drifting))}
    assert error["drifting"] < error["fixed"] - 0.03 and error["drifting"] < error["static"] - 0.03


def test_planted_rates_of_fading_come_back():
    """Two kinds of users, from a start between them, each to within 35 per cent."""
    slow, quick = 0.01, 0.05
    rates = np.where(np.arange(1000) < 500, slow, quick)
    switches = {name: value for name, value in OFF.items() if name != "scale"}
    model = TemporalWeights(**switches, forgetting_rate=0.02, learning_rate_forgetting=0.1,
                            reg_forgetting=0.02, reg=0.0005,
                            n_epochs=80, learning_rate=0.06, decay=0.97, reg_item=1,
                            reg_user=50).fit(fading_world(rates))
    found = [np.exp(np.median(model.log_rates_[rates == rate])) for rate in (slow, quick)]
    np.testing.assert_allclose(found, [slow, quick], rtol=0.35)
