"""Restricted Boltzmann machine: a rating is a level that hidden units explain."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rslib.backend import array_module, rows_of, sum_by
from rslib.kernels import level_probabilities
from rslib.models.boltzmann import BoltzmannMachine
from rslib.models.domains import Count, NonNegative, Positive, Share, Whole, number
from rslib.models.doors import require_same_world
from rslib.models.rating_levels import Bias
from rslib.ratings import Pairs, Ratings

FOLD_ROUNDS = 30        # Newton steps for the biases of a user that is folded in


@dataclass(kw_only=True)
class RBM(BoltzmannMachine):
    r"""Predict the expected level of a rating, given what its case rated.

    A case is a user and what is visible are the movies, or the other way round. Each rating is a
    softmax unit with K levels; what a case did not rate is left out, so that every case has a
    machine of its own size and all share the weights.

    .. math:: p(v_i^k = 1 \mid h) \propto \exp \Big( o^k + \sum_f W_{if}^k h_f \Big) \qquad
              p(h_f = 1 \mid v) = \sigma \Big( c_f + \sum_i \sum_k v_i^k W_{if}^k
              + \sum_{j \in N} D_{jf} \Big)

    .. math:: \hat r = \sum_k s_k \, p(v_i^k = 1 \mid \hat h), \qquad
              \hat h = E[h \mid \text{what the case rated}]

    with :math:`s_k` the stars of level k and o the biases of `Levels`. Contrastive divergence
    climbs, roughly, the log-likelihood of the ratings less penalties,

    .. math:: \sum_c -F(v_c) - \log Z_c - \frac{\lambda}{2} \sum_{(u,i) \in R}
              \lVert W_i \rVert^2, \qquad
              F(v) = -\sum_i o_i - \sum_f \log \Big( 1 + e^{x_f} \Big)

    x the input of the hidden units: `free_energy` is F. The conditional machine has D, and N
    holds all that the case is known to have rated, what ``seen`` says included. In the factored
    one :math:`W_{if}^k = \sum_r A_{ir}^k B_{rf}`.

    Parameters
    ----------
    visible : {"items", "users"}
        What the visible units stand for; the cases are the others.
    n_hidden : int, at least 1
    hidden : {"binary", "gaussian"}
        Gaussian hidden units have variance one and want a much smaller learning rate.
    conditional : bool
    rank : int, at least 0
        Columns of A; 0 for weights that are not factored. A product of factors wants a much
        smaller learning rate, about 1e-4.
    case_bias, session_bias : bool
        Whether the levels have a bias of each case, and of each user and day.
    n_levels : int, at least 2
        Ratings with more different values are put in so many bins.
    reg : float, at least 0
        :math:`\lambda`, on the squared weights (A, and D, where there are), per rating.
    reg_bias : float, above 0
        On the squared biases, each.
    n_epochs : int, at least 1
    n_steps : int, at least 1
        T of the last epochs; it rises from 1 in stages of equal length.
    learning_rate : float, above 0
        Of the weights, per rating.
    condition_rate : float, at least 0
        Learning rate of D, in parts of it.
    bias_rate : float in (0, 1]
        Share of a Newton step that the biases take in an epoch.
    decay : float in (0, 1]
        Factor on all rates after each epoch.
    momentum : float in [0, 1)
    sampled : bool
        Draw visible states instead of using their probabilities: a true Gibbs chain, and noisier.
    batch_size : int, at least 1
        Cases a step.
    init_std : float, at least 0
        Standard deviation of the weights at the start.
    seed : int, at least 0
        Start, order of the cases, and states.

    Attributes
    ----------
    weights_ : float32 array (n_visible, K, n_hidden), on the device of train
    hidden_bias_ : float32 array (n_hidden,)
    condition_ : float32 array (n_visible, n_hidden), no rows unless conditional
        D.
    level_factors_, hidden_factors_ : float32 arrays (n_visible * K, rank), (rank, n_hidden)
        A and B; no entries unless factored.
    hidden_means_ : float32 array (n_cases, n_hidden)
        Expectation of the hidden units of each case, given what it rated.
    global_mean_ : float
        Stars.
    levels_, log_shares_, visible_bias_, case_bias_, session_bias_, session_keys_
        See `Levels`.

    Notes
    -----
    Cost of an epoch: O(T n_ratings K n_hidden), on one thread. Agreement: statistical.
    Determinism: same seed, same bits on one machine's CPU. A case without ratings has the hidden
    units of none; what was never rated has the shares of all ratings. Differs from the source in:
    visible units are set to their probabilities, biases take Newton steps, and the penalty is
    per rating.

    References
    ----------
    Salakhutdinov, Mnih and Hinton, Restricted Boltzmann Machines for Collaborative Filtering
    (ICML 2007), sections 2 to 5, doi:10.1145/1273496.1273596. Koren, The BellKor Solution to the
    Netflix Grand Prize (2009), section VI, for the biases of user and date.
    """

    visible: Literal["items", "users"] = "users"
    n_hidden: Count = 50
    hidden: Literal["binary", "gaussian"] = "binary"
    conditional: bool = False
    rank: Whole = 0
    case_bias: bool = True
    session_bias: bool = False
    n_levels: number(int, 2) = 10
    reg: NonNegative = 0.05
    reg_bias: Positive = 1.0
    n_epochs: Count = 20
    n_steps: Count = 1
    learning_rate: Positive = 0.0015
    condition_rate: NonNegative = 2.0
    bias_rate: Share = 0.3
    decay: Share = 0.94
    momentum: number(float, 0, 1, open_high=True) = 0.9
    sampled: bool = False
    batch_size: Count = 200
    init_std: NonNegative = 0.01
    seed: Whole = 0

    _learned = ("weights_", "hidden_bias_", "condition_", "level_factors_", "hidden_factors_",
                "levels_", "log_shares_", "visible_bias_", "case_bias_", "session_bias_",
                "session_keys_", "global_mean_", "hidden_means_")

    @property
    def _derived(self):
        """What follows from the ratings, or from the factors."""
        fixed = ("levels_", "log_shares_", "session_keys_", "hidden_means_")
        return (*fixed, "weights_") if self.rank else fixed

    @property
    def _why_no_fold_in(self):
        return "users are visible units, whose weights are learned: fit with visible='items'"

    def _fit(self, train, seen, on_epoch):
        rng, velocity = np.random.default_rng(self.seed), {}
        self._start(train, rng)
        known = self._known(train, seen)

        def one_epoch(epoch):
            n_steps = 1 + self.n_steps * (epoch - 1) // self.n_epochs
            self._epoch(known, velocity, n_steps, self.decay ** (epoch - 1), rng)
        return self._run(one_epoch, on_epoch, lambda: self._settle(known))

    def probabilities(self, pairs: Pairs):
        """Return the probability of each level of each pair, (n, K)."""
        self.check_pairs(pairs)
        return self._probabilities(pairs)

    def _probabilities(self, pairs):
        visible, cases = self._sides(pairs)
        biases = [Bias(name, ids, None) for name, ids in self._bias_ids(pairs)]
        return level_probabilities(self.weights_, self._offsets(biases), self.hidden_means_,
                                   visible, cases)

    def _predict(self, pairs):
        """The expectation of each rating."""
        return self._probabilities(pairs) @ self.levels_

    def free_energy(self, ratings: Ratings, *, seen: Pairs | None = None):
        """Return F of the docstring for each case of ``ratings``, (n_cases,), without units.

        Cases that rated nothing are among them, with what their hidden units say alone.
        """
        self._check_cases(ratings, seen)
        xp = array_module(ratings.values)
        known = self._known(ratings, seen)
        offsets = self._offsets(known.biases)[xp.arange(len(ratings)), known.cases.levels]
        inputs = self._inputs(known.cases, known.condition)
        if self.hidden == "gaussian":
            alone = self._hidden_offsets(known.condition, len(inputs))
            hidden = ((inputs ** 2 - alone ** 2) / 2).sum(axis=1)
        else:
            hidden = (xp.maximum(inputs, 0) + xp.log(1 + xp.exp(-abs(inputs)))).sum(axis=1)
        return -sum_by(rows_of(known.cases.indptr), offsets, len(inputs)) - hidden

    def _check_cases(self, ratings, seen):
        """Raise unless what the cases rated is known here; without biases they may be anybody."""
        if self.case_bias or self.session_bias or self.visible == "users":
            return self.check_ratings(ratings, seen)
        self._check_newcomers(ratings, type(self).__name__, at_least=1)
        if seen is not None:
            require_same_world(ratings, seen)

    def _fold_in(self, ratings):
        """Return the model for the users of ``ratings``, new to it, with the movies as they are.

        What they rated gives their hidden units at once; their biases are then brought to where
        the ratings and what the machine makes of them agree, by Newton steps.

        Raises
        ------
        NotImplementedError
            If users are the visible units.
        """
        if self.visible == "users":
            return super()._fold_in(ratings)
        xp, new = array_module(ratings.values), self._with_users(ratings)
        new._learn_sessions(ratings)
        new._start_biases(xp, 0, ratings.n_users)
        new.visible_bias_ = self.visible_bias_
        known = new._known(ratings, None)
        new._settle(known)
        own, visible = known.biases[1:], known.cases.ids
        rated = known.cases.levels[:, None] == xp.arange(len(self.levels_))
        for _ in range(FOLD_ROUNDS if own else 0):
            expected = level_probabilities(self.weights_, new._offsets(known.biases),
                                           new.hidden_means_, visible, rows_of(known.cases.indptr))
            new._step_biases(own, rated - expected, 1.0)
        return new
