"""The integrated model: SVD++ and global interpolation weights, learned together."""

from dataclasses import dataclass, replace

from rslib.backend import array_module
from rslib.kernels import predict_pairs, rules
from rslib.models.base import Model
from rslib.models.feature_sums import Beside
from rslib.models.global_weights import GlobalWeights
from rslib.models.svdpp import SVDpp
from rslib.ratings import Pairs, Ratings


@dataclass
class Integrated(SVDpp):
    r"""Predict by factors, for broad taste, and by weights between items, for close relatives.

    .. math:: \hat r_{ui} = \mu + b_u + b_i + q_i \cdot \Big( p_u
              + |N(u)|^{-1/2} \sum_{j \in N(u)} y_j \Big)
              + |R(u) \setminus i|^{-1/2} \sum_{j \in R(u) \setminus i}
              w_{ij} (r_{uj} - \tilde b_{uj})
              + |N(u) \setminus i|^{-1/2} \sum_{j \in N(u) \setminus i} c_{ij}

    The objective is that of `SVDpp` with, for each rating, :math:`\lambda_w` times the squared
    weights that speak for it, as in `GlobalWeights`.

    Parameters
    ----------
    n_factors, reg, reg_bias, n_epochs, learning_rate, decay, init_std, seed
        See `SVDpp`.
    reg_weights : float, at least 0
        :math:`\lambda_w`, on the squared weights, per rating.
    learning_rate_weights : float
        Step of the weights.
    reg_user, reg_item : float, at least 0
        Of the fixed baseline :math:`\tilde b`, in ratings.

    Attributes
    ----------
    global_mean_, user_bias_, item_bias_, user_factors_, item_factors_, implicit_factors_,
    user_sums_
        See `SVDpp`.
    weights_, implicit_weights_, baseline_item_bias_, rated_indptr_, rated_ids_,
    rated_deviations_, seen_indptr_, seen_ids_
        See `GlobalWeights`.

    Raises
    ------
    ValueError
        If the weights would take more than 4 GB.

    Notes
    -----
    Cost of an epoch: O(sum of |R(u)|^2 + |R(u)| |N(u)|, and n_ratings k) on one thread. Agreement:
    statistical. Determinism: same seed, same bits on one machine's CPU.

    References
    ----------
    Koren, Factorization Meets the Neighborhood (KDD 2008), section 5, equation 16,
    doi:10.1145/1401890.1401944.
    """

    reg_weights: float = 0.01
    learning_rate_weights: float = 0.002
    reg_user: float = 5.0
    reg_item: float = 3.0

    _derived = (*SVDpp._derived, *GlobalWeights._derived)
    _learned = (*SVDpp._learned, "weights_", "implicit_weights_", "baseline_item_bias_",
                *GlobalWeights._derived)

    def _part(self, **learned):
        """The global weights of this model, as a model of their own."""
        part = GlobalWeights(self.reg_weights, self.reg_bias, reg_user=self.reg_user,
                             reg_item=self.reg_item)
        part.__dict__.update({name: value for name, value in vars(self).items()
                              if name.endswith("_")} | learned)
        return part

    def _beside(self, train, seen):
        part = self._part()
        arrays = part._start(train, seen)
        self.__dict__.update({name: value for name, value in vars(part).items()
                              if name.endswith("_")})

        def steps(decay):
            return self.learning_rate_weights * decay, self.reg_weights, *arrays
        return Beside(rules.integrated, (self.weights_, self.implicit_weights_), steps)

    def predict(self, pairs: Pairs):
        """Return the prediction of each pair, in stars, not clipped."""
        self._check(pairs)
        stars = predict_pairs(pairs.users, pairs.items, self.global_mean_, self.user_bias_,
                              self.item_bias_, self.user_sums_, self.item_factors_)
        for said in self._part().said(pairs):
            stars = stars + said
        return stars

    def score(self, users):
        """Return the predicted stars of every item for each of ``users``: (n, n_items)."""
        return Model.score(self, users)

    def objective(self, ratings: Ratings, *, seen: Pairs | None = None) -> float:
        """Return J of the docstring on ``ratings``, in stars squared."""
        return super().objective(ratings, seen=seen) + self._part().penalty(ratings)

    def fold_in(self, ratings: Ratings) -> "Integrated":
        """Return the model for the users of ``ratings``, new to it, with the items as they are.

        What the weights say of their ratings is known at once; bias and factors are then those of
        `SVDpp` for what is left.
        """
        xp, n_users = array_module(ratings.values), ratings.n_users
        part = self._part().fold_in(ratings)
        part.user_bias_ = xp.zeros(n_users, xp.float32)
        said = part.predict(ratings.pairs) - self.global_mean_ - self.item_bias_[ratings.items]
        left = replace(ratings, values=ratings.values - said)
        profiles = {name: getattr(part, name) for name in part._derived}
        folded = super().fold_in(left)
        folded.__dict__.update(profiles)
        return folded
