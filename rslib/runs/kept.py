"""Models that are fitted once and kept, until the ratings, the settings or the code change."""

import warnings

from tqdm import tqdm

import rslib
from rslib.files import code_digest, require_writable
from rslib.numbering import digest_of_rows
from rslib.runs.records import runs_root
from rslib.runs.settings import digest, own_params
from rslib.runs.tune import own_model

__all__ = ["fitted"]


def _place(ratings, rung):
    about = [f"{digest_of_rows(ratings):016x}", ratings.numbering.digests, code_digest(),
             own_params(rung)]
    return runs_root() / "models" / f"{ratings.info.name}-{rung}~{digest(about)}.npz"


def fitted(ratings, rung):
    """Return the model of a rung fitted to all of these ratings: kept from before, or fitted now.

    It has the default settings of its rung, and is kept in the folder of runs, in models/.

    Parameters
    ----------
    ratings : Ratings
        As `rslib.sources.load` returns them.
    rung : str
        A key of `rslib.runs.RUNGS`, but not "blend".

    Raises
    ------
    OSError
        If the folder cannot be written; nothing was fitted then.
    """
    place = _place(ratings, rung)
    if place.is_file():
        try:
            return rslib.load_model(place)
        except ValueError:
            warnings.warn(f"{place}: was damaged; the model is fitted anew", stacklevel=2)
    require_writable(place.parent, "set RSLIB_RUNS to a folder that can be")
    model = own_model(rung)
    with tqdm(total=getattr(model, "n_epochs", None), desc=f"fitting {rung}", unit="pass",
              leave=False) as bar:
        model.fit(ratings, on_epoch=lambda epoch, _: bar.update() and False)
    place.parent.mkdir(parents=True, exist_ok=True)
    model.save(place)
    return model
