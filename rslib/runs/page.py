"""The page of the ladder: one self-contained HTML file, and the same table for the README."""

import base64
import html
import json
import re
from dataclasses import asdict

from rslib.extras import needs
from rslib.files import new_file, write_text
from rslib.plots import Table
from rslib.plots import ladder as draw_ladder
from rslib.runs.rungs import REFERENCES, RUNGS, STAND_IN
from rslib.runs.table import columns, lecture_columns, lecture_rows, marks

__all__ = ["lecture", "table", "update_readme", "write_page"]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 84rem; margin: 3rem auto;
       padding: 0 1.5rem; }
h1 { font-size: 1.9rem; margin-bottom: 0; }
h2 { font-size: 1.2rem; margin-top: 2.5rem; }
p.facts, p.note { color: #6b6b6b; }
div.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.8rem; }
th, td { padding: 0.35rem 0.8rem 0.35rem 0; white-space: nowrap; }
th { border-bottom: 2px solid #222; }
td { border-bottom: 1px solid #ddd; }
img { max-width: 100%; }
a { color: #0072b2; }
ul.failed { background: #fdf0e8; border-left: 4px solid #d55e00; padding: 0.8rem 2rem; }
"""

_ZERO = (f"%: improvement, in per cent of the RMSE of Cinematch ({REFERENCES['Cinematch']}) or, "
         f"for ours, of the rung that stands for it, \"{RUNGS[STAND_IN].label}\".")
_NOTE = ("RMSE in stars; lower is better. Change: against the rung above it in this table, on quiz "
         "and test pooled, with its 95 % interval from resampled users; resolved where that "
         f"interval leaves out zero. {_ZERO} The best possible RMSE is that of the expectation of "
         "every rating, which only planted data can tell.")
_LECTURE_NOTE = ("RMSE in stars: that of Netflix on its quiz set, ours on quiz and test pooled. "
                 f"{_ZERO} Ratings differ, so the shape of the two ladders compares, not the "
                 "figures.")
_PER_CENT = dict.fromkeys(("published_improvement", "improvement", "second_improvement"), 2)


def table(ladder, *, seconds=True):
    """Return the table of a `Ladder`, with the best possible RMSE below where it is known."""
    best = {"held_out": next((row["best"] for row in ladder.rows), None),
            "second_held_out": next((row.get("second_best") for row in ladder.rows), None)}
    floor = [{"label": "Best possible"} | best] if any(best.values()) else []
    return Table(ladder.rows + floor, columns(ladder.rows, ladder.second, seconds=seconds),
                 digits={"fit_seconds": 2, **_PER_CENT})


def lecture(ladder):
    """Return the lecture's rungs of a `Ladder` as a table, published beside ours."""
    rows = lecture_rows(ladder.rows)
    return Table(rows, lecture_columns(rows, ladder.dataset, ladder.second), digits=_PER_CENT)


def _picture(ladder, path):
    with needs("notebooks"):
        from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 1.6 + 0.3 * len(ladder.rows)), layout="constrained")
    draw_ladder(figure.subplots(), ladder.rows, REFERENCES, marks(ladder.rows))
    with new_file(path) as file:
        figure.savefig(file, format="png", dpi=150)
    return base64.b64encode(path.read_bytes()).decode()


def _failed(ladder):
    if not ladder.failures:
        return ""
    items = "".join(f"<li>{html.escape(reason)}</li>" for reason in ladder.failures.values())
    return ("<h2>Failed</h2><p>Rungs of these notebooks are missing, or come from their last run "
            f"that succeeded.</p><ul class=failed>{items}</ul>")


def _links(folder):
    """List of the executed notebooks; those of a data set lie in a folder of its name."""
    pages = sorted((folder / "notebooks").rglob("*.html"))
    items = []
    for page in pages:
        address = page.relative_to(folder)
        name = page.stem if len(address.parts) == 2 else f"{page.stem} on {page.parent.name}"
        items.append(f'<li><a href="{html.escape(str(address))}">{html.escape(name)}</a></li>')
    return f"<ul>{''.join(items)}</ul>"


def _html(ladder, picture):
    facts = " · ".join(f"{value} {name}" if name in ("ratings", "users", "items")
                       else f"{name} {value}" for name, value in ladder.facts.items())
    facts += f" · run in {ladder.seconds / 60:.1f} minutes"
    image = f'<img alt="The ladder" src="data:image/png;base64,{picture}">' if picture else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Ladder: {html.escape(ladder.dataset)}</title>
<style>{_STYLE}</style></head><body>
<h1>The ladder on {html.escape(ladder.dataset)}</h1>
<p class="facts">{html.escape(facts)}</p>
{_failed(ladder)}
{image}
<h2>The ladder of the lecture</h2>
<div class="wide">{lecture(ladder)._repr_html_()}</div>
<p class="note">{_LECTURE_NOTE}</p>
<h2>Every rung against the rung below</h2>
<div class="wide">{table(ladder)._repr_html_()}</div>
<p class="note">{_NOTE}</p>
<h2>Executed notebooks</h2>
{_links(ladder.folder)}
</body></html>
"""


def _index(folder):
    """Page above the pages: one link for each data set."""
    items = "".join(f'<li><a href="{html.escape(page.parent.name)}/index.html">'
                    f"{html.escape(page.parent.name)}</a></li>"
                    for page in sorted(folder.glob("*/index.html")))
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Ladders</title>'
            f"<style>{_STYLE}</style></head><body><h1>The ladder, by data set</h1>"
            f"<ul>{items}</ul></body></html>\n")


def update_readme(path, dataset, text, kind="ladder"):
    """Put ``text`` between the markers of ``dataset`` in a README that has them.

    The markers are ``<!-- KIND:NAME -->`` and ``<!-- /KIND -->``, each on a line of its own.
    """
    old = path.read_text(encoding="utf-8") if path.is_file() else ""
    marked = re.compile(rf"(<!-- {kind}:{re.escape(dataset)} -->\n).*?(<!-- /{kind} -->)", re.S)
    new = marked.sub(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", old)
    if new != old:
        write_text(path, new)


def _markdown(ladder, *, seconds):
    """Text of the two tables, by the kind of their markers."""
    return {"lecture": f"{lecture(ladder).markdown()}\n\n{_LECTURE_NOTE}",
            "ladder": f"{table(ladder, seconds=seconds).markdown()}\n\n{_NOTE}"}


def write_page(ladder, home):
    """Write the page, picture, JSON and Markdown of a `Ladder`, and its tables in the README."""
    folder = ladder.folder
    folder.mkdir(parents=True, exist_ok=True)
    picture = _picture(ladder, folder / "ladder.png") if ladder.rows else None
    facts = {"dataset": ladder.dataset, "second": ladder.second, "facts": ladder.facts,
             "rows": ladder.rows, "failures": ladder.failures, "seconds": ladder.seconds}
    write_text(folder / "ladder.json", json.dumps(facts, default=asdict, indent=1))
    write_text(folder / "ladder.md", "\n\n".join(_markdown(ladder, seconds=True).values()) + "\n")
    write_text(folder / "index.html", _html(ladder, picture))
    write_text(folder.parent / "index.html", _index(folder.parent))
    if not ladder.failures:
        for kind, text in _markdown(ladder, seconds=False).items():
            update_readme(home / "README.md", ladder.dataset, text, kind)
