"""What all pages share: style, frame, and tables to sort. No page needs a network."""

import html
from numbers import Real

from rslib.metrics import Interval
from rslib.plots.tables import text_of

__all__ = ["RESOLVED", "UNRESOLVED", "grid", "sheet"]

RESOLVED, UNRESOLVED = "✓", "○"
"""Marks of a change whose 95 per cent interval leaves out zero, and of one whose does not."""

_STYLE = """
:root { --ink: #222; --grey: #5f5f5f; --rule: #ddd; --link: #0067a3; }
* { box-sizing: border-box; }
body { font: 17px/1.55 system-ui, sans-serif; color: var(--ink); margin: 0 auto; max-width: 76rem;
       padding: 1.5rem 1rem 4rem; overflow-wrap: break-word; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 1rem 0 0.5rem; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 2.5rem 0 0.6rem; }
h3 { font-size: 1.05rem; margin: 1.8rem 0 0.4rem; }
p, ul, ol, blockquote, figcaption, .text { max-width: 42rem; }
a { color: var(--link); }
a:focus-visible, button:focus-visible, summary:focus-visible, .scroll:focus-visible {
       outline: 3px solid #e69f00; outline-offset: 2px; }
.facts, .note, figcaption { color: var(--grey); font-size: 0.9rem; }
.scroll { overflow-x: auto; position: relative; }
figure { margin: 1.5rem 0; }
img { max-width: 100%; height: auto; }
figure img { width: 60rem; }
ul.notebooks { columns: 2 20rem; max-width: 56rem; }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem 0.9rem 0.3rem 0; text-align: left; vertical-align: baseline;
         border-bottom: 1px solid var(--rule); }
thead th { border-bottom: 2px solid var(--ink); vertical-align: bottom; }
tbody th, tfoot th { font-weight: normal; min-width: 15rem; position: sticky; left: 0;
                     background: white; }
.n { text-align: right; white-space: nowrap; }
thead .n { white-space: normal; }
.n button { text-align: right; }
td.step { white-space: nowrap; }
.interval { color: var(--grey); }
.unresolved { color: var(--grey); }
th button { font: inherit; font-weight: bold; color: inherit; background: none; border: 0;
            padding: 0; cursor: pointer; text-align: left; }
th button:hover { text-decoration: underline; }
th[aria-sort=ascending] button::after { content: " ▲"; }
th[aria-sort=descending] button::after { content: " ▼"; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
          white-space: nowrap; }
.failed { background: #fdf0e8; border-left: 4px solid #d55e00; padding: 0.1rem 1.2rem;
          max-width: 42rem; }
@media (max-width: 640px) {
  body { font-size: 16px; padding-top: 0.8rem; }
  .wide { display: none; }
  tbody th, tfoot th { min-width: 8rem; }
  td.step { white-space: normal; }
  td.step .interval { display: block; font-size: 0.75rem; white-space: nowrap; }
  th, td { padding-right: 0.6rem; }
}
"""

_SCRIPT = """
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], order = [...body.rows], heads = [...table.tHead.rows[0].cells];
  const after = {none: "ascending", ascending: "descending", descending: "none"};
  const compare = (a, b) => isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
  heads.forEach((head, column) => {
    const button = document.createElement("button"), key = row => row.cells[column].dataset.value;
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.onclick = () => {
      const way = after[head.getAttribute("aria-sort") || "none"];
      heads.forEach(each => each.removeAttribute("aria-sort"));
      let rows = order;
      if (way != "none") {
        head.setAttribute("aria-sort", way);
        const known = order.filter(key).sort((a, b) => compare(key(a), key(b)));
        rows = (way == "ascending" ? known : known.reverse()).concat(order.filter(r => !key(r)));
      }
      body.append(...rows);
    };
  });
}
document.querySelectorAll(".sorts").forEach(each => each.hidden = false);
for (const each of document.querySelectorAll("details.contents")) each.open = innerWidth > 1000;
"""


def sheet(title, body, style=""):
    """Return a whole page: ``body`` in the frame of all pages, with more ``style`` where needed."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{_STYLE}{style}</style></head>
<body>
{body}
<script>{_SCRIPT}</script>
</body></html>
"""


def _minus(text):
    return text.replace("-", "−")


def _interval(step):
    """Change and interval; what is resolved is bold and ticked, and says so to a screen reader."""
    change, interval = _minus(str(step)).split(" ", 1)
    if step.resolved:
        change = f'{RESOLVED} <b>{change}</b><span class="hidden"> resolved</span>'
    else:
        change = (f'<span class="unresolved">{UNRESOLVED} {change}</span>'
                  '<span class="hidden"> not resolved</span>')
    return f'{change} <span class="interval">{interval}</span>'


def _sort_key(value):
    if isinstance(value, Interval):
        return repr(float(value.difference))
    if isinstance(value, Real):
        return "" if value != value else repr(float(value))
    return "" if value is None else str(value)


def _cell(value, digits, names, *, heads):
    """One cell; the first of a row heads it."""
    if isinstance(value, Interval):
        text, names = _interval(value), [*names, "step"]
    else:
        text = html.escape(text_of(value, digits))
        text = _minus(text) if isinstance(value, Real) else text
    tag, scope = ("th", ' scope="row"') if heads else ("td", "")
    return (f'<{tag}{scope} class="{" ".join(names)}" '
            f'data-value="{html.escape(_sort_key(value))}">{text}</{tag}>')


def grid(rows, columns, *, small, digits=None, foot=(), name="table"):
    """Return a table as HTML: sortable, in a box that scrolls by itself, narrower on small screens.

    Parameters
    ----------
    rows : list of dict
        Values by column: numbers, text, None or `Interval`, which is marked where it is resolved.
    columns : dict of str to str
        Headings by column; the first column heads its row.
    small : collection of str
        Columns that are left on small screens.
    digits : dict of str to int or None
        Decimals of some columns; the others get 4.
    foot : list of dict
        Rows that stay below, however the others are sorted.
    name : str
        What the table shows, for those who do not see it.

    Returns
    -------
    str
    """
    first, digits = next(iter(columns)), digits or {}
    names = {key: [word for word, holds in (
        ("n", all(row.get(key) is None or isinstance(row.get(key), Real) for row in rows)),
        ("wide", key not in small)) if holds] for key in columns}
    head = "".join(f'<th scope="col" class="{" ".join(names[key])}">{html.escape(heading)}</th>'
                   for key, heading in columns.items())

    def lines(group):
        return "\n".join("<tr>" + "".join(
            _cell(row.get(key), digits.get(key, 4), names[key], heads=key == first)
            for key in columns) + "</tr>" for row in group)

    below = f"<tfoot>\n{lines(foot)}\n</tfoot>" if foot else ""
    return (f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(name)}">'
            f'<table class="sortable">\n<thead><tr>{head}</tr></thead>\n'
            f"<tbody>\n{lines(rows)}\n</tbody>\n{below}</table></div>")
