"""SVD++: explicit factors of a user, and the sum of the vectors of all that was rated."""

from dataclasses import dataclass

from rslib.models.additive import Additive
from rslib.models.descent import descend
from rslib.models.domains import Count, NonNegative, Positive, Share, Whole
from rslib.models.parts.bias import biases_per_rating
from rslib.models.parts.factors import Factors, Implicit, Own
from rslib.models.parts.newcomers import fold_in_factors


@dataclass
class SVDpp(Additive):
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
    reg : float, at least 0
        :math:`\lambda`, on the squared factors, per rating.
    reg_bias : float, at least 0
        :math:`\lambda_b`, on the squared biases, per rating.
    n_epochs : int, at least 1
        Passes over the ratings.
    learning_rate : float, above 0
    decay : float in (0, 1]
        Factor on the step after each epoch.
    init_std : float, at least 0
        Standard deviation of the factors at the start.
    seed : int, at least 0
        Start, and order of the users.

    Attributes
    ----------
    global_mean_ : float
        Stars.
    unit_ : float
        Stars; the deviation of the training ratings, in which the equations are reckoned and all
        below is given, see `rslib.models.units`.
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

    n_factors: Count = 128
    reg: NonNegative = 0.03
    reg_bias: NonNegative = 0.04
    n_epochs: Count = 45
    learning_rate: Positive = 0.017
    decay: Share = 0.95
    init_std: NonNegative = 0.01
    seed: Whole = 0

    def parts(self):
        """b_u, b_i, and q_i times p_u and the sum of y_j."""
        return [*biases_per_rating(self.reg_bias), Factors(self.reg, (Implicit(), Own()))]

    def _fit(self, train, seen, on_epoch):
        return descend(self, train, seen, on_epoch)

    def _fold_in(self, ratings):
        """N(u) is what they rated. Given it, J is quadratic in a user's bias and factors, so one
        ridge regression on the user's own ratings gives the exact minimum.
        """
        return fold_in_factors(self, ratings)
