"""The rungs of the ladder, in the order of the story."""

from dataclasses import dataclass

__all__ = ["REFERENCES", "RUNGS", "Rung"]


@dataclass(frozen=True)
class Rung:
    """One step of the ladder.

    Parameters
    ----------
    label : str
        Name in tables and pictures.
    published : float or None
        RMSE published for the Netflix Prize, in stars.
    source : str or None
        Where that number was published.
    notebook : str
        Number of the notebook that records this rung.
    """

    label: str
    published: float | None
    source: str | None
    notebook: str


_SLIDES = "CS246 slides, Latent Factor Models"

RUNGS = {
    "global-mean": Rung("Global average", 1.1296, _SLIDES, "01"),
    "user-mean": Rung("User average", 1.0651, _SLIDES, "01"),
    "item-mean": Rung("Movie average", 1.0533, _SLIDES, "01"),
    "baseline-decoupled": Rung("Baseline, decoupled", None, None, "01"),
    "baseline-ridge": Rung("Baseline, alternating ridge", 0.9799,
                           "Koren and Bell, Advances in Collaborative Filtering, table 5.1", "01"),
    "baseline-sgd": Rung("Baseline, SGD", None, None, "01"),
    "mf-als": Rung("Biased factors, ALS", None, None, "02"),
    "mf-sgd": Rung("Biased factors, SGD", 0.89, f"{_SLIDES}: latent factors + biases", "02"),
}
"""Key of each rung, as `rslib.runs.record` takes it, to its description."""

REFERENCES = {"Cinematch": 0.9514, "Grand Prize": 0.8563}
"""Fixed points of the contest: RMSE on the quiz set of Netflix, in stars."""
