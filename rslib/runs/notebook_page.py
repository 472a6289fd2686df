"""The page of an executed notebook: contents, neighbours, and equations that need no network."""

import html
import os
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from rslib.extras import needs
from rslib.files import write_text
from rslib.runs.progress import heading_of
from rslib.runs.sheet import sheet

__all__ = ["NotebookPage", "formula", "link", "notebook_pages", "title_of", "write_notebook_page"]

_STYLE = """
nav.bar { display: flex; flex-wrap: wrap; gap: 0.2rem 1.5rem; font-size: 0.9rem; padding: 0.5rem 0;
          border-bottom: 1px solid var(--rule); }
nav.bar.below { border: 0; border-top: 1px solid var(--rule); margin-top: 3rem; }
nav.bar .up { margin-right: auto; }
details.contents { font-size: 0.9rem; margin: 1rem 0; }
details.contents summary { font-weight: bold; cursor: pointer; }
details.contents ul { list-style: none; padding: 0; margin: 0.5rem 0; }
details.contents li { margin: 0.35rem 0; line-height: 1.35; }
details.contents li.h3 { padding-left: 1rem; }
main { min-width: 0; max-width: 46rem; }
@media (min-width: 1001px) {
  .columns { display: grid; grid-template-columns: 15rem minmax(0, 46rem); gap: 3rem;
             justify-content: center; }
  details.contents { position: sticky; top: 1rem; align-self: start; max-height: 95vh;
                     overflow-y: auto; }
}
@media (max-width: 640px) { :is(p, li, td):has(math) { overflow-x: auto; overflow-y: hidden; } }
.prompt { display: none; }
.anchor-link { visibility: hidden; padding-left: 0.3rem; text-decoration: none; }
:is(h1, h2, h3, h4):hover .anchor-link { visibility: visible; }
pre { font: 0.8rem/1.45 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; margin: 0;
      overflow-x: auto; }
.input { background: #f6f6f4; border-left: 3px solid var(--rule); padding: 0.6rem 0.8rem;
         margin: 1.2rem 0 0.4rem; }
.output_area { margin: 0.5rem 0; overflow-x: auto; }
.rendered_html table { display: block; overflow-x: auto; margin: 1rem 0; }
.rendered_html td, .rendered_html th { max-width: 24rem; }
.text_cell_render > pre, .text_cell_render .highlight { background: #f6f6f4; padding: 0.6rem; }
blockquote { margin-left: 0; padding-left: 1rem; border-left: 3px solid var(--rule); }
math { font-family: "STIX Two Math", "Cambria Math", "Latin Modern Math", "STIX Math", STIXMath,
                    "DejaVu Math TeX Gyre", math; }
p:has(.equation) { max-width: none; }
.equation { display: block; overflow-x: auto; overflow-y: hidden; padding: 0.3rem 0; }
.k, .kn, .kd, .ow, .kc { color: #7a3e9d; } .c1, .sd { color: #5f6b5f; font-style: italic; }
.s1, .s2, .sa, .si, .s { color: #8a4b00; } .mi, .mf { color: #005f87; } .nb { color: #00665a; }
"""


class NotebookPage(NamedTuple):
    """An executed notebook, or what a failed run left of it, and where its page goes."""

    title: str
    source: Path
    target: Path
    failed: bool


def formula(latex, *, block=False):
    """Return LaTeX as MathML, which browsers draw by themselves; what is not LaTeX, as it is."""
    with needs("notebooks"):
        from latex2mathml.converter import convert

    # After \big the converter passes a bar on by its name, so it gets the sign.
    simple = re.sub(r"(\\[Bb]igg?[lmr]?)\s*\\[lr]?(Vert|vert)(?![A-Za-z])",
                    lambda found: f"{found[1]}{'‖' if found[2] == 'Vert' else '|'}", latex)
    try:
        found = convert(simple, display="block" if block else "inline")
    except Exception:       # the converter raises whatever comes up in it
        return f"<code>{html.escape(latex)}</code>"
    found = found.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")
    found = found.replace('"false">&#x0007C;', '"false" lspace="0" rspace="0">&#x0007C;')
    return f'<span class="equation">{found}</span>' if block else found


@cache
def _exporter():
    """Exporter of notebooks that writes no frame, and MathML where nbconvert leaves LaTeX."""
    with needs("notebooks"):
        from jinja2 import pass_context
        from nbconvert import HTMLExporter
        from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):
        def block_math(self, body):
            return formula(body, block=True)

        def inline_math(self, body):
            return formula(body)

        def latex_environment(self, name, body):
            return formula(f"\\begin{{{name}}}{body}\\end{{{name}}}", block=True)

    @pass_context
    def markdown(context, text):
        renderer = Renderer(escape=False, attachments=context["cell"].get("attachments", {}),
                            embed_images=True, path=context["resources"]["metadata"]["path"])
        return MarkdownWithMath(renderer=renderer).render(text)

    exporter = HTMLExporter(template_name="basic", embed_images=True)
    exporter.register_filter("markdown2html", markdown)
    # What it would clean is the highlighter's own output, and it takes half of the time.
    exporter.register_filter("clean_html", lambda code: code)
    return exporter


def title_of(path):
    """Return the number of a notebook and its first heading, "05 · SVD"."""
    number, words = heading_of(path)
    return f"{number} · {words}" if words else number


def _executed(out):
    """What the last run of a notebook left: the whole of it, a part of it, or nothing."""
    failed = out.with_suffix(".failed")
    if (failed / out.name).is_file():
        return failed / out.name
    return out if out.is_file() else None


def notebook_pages(outs):
    """Return the `NotebookPage` of each executed notebook of which there is one, in order.

    Parameters
    ----------
    outs : list of Path
        Where `rslib.runs.run_notebook` was told to put them.
    """
    found = [(_executed(out), out) for out in outs]
    return [NotebookPage(title_of(source), source, out.with_suffix(".html"), source != out)
            for source, out in found if source]


def link(target, page, text, **attributes):
    """Return a link from ``page`` to ``target``, both paths."""
    address = Path(os.path.relpath(target, page.parent)).as_posix()
    extra = "".join(f' {name}="{html.escape(value)}"' for name, value in attributes.items())
    return f'<a href="{quote(address)}"{extra}>{html.escape(text)}</a>'


def _bar(page, before, after, report, name, place):
    links = [link(report, page.target, f"↑ {name}", **{"class": "up"})]
    if before:
        links.append(link(before.target, page.target, f"← {before.title}", rel="prev"))
    if after:
        links.append(link(after.target, page.target, f"{after.title} →", rel="next"))
    return f'<nav class="bar {place}" aria-label="Pages, {place}">{"".join(links)}</nav>'


def _contents(body):
    """List of the headings of a page below its title."""
    headings = re.findall(r'<h([23]) id="([^"]*)">(.*?)<a class="anchor-link"', body, re.S)
    items = "".join(f'<li class="h{level}"><a href="#{key}">{text}</a></li>'
                    for level, key, text in headings)
    return ("<details class=\"contents\" open><summary>Contents</summary>"
            f"<nav aria-label=\"Contents\"><ul>{items}</ul></nav></details>")


def write_notebook_page(page, before, after, report, name):
    """Write one page.

    Parameters
    ----------
    page : NotebookPage
    before, after : NotebookPage or None
        Its neighbours in the series.
    report : Path
        The page to go back to.
    name : str
        Title of the report.
    """
    body, _ = _exporter().from_filename(str(page.source))
    above, below = (_bar(page, before, after, report, name, place) for place in ("above", "below"))
    write_text(page.target, sheet(page.title, f"""{above}
<div class="columns">
{_contents(body)}
<main>
{body}
</main>
</div>
{below}""", _STYLE))
