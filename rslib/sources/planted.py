"""The planted truth of the synthetic ratings: how strong each effect is, and its arrays."""

from dataclasses import dataclass

import numpy as np

__all__ = ["N_DAYS", "RISE_DAY", "Planted", "Strengths", "expected_stars", "normal", "plant"]

N_DAYS = 2200
RISE_DAY = 1520


@dataclass(frozen=True)
class Strengths:
    """How strong each planted effect is; 0 switches it off.

    Parameters
    ----------
    mean : float
        mu, stars.
    user_bias, item_bias : float
        Standard deviations of b_u and b_i, stars.
    taste : float
        Standard deviation of p_u . q_i over random pairs, stars.
    rise : float
        delta, stars.
    ageing : float
        a, stars a year.
    mood : float
        Standard deviation of m_ut, stars.
    frequency : float
        Standard deviation of c_i, stars for each factor e in the ratings of the day.
    selection : float
        gamma, the pull of liking on choosing, per star.
    popularity, activity : float
        Standard deviations of log popularity (tau) and of the log share of ratings of a user.
    noise : float
        sigma, stars.
    drift : float
        Standard deviation of d_u, stars from the first day to the last; off in the named sets.
    taste_drift : float
        Standard deviation of v_uf, how far each factor of a user moves from the first day to the
        last; off in the named sets.
    """

    mean: float = 3.3
    user_bias: float = 0.5
    item_bias: float = 0.45
    taste: float = 0.45
    rise: float = 0.15
    ageing: float = 0.03
    mood: float = 0.2
    frequency: float = 0.08
    selection: float = 0.4
    popularity: float = 1.2
    activity: float = 1.0
    noise: float = 0.75
    drift: float = 0.0
    taste_drift: float = 0.0


@dataclass(frozen=True, eq=False)
class Planted:
    """The truth behind synthetic ratings.

    Parameters
    ----------
    strengths : Strengths
    user_bias, item_bias : float32 array (n_users,), (n_items,)
        Stars; each has mean zero over its users or items, not over the ratings.
    user_factors, item_factors : float32 array (n_users, n_factors), (n_items, n_factors)
    frequency : float32 array (n_items,)
        c_i of `rslib.sources.synthetic`.
    log_popularity : float32 array (n_items,)
        tau z_i of `rslib.sources.synthetic`.
    first_days : int32 array (n_items,)
        Day from which an item can be rated.
    user_drift : float32 array (n_users,)
        d_u, stars.
    factor_drift : float32 array (n_users, n_factors)
        v_u.
    rise_day : int
        First day of the risen mean.
    """

    strengths: Strengths
    user_bias: np.ndarray
    item_bias: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray
    frequency: np.ndarray
    log_popularity: np.ndarray
    first_days: np.ndarray
    user_drift: np.ndarray
    factor_drift: np.ndarray
    rise_day: int = RISE_DAY

    def taste(self, pairs):
        """Return p_u . q_i of each pair, in stars."""
        return np.einsum("nf,nf->n", self.user_factors[pairs.users], self.item_factors[pairs.items])

    def static(self, pairs):
        """Return mu + b_u + b_i + p_u . q_i of each pair, in stars."""
        return (self.strengths.mean + self.user_bias[pairs.users] + self.item_bias[pairs.items]
                + self.taste(pairs))

    def trend(self, pairs):
        """Return what the day of each pair adds: rise, ageing and the drift of users, in stars."""
        span = (pairs.days - np.float32(N_DAYS / 2)) / N_DAYS       # from -1/2 to 1/2
        drift = self.user_drift[pairs.users] + np.einsum(
            "nf,nf->n", self.factor_drift[pairs.users], self.item_factors[pairs.items])
        years = (pairs.days - self.first_days[pairs.items]) / np.float32(365.25)
        return (np.float32(self.strengths.rise) * (pairs.days >= self.rise_day)
                + np.float32(self.strengths.ageing) * years + span * drift)


def normal(rng, scale, *shape):
    """Draw float32 normals of mean zero; ``scale`` broadcasts against ``shape``."""
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(scale)


def expected_stars(stars, noise):
    r"""Return the mean of what is told when ``stars`` is meant.

    .. math:: E[r] = 1 + \sum_{s=1}^{4} \Phi\left((x - s - \tfrac12) / \sigma\right)

    Parameters
    ----------
    stars : float32 array (n,)
        x, before the noise.
    noise : float
        sigma, stars; positive.

    Returns
    -------
    float32 array (n,)
        Stars, from 1 to 5.
    """
    from scipy.special import ndtr  # only here: others need not wait for its import

    return 1 + sum(ndtr((stars - np.float32(s + 0.5)) / np.float32(noise)) for s in range(1, 5))


def plant(n_users, n_items, n_factors, strengths, rng):
    """Draw the truth of a world with ``rng``; half of its items are there on day 0."""
    user_bias = normal(rng, strengths.user_bias, n_users)
    item_bias = normal(rng, strengths.item_bias, n_items)
    spectrum = 1 / np.sqrt(np.arange(1, n_factors + 1))
    first_days = rng.permutation(np.linspace(-0.9, 0.9, n_items) * N_DAYS).astype(np.int32)
    drifts = np.random.default_rng(rng.bit_generator.seed_seq.spawn(1)[0])  # leaves the rest as is
    return Planted(
        strengths, user_bias - user_bias.mean(), item_bias - item_bias.mean(),
        user_factors=normal(rng, 1, n_users, n_factors),
        item_factors=normal(rng, strengths.taste * spectrum / np.linalg.norm(spectrum),
                             n_items, n_factors),
        frequency=normal(rng, strengths.frequency, n_items),
        log_popularity=normal(rng, strengths.popularity, n_items),
        first_days=first_days.clip(0),
        user_drift=normal(drifts, strengths.drift, n_users),
        factor_drift=normal(drifts, strengths.taste_drift, n_users, n_factors))
