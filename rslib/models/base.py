"""What every model shares: checks at the door, saving and loading, scores from predictions."""

import json
import os
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from rslib.backend import array_module, asnumpy
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

    def _check(self, pairs):
        """Raise unless ``pairs`` can be predicted by this fitted model."""
        if not hasattr(self, self._learned[0]):
            raise ValueError(f"{type(self).__name__} is not fitted: call fit first")
        if isinstance(pairs, Ratings) or not isinstance(pairs, Pairs):
            raise TypeError("predict takes Pairs, which carry no values: pass ratings.pairs, "
                            f"not {type(pairs).__name__}")
        array_module(pairs.users, getattr(self, self._learned[0]))
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
        return sum(np.size(asnumpy(getattr(self, name))) for name in self._learned
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

    def fold_in(self, ratings):
        """Raise: a model that can fold new users in says so by overriding this.

        Raises
        ------
        NotImplementedError
            Naming what this model would need.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot take a user in without a new fit: "
                                  f"{self._why_no_fold_in}")

    def _with_users(self, n_users, **user_side):
        """Return a fitted copy whose user side is ``user_side``."""
        other = replace(self)
        other.__dict__.update(self.__dict__ | user_side | {"n_users_": n_users})
        return other

    def save(self, path):
        """Write the hyper-parameters and learned arrays to ``path`` (.npz), by one rename."""
        path = Path(path)
        header = {"model": type(self).__name__, "parameters": asdict(self),
                  "n_users": self.n_users_, "n_items": self.n_items_}
        arrays = {name: asnumpy(getattr(self, name)) for name in self._learned}
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".partial")
        try:
            with open(descriptor, "wb") as file:
                np.savez(file, header=np.array(json.dumps(header)), **arrays)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise

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
            for name in cls._learned:
                setattr(model, name, file[name] if file[name].ndim else file[name].item())
        return model
