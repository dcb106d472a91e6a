"""Pictures of studies: which are drawn, and what is in them."""

from __future__ import annotations

import numpy as np
import pytest
from command import picture
from small_study import study

from salamandre.plots import studies as drawings
from salamandre.runs.run import TABLE
from salamandre.studies import Study
from salamandre.studies.pictures import _over_runs, plot_study
from salamandre.studies.results import Result, Row


def drawn(folder, **given):
    rows = study(folder, **given).run(1)
    paths = plot_study(folder, rows, list(given["axes"]), ["score", "curve"], folder / "to")
    assert all(np.ptp(picture(path)) > 100 for path in paths)
    return [path.name for path in paths]


def test_pictures_are_those_that_the_axes_allow(tmp_path):
    one = drawn(tmp_path / "one", axes={"rate": [1, 2]}, seeds=2)
    assert one == ["score-axes.png", "curve-axes.png", "curve-runs.png"]
    axes = {"rate": [1, 2], "kind": ["plain", "better"], "wait": [0.0, 0.001]}
    kinds = ("axes", "heat", "parallel")
    expected = [*(f"score-{kind}.png" for kind in kinds), *(f"curve-{kind}.png" for kind in kinds)]
    assert drawn(tmp_path / "three", axes=axes) == [*expected, "curve-runs.png"]


def test_points_without_a_run_are_left_out(tmp_path):
    names = drawn(tmp_path, axes={"rate": [1, 13], "kind": ["plain", "better"]})
    assert "score-heat.png" in names
    assert drawn(tmp_path / "none", axes={"rate": [13, 16]}) == []


def test_a_band_says_how_the_seeds_differ_not_the_other_axes(tmp_path, monkeypatch):
    """Of three axes each panel has one line; over the others, a seed counts with its mean."""
    shown = []
    monkeypatch.setattr(drawings, "save_figure", lambda figure, path: shown.append(figure))
    axes = {"rate": [1, 13], "kind": ["plain", "better"], "wait": [0.0, 0.001]}
    rows = study(tmp_path, axes=axes, seeds=2).run(1)
    rows = [
        row for row in rows if row.seed == 0 or row.point["kind"] == "plain"
    ]  # seed 1 lacks one
    plot_study(tmp_path, rows, [*axes], ["score"], tmp_path)
    rate = shown[0].axes[0]
    assert rate.get_lines()[0].get_ydata() == pytest.approx([51])  # of seed 0: 1 and 101
    assert np.ptp(rate.collections[0].get_paths()[0].vertices[:, 1]) == pytest.approx(0)
    wait = shown[0].axes[2]
    assert wait.get_lines()[0].get_ydata() == pytest.approx([51, 51])


def test_curves_stand_at_the_values_of_the_axis(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(drawings, "save_figure", lambda figure, path: shown.append(figure))
    rows = study(tmp_path, axes={"rate": [1, 10, 100], "kind": ["plain", "better"]}, seeds=3).run(1)
    plot_study(tmp_path, rows, ["rate", "kind"], ["score"], tmp_path)
    rate, kind = shown[0].axes
    assert rate.get_xscale() == "log" and len(rate.get_lines()) == 2
    assert rate.get_lines()[0].get_ydata() == pytest.approx([1.1, 10.1, 100.1])
    assert [label.get_text() for label in kind.get_xticklabels()] == ["plain", "better"]
    heat = shown[1].axes[0].get_images()[0].get_array()
    assert np.allclose(heat, [[1.1, 10.1, 100.1], [101.1, 110.1, 200.1]])


@pytest.mark.parametrize(
    "steps",
    [
        (range(1, 401), range(1, 81)),
        (range(1, 4001), range(1, 91)),
        (range(1, 401), [*range(1, 7), *range(8, 401)]),  # one is missing
        (range(1, 401), range(5, 401, 5)),
    ],
)
def test_curves_of_runs_of_other_steps_are_means_at_equal_spans(tmp_path, steps):
    """Each curve is 1000 - step, so that means are that within a span, whatever the rows."""
    for name, own in zip("ab", steps, strict=True):
        (tmp_path / name).mkdir()
        rows = "".join(f"{step},{1000 - step}\n" for step in own)
        (tmp_path / name / TABLE).write_text("step,loss\n" + rows)
    members = [Row(name, {}, 0, Result("finished")) for name in "ab"]
    panel, unit = _over_runs(tmp_path, members, [], "loss")
    drawn, (mean, low, high) = panel[""][""]
    end, width = min(own[-1] for own in steps), drawn[1] - drawn[0]
    assert unit == "step" and 20 <= len(drawn) <= 40 and end - width < drawn[-1] <= end
    np.testing.assert_allclose(mean, 1000 - drawn + width / 2, atol=width / 2)
    assert (high - low <= width).all()


def test_a_shorter_list_among_the_metrics_is_drawn_where_it_is(tmp_path):
    def returned(seed: int) -> dict[str, list[float]]:
        return {"loss": [3.0, 2.0, 1.0, 0.5], "top1, test": [0.2, 0.4]}

    rows = Study({"axes": {}, "seeds": 2}, tmp_path, base=returned).run(1)
    panels, _ = _over_runs(tmp_path, rows, [], "top1, test")
    steps, (mean, *_) = panels[""][""]
    assert (steps.tolist(), mean.tolist()) == ([1, 2], [0.2, 0.4])


def test_any_text_is_the_name_of_a_line(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(drawings, "save_figure", lambda figure, path: shown.append(figure))
    band = ([0, 1], [1, 2], [1, 2], [1, 2])
    drawings.plot_axes({"rate": {"cost^$$": band, "_plain": band}}, "loss", tmp_path / "to.png")
    texts = [text.get_text().strip() for text in shown[0].axes[0].get_legend().get_texts()]
    assert texts == ["cost^$$", "_plain"]
    shown[0]._repr_png_()  # matplotlib would read $$ as a formula
