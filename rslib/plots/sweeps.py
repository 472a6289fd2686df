"""The pictures of a sweep."""

import numpy as np

from rslib.plots.panels import PALETTE
from rslib.plots.tables import text_of


def _levels(rows, name):
    """Distinct values of one swept parameter, in the order of the grid."""
    return list(dict.fromkeys(row[name] for row in rows))


def _sweep_line(ax, rows, name, measure):
    levels = [str(level) for level in _levels(rows, name)]
    colours = (PALETTE[key] for key in ("ours", "published", "good", "other", "accent", "light"))
    for rung, colour in zip(_levels(rows, "rung"), colours, strict=False):
        scores = {str(row[name]): row["probe"] for row in rows if row["rung"] == rung}
        ax.plot(range(len(levels)), [scores.get(level, np.nan) for level in levels], "o-",
                color=colour, markersize=5, label=rung)
    ax.set_xticks(range(len(levels)), levels)
    ax.set_ylabel(f"probe RMSE, {measure}", color=PALETTE["grey"])
    ax.grid(axis="y", color=PALETTE["rule"], linewidth=0.6)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.legend(frameon=False)


def _sweep_map(ax, rows, down, across, measure):
    labels = {name: [str(level) for level in _levels(rows, name)] for name in (down, across)}
    grid = np.full((len(labels[down]), len(labels[across])), np.nan)
    for row in rows:
        grid[labels[down].index(str(row[down])), labels[across].index(str(row[across]))] = \
            row["probe"]
    ax.imshow(grid, cmap="cividis", aspect="auto")
    middle = (np.nanmin(grid) + np.nanmax(grid)) / 2
    best = np.nanargmin(grid)
    for place, value in enumerate(grid.flat):
        y, x = divmod(place, grid.shape[1])
        ax.text(x, y, text_of(value, 4), ha="center", va="center", fontsize=9,
                color="white" if value <= middle else "black",
                fontweight="bold" if place == best else "normal")
    ax.set_xticks(range(grid.shape[1]), labels[across])
    ax.set_yticks(range(grid.shape[0]), labels[down])
    ax.set_ylabel(down, color=PALETTE["grey"])
    ax.set_title(f"{rows[0]['rung']}: probe RMSE, {measure}", loc="left", fontsize=10)
    ax.spines[:].set_visible(False)


def sweep(ax, rows, names, measure="stars"):
    """Draw probe RMSE over one swept parameter (a line a rung) or two (a map of one rung).

    Parameters
    ----------
    ax : Axes
    rows : list of dict
        One a run and rung: the swept parameters, ``rung`` and ``probe``.
    names : list of str
        One or two swept parameters; of two, the first runs down.
    measure : str
        What the RMSE counts, as ``ratings.measure`` says it.

    Returns
    -------
    Axes
    """
    if len(names) == 1:
        _sweep_line(ax, rows, names[0], measure)
    else:
        _sweep_map(ax, rows, *names, measure)
    ax.set_xlabel(names[-1], color=PALETTE["grey"])
    ax.tick_params(length=0)
    return ax
