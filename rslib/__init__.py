"""Shared package of the Netflix Prize notebooks: data, protocol, kernels and models."""

from pathlib import Path

__version__ = "0.1.0"

_REPOSITORY = Path(__file__).resolve().parents[1]
HOME = _REPOSITORY if (_REPOSITORY / "notebooks").is_dir() else Path.cwd()
"""Folder that holds data/, notebooks/ and reports/: the repository, else the working folder."""
