"""The picture of the ladder."""

import textwrap

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


def _number(value):
    """An error in a few characters, whatever the scale of the ratings."""
    return f"{value:.{4 if value < 10 else 2 if value < 1000 else 0}f}"


def _is_published(row):
    return row["published"] is not None and not np.isnan(row["published"])


def _published(ax, rows, y):
    """Published errors: diamonds where the lecture has the rung, crosses from the papers."""
    for in_lecture, marker, name in ((True, "D", "Netflix, on the lecture's ladder"),
                                     (False, "x", "Netflix, in the papers")):
        known = [i for i, row in enumerate(rows)
                 if _is_published(row) and row.get("in_lecture", False) == in_lecture]
        if known:
            ax.plot([rows[i]["published"] for i in known], y[known], marker, markersize=5,
                    markeredgewidth=1.5, color=PALETTE["published"], label=name)


def _steps(ax, rows, y):
    """From the error of the rung below, the change of each rung with its paired interval."""
    for i, row in enumerate(rows):
        if row.get("step") is not None:
            below = rows[i - 1]["held_out"]
            ax.plot([below, below], [y[i - 1], y[i] + 0.22], color=PALETTE["grey"], linewidth=1,
                    zorder=1.5)
            ax.plot([below + row["step"].low, below + row["step"].high], [y[i], y[i]],
                    color=PALETTE["ours"], linewidth=2.5, solid_capstyle="butt", zorder=2)
    if any(row.get("step") is not None for row in rows):
        ax.plot([], [], color=PALETTE["grey"], linewidth=1, label="error of the rung above")
        ax.plot([], [], color=PALETTE["ours"], linewidth=2.5,
                label="change from there, 95 % interval, paired")


def _ours(ax, rows, y):
    """Our errors, filled where the change from the rung below is resolved."""
    resolved = {None: "first", "no": "open"}
    for kind, face, edge, name in (
            ("first", PALETTE["grey"], PALETTE["grey"], "ours, nothing to compare with"),
            ("resolved", PALETTE["ours"], PALETTE["ours"], "ours, change resolved"),
            ("open", "white", PALETTE["ours"], "ours, change not resolved")):
        known = [i for i, row in enumerate(rows)
                 if resolved.get(row.get("resolved"), "resolved") == kind]
        if known:
            ax.plot([rows[i]["held_out"] for i in known], y[known], "o", markersize=6.5,
                    markerfacecolor=face, markeredgecolor=edge, markeredgewidth=1.5, label=name,
                    zorder=3)


_ON_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}     # no line runs through it


def _beside(ax, x, y, text, colour, **style):
    """Text that ends ``x`` points right of the frame, or left of its edge."""
    ax.annotate(text, (1, y), xycoords=("axes fraction", "data"), xytext=(x, 0), ha="right",
                textcoords="offset points", va="center", color=colour, zorder=4,
                bbox=_ON_WHITE if x <= 0 else None, **style)


def _figures(ax, rows, y, ends):
    """Error and improvement of each rung; ``ends`` in points from the right of the frame."""
    for place, row in zip(y, rows, strict=True):
        _beside(ax, ends[0], place, _number(row["held_out"]), PALETTE["ours"], fontsize=9)
        if row.get("improvement") is not None:
            better = round(row["improvement"], 1) + 0.0     # no minus zero
            _beside(ax, ends[1], place, f"{better:.1f} %".replace("-", "−"), PALETTE["grey"],
                    fontsize=9)


def _inside(ax, y, text, **style):
    """Text at the left, inside of the frame."""
    ax.annotate(text, (0, y), xycoords=("axes fraction", "data"), va="center", zorder=4,
                bbox=_ON_WHITE, **style)


def _comparable(rows, measure):
    """Whether ratings are stars and errors of the size of Netflix's; else one axis cannot do."""
    pairs = [(row["held_out"], row["published"]) for row in rows if _is_published(row)]
    ours, published = np.median(pairs, axis=0) if pairs else (1, 1)
    return measure == "stars" and 0.5 < ours / published < 2


def _parts(ax, parts, narrow):
    for y, name in parts:
        ax.axhline(y - 0.55, color=PALETTE["rule"], linewidth=0.8)
        style = {"fontsize": 8.5, "style": "italic", "color": PALETTE["grey"]}
        if narrow:
            _inside(ax, y - 0.1, name, **style)
        else:
            ax.annotate(name, (0, y), xycoords=("axes fraction", "data"), xytext=(-4, 0),
                        ha="right", textcoords="offset points", va="center", **style)


def _lines(ax, references, marks):
    """Marks across all rungs; return value, name and colour of each."""
    lines = []
    for name, value in references.items():
        ax.axvline(value, color=PALETTE["published"], linewidth=1, linestyle=(0, (4, 3)),
                   alpha=0.8, zorder=1)
        lines.append((value, f"{name} {_number(value)}", PALETTE["published"]))
    for percent, value in marks.items():
        ax.axvline(value, color=PALETTE["ours"], linewidth=1, alpha=0.8, zorder=1,
                   linestyle="-" if percent else (0, (1, 2)))
        lines.append((value, f"our {percent:g} %: {_number(value)}", PALETTE["ours"]))
    return lines


def _name_lines(ax, lines):
    """Name the lines above the frame, each on the lowest level where it has room.

    Returns the number of levels. The limits of ``ax`` must be final.
    """
    ax.figure.draw_without_rendering()
    (low, high), ends = ax.get_xlim(), []
    for value, text, colour in sorted(lines):
        share = (value - low) / (high - low)
        label = ax.annotate(text, (value, 1), xycoords=("data", "axes fraction"), va="bottom",
                            ha="left" if share < 0.25 else "right" if share > 0.75 else "center",
                            xytext=(0, 4), textcoords="offset points", fontsize=8, color=colour)
        box = label.get_window_extent()
        level = next((i for i, end in enumerate(ends) if end < box.x0), len(ends))
        label.xyann = (0, 4 + 12 * level)
        ends[level:level + 1] = [box.x1 + 0.1 * ax.figure.dpi]
    return len(ends)


def ladder(ax, rows, references=None, marks=None, *, measure="stars", narrow=False):
    """Draw the ladder: each rung's held-out RMSE, and its change against the rung below.

    A rung of the ladder is a line of the picture, the lowest one uppermost. A thin line leads from
    the error of one rung to the next, where the 95 per cent interval of the change begins from it;
    both models are compared on the same users, so the interval is that of the change and far
    shorter than that of either error. Where it leaves out the line the change is resolved and the
    dot filled.

    Parameters
    ----------
    ax : Axes
        About 0.3 inch of height a rung, in a figure of its own with constrained layout.
    rows : list of dict
        From `rslib.runs.ladder_rows`, lowest rung first: the uppermost line of the picture.
    references : dict of str to float or None
        Vertical lines for Netflix, by name; RMSE in stars. They and the published errors are left
        out where our ratings are not stars.
    marks : dict of float to float or None
        Vertical lines for our data: RMSE by improvement in per cent, from
        `rslib.runs.table.marks`. The title says whether the largest improvement is reached.
    measure : str
        What a rating counts, as a word: "stars", "points", "plays" and so on.
    narrow : bool
        Draw for a small screen: 3.9 inches wide, 0.45 inch of height a rung, names of rungs above
        their lines.

    Returns
    -------
    Axes
    """
    if not _comparable(rows, measure):
        rows, references = [row | {"published": None} for row in rows], None
    y, parts = _places(rows)
    _parts(ax, parts, narrow)
    lines = _lines(ax, references or {}, marks or {})
    _steps(ax, rows, y)
    _ours(ax, rows, y)
    _published(ax, rows, y)
    ax.set_yticks(y, [] if narrow else [row["label"] for row in rows])
    ax.set_ylim(y[-1] + 0.6, -0.6)
    if narrow:
        for place, row in zip(y, rows, strict=True):
            _inside(ax, place - 0.4, row["label"], fontsize=9)
        ax.locator_params(axis="x", nbins=4)
    _figures(ax, rows, y - 0.4 if narrow else y, (-48, 0) if narrow else (46, 96))
    ax.set_xlabel(f"RMSE in {measure}: lower is better", color=PALETTE["grey"])
    _bare(ax)
    ax.tick_params(axis="y", labelcolor="black")
    ax.figure.legend(loc="outside lower center", ncols=1 if narrow else 2, frameon=False,
                     fontsize=8)
    title = textwrap.fill(_message(rows, marks, measure), 46 if narrow else 90)
    ax.set_title(title, loc="left", pad=10 + 12 * _name_lines(ax, lines), fontsize=11)
    return ax


def _message(rows, marks, measure):
    first, best = rows[0], min(rows, key=lambda row: row["held_out"])
    if marks:
        goal, reached = max(marks), best["held_out"] <= min(marks.values())
        if best["improvement"] <= 0:
            return f"{goal:g} % is not reached: no rung is below our 0 %"
        return (f"{goal:g} % is {'reached' if reached else 'not reached'}: {best['label']} "
                f"{'stands' if reached else 'comes nearest,'} at {best['improvement']:.1f} %")
    if best is first:
        return f"{first['label']}: an error of {_number(first['held_out'])} {measure}"
    less = 100 * (1 - best["held_out"] / (first["held_out"] or 1))
    return f"{best['label']}: {less:.0f} % less error than the {first['label'].lower()}"
