"""What every model shares: checks at the door, saving, scores from predictions."""

from dataclasses import replace

import numpy as np

from rslib.backend import array_module, asnumpy
from rslib.models.domains import check_fields
from rslib.models.doors import require_ratings, require_same_numbers, require_same_world
from rslib.models.saved import read, restored, write
from rslib.models.units import FAR_OFF, Units
from rslib.ratings import Pairs, Ratings, checked_ids


class Model(Units):
    """Base of all models; CONTRIBUTING.md says how to add one.

    A subclass is a dataclass whose fields are its hyper-parameters and nothing else. What it
    learns are attributes with a trailing underscore, each with its array in ``_learned``.
    """

    _learned: tuple[str, ...] = ()
    _derived: tuple[str, ...] = ()      # those of _learned that follow from the others
    _why_no_fold_in = "its equation has no place for one"

    def __post_init__(self):
        check_fields(self)

    def learned(self, name):
        """Return what was learned under this name, an attribute that ends in an underscore."""
        return getattr(self, name)

    def learn(self, arrays):
        """Set attributes that end in an underscore: a dict of name to what was learned."""
        vars(self).update(arrays)

    def _world(self, ratings):
        """Remember the size and the numbering of the world that ``ratings`` live in."""
        self.n_users_, self.n_items_ = ratings.n_users, ratings.n_items
        self.numbering_ = ratings.numbering

    def _same_world(self, model):
        """Take the size and the numbering of the world from another model."""
        self.n_users_, self.n_items_ = model.n_users_, model.n_items_
        self.numbering_ = model.numbering_

    def _run(self, one_epoch, on_epoch, give_back=lambda: None, *, n_epochs=None):
        """Run the epochs of a fit, ``n_epochs`` of the model where no other number is given.

        ``one_epoch(epoch)`` moves the arrays of the fit and may return the mean squared residual
        that it met, in variances of train; ``give_back()`` sets the attributes of the model to
        the arrays. Returns self, or raises FloatingPointError if the residuals run away.
        """
        for epoch in range(1, (self.n_epochs if n_epochs is None else n_epochs) + 1):
            met = one_epoch(epoch)
            if met is not None and not met < FAR_OFF * (1 + self._mean ** 2):       # nor is NaN
                raise self._diverged(f" in epoch {epoch}")
            if on_epoch is not None:
                give_back()
                if on_epoch(epoch, self):
                    break
        give_back()
        return self

    def check_fitted(self):
        """Raise unless `fit` has run."""
        if not all(hasattr(self, name) for name in self._learned):
            raise ValueError(f"{type(self).__name__} is not fitted: call fit first")

    def check_pairs(self, pairs):
        """Raise unless this fitted model can say something of these pairs.

        Raises
        ------
        TypeError
            No Pairs, or Pairs on another device.
        ValueError
            Not fitted, or pairs of another size or numbering.
        """
        self.check_fitted()
        if isinstance(pairs, Ratings) or not isinstance(pairs, Pairs):
            raise TypeError("predict takes Pairs, which carry no values: pass ratings.pairs, "
                            f"not {type(pairs).__name__}")
        self._require_device(pairs.users)
        require_same_numbers(self, pairs, "like=model")

    def check_ratings(self, ratings, seen=None):
        """Raise unless `check_pairs` lets these Ratings, and the Pairs seen, through."""
        self.check_fitted()
        require_ratings(ratings, type(self).__name__)
        self.check_pairs(ratings.pairs)
        if seen is not None:
            self.check_pairs(seen)

    def _require_device(self, array):
        array_module(array, *(known for known in map(self.learned, self._learned)
                              if hasattr(known, "dtype")))

    @property
    def n_parameters(self):
        """Number of learned parameters, those of users and items never seen included."""
        self.check_fitted()
        return sum(np.size(asnumpy(self.learned(name))) for name in self._learned
                   if name not in self._derived)

    def predict(self, pairs: Pairs):
        """Return the prediction of each pair, (n,), in stars, not clipped.

        An unknown user or item gets what the model falls back to, its baseline. Of a model of
        ``preferences`` it is the preference, without points.

        Raises
        ------
        TypeError, ValueError
            See `check_pairs`.
        """
        self.check_pairs(pairs)
        return self.in_stars(self._predict(pairs))

    def score(self, users):
        """Return the predicted stars of every item for each of ``users``.

        Parameters
        ----------
        users : int array (n,)

        Returns
        -------
        array (n, n_items)
            Stars, not clipped, or preferences; a higher score is a better recommendation.

        Raises
        ------
        TypeError, ValueError
            Not fitted, or no ids of users on the device of the model.
        """
        self.check_fitted()
        if not hasattr(users, "dtype"):
            users = np.asarray(users, np.int32 if len(users) == 0 else None)
        self._require_device(users)
        return self.in_stars(self._score(checked_ids("users", users, self.n_users_)))

    def _score(self, users):
        xp = array_module(users)
        items = xp.tile(xp.arange(self.n_items_), len(users))
        pairs = Pairs(xp.repeat(users, self.n_items_), items,
                      n_users=self.n_users_, n_items=self.n_items_)
        return self._predict(pairs).reshape(len(users), self.n_items_)

    def explain(self, user, item):
        """Return what speaks in the prediction of one user and item, a row for each voice.

        Raises
        ------
        NotImplementedError
            Where no single voices are summed.
        ValueError
            Not fitted, or no such user or item.
        """
        self.check_fitted()
        user, item = (int(checked_ids(name, np.array([value]), n)[0]) for name, value, n in (
            ("user", user, self.n_users_), ("item", item, self.n_items_)))
        return self._explain(user, item)

    def _explain(self, user, item):
        raise NotImplementedError(f"{type(self).__name__} has no voices to tell apart: "
                                  "GlobalWeights, Integrated, ItemWeights and Neighbours have")

    def objective(self, ratings: Ratings, *, seen: Pairs | None = None) -> float:
        """Return J of the docstring on ``ratings``, in stars squared.

        A standardised model reckons J in its own units, and returns it times their square.

        Raises
        ------
        NotImplementedError
            Where a model minimises nothing that can be told.
        TypeError, ValueError
            See `check_pairs`.
        """
        self.check_ratings(ratings, seen)
        return self._objective(self.in_units(ratings), seen) * self.unit_ ** 2

    def _objective(self, ratings, seen):
        raise NotImplementedError(f"{type(self).__name__} has no objective")

    def fit(self, train: Ratings, *, seen: Pairs | None = None, on_epoch=None, unit=None):
        """Fit the model and return self.

        Parameters
        ----------
        train : Ratings
        seen : Pairs or None
            More pairs known to be rated, their ratings unknown: they join N(u), and where they
            carry days, these count in the frequencies. A model with neither leaves them alone.
        on_epoch : callable (epoch, model) or None
            Called after every epoch, if there are any; stops the fit by returning True.
        unit : float or None
            Stars that a standardised model takes for one; None takes the deviation of ``train``.

        Raises
        ------
        TypeError, ValueError
            A field outside its domain, no ratings, or ``seen`` of another size, numbering or
            device.
        FloatingPointError
            If the fit diverges: it names what to lower.
        """
        check_fields(self)
        require_ratings(train, "fit")
        if seen is not None:
            require_same_world(train, seen)
        self._world(train)
        self._fit(self.standardise(train, unit), seen, on_epoch)
        self._check_finite()
        return self

    def fold_in(self, ratings: Ratings):
        """Return the model for the users of ``ratings``, new to it, with the items as they are.

        A user without ratings gets what the model says of an unknown user.

        Raises
        ------
        NotImplementedError
            Naming why this model needs a new fit.
        TypeError, ValueError
            Not fitted, no Ratings, or items of another number, numbering or device.
        """
        self._check_newcomers(ratings, "fold_in", at_least=0)
        return self._fold_in(self.in_units(ratings))

    def _check_newcomers(self, ratings, name, *, at_least):
        """Raise unless these are ratings of the items of this fitted model, by whomever."""
        self.check_fitted()
        require_ratings(ratings, name, at_least=at_least)
        self._require_device(ratings.users)
        require_same_numbers(self, ratings, "like=model, new_users=True", users=False)

    def _fold_in(self, ratings):
        raise NotImplementedError(f"{type(self).__name__} cannot take a user in without a new fit: "
                                  f"{self._why_no_fold_in}")

    def _with_users(self, ratings, **user_side):
        """Return a fitted copy whose users are those of ``ratings``, with this user side."""
        other = replace(self)
        numbering = self.numbering_ and self.numbering_.with_users(
            ratings.numbering and ratings.numbering.user_ids)
        other.learn(vars(self) | user_side | {"n_users_": ratings.n_users,
                                              "numbering_": numbering})
        return other

    def save(self, path):
        """Write fields, learned arrays and numbering to ``path`` (.npz), by one rename."""
        self.check_fitted()
        write(path, self, {name: asnumpy(self.learned(name)) for name in self._learned})

    @classmethod
    def load(cls, path):
        """Read a model of this class that `save` wrote; its arrays arrive on the CPU.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is damaged, or holds something else than a model of this class.
        """
        saved = read(path, cls.__name__)
        return restored(cls, path, saved.parameters, saved.arrays, saved)
