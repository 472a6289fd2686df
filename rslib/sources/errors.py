"""What a source that cannot be read raises: one line naming the file, the row and what to do."""

__all__ = ["NoRatingColumn", "SourceError", "SourceMissing"]


class SourceError(ValueError):
    """A source that cannot be read as ratings."""


class NoRatingColumn(SourceError):
    """A table in which no column stands for the rating."""


class SourceMissing(FileNotFoundError):
    """A source that is not where it was looked for, or could not be fetched."""
