"""Predictions for a list of pairs, block by block."""

from rslib.backend import array_module

BLOCK = 1 << 18     # pairs whose gathered factors are held at a time


def predict_pairs(users, items, mean, user_bias, item_bias, user_factors=None, item_factors=None):
    r"""Return :math:`\mu + b_u + b_i + p_u \cdot q_i` for each pair.

    Parameters
    ----------
    users, items : int32 array (n,)
    mean : float
    user_bias, item_bias : array (n_users,), (n_items,)
    user_factors, item_factors : array (n_users, k), (n_items, k) or None

    Returns
    -------
    array (n,), dtype of the biases
        Stars, not clipped.
    """
    xp = array_module(users, items, user_bias, item_bias, user_factors, item_factors)
    stars = xp.asarray(mean, dtype=user_bias.dtype) + user_bias[users] + item_bias[items]
    if user_factors is not None:
        for start in range(0, len(users), BLOCK):
            block = slice(start, start + BLOCK)
            stars[block] += xp.einsum("nk,nk->n", user_factors[users[block]],
                                      item_factors[items[block]])
    return stars
