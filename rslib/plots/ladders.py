"""The picture of the ladder."""

import numpy as np

from rslib.plots.panels import PALETTE

_HEADING = 0.85     # room of the name of a part of the story, in rungs


def _bare(ax):
    """Leave only what carries information: no frame, a faint grid along x."""
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(PALETTE["rule"])
    ax.tick_params(length=0, labelcolor=PALETTE["grey"])
    ax.grid(axis="x", color=PALETTE["rule"], linewidth=0.6)
    ax.set_axisbelow(True)


def _places(rows):
    """Height of each rung, downwards, and the height and name of each part that begins."""
    places, parts, y, last = [], [], 0.0, None
    for row in rows:
        if row.get("part") != last:
            last = row["part"]
            parts.append((y, last))
            y += _HEADING
        places.append(y)
        y += 1
    return np.array(places), parts


def _line(ax, value, text, colour, style, offset):
    """A mark across all rungs, its name above the frame, ``offset`` points up."""
    ax.axvline(value, color=colour, linewidth=1, linestyle=style, alpha=0.8, zorder=1)
    ax.annotate(f"{text} {value:.4f}", (value, 1), xycoords=("data", "axes fraction"),
                xytext=(0, offset), textcoords="offset points", ha="center", va="bottom",
                fontsize=8, color=colour)


def _marks(ax, references, marks):
    for name, value in references.items():
        _line(ax, value, name, PALETTE["published"], (0, (4, 3)), 4)
    for percent, value in marks.items():
        style = "-" if percent else (0, (1, 2))
        _line(ax, value, f"our {percent:g} %:", PALETTE["ours"], style, 16)


def _is_published(row):
    return row["published"] is not None and not np.isnan(row["published"])


def _published(ax, rows, y):
    """Published errors: filled where the lecture has the rung, hollow from the papers."""
    for in_lecture, face, name in ((True, PALETTE["published"], "Netflix, on the lecture's ladder"),
                                   (False, "white", "Netflix, in the papers")):
        known = [i for i, row in enumerate(rows)
                 if _is_published(row) and row.get("in_lecture", False) == in_lecture]
        if known:
            ax.plot([rows[i]["published"] for i in known], y[known], "o", markersize=6,
                    markerfacecolor=face, markeredgewidth=1.5, color=PALETTE["published"],
                    label=name)


def _ours(ax, rows, y):
    ax.errorbar([row["held_out"] for row in rows], y, xerr=[row["half_width"] for row in rows],
                fmt="o", markersize=6, capsize=0, linewidth=1.5, color=PALETTE["ours"],
                label="ours, quiz and test pooled, with 95 % interval")


def _beside(ax, x, y, text, colour, **style):
    """Text right of the frame that ends ``x`` points from it."""
    ax.annotate(text, (1, y), xycoords=("axes fraction", "data"), xytext=(x, 0), ha="right",
                textcoords="offset points", va="center", color=colour, **style)


def _figures(ax, rows, y):
    """Error and improvement of each rung, right of the frame."""
    for place, row in zip(y, rows, strict=True):
        _beside(ax, 46, place, f"{row['held_out']:.4f}", PALETTE["ours"], fontsize=9)
        if row.get("improvement") is not None:
            better = round(row["improvement"], 1) + 0.0     # no minus zero
            _beside(ax, 96, place, f"{better:.1f} %".replace("-", "−"), PALETTE["grey"], fontsize=9)


def _comparable(rows):
    """Whether errors are of the size of Netflix's; those of other scales would squeeze both."""
    pairs = [(row["held_out"], row["published"]) for row in rows if _is_published(row)]
    ours, published = np.median(pairs, axis=0) if pairs else (1, 1)
    return 0.5 < ours / published < 2


def _parts(ax, parts):
    for y, name in parts:
        ax.axhline(y - 0.55, color=PALETTE["rule"], linewidth=0.8)
        ax.annotate(name, (0, y), xycoords=("axes fraction", "data"), xytext=(-4, 0), ha="right",
                    textcoords="offset points", va="center", fontsize=8.5, style="italic",
                    color=PALETTE["grey"])


def ladder(ax, rows, references=None, marks=None):
    """Draw the ladder: each rung's held-out RMSE, beside what was published for Netflix.

    Parameters
    ----------
    ax : Axes
        About 0.3 inch of height a rung, in a figure of its own with constrained layout.
    rows : list of dict
        From `rslib.runs.ladder_rows`, lowest rung first: the uppermost line of the picture.
    references : dict of str to float or None
        Vertical lines for Netflix, by name; RMSE in stars. They and the published errors are left
        out where our errors are of another size.
    marks : dict of float to float or None
        Vertical lines for our data: RMSE in stars by improvement in per cent, from
        `rslib.runs.table.marks`. The title says whether the largest improvement is reached.

    Returns
    -------
    Axes
    """
    if not _comparable(rows):
        rows, references = [row | {"published": None} for row in rows], None
    y, parts = _places(rows)
    _parts(ax, parts)
    _marks(ax, references or {}, marks or {})
    _published(ax, rows, y)
    _ours(ax, rows, y)
    _figures(ax, rows, y)
    ax.set_yticks(y, [row["label"] for row in rows])
    ax.set_ylim(y[-1] + 0.6, -0.6)
    ax.set_xlabel("RMSE, stars: lower is better", color=PALETTE["grey"])
    _bare(ax)
    ax.tick_params(axis="y", labelcolor="black")
    ax.figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    ax.set_title(_message(rows, marks), loc="left", pad=36 if marks else 22, fontsize=11)
    return ax


def _message(rows, marks):
    first, best = rows[0], min(rows, key=lambda row: row["held_out"])
    if not marks:
        less = 100 * (1 - best["held_out"] / (first["held_out"] or 1))
        return f"{best['label']}: {less:.0f} % less error than the {first['label'].lower()}"
    goal, reached = max(marks), best["held_out"] <= min(marks.values())
    return (f"{goal:g} % is {'reached' if reached else 'not reached'}: {best['label']} "
            f"{'stands' if reached else 'comes nearest,'} at {best['improvement']:.1f} %")
