"""A new model as CONTRIBUTING says one is written: a bias for each user and day of the week."""

from dataclasses import dataclass

from rslib.models.additive import Additive
from rslib.models.parts.bias import ItemBias, UserBias
from rslib.models.parts.part import Lookup
from rslib.models.parts.sessions import Sessions, Span


class WeekdayBias(Lookup):
    """b_uw: how a user rates on one day of the week."""

    name, table, of_users = "weekday", "weekday_bias_", True

    def shape(self, model):
        return model.n_users_, 7

    def cells(self, model, at):
        return [(at.users * 7 + at.days % 7, None)]


@dataclass
class Weekdays(Additive):
    r"""Predict the baseline plus what the day of the week does to a user.

    .. math:: \hat r_{ui}(t) = \mu + b_i + b_u + b_{uw(t)}

    .. math:: J = \sum_{(u,i,t) \in R} (r_{ui} - \hat r_{ui}(t))^2 + \lambda_i \sum_i b_i^2
                  + \lambda_u \sum_u b_u^2 + \lambda_w \sum_{u,w} b_{uw}^2

    Parameters
    ----------
    reg_item, reg_user, reg_weekday : float, above 0
        The penalties, in ratings.
    n_epochs : int, at least 1
        Rounds over the three kinds of biases.

    Attributes
    ----------
    item_bias_, user_bias_, weekday_bias_ : float32 arrays (n_items,), (n_users,), (n_users, 7)
    """

    reg_item: float = 3.0
    reg_user: float = 5.0
    reg_weekday: float = 10.0
    n_epochs: int = 200

    def parts(self):
        """The terms of the equation, in its order."""
        return [Span(), Sessions(beta=1.0), ItemBias(reg=self.reg_item),
                UserBias(reg=self.reg_user), WeekdayBias(reg=self.reg_weekday)]
