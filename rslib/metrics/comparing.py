"""How several models are compared: each with one, on the same users, corrected for their number."""

from itertools import combinations

import numpy as np

from rslib.metrics.bootstrap import Interval, resampled, squares_by_user
from rslib.metrics.errors import residuals

__all__ = ["compare", "compare_means", "compare_rankings", "holm"]

_OF_REFERENCE = dict.fromkeys(("difference", "effect", "p", "p_holm", "resolved"))
LEVEL = 0.05        # how often a family of comparisons of equal models may claim a difference
FIGURES = ("average_precision", "calibrated_recall", "ndcg", "precision", "recall",
           "reciprocal_rank")       # of a Ranking, those that every user has


def holm(p_values):
    r"""Correct p-values for their number, by Holm's method.

    .. math:: \tilde p_{(j)} = \min\Bigl(1, \max_{l \le j} (m - l + 1)\, p_{(l)}\Bigr)

    over the m p-values in ascending order. Whatever hangs together among them, what is at most 0.05
    afterwards holds a false claim in at most 5 per cent of all families.

    Parameters
    ----------
    p_values : float array (m,)

    Returns
    -------
    float array (m,)
        In the order given.

    References
    ----------
    Holm, A Simple Sequentially Rejective Multiple Test Procedure (Scand. J. Statist. 1979).
    """
    order = np.argsort(p_values, kind="stable")
    corrected = np.empty(len(order))
    corrected[order] = np.maximum.accumulate(np.asarray(p_values)[order]
                                             * np.arange(len(order), 0, -1))
    return np.minimum(corrected, 1)


def compare(predictions, values, users, *, reference=None, n_resamples=None, seed=0):
    r"""Compare the pooled RMSE of several models on the same rows, resampling users.

    Each model is compared with ``reference``, or with the best. The best was picked on these very
    rows, which flatters it, so its comparisons are corrected as if every pair had been tried.

    .. math:: d = \frac{\Delta}{\sqrt{n} \, s}, \qquad
              p = \min\Bigl(1, 2 \, \frac{1 + \min(\#\{\Delta^* \le 0\}, \#\{\Delta^* \ge 0\})}
                                         {1 + B}\Bigr)

    for a difference :math:`\Delta`, its values :math:`\Delta^*` on B draws of n users, with
    standard deviation s. So d is Cohen's d for pairs: the difference in deviations between users,
    which more users make surer, not larger.

    Parameters
    ----------
    predictions : dict of str to float array (n,)
        Stars, by the name of the model; at least two.
    values : float array (n,)
        Stars.
    users : int array (n,)
    reference : str or None
        Name of the model to compare with, chosen beforehand; None takes the best.
    n_resamples : int or None
        Draws, the same for all models; None takes 2,000, or 80 a comparison if that is more.
    seed : int

    Returns
    -------
    list of dict
        A row a model, best first. ``rmse``, in stars; ``difference``, an `Interval` of it less that
        of the reference, 95 per cent for this pair alone; ``effect`` d; ``p``; ``p_holm``,
        corrected by `holm`; ``resolved``, whether that is at most 0.05. The reference has None.

    Raises
    ------
    ValueError
        Fewer than two models, an unknown reference, arrays of different shapes, predictions that
        are not finite, or too few draws to resolve anything.

    Notes
    -----
    Cost: O(n m + B (n_users + m^2)) for m models. Determinism: same seed, same rows.

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 13 and 16.
    """
    _check(predictions, reference)
    errors = [residuals(each, values) for each in predictions.values()]
    if len(users) != len(values):
        raise ValueError(f"{len(users)} users for {len(values)} values; need the same number")
    return _compare("rmse", list(predictions), squares_by_user(users, *errors),
                    lambda sums: np.sqrt(sums[:-1] / sums[-1]), -1, reference, n_resamples, seed)


def compare_means(figures, *, reference=None, n_resamples=None, seed=0):
    """Compare means over users of a figure of each user, the higher the better.

    Parameters
    ----------
    figures : dict of str to float array (n_users,)
        By the name of the model, of the same users in the same order; at least two.
    reference, n_resamples, seed
        As in `compare`.

    Returns
    -------
    list of dict
        As from `compare`, with ``mean`` in place of ``rmse``.
    """
    _check(figures, reference)
    sizes = {np.shape(each) for each in figures.values()}
    if len(sizes) != 1 or len(next(iter(sizes))) != 1:
        raise ValueError(f"figures of shapes {sorted(sizes)}: need one a user, of the same users")
    columns = [np.asarray(each, np.float64) for each in figures.values()]
    return _compare("mean", list(figures), np.stack([*columns, np.ones_like(columns[0])]),
                    lambda sums: sums[:-1] / sums[-1], 1, reference, n_resamples, seed)


def compare_rankings(rankings, figure="ndcg", k=None, **options):
    """Compare the mean of a figure of several rankings of the same held-out items.

    Parameters
    ----------
    rankings : dict of str to Ranking
        By the name of the model; at least two.
    figure : str
        Name of a method of `Ranking` that gives an array (n_users,).
    k : int or None
        Places that count; None takes all that were ranked.
    **options
        ``reference``, ``n_resamples`` and ``seed``, as in `compare`.

    Returns
    -------
    list of dict
        As from `compare_means`.

    Raises
    ------
    ValueError
        Another figure, rankings of other users or of another number of held-out items, and what
        `compare` refuses.
    """
    if figure not in FIGURES:
        raise ValueError(f"figure must be one of {', '.join(FIGURES)}, not {figure!r}")
    first = next(iter(rankings.values()), None)
    for name, each in rankings.items():
        if not (np.array_equal(each.users, first.users)
                and np.array_equal(each.n_held_out, first.n_held_out)):
            raise ValueError(f"{name} was ranked for other users or held-out items than the first")
        if k is None and each.items.shape != first.items.shape:
            raise ValueError(f"{name} has {each.items.shape[1]} places, the first "
                             f"{first.items.shape[1]}: say how many count, k=")
    return compare_means({name: getattr(each, figure)(k) for name, each in rankings.items()},
                         **options)


def _compare(name, models, sums, statistic, sign, reference, n_resamples, seed):
    """Rows of `compare`: ``statistic`` of sums (m + 1, ...), the more the better if sign is 1."""
    if sums.shape[1] < 2:
        raise ValueError(f"{sums.shape[1]} users: a comparison resamples users, at least two")
    for model, of_users in zip(models, sums, strict=False):     # the last row counts
        if not np.isfinite(of_users).all():
            raise ValueError(f"{model} holds a number that is not finite")
    found = statistic(sums.sum(axis=1))
    order = np.argsort(-sign * found, kind="stable").tolist()
    chosen = order[0] if reference is None else models.index(reference)
    pairs = [pair for pair in combinations(range(len(models)), 2)
             if reference is None or chosen in pair]
    drawn = statistic(resampled(sums, _n_resamples(n_resamples, len(pairs)), seed))
    of_pair = _p_values(drawn, pairs)
    rows = []
    for at in order:
        differences = _less(found[at], found[chosen]), _less(drawn[at], drawn[chosen])
        rows.append({"model": models[at], name: float(found[at]),
                     **_difference(*differences, sums.shape[1]),
                     **of_pair.get((min(at, chosen), max(at, chosen)), {})})
    return [row if "p" in row else row | _OF_REFERENCE for row in rows]


def _check(models, reference):
    if len(models) < 2:
        raise ValueError(f"need at least two models to compare, not {len(models)}")
    if reference not in (None, *models):
        raise ValueError(f"reference {reference!r} is none of {', '.join(models)}")


def _n_resamples(given, n_pairs):
    """Return how many draws to make: fewer than 40 a pair leave every p-value above the level."""
    least = round(2 * n_pairs / LEVEL)
    if given is not None and given < least:
        raise ValueError(f"{given} resamples can't resolve one of {n_pairs} comparisons: need at "
                         f"least {least}")
    return max(2000, 2 * least) if given is None else given


def _less(ours, theirs):
    """Return the difference, zero where only rounding makes one: models that say the same tie."""
    difference = ours - theirs
    return np.where(abs(difference) <= 1e-12 * (abs(ours) + abs(theirs)), 0.0, difference)


def _p_values(drawn, pairs):
    """Return the p-values of each pair of models, of resampled statistics (m, B)."""
    p_values = [_p_value(_less(drawn[one], drawn[other])) for one, other in pairs]
    return {pair: {"p": p, "p_holm": float(p_holm), "resolved": bool(p_holm <= LEVEL)}
            for pair, p, p_holm in zip(pairs, p_values, holm(p_values), strict=True)}


def _p_value(differences):
    """Return the p-value of resampled differences: twice the lesser share beyond zero."""
    beyond = min(np.count_nonzero(differences <= 0), np.count_nonzero(differences >= 0))
    return min(1.0, 2 * (1 + beyond) / (1 + differences.size))


def _difference(difference, drawn, n_users):
    """Return a difference with its interval and effect, of its value on each draw."""
    deviation = float(drawn.std(ddof=1)) * np.sqrt(n_users)
    low, high = (float(end) for end in np.quantile(drawn, [0.025, 0.975]))
    return {"difference": Interval(float(difference), low, high),
            "effect": float(difference / deviation) if deviation else 0.0}
