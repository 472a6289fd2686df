"""Residual chaining: each model explains what those before it left over."""

from dataclasses import asdict, dataclass, field, replace

from rslib.backend import asnumpy, deviation_of
from rslib.models import MODELS, Baseline, Model, Neighbours
from rslib.models.saved import read, restored, write


@dataclass
class Chain(Model):
    r"""Predict the sum of models, each fitted to the residuals of those before it.

    .. math:: \hat r_{ui} = \sum_{l=1}^{L} \hat r^{(l)}_{ui}, \qquad
              x^{(l)}_{ui} = r_{ui} - \sum_{k<l} \hat r^{(k)}_{ui}

    with link l fitted to :math:`x^{(l)}` on the training pairs. Nothing is minimised jointly, so
    the order matters: what the first link can explain, the second never sees. The residuals are
    those of ratings that the earlier links were fitted to, smaller than they would be on others;
    a first link that overfits leaves the later ones little to learn and that little misleading.

    Parameters
    ----------
    models : tuple of models, at least 1
        The links, not fitted, first to last; none of them of preferences.

    Attributes
    ----------
    kinds : tuple of str
        Class of each link: says with ``models`` in `asdict` what was run.
    links_ : tuple of models
        The fitted links. Residuals carry no declared scale: no link may rely on one.
    global_mean_ : float
        Stars; what a user and an item never seen get, up to the calendar of a model of time.

    Notes
    -----
    Cost: the fits of its links and one prediction of the training pairs for each but the last.
    Agreement and determinism: those of its links.

    References
    ----------
    Koren, The BellKor Solution to the Netflix Grand Prize (2009) (neighbourhoods trained on
    residuals of other models). Töscher, Jahrer and Bell, The BigChaos Solution to the
    Netflix Grand Prize (2009) (predictors trained on residuals of others).
    """

    models: tuple = (Baseline(), Neighbours())
    kinds: tuple = field(init=False)

    _learned = ("links_",)

    def __post_init__(self):
        self.models = tuple(link for model in self.models for link in getattr(
            model, "models", (model,)))         # a chain in a chain is a longer chain
        if not self.models:
            raise ValueError("a chain has no models: give at least one")
        for model in self.models:
            if model.preferences:
                raise TypeError(f"{type(model).__name__} predicts preferences, which have no "
                                "points: nothing is left over for a chain to explain")
        self.kinds = tuple(type(model).__name__ for model in self.models)

    def standardise(self, train, unit=None):
        """Return ``train`` as it is: each link learns a mean of its own."""
        return train

    def _fit(self, train, seen, on_epoch):
        """Fit the links one after the other; ``seen`` is handed to each, a link is an epoch.

        All of them work in the deviation of ``train``: what a penalty means does not depend on how
        much the links before have left.
        """
        links, unit = (replace(model) for model in self.models), deviation_of(train.values)
        return self._join(train, (
            lambda residuals, link=link: link.fit(residuals, seen=seen, unit=unit)
            for link in links), on_epoch)

    def _join(self, ratings, fits, on_epoch=None):
        """Take what each of ``fits`` makes of the residuals of those before it as a link."""
        self.links_, residuals = (), replace(ratings, info=None)
        for epoch, fit in enumerate(fits, 1):
            if epoch > 1:
                predictions = self.links_[-1].predict(ratings.pairs)
                residuals = residuals.with_values(residuals.values - predictions)
            self.links_ = (*self.links_, fit(residuals))
            if on_epoch is not None and on_epoch(epoch, self):
                break
        return self

    @property
    def n_parameters(self):
        """Number of learned parameters of all links."""
        self.check_fitted()
        return sum(link.n_parameters for link in self.links_)

    @property
    def global_mean_(self):
        return sum(link.global_mean_ for link in self.links_)

    def _require_device(self, array):
        self.links_[0]._require_device(array)

    def _predict(self, pairs):
        """The sum of what the links say of each pair."""
        return sum(link.predict(pairs) for link in self.links_)

    def _score(self, users):
        return sum(link.score(users) for link in self.links_)

    def _fold_in(self, ratings):
        """A chain of the links with the new users in; a link that takes none in says why."""
        return self._with_users(ratings)._join(ratings, (link.fold_in for link in self.links_))

    def save(self, path):
        """Write all links to ``path`` (.npz), by one rename."""
        self.check_fitted()
        write(path, self, {f"{at}.{name}": asnumpy(link.learned(name))
                           for at, link in enumerate(self.links_) for name in link._learned})

    @classmethod
    def load(cls, path):
        """Read a chain that `save` wrote; its arrays arrive on the CPU.

        Raises
        ------
        ValueError
            If the file holds something else, or a link is not a model of rslib.
        """
        saved = read(path, cls.__name__)
        kinds, fields = saved.parameters["kinds"], saved.parameters["models"]
        chain = cls(tuple(_kind(kind)(**each) for kind, each in zip(kinds, fields, strict=True)))
        chain._same_world(saved)
        learned = [{} for _ in chain.models]
        for key, array in saved.arrays.items():
            at, _, name = key.partition(".")
            learned[int(at)][name] = array
        chain.links_ = tuple(restored(type(model), path, asdict(model), arrays, saved)
                             for model, arrays in zip(chain.models, learned, strict=True))
        return chain


def _kind(name):
    found = next((model for model in MODELS if model.__name__ == name), None)
    if found is None:
        raise ValueError(f"{name} is not a model of rslib: a chain with it cannot be loaded")
    return found
