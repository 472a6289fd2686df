"""Members of a blend: many models, asked by the protocol of the contest."""

from dataclasses import dataclass, replace

import numpy as np

from rslib.backend import asnumpy
from rslib.blend.columns import Column, keep, kept, key_of, split_digest
from rslib.metrics import clipped_rmse
from rslib.runs.protocol import predict_held_out, predict_probe

__all__ = ["Members"]


@dataclass(frozen=True, eq=False, repr=False)
class Members:
    """What many models predict for probe, and after a second fit for quiz and test.

    Made by `Members.fit`. A blend is fitted to ``probe`` and ``probe_values``, whose ratings no
    model saw, and predicts from ``held_out``, where every model was fitted to train and probe.

    Parameters
    ----------
    names : tuple of str (n_members,)
    probe, held_out : float64 arrays (n_probe, n_members), (n_quiz + n_test, n_members)
        Stars, not clipped; quiz first, then test.
    n_parameters : tuple of int (n_members,)
    fit_seconds : tuple of float (n_members,)
        Of the second fit. That of a column kept on the disk is when it was fitted.
    probe_values, held_out_values : float64 arrays (n_probe,), (n_quiz + n_test,)
        Stars.
    probe_users, held_out_users : int32 arrays
    is_test : bool array (n_quiz + n_test,)
    scale : (float, float)
        Lowest and highest rating, in stars: blends are clipped to it before they are scored.
    """

    names: tuple
    probe: np.ndarray
    held_out: np.ndarray
    n_parameters: tuple
    fit_seconds: tuple
    probe_values: np.ndarray
    held_out_values: np.ndarray
    probe_users: np.ndarray
    held_out_users: np.ndarray
    is_test: np.ndarray
    scale: tuple

    @classmethod
    def fit(cls, models, split, *, seen=False, on_member=None, folder=None):
        """Fit every model twice, one after the other, and keep what it predicts.

        A fresh copy is fitted on train and predicts probe; another is fitted on train and probe,
        and predicts quiz and test. Only the predictions stay in memory.

        Parameters
        ----------
        models : dict of str to model
            Not fitted, and left so.
        split : Split
        seen : bool or collection of str
            Tell the models, or those of these names, which pairs are held out, as
            `rslib.runs.record` does.
        on_member : callable (name, members) or None
            Called after every model, with the members so far.
        folder : path or None
            Where columns are kept. A model with the same hyper-parameters, ratings and code is
            read from there and not fitted again; a file that is damaged is.

        Returns
        -------
        Members

        Raises
        ------
        ValueError
            If there are no models, or one predicts something that is not a number.
        """
        if not models:
            raise ValueError("no members: give at least one model")
        members, data = cls._empty(split), split_digest(split)
        for name, model in models.items():
            told = seen if isinstance(seen, bool) else name in seen
            members = members._with(name, _column(name, model, split, data, told, folder))
            if on_member is not None:
                on_member(name, members)
        return members

    def add(self, name, model, split, *, seen=False, folder=None):
        """Return the members with one model more, fitted on the same split.

        Raises
        ------
        ValueError
            If the name is taken, or the split is another one.
        """
        asked = Members._empty(split)
        if not (np.array_equal(asked.probe_users, self.probe_users)
                and np.array_equal(asked.probe_values, self.probe_values)
                and np.array_equal(asked.held_out_users, self.held_out_users)
                and np.array_equal(asked.held_out_values, self.held_out_values)):
            raise ValueError(f"{name!r}: these members were fitted on another split")
        return self._with(name, _column(name, model, split, split_digest(split), seen, folder))

    @classmethod
    def _empty(cls, split):
        """No members yet, and all that is known of the rows."""
        probe, held_out = split.probe, split.held_out
        return cls((), np.zeros((len(probe), 0)), np.zeros((len(held_out), 0)), (), (),
                   asnumpy(probe.values).astype(np.float64),
                   asnumpy(held_out.values).astype(np.float64),
                   asnumpy(probe.users), asnumpy(held_out.users), split.is_test, split.final.scale)

    def _with(self, name, column):
        if name in self.names:
            raise ValueError(f"a member is called {name!r} already: give another name")
        return replace(self, names=(*self.names, name),
                       probe=np.column_stack([self.probe, column.probe]),
                       held_out=np.column_stack([self.held_out, column.held_out]),
                       n_parameters=(*self.n_parameters, column.n_parameters),
                       fit_seconds=(*self.fit_seconds, column.fit_seconds))

    def __getitem__(self, names):
        """Return the members called ``names``, a list, in that order."""
        names = [names] if isinstance(names, str) else list(names)
        unknown = next((name for name in names if name not in self.names), None)
        if unknown is not None:
            raise ValueError(f"no member is called {unknown!r}; there are {', '.join(self.names)}")
        if not names:
            raise ValueError("no members: name at least one")
        at = [self.names.index(name) for name in names]
        return replace(self, names=tuple(names), probe=self.probe[:, at],
                       held_out=self.held_out[:, at],
                       n_parameters=tuple(self.n_parameters[each] for each in at),
                       fit_seconds=tuple(self.fit_seconds[each] for each in at))

    def __len__(self):
        return len(self.names)

    def __repr__(self):
        return (f"Members({len(self)} models, {len(self.probe):,} pairs of probe, "
                f"{len(self.held_out):,} of quiz and test)")

    @property
    def probe_scores(self):
        """RMSE of every member on probe, clipped, in stars: dict of str to float."""
        return {name: clipped_rmse(column, self.probe_values, self.scale)
                for name, column in zip(self.names, self.probe.T, strict=True)}


def _column(name, model, split, data, seen, folder):
    """Read the column of a model, or fit it."""
    sizes = len(split.probe), len(split.held_out)
    key = None if folder is None else key_of(model, data, seen)
    column = None if folder is None else kept(folder, key, *sizes)
    if column is None:
        column = _fitted(name, model, split, seen)
        if folder is not None:
            keep(folder, key, column)
    return column


def _fitted(name, model, split, seen):
    probe = predict_probe(model, split, seen=seen)
    final = predict_held_out(model, split, seen=seen)
    for part, predictions in (("probe", probe), ("quiz and test", final.predictions)):
        if not np.isfinite(predictions).all():
            row = int(np.argmin(np.isfinite(predictions)))
            raise ValueError(f"member {name!r} ({type(model).__name__}) predicts "
                             f"{predictions[row]} for row {row} of {part}: its steps are too long, "
                             "or its penalty too small")
    return Column(probe.astype(np.float64), final.predictions.astype(np.float64),
                  final.n_parameters, final.fit_seconds)
