"""Tables and figures used by more than one notebook; a figure takes and returns an Axes."""

import html
import math
from numbers import Integral, Real

import numpy as np

__all__ = ["PALETTE", "Table", "label_points", "ladder", "panels", "sweep"]

PALETTE = {"ours": "#0072B2", "published": "#D55E00", "good": "#009E73", "other": "#CC79A7",
           "accent": "#E69F00", "light": "#56B4E9", "grey": "#6B6B6B", "rule": "#D9D9D9"}
"""Colours of Okabe and Ito, told apart by colour-blind readers too."""


class Table:
    """Rows shown as a small table: text in a terminal, HTML in a notebook, Markdown in a file.

    Parameters
    ----------
    rows : list of dict
        Floats are shown with ``digits`` decimals, integers with thousands separators, None and
        NaN as a dash, anything else as its text.
    columns : list or dict or None
        Keys to show, in order; a dict gives each key its heading. None shows the keys of the
        first row.
    digits : int or dict
        Decimals of floats; a dict gives those of some keys, the others get 4.
    """

    def __init__(self, rows, columns=None, digits=4):
        columns = columns or (list(rows[0]) if rows else [])
        self.headings = [str(columns[key]) if isinstance(columns, dict) else str(key)
                         for key in columns]
        decimals = digits if isinstance(digits, dict) else dict.fromkeys(columns, digits)
        self.cells = [[_text(row.get(key), decimals.get(key, 4)) for key in columns]
                      for row in rows]
        self.is_number = [all(row.get(key) is None or isinstance(row.get(key), Real)
                              for row in rows) for key in columns]

    def __repr__(self):
        lines = [self.headings, *self.cells]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.headings))]
        pad = [str.rjust if number else str.ljust for number in self.is_number]
        return "\n".join("  ".join(fit(cell, width) for fit, cell, width in
                                   zip(pad, line, widths, strict=True)).rstrip() for line in lines)

    def _repr_html_(self):
        styles = [f' style="text-align:{"right" if number else "left"}"'
                  for number in self.is_number]
        lines = [_html_line("th", self.headings, styles)]
        lines += [_html_line("td", line, styles) for line in self.cells]
        return (f'<table class="rslib">\n<thead>\n{lines[0]}\n</thead>\n<tbody>\n'
                + "\n".join(lines[1:]) + "\n</tbody>\n</table>")

    def markdown(self):
        """Return the table as Markdown."""
        rule = ["---:" if number else ":---" for number in self.is_number]
        return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
                         for line in [self.headings, rule, *self.cells])


def _text(value, digits):
    if value is None or (isinstance(value, Real) and math.isnan(value)):
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return f"{value:,}"
    return f"{value:.{digits}f}" if isinstance(value, Real) else str(value)


def _html_line(tag, cells, styles):
    return "<tr>" + "".join(f"<{tag}{style}>{html.escape(cell)}</{tag}>" for cell, style in
                            zip(cells, styles, strict=True)) + "</tr>"


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


def _levels(rows, name):
    """Distinct values of one swept parameter, in the order of the grid."""
    return list(dict.fromkeys(row[name] for row in rows))


def _sweep_line(ax, rows, name):
    levels = [str(level) for level in _levels(rows, name)]
    colours = (PALETTE[key] for key in ("ours", "published", "good", "other", "accent", "light"))
    for rung, colour in zip(_levels(rows, "rung"), colours, strict=False):
        scores = {str(row[name]): row["probe"] for row in rows if row["rung"] == rung}
        ax.plot(range(len(levels)), [scores.get(level, np.nan) for level in levels], "o-",
                color=colour, markersize=5, label=rung)
    ax.set_xticks(range(len(levels)), levels)
    ax.set_ylabel("probe RMSE, stars", color=PALETTE["grey"])
    ax.grid(axis="y", color=PALETTE["rule"], linewidth=0.6)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.legend(frameon=False)


def _sweep_map(ax, rows, down, across):
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
        ax.text(x, y, _text(value, 4), ha="center", va="center", fontsize=9,
                color="white" if value <= middle else "black",
                fontweight="bold" if place == best else "normal")
    ax.set_xticks(range(grid.shape[1]), labels[across])
    ax.set_yticks(range(grid.shape[0]), labels[down])
    ax.set_ylabel(down, color=PALETTE["grey"])
    ax.set_title(f"{rows[0]['rung']}: probe RMSE, stars", loc="left", fontsize=10)
    ax.spines[:].set_visible(False)


def sweep(ax, rows, names):
    """Draw probe RMSE over one swept parameter (a line a rung) or two (a map of one rung).

    Parameters
    ----------
    ax : Axes
    rows : list of dict
        One a run and rung: the swept parameters, ``rung`` and ``probe``, in stars.
    names : list of str
        One or two swept parameters; of two, the first runs down.

    Returns
    -------
    Axes
    """
    if len(names) == 1:
        _sweep_line(ax, rows, names[0])
    else:
        _sweep_map(ax, rows, *names)
    ax.set_xlabel(names[-1], color=PALETTE["grey"])
    ax.tick_params(length=0)
    return ax


def panels(n_panels, title, *, height=3.2, **options):
    """Open a figure of ``n_panels`` panels side by side, seven inches wide, without frames.

    Parameters
    ----------
    n_panels : int
    title : str
        What the figure shows, as one sentence.
    height : float
        Inches.
    **options
        Of ``pyplot.subplots``, as ``sharey=True``.

    Returns
    -------
    Axes, or an array of them when there are several
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, n_panels, figsize=(7, height), layout="constrained", **options)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    for ax in np.atleast_1d(axes):
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=9)
    return axes


def label_points(ax, x, y, texts, *, n_labels=20, **style):
    """Write labels beside points, most important first, and leave out those that would overlap.

    Call it when the limits of ``ax`` are final: room is measured on the figure as laid out.

    Parameters
    ----------
    ax : Axes
    x, y : array (n,)
    texts : list of str (n,)
        In order of importance.
    n_labels : int
        Most labels to write.
    **style
        Properties of the text.

    Returns
    -------
    list of int
        Positions of the points that got a label.
    """
    from matplotlib.transforms import Bbox

    ax.figure.draw_without_rendering()
    renderer = ax.figure.canvas.get_renderer()
    frame, taken, kept = ax.get_window_extent(renderer), [], []
    for place, (left, bottom, text) in enumerate(zip(x, y, texts, strict=True)):
        label = ax.annotate(text, (left, bottom), xytext=(0, 4), textcoords="offset points",
                            ha="center", **style)
        box = label.get_window_extent(renderer).expanded(1.05, 1.15)
        boxes = [box, Bbox([ax.transData.transform((left, bottom))] * 2).padded(4)]
        inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and box.y1 <= frame.y1
        if inside and len(kept) < n_labels and not any(b.count_overlaps(taken) for b in boxes):
            taken += boxes
            kept.append(place)
        else:
            label.remove()
    return kept
