import numpy as np
import pytest

from rslib import metrics


def test_rmse_and_mae_by_hand():
    predictions, values = np.array([3.0, 4.0, 1.0]), np.array([4.0, 4.0, 3.0])
    assert metrics.rmse(predictions, values) == pytest.approx(np.sqrt(5 / 3), abs=1e-12)
    assert metrics.mae(predictions, values) == pytest.approx(1.0, abs=1e-12)


def test_mean_over_users_is_the_other_definition():
    predictions, values = np.zeros(4), np.array([1.0, 1.0, 1.0, 3.0])
    users = np.array([5, 5, 5, 9])
    assert metrics.rmse(predictions, values, users=users) == pytest.approx(2.0)
    assert metrics.rmse(predictions, values) == pytest.approx(np.sqrt(3))
    assert metrics.mae(predictions, values, users=users) == pytest.approx(2.0)


def test_sums_accumulate_in_float64():
    predictions = np.full(3_000_000, 1e-4, np.float32)
    assert metrics.rmse(predictions, np.zeros_like(predictions)) == pytest.approx(1e-4, rel=1e-6)


@pytest.mark.parametrize("predictions, values", [
    (np.zeros(3), np.zeros(2)), (np.zeros(0), np.zeros(0))])
def test_nothing_to_score_is_an_error(predictions, values):
    with pytest.raises(ValueError, match="same number, and at least one"):
        metrics.rmse(predictions, values)


def test_clip_keeps_predictions_on_the_scale():
    assert metrics.clip(np.array([0.2, 3.3, 9.0]), (1, 5)).tolist() == [1.0, 3.3, 5.0]


def test_the_contest_clips_before_it_scores():
    predictions, values = np.array([0.0, 7.0, 4.0]), np.array([1.0, 5.0, 2.0])
    assert metrics.clipped_rmse(predictions, values, (1, 5)) == np.sqrt(4 / 3)
    assert metrics.rmse(predictions, values) == np.sqrt((1 + 4 + 4) / 3)


def two_models(gain, n_users=200, per_user=6, seed=0):
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(n_users), per_user)
    values = rng.normal(3.5, 1, users.size)
    error = rng.normal(0, 1, users.size) + np.repeat(rng.normal(0, 1, n_users), per_user)
    return values + (1 - gain) * error, values + error, values, users


def test_paired_interval_resolves_a_real_gain_and_not_a_zero_one():
    assert metrics.paired_bootstrap(*two_models(0.02)).resolved
    better = metrics.paired_bootstrap(*two_models(0.02))
    assert better.low < better.difference < better.high < 0
    predictions, _, values, users = two_models(0.0)
    noise = predictions + np.random.default_rng(1).normal(0, 0.1, users.size)
    assert not metrics.paired_bootstrap(noise, predictions + (noise - predictions)[::-1],
                                        values, users).resolved


def test_interval_covers_the_truth_about_95_times_in_100():
    hits = 0
    truth = metrics.paired_bootstrap(*two_models(0.05, n_users=200_000), n_resamples=50).difference
    for seed in range(60):
        interval = metrics.paired_bootstrap(*two_models(0.05, seed=seed + 1), n_resamples=400)
        hits += interval.low <= truth <= interval.high
    assert 52 <= hits <= 60


def test_users_hang_together_so_their_resampling_is_wider():
    predictions, _, values, users = two_models(0.0)
    by_user = metrics.standard_error(predictions, values, users)
    by_row = metrics.standard_error(predictions, values, np.arange(users.size))
    assert by_user > 1.1 * by_row


def test_same_seed_same_interval():
    once, again = (metrics.paired_bootstrap(*two_models(0.02)) for _ in range(2))
    assert once == again


def test_an_interval_prints_as_many_digits_as_it_is_asked_for():
    interval = metrics.Interval(-0.01234, -0.02, 0.00004)
    assert str(interval) == f"{interval}" == "-0.0123 [-0.0200, +0.0000]"
    assert f"{interval:+.2f}" == "-0.01 [-0.02, +0.00]"
    assert f"{metrics.Interval(*[float('nan')] * 3):+.3f}" == "–"       # nothing to measure
