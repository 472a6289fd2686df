"""The look of every figure: colours, frames, labels that keep out of each other's way."""

import numpy as np

from rslib.extras import needs

PALETTE = {"ours": "#0072B2", "published": "#D55E00", "good": "#009E73", "other": "#CC79A7",
           "accent": "#E69F00", "light": "#56B4E9", "grey": "#6B6B6B", "rule": "#D9D9D9"}
"""Colours of Okabe and Ito, told apart by colour-blind readers too."""


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
    with needs("notebooks"):
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
