"""What every part of an additive model can be asked, and the parts that look a number up."""

from dataclasses import dataclass

import numpy as np

from rslib.backend import array_module, sum_by


class Part:
    """One term of an additive model's equation, with the arrays it has learned.

    A part has settings and no memory: what it learns are attributes of the model, whose names it
    owns, so the same part serves every copy of the model.
    """

    name = ""               # of its term; a part without one adds nothing by itself
    learned = ()            # attributes of the model that are this part's
    derived = ()            # those of them that follow from others or from the ratings
    of_users = False        # whether they are the users' own, and start anew for new users
    why_no_fold_in = ""     # where the part cannot take a new user in
    lends = ()              # those that a kernel of gradient descent moves

    def start(self, model, train, seen, rng):
        """Set the attributes of the model to where a fit starts."""

    def value(self, model, at):
        """Return what this term adds to each row, (n,), in units of the model.

        ``at`` are `Pairs`, or for models of time a `When`: what is known of each row.
        """
        raise NotImplementedError

    def penalty(self, model, ratings, seen):
        """Return what the objective charges for this part on ``ratings``, in units squared."""
        return 0.0

    def lend(self, model):
        """Return the arrays that a kernel moves, by their names in its state."""
        return {name.removesuffix("_"): model.learned(name) for name in self.lends}

    def give_back(self, model, arrays):
        """Set the attributes of the model to the arrays that were lent."""
        model.learn({name: arrays[name.removesuffix("_")] for name in self.lends})


@dataclass(frozen=True, kw_only=True)
class Lookup(Part):
    r"""A table of numbers, of which each rating reads some by their places.

    .. math:: \theta_{g(n)}\, x_n\, m_n

    A subclass says by `shape` how large the table is, and by `cells` which places each row reads.
    Given all else, the minimum is a shrunken average, for each number by itself:

    .. math:: \theta_g = \frac{\sum_{n \in g} x_n m_n e_n}
                              {\lambda_g + \sum_{n \in g} (x_n m_n)^2}

    with e the residuals without the term.

    Parameters
    ----------
    reg : float, above 0
        Penalty on each squared number: in ratings, or in squares of the multiplier, if any.
    per_rating : bool
        The penalty is charged once for each rating that reads the number.
    times : tuple of Lookup
        Parts whose sum, plus ``offset``, is the multiplier m; without any m is one.
    offset : float
    """

    reg: float
    per_rating: bool = False
    times: tuple = ()
    offset: float = 0.0

    table = ""              # attribute that holds the numbers

    def shape(self, model):
        """Shape of the table."""
        raise NotImplementedError

    def cells(self, model, at):
        """Return [(places, x), ...]: which place of the flattened table each row reads, and its
        weight, or None for ones."""
        raise NotImplementedError

    @property
    def learned(self):
        return (self.table,)

    @property
    def lends(self):
        return (self.table,)

    def numbers(self, model):
        """The table of a model."""
        return model.learned(self.table)

    def start(self, model, train, seen, rng):
        xp = array_module(train.values)
        model.learn({self.table: xp.zeros(self.shape(model), xp.float32)})

    def _unscaled(self, model, at):
        flat = self.numbers(model).ravel()
        return sum(flat[places] if x is None else flat[places] * x
                   for places, x in self.cells(model, at))

    def multiplier(self, model, at):
        """Return what multiplies the numbers in each row, or None for ones."""
        if self.times:
            return self.offset + sum(part._unscaled(model, at) for part in self.times)

    def value(self, model, at):
        unscaled, multiplier = self._unscaled(model, at), self.multiplier(model, at)
        return unscaled if multiplier is None else unscaled * multiplier

    def n_readings(self, model, at):
        """Return how many rows read each number, in the shape of the table."""
        xp, table = array_module(at.users), self.numbers(model)
        return sum(xp.bincount(places, minlength=table.size)
                   for places, _ in self.cells(model, at)).reshape(table.shape)

    def penalty(self, model, ratings, seen):
        squares = self.numbers(model).astype(np.float64) ** 2
        if self.per_rating:
            squares = squares * self.n_readings(model, model.at(ratings.pairs))
        return self.reg * float(squares.sum())

    def minimise(self, model, at, cells, residuals):
        """Set the numbers to the minimum of the objective; return the residuals left then."""
        multiplier = self.multiplier(model, at)
        for places, x in cells:
            weights = x if multiplier is None else multiplier if x is None else x * multiplier
            residuals = self.minimise_cells(model, places, weights, residuals)
        return residuals

    def minimise_cells(self, model, places, weights, residuals):
        """Set the numbers at some places to their minimum; return the residuals left then."""
        xp, table = array_module(residuals), self.numbers(model)
        flat, n = table.ravel(), table.size
        ones = 1.0 if weights is None else weights
        residuals = residuals + ones * flat[places]
        counts = xp.bincount(places, minlength=n) if weights is None or self.per_rating else None
        squares = counts if weights is None else sum_by(places, weights.astype(np.float64) ** 2, n)
        charged = self.reg * counts if self.per_rating else self.reg
        best = sum_by(places, ones * residuals, n) / (squares + charged)
        flat = xp.where(squares > 0, best, flat).astype(xp.float32)     # of these cells, no others
        model.learn({self.table: flat.reshape(table.shape)})
        return residuals - ones * flat[places]


def find(parts, kind):
    """Return the first part of a kind, or None."""
    return next((part for part in parts if isinstance(part, kind)), None)


def lookups_of(model):
    """Return the parts of a model that are lookups."""
    return [part for part in model.parts() if isinstance(part, Lookup)]


def sum_of_lookups(model, at):
    """Return what the lookups of a model add to each row."""
    total = np.float32(0)
    for part in lookups_of(model):
        if part.name:
            total = total + part.value(model, at)
    return total


def alternate(model, ratings, n_rounds, *, parts=None, on_epoch=None):
    """Set the lookups of a model one after the other to their minimum: items first, then users.

    Parameters
    ----------
    model : Additive
    ratings : Ratings
    n_rounds : int
    parts : list of Lookup or None
        Those that are moved; None moves all.
    on_epoch : callable (epoch, model) or None
        Called after every round; ends it by returning True.

    Notes
    -----
    What is no lookup is taken to add nothing: subtract it from the ratings first.
    """
    at = model.at(ratings.pairs)
    residuals = ratings.values - sum_of_lookups(model, at)
    moved = [(part, part.cells(model, at)) for part in sorted(
        lookups_of(model) if parts is None else parts, key=lambda part: part.of_users)]
    for epoch in range(1, n_rounds + 1):
        for part, cells in moved:
            residuals = part.minimise(model, at, cells, residuals)
        if on_epoch is not None and on_epoch(epoch, model):
            break
