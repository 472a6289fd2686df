"""What a ladder leaves: its report and pages, picture, JSON, and its tables for the README."""

import json
import re
from dataclasses import asdict

from rslib.files import new_file, write_text
from rslib.plots import Table
from rslib.runs.notebook_page import notebook_pages, write_notebook_page
from rslib.runs.report import (
    PER_CENT,
    best_possible,
    heading,
    lecture_note,
    note,
    pictures,
    report,
)
from rslib.runs.table import columns, lecture_columns, lecture_rows

__all__ = ["lecture", "markdown", "table", "update_readme", "write_page"]


def table(ladder, *, seconds=True):
    """Return the table of a `Ladder`, with the best possible RMSE below where it is known."""
    return Table(ladder.rows + best_possible(ladder),
                 columns(ladder.rows, ladder.second, seconds=seconds),
                 digits={"fit_seconds": 2, **PER_CENT})


def lecture(ladder):
    """Return the lecture's rungs of a `Ladder` as a table, published beside ours."""
    rows = lecture_rows(ladder.rows)
    return Table(rows, lecture_columns(rows, ladder.dataset, ladder.second), digits=PER_CENT)


def update_readme(path, dataset, text, kind="ladder"):
    """Put ``text`` between the markers of ``dataset`` in a README that has them.

    The markers are ``<!-- KIND:NAME -->`` and ``<!-- /KIND -->``, each on a line of its own.
    """
    old = path.read_text(encoding="utf-8") if path.is_file() else ""
    marked = re.compile(rf"(<!-- {kind}:{re.escape(dataset)} -->\n).*?(<!-- /{kind} -->)", re.S)
    new = marked.sub(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", old)
    if new != old:
        write_text(path, new)


def markdown(ladder, *, seconds):
    """Return the text of the two tables of a `Ladder`, by the kind of their markers."""
    return {"lecture": f"{lecture(ladder).markdown()}\n\n{lecture_note(ladder)}",
            "ladder": f"{table(ladder, seconds=seconds).markdown()}\n\n{note(ladder)}"}


def _series(ladder, home):
    """Executed notebooks by data set, in order; the report's own notebook ends the first series."""
    numbered, folder = sorted((home / "notebooks").glob("[0-8]*.ipynb")), ladder.folder
    outs = {name: [folder / "notebooks" / name / each.name for each in numbered]
            for name in (ladder.dataset, ladder.second) if name}
    outs[ladder.dataset].append(folder / "notebooks" / "90_ladder.ipynb")
    return {name: notebook_pages(each) for name, each in outs.items()}


def _write_series(series, report, name):
    for before, page, after in zip([None, *series], series, [*series[1:], None], strict=False):
        write_notebook_page(page, before, after, report, name)


def write_page(ladder, home, *, readme=True):
    """Write all pages, picture, JSON and Markdown of a `Ladder`, its tables in the README if asked.

    ``ladder.folder`` gets index.html, the page of this data set. The folder above it gets the same
    report, since this is the ladder that was run last.
    """
    folder = ladder.folder
    folder.mkdir(parents=True, exist_ok=True)
    drawn = pictures(ladder) if ladder.rows else None
    if drawn:
        with new_file(folder / "ladder.png") as file:
            file.write(drawn[0])
    facts = {"dataset": ladder.dataset, "second": ladder.second, "facts": ladder.facts,
             "measure": ladder.measure, "rows": ladder.rows, "failures": ladder.failures,
             "seconds": ladder.seconds}
    write_text(folder / "ladder.json", json.dumps(facts, default=asdict, indent=1))
    write_text(folder / "ladder.md", "\n\n".join(markdown(ladder, seconds=True).values()) + "\n")
    pages = _series(ladder, home)
    for series in pages.values():
        _write_series(series, folder / "index.html", heading(ladder))
    for target in (folder / "index.html", folder.parent / "index.html"):
        write_text(target, report(ladder, drawn, pages, home, target))
    if readme and not ladder.failures:
        for kind, text in markdown(ladder, seconds=False).items():
            update_readme(home / "README.md", ladder.dataset, text, kind)
