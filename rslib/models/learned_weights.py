"""What both models of learned weights share: a baseline that stays fixed, and reasons."""

from typing import NamedTuple

from rslib.backend import asnumpy
from rslib.models.baseline import Baseline


class Reason(NamedTuple):
    """What one item that the user rated adds to a prediction."""

    item: int
    weight: float           # of the deviation
    deviation: float        # of the user's rating from its baseline, in stars; zero if unrated
    contribution: float     # stars


def reasons(items, weights, deviations, contributions):
    """Return the columns as a list of `Reason`, those that move the prediction most first."""
    columns = [asnumpy(column).tolist() for column in (items, weights, deviations, contributions)]
    rows = (Reason(*row) for row in zip(*columns, strict=True))
    return sorted(rows, key=lambda row: -abs(row.contribution))


def fixed_baseline(model, train):
    """Return the baseline of ``train`` with the penalties of ``model``."""
    return Baseline("ridge", reg_user=model.reg_user, reg_item=model.reg_item).fit(train)


def folded_baseline(model, item_bias, ratings):
    """Return the baseline of the new users of ``ratings``, with the item biases of ``model``."""
    baseline = Baseline("ridge", reg_user=model.reg_user, reg_item=model.reg_item)
    baseline.n_users_, baseline.n_items_ = model.n_users_, model.n_items_
    baseline.global_mean_, baseline.item_bias_ = model.global_mean_, item_bias
    return baseline.fold_in(ratings)
