"""The rungs of the ladder, in the order of the story."""

from dataclasses import dataclass

__all__ = ["GOAL", "LECTURE", "REFERENCES", "RUNGS", "SLIDES", "STAND_IN", "Rung"]

_PARTS = {"Averages and biases": ("01",), "Neighbours": ("02", "03"),
          "Factors": ("05", "06", "07", "08", "09"), "Time": ("12", "13", "14", "15"),
          "RBM and blend": ("16", "17")}


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
        Number of the notebook that records this rung; empty for a model of the user's own.
    """

    label: str
    published: float | None
    source: str | None
    notebook: str

    @property
    def part(self):
        """Part of the story that this rung belongs to."""
        return next((part for part, notebooks in _PARTS.items() if self.notebook in notebooks),
                    "Your own")


_SLIDES = "CS246 slides, Latent Factor Models"
_HANDBOOK = "Koren and Bell, Advances in Collaborative Filtering"
_KDD = "Koren, Factorization Meets the Neighborhood"
_BELLKOR = "Koren, The BellKor Solution to the Netflix Grand Prize (2009)"

RUNGS = {
    "global-mean": Rung("Global average", 1.1296, _SLIDES, "01"),
    "user-mean": Rung("User average", 1.0651, _SLIDES, "01"),
    "item-mean": Rung("Movie average", 1.0533, _SLIDES, "01"),
    "baseline-decoupled": Rung("Baseline, decoupled", None, None, "01"),
    "baseline-ridge": Rung("Baseline, alternating ridge", 0.9799,
                           f"{_HANDBOOK}, table 5.1", "01"),
    "baseline-sgd": Rung("Baseline, SGD", None, None, "01"),
    "user-neighbours": Rung("User neighbours", None, None, "02"),
    "item-neighbours-plain": Rung("Item neighbours, weighted average", 0.94,
                                  f"{_SLIDES}: basic collaborative filtering", "02"),
    "item-neighbours": Rung("Item neighbours, deviations", 0.9406, f"{_HANDBOOK}, CorNgbr", "02"),
    "item-weights": Rung("Learned weights, item by item", 0.91,
                         f"{_SLIDES}: CF, biases, learned weights", "03"),
    "global-weights": Rung("Learned weights, global", 0.9002, f"{_HANDBOOK}, GlobalNgbr", "03"),
    "svd-imputed": Rung("SVD of the filled matrix", None, None, "05"),
    "factors-gd": Rung("Factors, gradient descent", None, None, "06"),
    "factors-sgd": Rung("Factors, SGD", 0.90, f"{_SLIDES}: latent factors", "06"),
    "factors-als": Rung("Factors, ALS", None, None, "07"),
    "mf-als": Rung("Biased factors, ALS", None, None, "08"),
    "mf-sgd": Rung("Biased factors, SGD", 0.89, f"{_SLIDES}: latent factors + biases", "08"),
    "nsvd": Rung("NSVD", None, None, "09"),
    "asymmetric-svd": Rung("Asymmetric SVD", 0.9000, f"{_KDD}, table 1, 200 factors", "09"),
    "svdpp": Rung("SVD++", 0.8911, f"{_HANDBOOK}, table 5.2, 200 factors", "09"),
    "integrated": Rung("SVD++ and global weights", 0.8868, f"{_KDD}, section 5, 200 factors", "09"),
    "temporal-baseline": Rung("Temporal baseline", 0.9278,
                              f"{_BELLKOR}, section III: with frequencies", "12"),
    "time-svdpp": Rung("timeSVD++", 0.8799, f"{_HANDBOOK}, table 5.2, 200 factors", "13"),
    "temporal-weights": Rung("Fading weights, global", 0.8885,
                             f"{_HANDBOOK}, temporal neighbourhood", "14"),
    "temporal-asymmetric-svd": Rung("Fading weights, factorised", None, None, "14"),
    "temporal-integrated": Rung("timeSVD++ and fading weights", None, None, "15"),
    "rbm": Rung("RBM", None, None, "16"),
    "rbm-conditional": Rung("Conditional RBM", None, None, "16"),
    "blend": Rung("Blend", 0.8563, f"{_SLIDES}: Grand Prize", "17"),
}
"""Key of each rung, as `rslib.runs.record` takes it, to its description."""

REFERENCES = {"Cinematch": 0.9514, "Grand Prize": 0.8563}
"""Fixed points of the contest: RMSE on the quiz set of Netflix, in stars."""

STAND_IN = "baseline-ridge"
"""Rung that stands for Cinematch, the system Netflix had: our improvement is measured from it.

Cinematch cannot be run here. Of the models that can, this one plays the same part: it is the last
rung before anybody's taste is modelled, it needs no days, no seed and no stopping rule, and it is
what `rslib contest open` fits for the class. It is an easier mark than Cinematch was: on Netflix
the same model has 0.9799, Cinematch 0.9514, basic collaborative filtering 0.94. So ten per cent
below the stand-in asks about three per cent less than the contest did.
"""

GOAL = 10.0
"""Improvement that the prize asked for, in per cent."""

LECTURE = {
    "global-mean": "Global average",
    "user-mean": "User average",
    "item-mean": "Movie average",
    STAND_IN: "Netflix (Cinematch)",
    "item-neighbours-plain": "Basic collaborative filtering",
    "item-weights": "CF, biases, learned weights",
    "factors-sgd": "Latent factors",
    "mf-sgd": "Latent factors, biases",
    "time-svdpp": "Latent factors, biases, time",
    "blend": "Grand Prize",
}
"""Our rung for each rung of the lecture's ladder, and the lecture's words for it, in its order."""

SLIDES = {key: RUNGS[key].published for key in LECTURE} | {
    STAND_IN: REFERENCES["Cinematch"], "time-svdpp": 0.876}
"""RMSE on the slides, by our rung; two are not what was published for the rung's own model.

The stand-in stands beside Cinematch. The slide's 0.876 is that of the winners' model, whose factors
also depend on how often a user rated on that day; ours have no such factors, and stand in the table
of all rungs beside 0.8799, what was published for timeSVD++ itself.
"""
