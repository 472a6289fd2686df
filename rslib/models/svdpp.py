"""SVD++: explicit factors of a user, and the sum of the vectors of all that was rated."""

from dataclasses import dataclass

from rslib.backend import array_module
from rslib.kernels import feature_sums
from rslib.models.feature_sums import FeatureSums, implicit_and_own, implicit_features
from rslib.ratings import Ratings


@dataclass
class SVDpp(FeatureSums):
    r"""Predict the baseline plus the match of an item with a user's factors and with N(u).

    The factors p say what ratings taught about a user, the sum over N(u) what the choice of items
    to rate gives away, their stars unread.

    .. math:: \hat r_{ui} = \mu + b_u + b_i + q_i \cdot \Big( p_u
              + |N(u)|^{-1/2} \sum_{j \in N(u)} y_j \Big)

    .. math:: J = \sum_{(u,i) \in R} \Big[ (r_{ui} - \hat r_{ui})^2
                  + \lambda_b (b_u^2 + b_i^2) + \lambda \big( \lVert q_i \rVert^2
                  + \lVert p_u \rVert^2 + \sum_{j \in N(u)} \lVert y_j \rVert^2 \big) \Big]

    N(u) holds the items that u rated, and those that ``seen`` says u rated.

    Parameters
    ----------
    n_factors : int, at least 1
    reg : float, above 0
        :math:`\lambda`, on the squared factors, per rating.
    reg_bias : float, above 0
        :math:`\lambda_b`, on the squared biases, per rating.
    n_epochs : int, at least 1
        Passes over the ratings.
    learning_rate : float
    decay : float in (0, 1]
        Factor on the step after each epoch.
    init_std : float, above 0
        Standard deviation of the factors at the start.
    seed : int
        Start, and order of the users.

    Attributes
    ----------
    global_mean_ : float
        Stars.
    user_bias_, item_bias_ : float32 arrays (n_users,), (n_items,), on the device of train
    user_factors_ : float32 array (n_users, n_factors)
        p.
    item_factors_, implicit_factors_ : float32 arrays (n_items, n_factors)
        q and y.
    user_sums_ : float32 array (n_users, n_factors)
        p plus the implicit part, which follows from p and y.

    Notes
    -----
    Cost of an epoch: O((n_ratings + |N|) k), |N| the pairs rated or seen, on one thread; the
    numbers are those of stepping every y_j at every rating, which costs O(sum of |N(u)|^2 k).
    Agreement: statistical. Determinism: same seed, same bits on one machine's CPU. Users with an
    empty N(u) and items never rated get the rest of the baseline.

    References
    ----------
    Koren, Factorization Meets the Neighborhood (KDD 2008), section 4, equation 15,
    doi:10.1145/1401890.1401944.
    """

    n_factors: int = 128
    reg: float = 0.04
    reg_bias: float = 0.02
    n_epochs: int = 45
    learning_rate: float = 0.015
    decay: float = 0.95
    init_std: float = 0.01
    seed: int = 0

    _learned = ("item_factors_", "implicit_factors_", "user_factors_", "user_bias_", "item_bias_",
                "global_mean_", "user_sums_")
    _tables = (("implicit_factors_", "item"), ("user_factors_", "user"))

    def _start(self, train, rng):
        features = super()._start(train, rng)
        rated = array_module(train.users).bincount(train.users, minlength=train.n_users) > 0
        self.user_factors_ *= rated[:, None]        # a view of the features
        return features

    def _features_of(self, ratings, seen):
        """N(u), and the user's own factors with weight one."""
        return implicit_and_own(ratings, seen)

    def fold_in(self, ratings: Ratings) -> "SVDpp":
        """Return the model for the users of ``ratings``, new to it, with the items as they are.

        N(u) is what they rated. Given it, J is quadratic in a user's bias and factors, so one
        ridge regression on the user's own ratings gives the exact minimum.
        """
        xp = array_module(ratings.values)
        implicit = feature_sums(implicit_features(ratings, None), self.implicit_factors_)
        regressors = xp.concatenate([xp.ones_like(self.item_bias_)[:, None], self.item_factors_],
                                    axis=1)
        weights = self._ridge(ratings, implicit, regressors)
        bias, factors = (xp.ascontiguousarray(part) for part in (weights[:, 0], weights[:, 1:]))
        return self._with_users(ratings.n_users, user_bias_=bias, user_factors_=factors,
                                user_sums_=factors + implicit)
