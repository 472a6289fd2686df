"""Asymmetric SVD: users described by what they rated and by how they rated it."""

from dataclasses import dataclass

from rslib.models.additive import Additive
from rslib.models.descent import descend
from rslib.models.domains import Count, NonNegative, Positive, Share, Whole
from rslib.models.parts.bias import biases_per_rating
from rslib.models.parts.factors import Factors, Implicit, Rated
from rslib.models.parts.newcomers import fold_in_biases


@dataclass
class AsymmetricSVD(Additive):
    r"""Predict the baseline plus the match of an item with all ratings of its user.

    Like `NSVD` it has no factors of users, so a new user is served without a new fit; unlike it,
    how much more than expected an item was liked counts too.

    .. math:: \hat r_{ui} = \mu + b_u + b_i + q_i \cdot \Big(
              |R(u)|^{-1/2} \sum_{j \in R(u)} (r_{uj} - \tilde b_{uj}) x_j
              + |N(u)|^{-1/2} \sum_{j \in N(u)} y_j \Big)

    .. math:: J = \sum_{(u,i) \in R} \Big[ (r_{ui} - \hat r_{ui})^2
                  + \lambda_b (b_u^2 + b_i^2) + \lambda \big( \lVert q_i \rVert^2
                  + \sum_{j \in R(u)} \lVert x_j \rVert^2
                  + \sum_{j \in N(u)} \lVert y_j \rVert^2 \big) \Big]

    :math:`\tilde b_{uj}` is a decoupled baseline, fixed before the fit: shrunk means of items, then
    of what they leave over of users.

    Parameters
    ----------
    n_factors : int, at least 1
    reg : float, at least 0
        :math:`\lambda`, on the squared factors, per rating.
    reg_bias : float, at least 0
        :math:`\lambda_b`, on the squared biases, per rating.
    reg_item, reg_user : float, above 0
        Shrinkage of the fixed baseline, in ratings.
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
    item_factors_, implicit_factors_, rated_factors_ : float32 arrays (n_items, n_factors)
        q, y and x.
    fixed_item_bias_ : float32 array (n_items,)
        Of the fixed baseline.
    user_sums_ : float32 array (n_users, n_factors)
        What multiplies q, which follows from x and y.

    Notes
    -----
    Cost of an epoch: O((n_ratings + |N|) k) on one thread. Agreement: statistical. Determinism:
    same seed, same bits on one machine's CPU. Users with an empty N(u) and items never rated get
    the rest of the baseline.

    References
    ----------
    Koren, Factorization Meets the Neighborhood (KDD 2008), section 4, equation 13,
    doi:10.1145/1401890.1401944.
    """

    n_factors: Count = 64
    reg: NonNegative = 0.0045
    reg_bias: NonNegative = 0.01
    reg_item: Positive = 10.0
    reg_user: Positive = 5.0
    n_epochs: Count = 20
    learning_rate: Positive = 0.017
    decay: Share = 0.95
    init_std: NonNegative = 0.05
    seed: Whole = 0

    def parts(self):
        """b_u, b_i, and q_i times the sums of x_j and of y_j."""
        return [*biases_per_rating(self.reg_bias),
                Factors(self.reg, (Implicit(), Rated(self.reg_item, self.reg_user)))]

    def _fit(self, train, seen, on_epoch):
        return descend(self, train, seen, on_epoch)

    def _fold_in(self, ratings):
        """What they rated gives their features at once; the bias is then the minimum of J."""
        return fold_in_biases(self, ratings)
