"""Weights between items: what one rating of a user says about every other item."""

from dataclasses import dataclass
from typing import NamedTuple

from rslib.backend import array_module, asnumpy
from rslib.kernels import weighted_sums
from rslib.models.baseline import baseline_of, folded_baseline
from rslib.models.parts.features import implicit_features
from rslib.models.parts.part import Part, find

BUDGET = 4_000_000_000      # bytes that both matrices of weights may take


class Reason(NamedTuple):
    """What one item that the user rated adds to a prediction."""

    item: int
    weight: float           # of the deviation
    deviation: float        # of the user's rating from its baseline, in stars; zero if unrated
    contribution: float     # stars


def reasons(unit, items, weights, deviations, contributions):
    """Return the columns as a list of `Reason`, those that move the prediction most first.

    ``unit`` is what one of deviations and contributions is in stars.
    """
    columns = [asnumpy(column).tolist() for column in (items, weights, deviations * unit,
                                                       contributions * unit)]
    rows = (Reason(*row) for row in zip(*columns, strict=True))
    return sorted(rows, key=lambda row: -abs(row.contribution))


def row_of(user, indptr, ids, values, n_items):
    """Return the ids in the row of one user, and the values laid out over all items."""
    xp = array_module(ids)
    here = slice(int(indptr[user]), int(indptr[user + 1]))
    laid_out = xp.zeros(n_items, xp.float32)
    laid_out[ids[here]] = values[here]
    return ids[here], laid_out


def has_room(n_items):
    """Return whether two matrices of weights between so many items fit the budget."""
    return 8 * n_items ** 2 <= BUDGET


def require_room(model, n_items, instead):
    """Raise unless two matrices of weights between so many items fit the budget."""
    if not has_room(n_items):
        raise ValueError(f"{model} needs {8e-9 * n_items ** 2:.0f} GB for the weights of {n_items} "
                         f"items: keep those rated most, or take {instead}")


def squared_weights(ratings, indptr, ids, table):
    """Return the sum over ratings of the squared weights that speak for each."""
    xp = array_module(ratings.values)
    sums, _ = weighted_sums(ratings.users, ratings.items, indptr, ids,
                            xp.ones(len(ids), table.dtype), table ** 2)
    return float(sums.sum(dtype=xp.float64))


@dataclass(frozen=True)
class ExplicitWeights(Part):
    r"""What the other ratings of the user say.

    .. math:: |R(u) \setminus i|^{-1/2} \sum_{j \in R(u) \setminus i}
              w_{ij} (r_{uj} - \tilde b_{uj})

    with :math:`\tilde b` a `Baseline`, fixed before the fit, where the model's own biases start.
    It learns ``weights_``, and keeps R(u) with its deviations as rows of a CSR in
    ``rated_indptr_``, ``rated_ids_``, ``rated_deviations_``.

    Parameters
    ----------
    reg : float
        Penalty, in each rating, on the squared weights that speak in it.
    reg_user, reg_item : float
        Of the fixed baseline, in ratings.
    """

    reg: float
    reg_user: float
    reg_item: float

    name = "explicit_weights"
    derived = ("rated_indptr_", "rated_ids_", "rated_deviations_")
    learned = ("weights_", "baseline_item_bias_", *derived)
    lends = ("weights_",)

    def start(self, model, train, seen, rng):
        xp = array_module(train.values)
        require_room(type(model).__name__, train.n_items, "ItemWeights")
        baseline = baseline_of(self).fit(train)
        model.baseline_item_bias_ = baseline.item_bias_
        model.item_bias_, model.user_bias_ = baseline.item_bias_.copy(), baseline.user_bias_.copy()
        model.weights_ = xp.zeros((train.n_items, train.n_items), xp.float32)
        self.remember(model, train, baseline)

    def remember(self, model, ratings, baseline):
        """Keep what each user rated, and how far it stood from the baseline."""
        rated = ratings.by_user
        model.rated_indptr_, model.rated_ids_ = rated.indptr, rated.ids
        model.rated_deviations_ = (ratings.values - baseline.predict(ratings.pairs))[rated.rows]

    def value(self, model, at):
        sums, counts = weighted_sums(at.users, at.items, model.rated_indptr_, model.rated_ids_,
                                     model.rated_deviations_, model.weights_)
        xp = array_module(sums)
        return sums / xp.sqrt(xp.maximum(counts, 1)).astype(sums.dtype)

    def penalty(self, model, ratings, seen):
        return self.reg * squared_weights(ratings, model.rated_indptr_, model.rated_ids_,
                                          model.weights_)


@dataclass(frozen=True)
class ImplicitWeights(Part):
    r"""What it says that the user rated the other items at all.

    .. math:: |N(u) \setminus i|^{-1/2} \sum_{j \in N(u) \setminus i} c_{ij}

    It learns ``implicit_weights_``, and keeps N(u) in ``seen_indptr_``, ``seen_ids_``.
    """

    reg: float

    name = "implicit_weights"
    derived = ("seen_indptr_", "seen_ids_")
    learned = ("implicit_weights_", *derived)
    lends = ("implicit_weights_",)

    def start(self, model, train, seen, rng):
        xp = array_module(train.values)
        model.implicit_weights_ = xp.zeros((train.n_items, train.n_items), xp.float32)
        self.remember(model, train, seen)

    def remember(self, model, ratings, seen=None):
        """Keep what each user is known to have rated."""
        model.seen_indptr_, model.seen_ids_, _ = implicit_features(ratings, seen)

    def value(self, model, at):
        xp = array_module(at.users)
        ones = xp.ones(len(model.seen_ids_), xp.float32)
        sums, counts = weighted_sums(at.users, at.items, model.seen_indptr_, model.seen_ids_, ones,
                                     model.implicit_weights_)
        return sums / xp.sqrt(xp.maximum(counts, 1)).astype(sums.dtype)

    def penalty(self, model, ratings, seen):
        return self.reg * squared_weights(ratings, model.seen_indptr_, model.seen_ids_,
                                          model.implicit_weights_)


def remember_newcomers(model, new, ratings):
    """Keep what users who are new to a fitted model rated, for both kinds of weights."""
    explicit, implicit = (find(model.parts(), kind) for kind in (ExplicitWeights, ImplicitWeights))
    baseline = folded_baseline(baseline_of(explicit), model, model.baseline_item_bias_, ratings)
    explicit.remember(new, ratings, baseline)
    implicit.remember(new, ratings)


def explain(model, user, item):
    """Return what each item that the user rated adds to one prediction, largest first.

    Returns
    -------
    list of Reason
    """
    rated, deviations = row_of(user, model.rated_indptr_, model.rated_ids_,
                               model.rated_deviations_, model.n_items_)
    seen = model.seen_ids_[int(model.seen_indptr_[user]):int(model.seen_indptr_[user + 1])]
    others, n_rated = seen[seen != item], int((rated != item).sum())
    weights, x = model.weights_[item, others], deviations[others]
    contributions = (weights * x / max(n_rated, 1) ** 0.5
                     + model.implicit_weights_[item, others] / max(len(others), 1) ** 0.5)
    return reasons(model.unit_, others, weights, x, contributions)
