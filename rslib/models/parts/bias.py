"""Biases that do not depend on the day."""

from rslib.models.parts.part import Lookup


class UserBias(Lookup):
    """b_u: how far a user rates above the mean."""

    name, table, of_users = "user_bias", "user_bias_", True

    def shape(self, model):
        return model.n_users_

    def cells(self, model, at):
        return [(at.users, None)]

    def scores(self, model, users):
        return model.user_bias_[users][:, None]


class ItemBias(Lookup):
    """b_i: how far an item is rated above the mean."""

    name, table = "item_bias", "item_bias_"

    def shape(self, model):
        return model.n_items_

    def cells(self, model, at):
        return [(at.items, None)]

    def scores(self, model, users):
        return model.item_bias_


def biases_per_rating(reg):
    """Return b_u and b_i, whose penalty is charged in each rating."""
    return [UserBias(reg=reg, per_rating=True), ItemBias(reg=reg, per_rating=True)]
