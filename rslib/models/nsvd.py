"""NSVD: users described by what they rated, and by nothing else."""

from dataclasses import dataclass

from rslib.models.additive import Additive
from rslib.models.descent import descend
from rslib.models.domains import Count, NonNegative, Positive, Share, Whole
from rslib.models.parts.bias import biases_per_rating
from rslib.models.parts.factors import Factors, Implicit
from rslib.models.parts.newcomers import fold_in_biases


@dataclass
class NSVD(Additive):
    r"""Predict the baseline plus the match between an item and all that its user has rated.

    A user needs no parameters but a bias: taste is the sum of the vectors of the items rated, so a
    new user is served without a new fit. The stars given to them are not used.

    .. math:: \hat r_{ui} = \mu + b_u + b_i + q_i \cdot z_u, \qquad
              z_u = |N(u)|^{-1/2} \sum_{j \in N(u)} y_j

    .. math:: J = \sum_{(u,i) \in R} \Big[ (r_{ui} - \hat r_{ui})^2
                  + \lambda_b (b_u^2 + b_i^2) + \lambda \big( \lVert q_i \rVert^2
                  + \sum_{j \in N(u)} \lVert y_j \rVert^2 \big) \Big]

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
    item_factors_, implicit_factors_ : float32 arrays (n_items, n_factors)
        q and y.
    user_sums_ : float32 array (n_users, n_factors)
        z, which follows from y.

    Notes
    -----
    Cost of an epoch: O((n_ratings + |N|) k), |N| the pairs rated or seen, on one thread.
    Agreement: statistical. Determinism: same seed, same bits on one machine's CPU. Users with an
    empty N(u) and items never rated get the rest of the baseline. Differs from the source in the
    bias terms, in learning all parameters together, and in |N|^-1/2 for its 1/sqrt(|N| + 1).

    References
    ----------
    Paterek, Improving Regularized Singular Value Decomposition for Collaborative Filtering (KDD
    Cup 2007), section 3.5 (NSVD1).
    """

    n_factors: Count = 64
    reg: NonNegative = 0.0045
    reg_bias: NonNegative = 0.01
    n_epochs: Count = 20
    learning_rate: Positive = 0.017
    decay: Share = 0.95
    init_std: NonNegative = 0.05
    seed: Whole = 0

    def parts(self):
        """b_u, b_i, and q_i times the sum of y_j."""
        return [*biases_per_rating(self.reg_bias), Factors(self.reg, (Implicit(),))]

    def _fit(self, train, seen, on_epoch):
        return descend(self, train, seen, on_epoch)

    def _fold_in(self, ratings):
        """What they rated gives their features at once; the bias is then the minimum of J."""
        return fold_in_biases(self, ratings)
