"""What is checked where ratings and pairs meet a model: kind, device, size and numbering."""

from rslib.backend import array_module
from rslib.ratings import Pairs, Ratings


def require_ratings(ratings, name, *, at_least=1):
    """Raise unless these are Ratings, and so many; ``name`` is who asks."""
    if not isinstance(ratings, Ratings):
        raise TypeError(f"{name} needs Ratings, not {type(ratings).__name__}")
    if len(ratings) < at_least:
        raise ValueError(f"{name} needs at least one rating")


def _difference(numbering, pairs, there, *, users=True):
    """Return in what ``pairs`` are numbered otherwise than ``there``, or None."""
    if numbering is None or pairs.numbering is None:
        return None
    differs = numbering.differs(pairs.numbering, users=users, days=pairs.days is not None)
    if differs == "days":
        return (f"days count from {pairs.numbering.first_day}, {there} from {numbering.first_day}")
    return differs and f"{differs} are numbered by other ids than {there}"


def require_same_world(train, seen):
    """Raise unless the Pairs ``seen`` have the size, numbering and device of ``train``."""
    if not isinstance(seen, Pairs):
        raise TypeError(f"seen needs Pairs, not {type(seen).__name__}")
    array_module(train.users, seen.users)
    if (seen.n_users, seen.n_items) != (train.n_users, train.n_items):
        raise ValueError(f"seen has {seen.n_users} users x {seen.n_items} items, but train has "
                         f"{train.n_users} x {train.n_items}: take both from one Ratings")
    differs = _difference(train.numbering, seen, "in train")
    if differs:
        raise ValueError(f"seen: {differs}: take both from one Ratings")


def require_same_numbers(model, pairs, remedy, *, users=True):
    """Raise unless the numbers of ``pairs`` mean what they meant where the model was fitted.

    ``remedy`` are the arguments by which a file is read in the model's numbering; ``users`` says
    whether the users are the model's, too.
    """
    name = type(model).__name__
    if pairs.n_items != model.n_items_ or (users and pairs.n_users != model.n_users_):
        ours, theirs = (f"{n_users} users x {n_items} items" if users else f"{n_items} items"
                        for n_users, n_items in ((model.n_users_, model.n_items_),
                                                 (pairs.n_users, pairs.n_items)))
        raise ValueError(f"pairs of {theirs}, but {name} was fitted on {ours}: split one "
                         f"Ratings, or read a file by sources.load(path, {remedy})")
    differs = _difference(model.numbering_, pairs, f"where {name} was fitted", users=users)
    if differs:
        raise ValueError(f"{differs}: read the file by sources.load(path, {remedy})")
