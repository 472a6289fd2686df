"""Records, the table of the ladder and its picture."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from toy import Shifted, ladder_of, toy

from rslib import models, plots, runs, splits
from rslib.metrics import rmse
from rslib.runs import rungs, table
from rslib.runs.page import update_readme
from rslib.runs.records import RECORDED


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """A root of its own, where any model may stand for any rung."""
    monkeypatch.setenv("RSLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("rslib.runs.shelf.is_own", lambda record, chosen: True)
    return tmp_path / "runs"


def test_a_record_comes_back_as_it_was_written(root):
    ratings = toy()
    ratings.info.extra["expected"] = np.clip(ratings.values, 2, 4)
    split = splits.netflix(ratings)
    record = runs.record("item-mean", Shifted(0.25), split)
    assert runs.read("toy", root) == [record]
    values = np.concatenate([split.quiz.values, split.test.values])
    level = split.final.values.mean(dtype="f8") + 0.25
    assert record.held_out_rmse == pytest.approx(rmse(np.full(len(values), level), values))
    assert record.probe_rmse == pytest.approx(rmse(np.full(
        len(split.probe), split.train.values.mean(dtype="f8") + 0.25), split.probe.values))
    assert record.best_possible_rmse == pytest.approx(rmse(np.clip(values, 2, 4), values))
    assert record.params == {"shift": 0.25} and record.n_ratings == len(split.final)
    assert np.array_equal(record.held_out.is_test, np.arange(len(values)) >= len(split.quiz))
    assert np.array_equal(record.held_out.values, values)


def test_predictions_are_clipped_before_they_are_scored():
    record = runs.record("item-mean", Shifted(9.0), splits.netflix(toy()))
    assert np.all(record.held_out.predictions == 5)


def test_a_record_prints_the_same_on_every_machine():
    record = runs.record("user-mean", Shifted(), splits.netflix(toy()))
    assert repr(record).startswith("User average: RMSE probe 1.")
    for shown in (repr(record), record._repr_html_()):
        assert "/" not in shown.replace("</", "") and f"{record.fit_seconds:.4f}" not in shown


def test_an_unknown_rung_is_refused_before_anything_is_fitted():
    with pytest.raises(ValueError, match="'mf-sdg' is not a rung"):
        runs.record("mf-sdg", None, None)


def test_records_come_in_ladder_order_and_replace_older_ones(root):
    split = splits.netflix(toy())
    for rung, shift in (("mf-sgd", 0.0), ("global-mean", 1.0), ("global-mean", 0.5)):
        runs.record(rung, Shifted(shift), split)
    records = runs.read("toy")
    assert [each.rung for each in records] == ["global-mean", "mf-sgd"]
    assert records[0].params == {"shift": 0.5}
    folder, = root.iterdir()
    assert folder.name.startswith("toy-") and len(list(folder.iterdir())) == 3


def test_a_step_down_is_negative_and_a_step_of_nothing_unresolved():
    split = splits.netflix(toy())
    for rung, shift in (("global-mean", 1.0), ("user-mean", 0.0), ("item-mean", 0.0),
                        ("mf-als", 0.8)):
        runs.record(rung, Shifted(shift), split)
    rows = runs.ladder_rows("toy")
    assert [row["resolved"] for row in rows] == [None, "yes", "no", "worse"]
    step = rows[1]["step"]
    assert step.difference == pytest.approx(rows[1]["held_out"] - rows[0]["held_out"])
    assert step.low < step.difference < step.high < 0
    assert rows[2]["step"].difference == 0


def test_a_second_data_set_is_compared_with_its_own_rungs():
    for name, better in (("toy", "mf-als"), ("other", "global-mean")):
        split = splits.netflix(toy(name))
        for rung in ("global-mean", "mf-als"):
            runs.record(rung, Shifted(0.0 if rung == better else 1.0), split)
    row = runs.ladder_rows("toy", "other")[-1]
    assert (row["resolved"], row["second_resolved"]) == ("yes", "worse")
    assert "other" in runs.columns([row], "other").values()


def test_improvement_is_per_cent_of_the_rung_that_stands_for_cinematch():
    assert table.improvement(0.9, 1.2) == pytest.approx(25)
    assert table.improvement(0.8563, 0.9514) == pytest.approx(9.9958, abs=1e-4)
    assert table.improvement(None, 1.0) is None and table.improvement(1.0, None) is None
    assert table.improvement(0.1, 0.0) is None      # equal ratings leave no error to beat
    split = splits.netflix(toy())
    for rung, shift in (("global-mean", 2.0), (rungs.STAND_IN, 1.0), ("mf-sgd", 0.0)):
        runs.record(rung, Shifted(shift), split)
    below, zero, above = rows = runs.ladder_rows("toy")
    assert below["improvement"] < 0 and zero["improvement"] == 0
    assert above["improvement"] == pytest.approx(
        (zero["held_out"] - above["held_out"]) / zero["held_out"] * 100)
    assert zero["published_improvement"] == pytest.approx(100 * (0.9514 - 0.9799) / 0.9514)
    assert table.marks(rows) == {0: zero["held_out"], 10: pytest.approx(0.9 * zero["held_out"])}


def test_without_the_stand_in_there_is_no_improvement():
    for name, rung in (("toy", "mf-sgd"), ("other", rungs.STAND_IN), ("other", "mf-sgd")):
        runs.record(rung, Shifted(), splits.netflix(toy(name)))
    rows = runs.ladder_rows("toy", "other")
    assert rows[0]["improvement"] is None and rows[0]["second_improvement"] == 0
    assert table.marks(rows) == {} and "improvement" not in runs.columns(rows, "other")
    assert "second_improvement" in runs.columns(rows, "other")
    lecture = table.lecture_rows(rows)
    assert "improvement" not in table.lecture_columns(lecture, "toy")
    figure = Figure(layout="constrained")
    ax = plots.ladder(figure.subplots(), rows, runs.REFERENCES, table.marks(rows))
    figure.canvas.draw()
    assert not any("our" in text.get_text() for text in ax.texts)


def test_the_ladder_of_the_lecture_is_that_of_the_slides():
    runs.record("item-mean", Shifted(), splits.netflix(toy()))
    rows = table.lecture_rows(runs.ladder_rows("toy"))
    assert [row["published"] for row in rows] == [
        1.1296, 1.0651, 1.0533, 0.9514, 0.94, 0.91, 0.90, 0.89, 0.876, 0.8563]
    assert [round(row["published_improvement"], 2) for row in rows] == [
        -18.73, -11.95, -10.71, 0, 1.2, 4.35, 5.4, 6.45, 7.93, 10.0]
    assert rows[3]["rung"] == rungs.STAND_IN and rows[-1]["rung"] == "blend"
    assert [row["rung"] for row in rows if row["held_out"] is not None] == ["item-mean"]
    order = list(rungs.RUNGS)
    assert sorted(rungs.LECTURE, key=order.index) == list(rungs.LECTURE)


def test_the_published_figure_of_a_rung_is_that_of_its_own_model():
    """The slide's 0.876 has factors by frequency, which ours do not; 0.9555 has no frequencies."""
    assert not models.TimeSVDpp().frequency and models.TemporalBaseline().frequency
    split = splits.netflix(toy())
    runs.record("time-svdpp", Shifted(1.0), split)
    runs.record("mf-sgd", Shifted(), split)
    factors, timed = runs.ladder_rows("toy")
    assert (factors["published"], timed["published"]) == (0.89, 0.8799)
    assert factors["in_lecture"] and not timed["in_lecture"]
    assert runs.RUNGS["temporal-baseline"].published == 0.9278


def test_the_parts_of_the_story_follow_one_another():
    parts = [rung.part for rung in rungs.RUNGS.values()]
    begins = [part for part, before in zip(parts, [None, *parts], strict=False) if part != before]
    assert len(begins) == len(set(begins)) == 5


def test_table_formats_by_type():
    table = plots.Table([{"a": 0.12345, "b": 12345, "c": None}, {"a": None, "b": 1, "c": "x|y"}])
    assert repr(table).splitlines()[1:] == ["0.1235  12,345  –", "     –       1  x|y"]
    assert table.markdown().splitlines()[1:] == [
        "| ---: | ---: | :--- |", "| 0.1235 | 12,345 | – |", "| – | 1 | x\\|y |"]
    assert '<td style="text-align:right">12,345</td>' in table._repr_html_()


def test_a_sweep_says_what_it_counts():
    rows = [{"rung": "ridge", "a": a, "b": b, "probe": 20.0 + a + b}
            for a in (1, 2) for b in (1, 2)]
    line, square = Figure().subplots(1, 2)
    plots.sweep(line, rows[:2], ["b"], "points")
    plots.sweep(square, rows, ["a", "b"], "points")
    assert line.get_ylabel() == "probe RMSE, points"
    assert square.get_title(loc="left") == "ridge: probe RMSE, points"


def ladder_texts(rows, marks=None, **options):
    """Texts of the picture as drawn, and whether they lie in it and apart from each other."""
    narrow = options.get("narrow", False)
    size = (3.9, 2.6 + 0.45 * len(rows)) if narrow else (8.5, 1.6 + 0.3 * len(rows))
    figure = Figure(figsize=size, layout="constrained")
    ax = plots.ladder(figure.subplots(), rows, runs.REFERENCES, marks, **options)
    figure.draw_without_rendering()
    low, high = ax.get_xlim()       # ticks beyond the frame are there, but are not drawn
    beyond = {tick.label1 for tick in ax.xaxis.get_major_ticks()
              if not low <= tick.get_loc() <= high}
    shown = [text for text in figure.findobj(Text)
             if text.get_text() and text.get_visible() and text not in beyond]
    boxes = [Text.get_window_extent(text) for text in shown]     # without the arrow of a note
    inside = all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 and
                 figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1 for box in boxes)
    apart = not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    return [text.get_text() for text in shown], inside and apart


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("n_rungs", [1, 2, 29])
def test_labels_of_a_ladder_do_not_overlap(n_rungs, narrow):
    texts, tidy = ladder_texts(ladder_of(n_rungs), {0.0: 0.98, 10.0: 0.882}, narrow=narrow)
    assert tidy and {"Part 0", "our 10 %: 0.8820", "Cinematch 0.9514"} <= set(texts)


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("n_rungs", [1, 3, 29])
@pytest.mark.parametrize("level, share", [(0.3, 1), (18, 1), (40, 1), (40, 0.05), (2500, 0.99)])
def test_labels_do_not_overlap_on_any_scale_of_ratings(level, share, n_rungs, narrow):
    """``share``: the zero of the improvements, as part of the error of the lowest rung."""
    zero = level * share
    texts, tidy = ladder_texts(ladder_of(n_rungs, level), {0.0: zero, 10.0: 0.9 * zero},
                               measure="points", narrow=narrow)
    assert tidy and "RMSE in points: lower is better" in texts
    assert not any("Netflix" in text or "Cinematch" in text for text in texts)


@pytest.mark.parametrize("narrow", [False, True])
def test_labels_of_the_real_rungs_do_not_overlap(narrow):
    rows = runs.ladder_rows("ml-latest-small", root=RECORDED)
    for kept in (rows, rows[::3]):
        texts, tidy = ladder_texts(kept, table.marks(rows), narrow=narrow)
        assert tidy and "Netflix, on the lecture's ladder" in texts


def test_a_dot_is_filled_where_the_change_is_resolved():
    figure, rows = Figure(layout="constrained"), ladder_of(9)
    ax = plots.ladder(figure.subplots(), rows)
    dots = {line.get_label(): line for line in ax.lines if line.get_label().startswith("ours")}
    errors = {name: sorted(line.get_xdata()) for name, line in dots.items()}
    assert errors == {
        f"ours, {words}": sorted(row["held_out"] for row in rows if row["resolved"] in kinds)
        for words, kinds in (("nothing to compare with", [None]), ("change not resolved", ["no"]),
                             ("change resolved", ["yes", "worse"]))}
    assert dots["ours, change not resolved"].get_markerfacecolor() == "white"
    assert dots["ours, change resolved"].get_markerfacecolor() == plots.PALETTE["ours"]


def test_the_interval_of_a_change_starts_from_the_rung_below():
    ax = plots.ladder(Figure(layout="constrained").subplots(), rows := ladder_of(5))
    spans = {tuple(line.get_xdata()) for line in ax.lines if len(line.get_xdata()) == 2}
    for below, row in pairwise(rows):
        span = below["held_out"] + row["step"].low, below["held_out"] + row["step"].high
        assert span in spans and (below["held_out"], below["held_out"]) in spans


@pytest.mark.parametrize("n_rungs, words", [
    (2, "10 % is not reached: no rung is below our 0 %"),
    (5, "10 % is not reached: Model number 4 comes nearest, at 2.0 %"),
    (20, "10 % is reached: Model number 19 stands at 17.0 %")])
def test_the_picture_says_whether_ten_per_cent_is_reached(n_rungs, words):
    assert words in ladder_texts(ladder_of(n_rungs), {0.0: 0.98, 10.0: 0.882})[0]


@pytest.mark.parametrize("unknown", [None, np.nan])
def test_a_picture_without_published_errors(unknown):
    texts, tidy = ladder_texts(ladder_of(3, published=unknown))
    assert tidy and not any("Netflix" in text for text in texts)


@pytest.mark.parametrize("level, measure", [(22.5, "stars"), (0.9, "points")])
def test_errors_of_another_scale_stand_alone(level, measure):
    texts, tidy = ladder_texts(ladder_of(3, level), {0.0: level, 10.0: 0.9 * level},
                               measure=measure)
    assert tidy and not any("Netflix" in text or "Cinematch" in text for text in texts)


def test_readme_markers_hold_the_table_of_their_own_data_set(tmp_path):
    path = tmp_path / "README.md"
    path.write_text("<!-- ladder:a -->\n<!-- /ladder -->\n\n<!-- ladder:b -->\nb\n"
                    "<!-- /ladder -->\n")
    update_readme(path, "a", "new \\1")
    assert path.read_text() == ("<!-- ladder:a -->\n\nnew \\1\n\n<!-- /ladder -->\n\n"
                                "<!-- ladder:b -->\nb\n<!-- /ladder -->\n")
    stamp = path.stat().st_mtime_ns
    update_readme(path, "a", "new \\1")
    assert path.stat().st_mtime_ns == stamp
    update_readme(path, "a", "figures", "lecture")
    assert path.stat().st_mtime_ns == stamp
    path.write_text("<!-- lecture:a -->\n<!-- /lecture -->\n" + path.read_text())
    update_readme(path, "a", "figures", "lecture")
    assert path.read_text().startswith("<!-- lecture:a -->\n\nfigures\n\n<!-- /lecture -->\n"
                                       "<!-- ladder:a -->\n\nnew \\1\n")
    update_readme(tmp_path / "none.md", "a", "new")
    assert not (tmp_path / "none.md").exists()


def test_predictions_of_a_blend_are_kept_as_a_model_s_are():
    split = splits.netflix(toy())
    by_model = runs.record("item-mean", Shifted(0.25), split)
    probe = np.full(len(split.probe), float(split.train.values.mean()) + 0.25)
    level = float(split.final.values.mean()) + 0.25
    held_out = np.full(len(split.quiz) + len(split.test), level)
    record = runs.record_predictions(
        "user-mean", split, probe=probe, held_out=held_out, model="Shifted",
        params={"shift": 0.25}, n_parameters=1, fit_seconds=2.0)
    assert record.fit_seconds == 2 and runs.read("toy")[0] == record
    for score in ("probe_rmse", "quiz_rmse", "test_rmse", "held_out_rmse"):
        assert getattr(record, score) == pytest.approx(getattr(by_model, score), rel=1e-9)
    assert np.array_equal(record.held_out.predictions, by_model.held_out.predictions)


def test_predictions_are_clipped_for_probe_too():
    split = splits.netflix(toy())
    n = len(split.quiz) + len(split.test)
    high = runs.record_predictions(
        "user-mean", split, probe=np.full(len(split.probe), 9.0), held_out=np.full(n, 9.0),
        model="High", params={}, n_parameters=0, fit_seconds=0.0)
    fives = np.full(len(split.probe), 5.0)
    assert high.probe_rmse == pytest.approx(rmse(fives, split.probe.values))
    assert np.all(high.held_out.predictions == 5)


@pytest.mark.parametrize("part, broken, said", [
    ("probe", lambda right: right[1:], "probe: predictions of shape"),
    ("held_out", lambda right: right[:, None], "held_out: predictions of shape"),
    ("held_out", lambda right: np.where(np.arange(len(right)) == 3, np.nan, right),
     "held_out: the prediction of row 3 is nan")])
def test_predictions_that_do_not_fit_are_refused_and_nothing_is_kept(root, part, broken, said):
    split = splits.netflix(toy())
    given = {"probe": np.full(len(split.probe), 3.0),
             "held_out": np.full(len(split.quiz) + len(split.test), 3.0)}
    given[part] = broken(given[part])
    with pytest.raises(ValueError, match=said):
        runs.record_predictions("user-mean", split, **given, model="None", params={},
                                n_parameters=0, fit_seconds=0.0)
    with pytest.raises(ValueError, match="is not a rung"):
        runs.record_predictions("stew", split, **given, model="None", params={}, n_parameters=0,
                                fit_seconds=0.0)
    assert not root.exists()
