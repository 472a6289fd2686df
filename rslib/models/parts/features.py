"""Who is a sum of what: the entries of N(u), of R(u), and of a user's own factors."""


from rslib.backend import array_module, rows_of, starts_of, sum_by
from rslib.kernels.features import Features


def implicit_features(ratings, seen, first=0):
    r"""Return N(u), what each user rated or is known to have rated, each with weight |N(u)|^-1/2.

    Parameters
    ----------
    ratings : Ratings
    seen : Pairs or None
        More pairs known to be rated, their ratings unknown.
    first : int
        Number of the feature that stands for item 0.
    """
    xp = array_module(ratings.users)
    known = [ratings] if seen is None else [ratings, seen]
    pairs = xp.unique(xp.concatenate([part.users.astype(xp.int64) * ratings.n_items + part.items
                                      for part in known]))
    users, items = pairs // ratings.n_items, pairs % ratings.n_items
    lengths = xp.bincount(users, minlength=ratings.n_users)
    weights = (lengths[users] ** -0.5).astype(xp.float32)
    return Features(starts_of(lengths), (first + items).astype(xp.int32), weights)


def own_features(ratings, first=0):
    """Return each user's own feature, with weight one."""
    xp, n_users = array_module(ratings.users), ratings.n_users
    return Features(xp.arange(n_users + 1), xp.arange(n_users, dtype=xp.int32) + first,
                    xp.ones(n_users, xp.float32))


def joined(*parts):
    """Join several `Features` of the same users into one: a user's entries of all of them."""
    if len(parts) == 1:
        return parts[0]
    xp = array_module(parts[0].weights)
    order = xp.argsort(xp.concatenate([rows_of(part.indptr) for part in parts]), kind="stable")
    ids, weights = (xp.concatenate(column)[order] for column in
                    ([part.ids for part in parts], [part.weights for part in parts]))
    return Features(sum(part.indptr for part in parts), ids, weights)


def shrunken_means(ids, values, n, reg):
    """Return the sum of the values of each id over its number of ratings plus ``reg``."""
    xp = array_module(values)
    return (sum_by(ids, values, n) / (reg + xp.bincount(ids, minlength=n))).astype(xp.float32)
