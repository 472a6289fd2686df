"""The baseline that drifts: biases of users and items as functions of the day."""

from dataclasses import dataclass

from rslib.models.domains import Count, Positive
from rslib.models.parts.time import time_biases
from rslib.models.temporal import Temporal


@dataclass(kw_only=True)
class TemporalBaseline(Temporal):
    r"""Predict by biases that depend on the day of the rating.

    Explains when a user or an item is rated high or low, never the match between the two.

    .. math:: \hat r_{ui}(t) = \mu + b_{\mathrm{cal}(t)} + b_u + \alpha_u\, \mathrm{dev}_u(t)
              + b_{ut} + \big(b_i + b_{i,\mathrm{Bin}(t)}\big)\, c_u(t) + b_{i,f(u,t)}, \qquad
              c_u(t) = 1 + c_u + c_{ut}

    with :math:`f(u,t) = \lfloor \log_a F_{ut} \rfloor`, F the ratings known of the user on that
    day. "spline" puts
    :math:`\sum_l e^{-\sigma |t - t^u_l|} b_{ul} / \sum_l e^{-\sigma |t - t^u_l|}` in the place of
    :math:`\alpha_u\, \mathrm{dev}_u(t)`, with :math:`n_u^{1/4}` knots spread over the user's days.

    .. math:: J = \sum_{(u,i,t) \in R} (r_{ui} - \hat r_{ui}(t))^2
                  + \sum_g \lambda_g \sum_{\theta \in g} \theta^2

    where g runs over the kinds of parameters, each with its own penalty. Each kind in turn is set
    to its exact minimum, so J falls with every step; without c it is convex.

    Parameters
    ----------
    calendar_days : int, at least 0
        Length of a bin of the calendar, in days; 0 leaves :math:`b_{\mathrm{cal}}` out.
    item_bin_days : int, at least 0
        Length of a bin of an item's bias, in days; 0 leaves :math:`b_{i,\mathrm{Bin}}` out.
    drift : {"none", "linear", "spline"}
    day_bias, scale, frequency : bool
        Whether there is :math:`b_{ut}`, :math:`c_u(t)`, :math:`b_{i,f}`.
    beta : float, above 0
        Exponent of dev.
    spline_decay : float, above 0
        :math:`\sigma`, per day.
    frequency_base : float, above 1
        a.
    reg_user, reg_item, reg_calendar, reg_bin, reg_drift, reg_day, reg_frequency : float, above 0
        Penalties, in ratings: a parameter backed by that many is halved.
    reg_scale : float, above 0
        Of :math:`c_u` and, ten times over, of :math:`c_{ut}`; in variances of train: a scale is
        halved where the squares of what it multiplies, summed over its ratings, come to that.
    n_epochs : int, at least 1
        Rounds over all kinds of parameters.

    Attributes
    ----------
    global_mean_ : float
        Stars.
    unit_ : float
        Stars; the deviation of the training ratings, in which the equations are reckoned and all
        below is given, see `rslib.models.units`.
    user_bias_, item_bias_ : float32 arrays (n_users,), (n_items,), on the device of train
    calendar_bias_ : float32 array (n_bins,)
    item_bins_, item_frequencies_ : float32 arrays (n_items, n_bins), (n_items, n_frequencies)
    drift_ : float32 array (n_users, 1) or (n_users, most knots)
        From the user's middle day to a day T away.
    day_bias_ : float32 array (n_sessions + 1,)
        The last entry, zero, is for days never seen.
    user_scale_, day_scale_ : float32 arrays (n_users,), (n_sessions + 1,)
        c_u and c_ut, which have no unit.
    knots_ : float32 array (n_users, most knots)
        Days; infinite beyond the user's number of knots.
    session_keys_, session_users_, session_days_, session_sizes_, user_days_, first_day_, last_day_
        See `rslib.models.parts.time`. What is switched off is not there.

    Notes
    -----
    A day never seen: :math:`b_{ut} = c_{ut} = 0`, and F = 1. A day outside the span of training
    takes the calendar, the bins and the drift of the nearest day inside. Pairs without days are
    predicted for the last day; ratings without days are taken as given on one day. Only F knows of
    ``seen``, and only where it carries days: the dates of the qualifying set were public in the
    contest; leave them out where the future must stay closed.

    Cost of an epoch: O(n_ratings) for each kind. Agreement: exact to rounding on both devices.
    Determinism: the order of the rows does not matter, up to rounding. Differs from the sources
    in: each minimum exactly, and penalties per parameter, where the sources step rating by rating
    and stop early; the calendar, which bins of items have to carry there.

    References
    ----------
    Koren, Collaborative Filtering with Temporal Dynamics (KDD 2009), section 3.2,
    doi:10.1145/1557019.1557072. Koren, The BellKor Solution to the Netflix Grand Prize (2009),
    section III, for the frequencies.
    """

    frequency: bool = True
    scale: bool = True
    reg_scale: Positive = 2.0
    n_epochs: Count = 6

    def parts(self):
        """The terms of the equation, in its order."""
        return time_biases(self, self.reg_scale if self.scale else None)
