"""Rounding on purpose: the numbers of every model move by a few units in the last place.

A notebook kernel that has this file as its PYTHONSTARTUP runs as on a processor that rounds
otherwise: what models learn is moved after every epoch and after the fit, what they predict before
anybody sees it. A cell whose output changes by that hangs on last bits.
"""

import functools
import os

import numpy as np

from rslib import models
from rslib.blend.blender import Blender
from rslib.kernels import similarity

UNITS = 4       # in the last place


class Noise:
    """Moves of a few units in the last place.

    They follow from the seed and the shape of an array alone: what is computed twice is moved
    alike, so that what must be equal stays equal.
    """

    def __init__(self, seed):
        self.seed = seed

    def move(self, array, which=0):
        """Move a float array in place: each axis by draws of its own, which add up."""
        for axis, size in enumerate(array.shape):
            rng = np.random.default_rng([self.seed, which, axis, size])
            units = rng.integers(-UNITS, UNITS, size, endpoint=True)
            factors = (1 + units * np.finfo(array.dtype).eps).astype(array.dtype)
            array *= factors.reshape([-1 if at == axis else 1 for at in range(array.ndim)])

    def __call__(self, predictions):
        """Return predictions moved; a number on its own stays."""
        if not isinstance(predictions, np.ndarray):
            return predictions
        moved = predictions.copy()
        self.move(moved)
        return moved

    def move_learned(self, model):
        """Move the parameters that a model has learned so far, in place."""
        if isinstance(model, models.Neighbours):
            return              # its sums were moved before they were rounded and ranked
        for name in model._learned:
            array = getattr(model, name, None)
            if (name not in model._derived and isinstance(array, np.ndarray)
                    and array.dtype.kind == "f" and array.flags.writeable):
                self.move(array)


def noisy_output(method, noise):
    @functools.wraps(method)
    def moved(*arguments, **options):
        return noise(method(*arguments, **options))
    return moved


def noisy_fit(fit, noise):
    @functools.wraps(fit)
    def moved(self, train, *, seen=None, on_epoch=None, **options):
        def epoch(number, model):
            noise.move_learned(model)
            return on_epoch is not None and on_epoch(number, model)

        fit(self, train, seen=seen, on_epoch=epoch, **options)
        noise.move_learned(self)
        return self
    return moved


def noisy_sums(sum_block, noise):
    """Sums over the users who rated two items, moved; what no processor rounds stays."""
    @functools.wraps(sum_block)
    def moved(*arguments):
        stats = sum_block(*arguments)
        for which, array in enumerate(stats):
            if array is not None and not np.array_equal(4 * array, np.rint(4 * array)):
                noise.move(array, which)        # counts, and sums of half stars, are exact
        return stats
    return moved


def subclasses(base):
    return [base, *(each for child in base.__subclasses__() for each in subclasses(child))]


def install(seed):
    """Replace the methods of every model and blender by noisy ones, in this process."""
    noise = Noise(seed)
    for base in subclasses(models.Model):
        for name, wrap in (("fit", noisy_fit), ("predict", noisy_output), ("score", noisy_output)):
            if name in vars(base):
                setattr(base, name, wrap(vars(base)[name], noise))
    similarity._sum_block = noisy_sums(similarity._sum_block, noise)
    for base in subclasses(Blender):
        if "predict" in vars(base):
            base.predict = noisy_output(base.predict, noise)


if "RSLIB_NOISE" in os.environ:
    install(int(os.environ["RSLIB_NOISE"]))
