"""The report of a ladder as a page: picture, tables, and the way to its notebooks."""

import base64
import html
import re
from io import BytesIO

from rslib.extras import needs
from rslib.plots import ladder as draw_ladder
from rslib.runs.notebook_page import link, title_of
from rslib.runs.rungs import REFERENCES, RUNGS, STAND_IN
from rslib.runs.sheet import RESOLVED, UNRESOLVED, grid, sheet
from rslib.runs.table import columns, lecture_columns, lecture_rows, marks

__all__ = ["PER_CENT", "best_possible", "heading", "lecture_note", "note", "pictures", "report"]

PER_CENT = dict.fromkeys(("published_improvement", "improvement", "second_improvement"), 2)
"""Decimals of the columns that are in per cent."""

_ZERO = (f"%: improvement, in per cent of the RMSE of Cinematch ({REFERENCES['Cinematch']}) or, "
         f"for ours, of the rung that stands for it, \"{RUNGS[STAND_IN].label}\".")
_SMALL = ("label", "held_out", "improvement", "step")
_LECTURE_SMALL = ("slide", "published", "held_out", "improvement")
_MARKS = (f"<b>{RESOLVED}</b> and bold: resolved, the interval of the change leaves out zero. "
          f"{UNRESOLVED}: not resolved, so much data cannot tell the change from luck; that does "
          "not make it zero.")
_CAPTION = """Each line is a rung, each dot its error on quiz and test pooled. The thin line comes
down from the error of the rung above; the thick one is the 95 % interval of the change from there,
both models judged on the same users. Where it leaves out the thin line the change is resolved and
the dot is filled; where it covers it the dot is hollow."""
_SORTS = ('<p class="note sorts" hidden>Click a heading to sort by it, again to turn the order '
          "round, once more for the order of the ladder.</p>")


def _elsewhere(ladder):
    """What the ratings of the second data set count, where it is something else."""
    if ladder.second_measure in (None, ladder.measure):
        return ""
    return f", that on {ladder.second} in {ladder.second_measure}"


def note(ladder):
    """What the columns of the table of all rungs are, in a few sentences."""
    netflix = "" if ladder.measure == "stars" else ", Netflix's in stars"
    return (f"RMSE in {ladder.measure}{netflix}{_elsewhere(ladder)}; lower is better. Change: "
            "against the rung above it in this table, on quiz and test pooled, with its 95 % "
            "interval from resampled users; resolved where that interval leaves out zero. Netflix: "
            "as published, by models of various sizes, so its figures need not fall from row to "
            "row; beside the blend stands the line of the prize. "
            f"{_ZERO} The best possible RMSE is that of the expectation of every rating, which "
            "only planted data can tell.")


def lecture_note(ladder):
    """What the columns of the lecture's ladder are."""
    others, units = _elsewhere(ladder), (
        "RMSE in stars: Netflix's as on the slides, ours on quiz and test pooled"
        if ladder.measure == "stars" else "RMSE: Netflix's as on the slides, in stars, ours "
        f"on quiz and test pooled, in {ladder.measure}")
    units += f"{others}."
    return f"{units} {_ZERO} Ratings differ, so the shape of the two ladders compares, not the " \
           "figures."


def heading(ladder):
    """Title of the report of a `Ladder`."""
    return f"The ladder on {ladder.dataset}"


def best_possible(ladder):
    """Row of the best possible RMSE, in a list that is empty where nobody knows it."""
    best = {"held_out": next((row["best"] for row in ladder.rows), None),
            "second_held_out": next((row.get("second_best") for row in ladder.rows), None)}
    return [{"label": "Best possible"} | best] if any(best.values()) else []


def _picture(ladder, *, narrow):
    with needs("notebooks"):
        from matplotlib.figure import Figure

    n_rungs = len(ladder.rows)
    size = (3.9, 2.6 + 0.45 * n_rungs) if narrow else (8.5, 1.9 + 0.3 * n_rungs)
    figure = Figure(figsize=size, layout="constrained")
    draw_ladder(figure.subplots(), ladder.rows, REFERENCES, marks(ladder.rows),
                measure=ladder.measure, narrow=narrow)
    file = BytesIO()
    figure.savefig(file, format="png", dpi=200 if narrow else 150)
    return file.getvalue()


def pictures(ladder):
    """Return the picture of a `Ladder` for wide and for narrow screens, as PNG."""
    return _picture(ladder, narrow=False), _picture(ladder, narrow=True)


def _image(ladder, drawn):
    wide, narrow = (f"data:image/png;base64,{base64.b64encode(each).decode()}" for each in drawn)
    first, best = ladder.rows[0], min(ladder.rows, key=lambda row: row["held_out"])
    said = (f"RMSE in {ladder.measure} of {len(ladder.rows)} rungs, from {first['held_out']:.4f}, "
            f"{first['label']}, to {best['held_out']:.4f}, {best['label']}. The table of every "
            "rung below has the figures.")
    return (f'<figure><picture><source media="(max-width: 640px)" srcset="{narrow}">'
            f'<img alt="{html.escape(said)}" src="{wide}"></picture>'
            f"<figcaption>{_CAPTION}</figcaption></figure>")


def _failed(ladder, pages, home, target):
    """Notebooks that failed, by title, each with its reason."""
    if not ladder.failures:
        return ""
    items = []
    for task, reason in ladder.failures.items():
        stem, _, name = task.partition(" on ")
        page = next((each for each in pages.get(name or ladder.dataset, ())
                     if each.target.stem == stem), None)
        title = link(page.target, target, page.title) if page else html.escape(
            title_of(home / "notebooks" / f"{stem}.ipynb"))
        where = f" on {html.escape(name)}" if ladder.second and name else ""
        why = html.escape(re.sub(r"^.*?\.ipynb: ", "", reason))
        items.append(f"<li>{title}{where}: {why}</li>")
    return ('<div class="failed"><h2>Failed</h2><p>Rungs of these notebooks are missing, or come '
            f"from their last run that succeeded.</p><ul>{''.join(items)}</ul></div>")


def _settings(ladder):
    """What was looked for on probe, where anything was."""
    if not ladder.choices:
        return ""
    rows = [each._asdict() | {"label": RUNGS[each.rung].label, "default": f"{each.default:g}",
                              "chosen": f"{each.chosen:g}"} for each in ladder.choices]
    shown = {"label": "Rung", "parameter": "Parameter of its notebook", "default": "Default",
             "chosen": "Chosen", "default_rmse": "Probe, default", "chosen_rmse": "Probe, chosen",
             "fits": "Fits"}
    shortened = (" First steps, without a figure for their default, were halved until no fit ran "
                 "away." if any(each.default_rmse is None for each in ladder.choices) else "")
    table = grid(rows, shown, small=("label", "default", "chosen"),
                 name="Settings chosen on probe")
    return f"""<h2>Settings</h2>
<p>These penalties were looked for on the probe set of these ratings, after fits on train: each was
halved and doubled as long as probe got better, {sum(row["fits"] for row in rows)} fits in
all.{shortened} All other settings are the defaults of the classes. Quiz and test were not looked
at.</p>
{table}"""


def _notebooks(pages, target):
    """List of the executed notebooks, by title, for each data set."""
    lists = []
    for name, series in pages.items():
        items = "".join(f"<li>{link(page.target, target, page.title)}"
                        f"{' (failed)' if page.failed else ''}</li>" for page in series)
        lists.append(f"<h3>On {html.escape(name)}</h3>\n" if len(pages) > 1 else "")
        lists.append(f'<ul class="notebooks">{items}</ul>')
    return f"<h2>Executed notebooks</h2>\n{''.join(lists)}"


def _others(ladder, target):
    """Reports of other data sets that lie beside this one."""
    beside = [page for page in sorted(ladder.folder.parent.glob("*/index.html"))
              if page.parent != ladder.folder]
    items = "".join(f"<li>{link(page, target, page.parent.name)}</li>" for page in beside)
    return f"<h2>Ladders of other data sets</h2>\n<ul>{items}</ul>" if items else ""


def _facts(ladder):
    facts = " · ".join(f"{value} {name}" if name in ("ratings", "users", "items")
                       else f"{name} {value}" for name, value in ladder.facts.items())
    return f"{facts} · run in {ladder.seconds / 60:.1f} minutes"


def _results(ladder, drawn):
    if not ladder.rows:
        return ("<p>No rung has been recorded for these ratings, so there is nothing to show: no "
                "notebook that records one has come to its end.</p>")
    lecture = lecture_rows(ladder.rows)
    return f"""{_image(ladder, drawn)}
<h2>The ladder of the lecture</h2>
{grid(lecture, lecture_columns(lecture, ladder.dataset, ladder.second), small=_LECTURE_SMALL,
      digits=PER_CENT, name="The ladder of the lecture")}
<p class="note">{lecture_note(ladder)}</p>
<h2>Every rung against the rung below</h2>
<p class="note">{_MARKS}</p>
{_SORTS}
{grid(ladder.rows, columns(ladder.rows, ladder.second), small=_SMALL,
      digits={"fit_seconds": 2, **PER_CENT}, foot=best_possible(ladder),
      name="Every rung against the rung below")}
<p class="note">{note(ladder)}</p>"""


def report(ladder, drawn, pages, home, target):
    """Return the report of a `Ladder` as HTML.

    Parameters
    ----------
    ladder : Ladder
    drawn : tuple of bytes or None
        From `pictures`; None where there are no rows.
    pages : dict of str to list of NotebookPage
        Executed notebooks by data set.
    home : Path
        Folder with notebooks/.
    target : Path
        Where the page will lie: what its links start from.

    Returns
    -------
    str
    """
    return sheet(heading(ladder), f"""<main>
<h1>{html.escape(heading(ladder))}</h1>
<p class="facts">{html.escape(_facts(ladder))}</p>
{_failed(ladder, pages, home, target)}
{_results(ladder, drawn)}
{_settings(ladder)}
{_notebooks(pages, target)}
{_others(ladder, target)}
</main>""")
