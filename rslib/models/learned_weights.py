"""What both models of learned weights share: the reasons they give."""

from typing import NamedTuple

from rslib.backend import array_module, asnumpy


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


def laid_out(model, user):
    """Return the items that a user rated, and over all items how far the ratings deviate."""
    xp = array_module(model.rated_ids_)
    mine = slice(int(model.rated_indptr_[user]), int(model.rated_indptr_[user + 1]))
    items, deviations = model.rated_ids_[mine], xp.zeros(model.n_items_, xp.float32)
    deviations[items] = model.rated_deviations_[mine]
    return items, deviations
