"""What every model shares: checks at the door, saving and loading, scores from predictions."""

import json
from dataclasses import asdict, replace

import numpy as np

from rslib.backend import array_module, asnumpy
from rslib.files import new_file
from rslib.ratings import Pairs, Ratings


def require_ratings(train):
    """Raise unless ``train`` can be fitted: Ratings, and at least one."""
    if not isinstance(train, Ratings):
        raise TypeError(f"fit needs Ratings, not {type(train).__name__}")
    if not len(train):
        raise ValueError("fit needs at least one rating")


class Model:
    """Base of all models; see DESIGN of the package in CONTRIBUTING.md.

    A subclass is a dataclass whose fields are its hyper-parameters and nothing else. What it
    learns are attributes with a trailing underscore, each with its array in ``_learned``.
    """

    _learned: tuple[str, ...] = ()
    _derived: tuple[str, ...] = ()      # those of _learned that follow from the others
    _why_no_fold_in = "its equation has no place for one"

    def learned(self, name):
        """Return what was learned under this name, an attribute that ends in an underscore."""
        return getattr(self, name)

    def learn(self, arrays):
        """Set attributes that end in an underscore: a dict of name to what was learned."""
        vars(self).update(arrays)

    def _run(self, one_epoch, on_epoch, give_back=lambda: None, *, n_epochs=None):
        """Run the epochs of a fit, ``n_epochs`` of the model where no other number is given.

        ``one_epoch(epoch)`` moves the arrays of the fit, ``give_back()`` sets the attributes of
        the model to them. Returns self.
        """
        for epoch in range(1, (self.n_epochs if n_epochs is None else n_epochs) + 1):
            one_epoch(epoch)
            if on_epoch is not None:
                give_back()
                if on_epoch(epoch, self):
                    break
        give_back()
        return self

    def _check(self, pairs):
        """Raise unless ``pairs`` can be predicted by this fitted model."""
        if not all(hasattr(self, name) for name in self._learned):
            raise ValueError(f"{type(self).__name__} is not fitted: call fit first")
        if isinstance(pairs, Ratings) or not isinstance(pairs, Pairs):
            raise TypeError("predict takes Pairs, which carry no values: pass ratings.pairs, "
                            f"not {type(pairs).__name__}")
        array_module(pairs.users, *(array for array in map(self.learned, self._learned)
                                    if hasattr(array, "dtype")))
        if (pairs.n_users, pairs.n_items) != (self.n_users_, self.n_items_):
            raise ValueError(f"pairs of {pairs.n_users} users x {pairs.n_items} items, but "
                             f"{type(self).__name__} was fitted on {self.n_users_} x "
                             f"{self.n_items_}: split one Ratings, or pass n_users and n_items")

    def _world(self, train):
        """Remember the size of the world that ``train`` lives in."""
        require_ratings(train)
        self.n_users_, self.n_items_ = train.n_users, train.n_items

    @property
    def n_parameters(self):
        """Number of learned parameters, those of users and items never seen included."""
        return sum(np.size(asnumpy(self.learned(name))) for name in self._learned
                   if name not in self._derived)

    def score(self, users):
        """Return the predicted stars of every item for each of ``users``.

        Parameters
        ----------
        users : int array (n,)

        Returns
        -------
        array (n, n_items)
            Stars, not clipped; a higher score is a better recommendation.
        """
        xp = array_module(users)
        items = xp.tile(xp.arange(self.n_items_), len(users))
        pairs = Pairs(xp.repeat(users, self.n_items_), items,
                      n_users=self.n_users_, n_items=self.n_items_)
        return self.predict(pairs).reshape(len(users), self.n_items_)

    def fit(self, train: Ratings, *, seen: Pairs | None = None, on_epoch=None):
        """Fit the model and return self.

        Parameters
        ----------
        train : Ratings
        seen : Pairs or None
            More pairs known to be rated, their ratings unknown: they join N(u), and where they
            carry days, these count in the frequencies. A model with neither leaves them alone.
        on_epoch : callable (epoch, model) or None
            Called after every epoch, if there are any; stops the fit by returning True.
        """
        self._world(train)
        self._fit(train, seen, on_epoch)
        return self

    def fold_in(self, ratings: Ratings):
        """Return the model for the users of ``ratings``, new to it, with the items as they are.

        Raises
        ------
        NotImplementedError
            Naming why this model needs a new fit.
        """
        return self._fold_in(ratings)

    def _fold_in(self, ratings):
        raise NotImplementedError(f"{type(self).__name__} cannot take a user in without a new fit: "
                                  f"{self._why_no_fold_in}")

    def _with_users(self, n_users, **user_side):
        """Return a fitted copy whose user side is ``user_side``."""
        other = replace(self)
        other.learn(vars(self) | user_side | {"n_users_": n_users})
        return other

    def save(self, path):
        """Write the hyper-parameters and learned arrays to ``path`` (.npz), by one rename."""
        header = {"model": type(self).__name__, "parameters": asdict(self),
                  "n_users": self.n_users_, "n_items": self.n_items_}
        arrays = {name: asnumpy(self.learned(name)) for name in self._learned}
        with new_file(path) as file:
            np.savez(file, header=np.array(json.dumps(header)), **arrays)

    @classmethod
    def load(cls, path):
        """Read a model of this class that `save` wrote; its arrays arrive on the CPU.

        Raises
        ------
        ValueError
            If the file holds a model of another class.
        """
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            if header["model"] != cls.__name__:
                raise ValueError(f"{path} holds a {header['model']}, not a {cls.__name__}")
            model = cls(**header["parameters"])
            model.n_users_, model.n_items_ = header["n_users"], header["n_items"]
            model.learn({name: file[name] if file[name].ndim else file[name].item()
                         for name in model._learned})
        return model
