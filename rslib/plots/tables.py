"""Small tables: text in a terminal, HTML in a notebook, Markdown in a file."""

import html
import math
from numbers import Integral, Real

import numpy as np


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
        self.cells = [[text_of(row.get(key), decimals.get(key, 4)) for key in columns]
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


def text_of(value, digits):
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
