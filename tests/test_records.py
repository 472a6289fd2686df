"""Records, the table of the ladder and its picture."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from toy import Shifted, toy

from rslib import plots, runs, splits
from rslib.metrics import rmse
from rslib.runs.page import update_readme


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("RSLIB_RUNS", str(tmp_path / "runs"))
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
    assert sorted(path.name for path in (root / "toy").iterdir()) == ["global-mean", "mf-sgd"]


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


def test_table_formats_by_type():
    table = plots.Table([{"a": 0.12345, "b": 12345, "c": None}, {"a": None, "b": 1, "c": "x|y"}])
    assert repr(table).splitlines()[1:] == ["0.1235  12,345  –", "     –       1  x|y"]
    assert table.markdown().splitlines()[1:] == [
        "| ---: | ---: | :--- |", "| 0.1235 | 12,345 | – |", "| – | 1 | x\\|y |"]
    assert '<td style="text-align:right">12,345</td>' in table._repr_html_()


def test_labels_of_a_long_ladder_do_not_overlap():
    rows = [{"label": f"Model number {i}", "published": 0.9, "held_out": 1 - i / 100,
             "half_width": 0.02} for i in range(20)]
    figure = Figure(figsize=(8.5, 1.3 + 0.35 * len(rows)), layout="constrained")
    ax = plots.ladder(figure.subplots(), rows, runs.REFERENCES)
    figure.canvas.draw()
    texts = [*ax.get_yticklabels(), *ax.texts, ax.title]
    boxes = [text.get_window_extent() for text in texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


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
    update_readme(tmp_path / "none.md", "a", "new")
    assert not (tmp_path / "none.md").exists()
