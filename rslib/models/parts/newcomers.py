"""New users of factor models: what they rated gives their features, the rest is a regression."""

from rslib.backend import array_module, rows_of
from rslib.kernels import feature_sums, predict_pairs, ridge_rows
from rslib.models.parts.factors import Factors
from rslib.models.parts.features import implicit_features
from rslib.models.parts.part import find


def _regress(model, ratings, sums, regressors):
    """Regress what ``sums`` leave over of each user's ratings: bias first, then factors."""
    xp, side = array_module(ratings.values), ratings.by_user
    known = predict_pairs(rows_of(side.indptr), side.ids, 0.0,
                          xp.zeros(ratings.n_users, xp.float32), model.item_bias_, sums,
                          model.item_factors_)
    penalty = xp.full(regressors.shape[1], model.reg, xp.float32)
    penalty[0] = model.reg_bias
    ridge = xp.diff(side.indptr).astype(xp.float32)[:, None] * penalty
    return ridge_rows(side.indptr, side.ids, side.values - known, regressors, ridge)


def fold_in_biases(model, ratings):
    """Return a model for new users whose vectors follow from their ratings, but for the bias."""
    factors = find(model.parts(), Factors)
    sums = feature_sums(factors.features_of(model, ratings, None), factors.table(model))
    bias = _regress(model, ratings, sums, array_module(sums).ones_like(model.item_bias_)[:, None])
    return model._with_users(ratings, user_bias_=bias[:, 0], user_sums_=sums)


def fold_in_factors(model, ratings):
    """Return a model for new users with a bias and factors of their own, beside N(u)."""
    xp = array_module(ratings.values)
    implicit = feature_sums(implicit_features(ratings, None), model.implicit_factors_)
    regressors = xp.concatenate([xp.ones_like(model.item_bias_)[:, None], model.item_factors_],
                                axis=1)
    weights = _regress(model, ratings, implicit, regressors)
    bias, factors = (xp.ascontiguousarray(part) for part in (weights[:, 0], weights[:, 1:]))
    return model._with_users(ratings, user_bias_=bias, user_factors_=factors,
                             user_sums_=factors + implicit)
