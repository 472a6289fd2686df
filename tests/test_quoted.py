"""Every figure that the text of a notebook quotes is printed by a cell, recorded or published."""

import re
from itertools import pairwise

import nbformat
import pytest
from printed import Printed
from quoted import DERIVED, OTHER_FITS, SOURCES

from rslib import HOME, runs
from rslib.runs.ladder import Ladder
from rslib.runs.page import markdown
from rslib.runs.rungs import SLIDES

NOTEBOOKS = {path.stem[:2]: path for path in sorted((HOME / "notebooks").glob("[0-9]*.ipynb"))}
RECORDED = ("ml-latest-small", "synthetic-100k", "ml-1m")
NAMES = {                   # what the text calls a rung
    "baseline-ridge": ("the baseline",), "item-neighbours": ("item neighbours",),
    "item-weights": ("weights item by item",), "global-weights": ("global weights",),
    "svd-imputed": ("imputed SVD",), "mf-sgd": ("biased factors",), "nsvd": ("NSVD",),
    "asymmetric-svd": ("asymmetric SVD",), "svdpp": ("SVD++",),
    "temporal-baseline": ("temporal baseline",), "time-svdpp": ("timeSVD++",),
    "temporal-weights": ("fading weights",), "temporal-asymmetric-svd": ("fading weights",),
    "rbm": ("RBM",), "blend": ("the blend",)}
OF_NAME = {name: [rung for rung, names in NAMES.items() if name in names]
           for each in NAMES.values() for name in each}

_FIGURE = re.compile(r"(?<![\w.])(?:\d[\d,]*)?\.\d{3,}(?!\w)")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:[eE][+-]?\d+)?")
_RMSE = r"(?<![\d.+\-−])(?:0\.[5-9]|1\.[0-4])\d{3}(?!\d)"
_NOT_TEXT = re.compile(r"https?://[^\s>)]+|\]\([^)]*\)|`[^`\n]*`|(?:doi|arXiv):\S+|"
                       r"\[(?:doi|arXiv):[^\]]*\]", re.I)


def cells_of(notebook):
    return nbformat.read(NOTEBOOKS[notebook], 4).cells


def figures_in(cell):
    """Figures of three digits or more behind the point in the text of a cell, as they stand."""
    return _FIGURE.findall(_NOT_TEXT.sub(" ", cell.source))


def printed(cells):
    """All numbers that the code holds and its outputs show."""
    texts = []
    for cell in (each for each in cells if each.cell_type == "code"):
        texts.append(cell.source)
        for output in cell.outputs:
            texts += [output.get("text", ""), *(text for kind, text in output.get(
                "data", {}).items() if kind.startswith("text/"))]
    return {float(number.replace(",", "")) for text in texts for number in _NUMBER.findall(text)}


def scores(record):
    return record.probe_rmse, record.quiz_rmse, record.test_rmse, record.held_out_rmse


@pytest.fixture(scope="module")
def recorded():
    """Errors by rung, of the three sets that are committed."""
    found = {}
    for dataset in RECORDED:
        for record in runs.read(dataset, runs.RECORDED):
            found.setdefault(record.rung, set()).update(scores(record))
    return found


def figures_of(name, recorded):
    """Errors of the rungs that a text calls so: recorded and published ones."""
    return {each for rung in OF_NAME[name]
            for each in (*recorded[rung], runs.RUNGS[rung].published) if each}


def is_among(figure, numbers):
    """Whether one of the numbers, rounded, is the figure."""
    half = 0.5000001 * 10.0 ** -len(figure.split(".")[1])
    return any(abs(float(figure.replace(",", "")) - number) <= half for number in numbers)


def published():
    """Published errors of the rungs, of the slides, and the fixed points of the contest."""
    rungs = {rung.published for rung in runs.RUNGS.values()} - {None}
    return rungs | {*SLIDES.values()} | {*runs.REFERENCES.values()}


def prose_of_readme():
    """README.md without the tables that a program writes, paragraph by paragraph."""
    text = (HOME / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"<!-- (\w+):\S+ -->.*?<!-- /\1 -->", "", text, flags=re.S)
    return [nbformat.v4.new_markdown_cell(each, id=f"README-{number}")
            for number, each in enumerate(text.split("\n\n"))]


def test_every_figure_of_the_readme_is_recorded_or_published(recorded):
    known = published() | {each for group in recorded.values() for each in group}
    for cell in prose_of_readme():
        lost = [figure for figure in figures_in(cell) if not is_among(figure, known)]
        assert not lost, f"{cell.source}\nno record holds, nobody published {', '.join(lost)}"
        for name, figure in named(_NOT_TEXT.sub(" ", cell.source)):
            assert is_among(figure, figures_of(name, recorded)), (
                f"{figure} is not {name} as recorded or published")


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_every_figure_comes_from_somewhere(notebook, recorded):
    cells = cells_of(notebook)
    known = printed(cells) | published() | {each for group in recorded.values() for each in group}
    said = DERIVED.get(notebook, {}).keys() | SOURCES.get(notebook, {}).keys()
    for cell in (each for each in cells if each.cell_type == "markdown"):
        lost = [figure for figure in figures_in(cell)
                if figure not in said and not is_among(figure, known)]
        assert not lost, f"cell {cell.id}: no cell prints, no record holds {', '.join(lost)}"


@pytest.mark.parametrize(("notebook", "figure"), [(notebook, figure)
                                                  for notebook in DERIVED
                                                  for figure in DERIVED[notebook]])
def test_a_derived_figure_follows_from_what_is_known(notebook, figure):
    """Each operand with a point is allowed half a unit of its last digit."""
    expression = DERIVED[notebook][figure]
    parts = re.findall(r"\d*\.\d+", expression)
    slack = sum(0.5 * 10.0 ** -len(part.split(".")[1]) for part in parts if len(part) > 5)
    half = 0.5000001 * 10.0 ** -len(figure.split(".")[1])
    assert abs(eval(expression) - float(figure)) <= half + slack, expression
    text = "".join(cell.source for cell in cells_of(notebook) if cell.cell_type == "markdown")
    assert figure in text, f"{figure} is not in the text any more: take it out of quoted.py"


@pytest.mark.parametrize(("notebook", "figure"), [
    (notebook, figure) for table in (SOURCES, OTHER_FITS) for notebook in table
    for figure in table[notebook]])
def test_what_is_excused_is_still_said(notebook, figure):
    text = "".join(cell.source for cell in cells_of(notebook) if cell.cell_type == "markdown")
    assert figure in text, f"{figure} is not in the text any more: take it out of quoted.py"


def named(text):
    """Pairs of the name of a rung and the error that stands next behind it in the same clause."""
    names = "|".join(map(re.escape, sorted(OF_NAME, key=len, reverse=True)))
    text = " ".join(text.split())
    for name, figure in pairwise(re.finditer(rf"(?i:{names})|{_RMSE}", text)):
        between = text[name.end():figure.start()]
        if figure[0][0] in "01" and name[0][0] not in "01" and len(between) < 70 \
                and not re.search(r"[.;]\s|\band (to|at|of) ", between):
            yield next(each for each in OF_NAME if each.lower() == name[0].lower()), figure[0]


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_an_error_beside_the_name_of_a_rung_is_the_rung_s(notebook, recorded):
    for cell in (each for each in cells_of(notebook) if each.cell_type == "markdown"):
        for name, figure in named(_NOT_TEXT.sub(" ", cell.source)):
            theirs = figures_of(name, recorded)
            assert is_among(figure, theirs) or figure in OTHER_FITS.get(notebook, {}), (
                f"cell {cell.id}: {figure} is not {name} as recorded: quote the record, or say "
                "which fit it is, there and in quoted.py")


def test_the_check_sees_a_wrong_figure():
    assert list(named("The best is SVD++, at 0.9093, and timeSVD++ (0.9146) is next. NSVD: 0.93")
                ) == [("SVD++", "0.9093"), ("timeSVD++", "0.9146")]
    assert is_among("0.909", {0.9093}) and not is_among("0.9094", {0.9093})


@pytest.mark.parametrize(("dataset", "second"), [("ml-latest-small", "synthetic-100k"),
                                                 ("ml-1m", None)])
def test_the_tables_of_the_readme_are_those_of_the_records(dataset, second, tmp_path):
    rows = runs.ladder_rows(*filter(None, (dataset, second)), root=runs.RECORDED)
    ladder = Ladder(dataset, second, {}, rows, {}, tmp_path, 0.0)
    readme = (HOME / "README.md").read_text(encoding="utf-8")
    for kind, text in markdown(ladder, seconds=False).items():
        shown = readme.split(f"<!-- {kind}:{dataset} -->")[1].split(f"<!-- /{kind} -->")[0]
        assert Printed(shown) == Printed(text)      # a ladder that was run here may round otherwise
