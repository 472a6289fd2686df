"""Say whether the data at hand show what a notebook claims."""

__all__ = ["finding"]


def finding(claim, holds):
    """Return one line that says whether ``claim`` holds on these ratings.

    A check of arithmetic may stop a notebook, by ``assert``; what data show never does, because
    other data may show something else.

    Parameters
    ----------
    claim : str
        A sentence without its full stop, such as "shrinkage helps on probe".
    holds : bool or None
        None where these ratings cannot tell: too few of them, or no days.

    Returns
    -------
    str
    """
    start = {None: "Cannot be told", True: "Found", False: "Not found"}
    return f"{start[None if holds is None else bool(holds)]} on these ratings: {claim}."
