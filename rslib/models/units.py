"""The units of a fit: so that no step and no penalty depends on the scale of the ratings."""

import math
from dataclasses import asdict

from rslib.backend import array_module, deviation_of

FAR_OFF = 1e4       # mean squared residual of a fit that runs away, over the mean square of train


class Units:
    r"""What a model does to ratings before it learns from them, and to its predictions after.

    All models are equivariant: from ratings :math:`a r + c` they predict :math:`a \hat r + c`,
    but for those whose equation takes ratings with their mean, which follow a only: factors that
    are not centred, filling with zeros, the cosine of raw ratings. Averages, the baseline,
    neighbours and the RBM are so by themselves. All others, with steps or penalties, are
    ``standardised``: what they do they do on

    .. math:: z_{ui} = (r_{ui} - \mu) / s

    with :math:`\mu` the mean of the training ratings and s their standard deviation, kept in
    ``global_mean_`` and ``unit_``, both in stars; without a mean in the equation, on r / s. So a
    step or a penalty means the same on any scale. What such models learn is in units of s:
    ``user_bias_ * unit_`` are stars, and so are products of factors times ``unit_``; weights of
    deviations, scales and rates have no such unit. What their methods take and return are stars.

    What ranks by who has what, and whose ratings may be all ones, says ``preferences``: it predicts
    a score without points, on which only the order of a user's items means something, and does not
    follow the scale.

    Why the deviation: it is all of the error that the mean leaves, so residuals begin near one,
    on any scale, and no model has to be fitted to find it.
    """

    standardised = False
    preferences = False
    unit_ = 1.0

    @property
    def _origin(self):
        """What is zero in the units of the fit, in stars."""
        return self.global_mean_ if self.standardised else 0.0

    @property
    def _mean(self):
        """The mean of the training ratings in the units of the fit."""
        return (self.global_mean_ - self._origin) / self.unit_

    def standardise(self, train, unit=None):
        """Learn the mean of ``train`` and, to be standardised, its deviation; return it in units.

        Where another ``unit`` is given, in stars, it is taken for the deviation.
        """
        self.global_mean_ = float(train.values.mean(dtype=array_module(train.values).float64))
        if not self.standardised:
            return train
        self.unit_ = deviation_of(train.values) if unit is None else float(unit)
        return self.in_units(train)

    def in_units(self, ratings):
        """Return ratings as a fitted model sees them: as z, if it is standardised."""
        if not self.standardised:
            return ratings
        return ratings.with_values((ratings.values - self._origin) / self.unit_)

    def in_stars(self, predictions):
        """Return what was predicted in units of the fit in stars: the way back."""
        return predictions * self.unit_ + self._origin if self.standardised else predictions

    def _diverged(self, when=""):
        """Return the error that says what to lower."""
        rates = {name: value for name, value in asdict(self).items()
                 if (name.endswith("_rate") or name.startswith("learning_rate_"))
                 and name != "forgetting_rate"}
        lower = " or ".join(f"{name} (it is {rate:g})" for name, rate in sorted(
            rates.items(), key=lambda rate: rate[0] != "learning_rate") if rate)
        return FloatingPointError(f"{type(self).__name__}: the fit diverged{when}: "
                                  + (f"lower {lower}" if lower else "raise its penalties"))

    def _check_finite(self):
        """Raise if anything that was learned is NaN or infinite."""
        for name in self._learned:
            array = self.learned(name)
            if name in self._derived or not hasattr(array, "dtype") or array.dtype.kind != "f":
                continue
            if array.size and not (math.isfinite(array.min()) and math.isfinite(array.max())):
                raise self._diverged()
