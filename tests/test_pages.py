"""Pages of the ladder and of its notebooks: whole, linked, and readable without a network."""

import re
import shutil
from html.parser import HTMLParser
from urllib.parse import unquote

import nbformat
import pytest
from toy import ladder_of

import rslib
from rslib.runs.ladder import Ladder
from rslib.runs.notebook_page import NotebookPage, formula, title_of, write_notebook_page
from rslib.runs.page import write_page
from rslib.runs.report import note

NOTEBOOKS = sorted((rslib.HOME / "notebooks").glob("*.ipynb"))
FETCHES = {"script", "img", "source", "iframe", "video", "audio", "embed", "object", "link"}


class Seen(HTMLParser):
    """Links, anchors, what a browser would fetch, and the text outside and inside of formulas."""

    def __init__(self, text):
        super().__init__()
        self.links, self.ids, self.fetched, self.open = [], set(), [], []
        self.prose, self.formulas, self.rels = "", "", {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if "id" in attrs:
            self.ids.add(attrs["id"])
        if tag == "a" and "href" in attrs:
            self.links.append(attrs["href"])
            self.rels[attrs.get("rel")] = attrs["href"]
        if tag in FETCHES:
            self.fetched += [attrs[key] for key in ("src", "srcset", "href") if key in attrs]
        if tag in ("math", "code", "pre", "style", "script"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data):
        if not self.open:
            self.prose += data
        elif self.open[-1] == "math":
            self.formulas += data


def write_notebook(path, *texts):
    cells = [nbformat.v4.new_markdown_cell(text, id=f"c{i}") for i, text in enumerate(texts)]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def assert_stands_alone(page):
    """A page asks for no file and no network, and its links lead to files and to its headings."""
    text = page.read_text(encoding="utf-8")
    seen = Seen(text)
    assert all(each.startswith("data:image/") for each in seen.fetched)
    assert not re.search(r"@import|\burl\(|\bfetch\(|mathjax|require\.js", text, re.I)
    for address in seen.links:
        if address.startswith("#"):
            assert {address[1:], unquote(address[1:])} & seen.ids, address
        elif not address.startswith("http"):
            assert (page.parent / unquote(address)).is_file(), address
    return seen


# notebooks


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_formula_of_a_notebook_is_drawn_by_the_browser(path, tmp_path):
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells
             if cell.cell_type == "markdown"]
    write_notebook(tmp_path / path.name, *cells)
    page = NotebookPage(title_of(path), tmp_path / path.name, tmp_path / "page.html", False)
    write_notebook_page(page, None, None, tmp_path / path.name, "The ladder")
    seen = assert_stands_alone(page.target)
    assert "$" not in seen.prose and "\\" not in seen.prose
    assert "\\" not in seen.formulas and "$" not in seen.formulas
    n_formulas = page.target.read_text(encoding="utf-8").count("<math")
    assert n_formulas == len(re.findall(r"\$\$.+?\$\$|\$[^$]+\$", "\n".join(cells), re.S))


def test_formulas_become_mathml():
    assert formula("x < y") == ('<math display="inline"><mrow><mi>x</mi><mo>&#x0003C;</mo>'
                                "<mi>y</mi></mrow></math>")
    assert '<math display="block">' in formula(r"\hat r_{ui} = \mu", block=True)
    assert "Vert" not in formula(r"\Big\lVert p_u \Big\rVert^2")
    assert formula(r"\left( a < b") == r"<code>\left( a &lt; b</code>"


@pytest.mark.parametrize("name, texts, title", [
    ("01_averages", ["# Averages and the *baseline*"], "01 · Averages and the baseline"),
    ("90_ladder", ["", "text\n# 90 · The ladder"], "90 · The ladder"),
    ("05_svd", ["# 05 SVD: with `holes`\n## Less"], "05 · SVD: with holes"),
    ("02_long_name", ["## Only a section"], "02 · long name"), ("speed", [], "speed")])
def test_a_notebook_is_called_by_its_first_heading(tmp_path, name, texts, title):
    write_notebook(tmp_path / f"{name}.ipynb", *texts)
    assert title_of(tmp_path / f"{name}.ipynb") == title


# the ladder and its pages


def repository(path):
    """A repository after a ladder of two data sets on which the second notebook failed."""
    names = {"00_data": "# 00 The data", "01_means": "# Means & <more>", "02_sums": "# 02 Sums",
             "90_ladder": "# 90 The ladder"}
    folder = path / "reports" / "ladder" / "my ratings"
    for name, heading in names.items():
        source = path / "notebooks" / f"{name}.ipynb"
        write_notebook(source, heading, "## A part\n$x^2$\n### A *sub*part\ntext\n\n## Last: $y$")
        for dataset in ("my ratings", "other"):
            out = folder / "notebooks" / (dataset if name != "90_ladder" else "") / source.name
            if (name, dataset) == ("01_means", "my ratings"):
                out = out.with_suffix(".failed") / source.name
            out.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, out)
    return path


@pytest.fixture
def home(tmp_path):
    return repository(tmp_path)


def ladder(home, rows, dataset="my ratings", **changes):
    given = {"second": "other" if dataset == "my ratings" else None, "failures": {},
             "facts": {"ratings": "100"}, "seconds": 60.0, **changes}
    return Ladder(dataset=dataset, rows=rows, folder=home / "reports" / "ladder" / dataset, **given)


def text_of(page):
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The ladder of two data sets and its pages, for the tests that only read."""
    home = repository(tmp_path_factory.mktemp("home"))
    made = ladder(home, ladder_of(6))
    write_page(made, home)
    return made


def test_all_pages_stand_alone_and_hang_together(written):
    pages = sorted(written.folder.parent.rglob("*.html"))
    assert len(pages) == 2 + 3 + 3 + 1
    for page in pages:
        seen = assert_stands_alone(page)
        if page.name != "index.html":
            assert unquote(seen.links[0]).endswith("index.html")
            assert "↑ The ladder on my ratings" in seen.prose
            assert ["#A-part", "#A-subpart"] == seen.links[seen.links.index("#A-part"):][:2]
    for report in (written.folder.parent / "index.html", written.folder / "index.html"):
        assert "Means &amp; &lt;more&gt;</a> (failed)" in text_of(report)
        assert "Model number 4" in text_of(report) and "ipynb" not in text_of(report)


def test_previous_and_next_lead_through_the_whole_series(written):
    for dataset, n_pages in (("my ratings", 4), ("other", 3)):
        page, passed = written.folder / "notebooks" / dataset / "00_data.html", []
        assert "prev" not in Seen(text_of(page)).rels
        while page:
            passed.append(page)
            after = Seen(text_of(page)).rels.get("next")
            if after:
                following = (page.parent / unquote(after)).resolve()
                back = Seen(text_of(following)).rels["prev"]
                assert (following.parent / unquote(back)).resolve() == page.resolve()
            page = following if after else None
        assert len(passed) == n_pages


def test_the_first_page_is_the_ladder_run_last_and_names_the_others(home):
    write_page(ladder(home, ladder_of(3)), home)
    write_page(ladder(home, ladder_of(3), "third"), home)
    top = home / "reports" / "ladder" / "index.html"
    assert "<h1>The ladder on third</h1>" in text_of(top)
    assert '<a href="my%20ratings/index.html">my ratings</a>' in text_of(top)
    beside = home / "reports" / "ladder" / "third" / "index.html"
    assert '<a href="../my%20ratings/index.html">my ratings</a>' in text_of(beside)
    assert_stands_alone(top)
    assert_stands_alone(beside)


def test_failures_are_named_by_title_with_the_reason_only(home):
    failures = {"01_means on my ratings": "/some/where/01_means.ipynb: cell [3]: ValueError: a < b",
                "02_sums on other": "/x/02_sums.ipynb: no kernel started: slow"}
    made = ladder(home, ladder_of(3), failures=failures)
    shutil.rmtree(made.folder / "notebooks" / "other")
    write_page(made, home)
    text = text_of(made.folder / "index.html")
    assert ('<a href="notebooks/my%20ratings/01_means.html">01 · Means &amp; &lt;more&gt;</a> on '
            "my ratings: cell [3]: ValueError: a &lt; b</li>") in text
    assert "<li>02 · Sums on other: no kernel started: slow</li>" in text
    assert "/some" not in text and "Model number 2" in text


def test_a_ladder_without_rungs_says_so(home):
    made = ladder(home, [], failures={"01_means on my ratings": "a.ipynb: cell [1]: no"})
    write_page(made, home)
    seen = assert_stands_alone(made.folder / "index.html")
    assert "No rung has been recorded" in seen.prose and "cell [1]: no" in seen.prose
    assert not (made.folder / "ladder.png").exists()


def test_what_is_resolved_is_marked(written):
    text = text_of(written.folder.parent / "index.html")
    for row in written.rows[1:]:
        line = re.search(rf"<tr><th [^>]*>{row['label']}</th>(.*?)</tr>", text, re.S)[1]
        change = f"{row['step'].difference:+.4f}".replace("-", "−")
        if row["resolved"] == "no":
            assert f"○ {change}</span><span class=\"hidden\"> not resolved" in line
        else:
            assert f"✓ <b>{change}</b><span class=\"hidden\"> resolved" in line
    assert "✓</b> and bold: resolved" in text and "○: not resolved" in text


@pytest.mark.parametrize("measure", ["stars", "points", "plays"])
def test_the_page_speaks_in_the_unit_of_the_ratings(home, measure):
    made = ladder(home, ladder_of(6, 18), measure=measure)
    write_page(made, home)
    text = text_of(made.folder / "index.html")
    assert f"RMSE in {measure} of 6 rungs" in text and f"in {measure}" in note(made)
    ours = text.replace("Netflix's in stars", "").replace("slides, in stars", "")
    assert ("stars" in ours) == (measure == "stars")
    assert f"RMSE in {measure}" in (made.folder / "ladder.md").read_text(encoding="utf-8")


def test_a_second_data_set_on_another_scale_is_told_apart(home):
    made = ladder(home, ladder_of(6, 18), measure="points", second_measure="stars")
    write_page(made, home)
    text = text_of(made.folder / "index.html")
    assert text.count("that on other in stars") == 2
    same = ladder(home, ladder_of(6, 18), measure="points", second_measure="points")
    assert "that on other" not in note(same)


def test_both_pictures_are_in_the_page_and_the_wide_one_beside_it(written):
    text = text_of(written.folder / "index.html")
    assert len(set(re.findall(r"data:image/png;base64,[\w+/=]+", text))) == 2
    assert '<source media="(max-width: 640px)"' in text and 'alt="RMSE in stars of 6' in text
    assert (written.folder / "ladder.png").read_bytes().startswith(b"\x89PNG")


def test_tables_can_be_sorted_by_what_they_hold(written):
    text = text_of(written.folder / "index.html")
    line = re.search(r"<tr><th scope=\"row\" class=\"\" data-value=\"Model number 2\">(.*?)</tr>",
                     text, re.S)[1]
    assert 'data-value="0.99"' in line and 'class="n wide" data-value="2.0">2' in line
    assert 'data-value="0.01"' in line and 'data-value="">–' in text
    assert text.count('<table class="sortable">') == 2 and "aria-sort" in text
