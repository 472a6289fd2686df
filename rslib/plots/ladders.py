"""The picture of the ladder."""

import numpy as np

from rslib.plots.panels import PALETTE


def _bare(ax):
    """Leave only what carries information: no frame, a faint grid along x."""
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(PALETTE["rule"])
    ax.tick_params(length=0, labelcolor=PALETTE["grey"])
    ax.grid(axis="x", color=PALETTE["rule"], linewidth=0.6)
    ax.set_axisbelow(True)


def _reference_lines(ax, references):
    for name, value in references.items():
        ax.axvline(value, color=PALETTE["published"], linewidth=1, linestyle=(0, (4, 3)), alpha=0.8)
        ax.annotate(f"{name} {value:.4f}", (value, 1), xycoords=("data", "axes fraction"),
                    xytext=(0, 4), textcoords="offset points", ha="center", va="bottom",
                    fontsize=8, color=PALETTE["published"])


def ladder(ax, rows, references=None):
    """Draw the ladder: each rung's held-out RMSE, beside what was published for Netflix.

    Parameters
    ----------
    ax : Axes
        About 0.35 inch of height a rung.
    rows : list of dict
        From `rslib.runs.ladder_rows`, lowest rung first: the uppermost line of the picture.
    references : dict of str to float or None
        Vertical lines, by name; RMSE in stars.

    Returns
    -------
    Axes
    """
    y = np.arange(len(rows))
    ours = [row["held_out"] for row in rows]
    published = [np.nan if row["published"] is None else row["published"] for row in rows]
    ax.hlines(y, np.fmin(ours, published), np.fmax(ours, published), color=PALETTE["rule"],
              linewidth=2, zorder=1)
    ax.plot(published, y, "o", markersize=6, markerfacecolor="white", markeredgewidth=1.5,
            color=PALETTE["published"], label="published for Netflix")
    ax.errorbar(ours, y, xerr=[row["half_width"] for row in rows], fmt="o", markersize=6,
                capsize=0, linewidth=1.5, color=PALETTE["ours"],
                label="ours, quiz and test pooled, with 95 % interval")
    _reference_lines(ax, references or {})
    ax.set_yticks(y, [row["label"] for row in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlabel("RMSE, stars: lower is better", color=PALETTE["grey"])
    _bare(ax)
    ax.tick_params(axis="y", labelcolor="black")
    ax.legend(loc="lower right", facecolor="white", framealpha=1, edgecolor="none", fontsize=8)
    for place, value in zip(y, ours, strict=True):
        ax.annotate(f"{value:.4f}", (1, place), xycoords=("axes fraction", "data"),
                    xytext=(6, 0), textcoords="offset points", va="center",
                    fontsize=9, color=PALETTE["ours"])
    ax.set_title(_message(rows), loc="left", pad=22, fontsize=11)
    return ax


def _message(rows):
    first, best = rows[0], min(rows, key=lambda row: row["held_out"])
    less = 100 * (1 - best["held_out"] / first["held_out"])
    return f"{best['label']}: {less:.0f} % less error than the {first['label'].lower()}"
