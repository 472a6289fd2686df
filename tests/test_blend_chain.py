"""A chain of models is a model: it keeps the contract, and its links explain what is left."""

from dataclasses import asdict, dataclass, replace

import numpy as np
import pytest
import test_models
from toy import toy
from worlds import planted_world

from rslib import runs, splits
from rslib.blend import Chain
from rslib.metrics import rmse
from rslib.models import Baseline, BiasedMF, Mean, Neighbours, SVDpp, TemporalBaseline
from rslib.ratings import Pairs

MF = BiasedMF(2, "als", reg=0.02, n_epochs=15)
CHAIN = Chain((Baseline(), MF, Neighbours()))
CONTRACT = [test_models.test_train_is_unaltered,
            test_models.test_fields_are_hyper_parameters_and_nothing_else,
            test_models.test_predict_never_sees_values,
            test_models.test_users_and_items_without_ratings_get_a_finite_fallback,
            test_models.test_the_order_of_the_rows_of_predict_is_kept,
            test_models.test_shuffled_labels_teach_nothing_about_the_held_out,
            test_models.test_scores_are_predictions_of_every_item]


@pytest.mark.parametrize("test", CONTRACT, ids=lambda test: test.__name__)
def test_a_chain_keeps_the_contract_of_models(test, train):
    test(CHAIN, train)


def test_one_rating_is_enough():
    test_models.test_one_rating_is_enough(CHAIN)


def test_each_link_is_fitted_to_what_those_before_it_left(train):
    chain = replace(CHAIN).fit(train)
    left = train
    for model, link in zip(CHAIN.models, chain.links_, strict=True):
        alone = replace(model).fit(left, unit=train.values.std(dtype=float))
        assert alone == link and alone is not link
        assert np.array_equal(alone.predict(train.pairs), link.predict(train.pairs))
        left = replace(left, values=left.values - alone.predict(train.pairs))
    by_hand = sum(link.predict(train.pairs) for link in chain.links_)
    assert np.array_equal(chain.predict(train.pairs), by_hand)
    assert chain.n_parameters == sum(link.n_parameters for link in chain.links_)
    assert not any(hasattr(model, "n_users_") for model in CHAIN.models)


def test_fit_returns_self_and_a_refit_equals_a_fresh_fit(train):
    chain = replace(CHAIN)
    assert chain.fit(train) is chain
    first = chain.predict(train.pairs)
    assert np.array_equal(first, chain.fit(train).predict(train.pairs))
    assert np.array_equal(first, replace(CHAIN).fit(train).predict(train.pairs))


@pytest.mark.parametrize("second", [Neighbours(shrinkage=5), MF], ids=lambda m: type(m).__name__)
def test_a_second_link_beats_the_first_alone_on_planted_taste(second):
    train, _ = planted_world(n_users=400, n_items=150, noise=0.5)
    held_out = np.random.default_rng(0).random(len(train)) < 0.2
    errors = [rmse(model.fit(train[~held_out]).predict(train[held_out].pairs),
                   train[held_out].values) for model in (Baseline(), Chain((Baseline(), second)))]
    assert errors[1] < 0.97 * errors[0]


def test_the_order_of_the_links_matters(train):
    there, back = (Chain(models).fit(train).predict(train.pairs)
                   for models in ((Mean("item"), Mean("user")), (Mean("user"), Mean("item"))))
    assert abs(there - back).max() > 0.01


def test_a_chain_in_a_chain_is_a_longer_chain(train):
    nested = Chain((Chain((Mean("item"), Mean("user"))), MF))
    assert nested == Chain((Mean("item"), Mean("user"), MF))
    assert nested.kinds == ("Mean", "Mean", "BiasedMF")


def test_after_each_link_the_chain_so_far_can_predict_and_may_stop(train):
    seen = []

    def watch(epoch, chain):
        seen.append(rmse(chain.predict(train.pairs), train.values))
        return epoch == 2
    chain = replace(CHAIN).fit(train, on_epoch=watch)
    assert len(seen) == 2 == len(chain.links_) and seen[1] < seen[0]


def test_links_are_told_what_is_known_to_be_rated(train):
    asked = Pairs(np.arange(120), np.arange(120) % 80, n_users=120, n_items=80)
    model = Chain((Baseline(), SVDpp(2, n_epochs=20, learning_rate=0.05, init_std=0.1)))
    told, untold = (replace(model).fit(train, seen=seen).predict(asked) for seen in (asked, None))
    assert abs(told - untold).max() > 0.001


def test_a_user_is_folded_into_every_link(train):
    chain = Chain((Baseline(), replace(MF, n_epochs=60))).fit(train)
    folded = chain.fold_in(train)
    by_hand = chain.links_[0].fold_in(train)
    np.testing.assert_array_equal(folded.links_[0].user_bias_, by_hand.user_bias_)
    assert rmse(folded.predict(train.pairs), chain.predict(train.pairs)) < 0.02
    with pytest.raises(NotImplementedError, match="Neighbours cannot take a user in"):
        Chain((Baseline(), Neighbours("user"))).fit(train).fold_in(train)


def test_save_and_load_agree(train, tmp_path):
    chain = Chain((TemporalBaseline(), MF, Neighbours())).fit(train)
    chain.save(tmp_path / "chain.npz")
    again = Chain.load(tmp_path / "chain.npz")
    assert again == chain
    assert np.array_equal(again.predict(train.pairs), chain.predict(train.pairs))
    assert [path.name for path in tmp_path.iterdir()] == ["chain.npz"]
    chain.links_[1].save(tmp_path / "link.npz")
    with pytest.raises(ValueError, match="holds a BiasedMF, not a Chain"):
        Chain.load(tmp_path / "link.npz")


def test_a_chain_goes_through_record_and_says_what_it_was(tmp_path, monkeypatch):
    monkeypatch.setenv("RSLIB_RUNS", str(tmp_path))
    record = runs.record("item-mean", Chain((Mean("item"), Mean("user"))), splits.netflix(toy()))
    back, = runs.others("toy", tmp_path)
    assert back.model == "Chain" and list(back.params["kinds"]) == ["Mean", "Mean"]
    assert back.params["models"] == [asdict(Mean("item")), asdict(Mean("user"))]
    assert back.n_parameters == record.n_parameters > 0


@dataclass
class Foreign(Mean):
    """A model that the package does not know."""


def test_bad_chains_get_one_line(train, tmp_path):
    with pytest.raises(ValueError, match="no models: give at least one"):
        Chain(())
    chain = Chain((Foreign(),)).fit(train)
    chain.save(tmp_path / "chain.npz")
    with pytest.raises(ValueError, match="Foreign is not a model of rslib"):
        Chain.load(tmp_path / "chain.npz")
