"""Shared package of the Netflix Prize notebooks: data, protocol, kernels and models."""

from pathlib import Path

__version__ = "0.1.0"

_REPOSITORY = Path(__file__).resolve().parents[1]
HOME = _REPOSITORY if (_REPOSITORY / "notebooks").is_dir() else Path.cwd()
"""Folder that holds data/, notebooks/ and reports/: the repository, else the working folder."""


def load_model(path):
    """Read a fitted model or chain that `save` wrote, of whatever class.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Model
        Fitted, with its arrays on the CPU and the numbering it was fitted in.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, or holds something else.
    """
    from rslib.blend.chain import Chain
    from rslib.models import MODELS
    from rslib.models.saved import kind_of

    name = kind_of(path)
    kind = next((kind for kind in (*MODELS, Chain) if kind.__name__ == name), None)
    if kind is None:
        raise ValueError(f"{path} holds a {name}, which is not a model of rslib")
    return kind.load(path)
