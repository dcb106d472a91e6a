"""Pictures that are written."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

import salamandre as sal
from salamandre import plots
from salamandre.inspection import drawing
from salamandre.plots import studies as drawings
from salamandre.recorded import arrow


def test_decision_map_shows_what_the_network_decides_where(tmp_path):
    network = sal.Network([sal.NeuronLayer(1)], 2)
    network.load_tensors({"0.weights": [[1.0, 0.0]], "0.bias": [0.0]})  # the sign of x
    plots.plot_decision_maps({"x": network}, tmp_path / "map.png", resolution=51)
    picture = imread(tmp_path / "map.png")[..., :3]
    height, width, _ = picture.shape
    left, right = picture[height // 2, width // 3], picture[height // 2, 3 * width // 4]
    assert left[2] > left[0]  # blue below 0
    assert right[0] > right[2]  # red above


def shown(images, path, **options):
    """Return the mean brightness of the middle of each of two images in a row."""
    plots.plot_images(images, path, columns=2, **options)
    picture = imread(path)[..., 0]
    height, width = picture.shape
    return [float(picture[height // 2, width * n // 4].mean()) for n in (1, 3)]


def test_images_are_drawn_in_the_range_of_their_type(tmp_path):
    path = tmp_path / "x.png"
    dark, light = np.full((1, 1, 4, 4), 51, np.uint8), np.full((1, 1, 4, 4), 204, np.uint8)
    both = np.concatenate([dark, light])
    for images, options in (
        (both, {}),
        (both / 255, {}),
        (both / 127.5 - 1, {}),
        (np.round(both / 255 * 20).astype(np.uint8), {"white": 20}),
    ):
        assert np.allclose(shown(images, path, **options), [0.2, 0.8], atol=0.01)
    plots.save_grid(both, path, columns=2, zoom=1)
    assert np.allclose(imread(path)[3, [3, 9]], [0.8, 0.2], atol=0.01)  # grey is drawn as ink
    before = path.read_bytes()
    for images, message in (
        (both.astype(int), "must be bytes"),
        (both * 1.0, "must have values from 0 to 1"),
        (both / np.nan, "must have values from 0 to 1"),
        (both[0], r"must be of shape \(N, 1, H, W\)"),
        (both[:0], "no images to draw"),
        (both.reshape(1, 2, 4, 4), "must be of shape"),
    ):
        with pytest.raises(ValueError, match=message):
            plots.plot_images(images, path)
    assert path.read_bytes() == before


def test_pictures_are_written(tmp_path):
    images = np.random.default_rng(0).random((5, 1, 4, 4))
    plots.plot_images(images, tmp_path / "grey.png", captions=list("abcde"), title="t")
    plots.plot_images(np.repeat(images, 3, axis=1), tmp_path / "colour.png", ink=True)
    names = ["a", "b", "$\\foo$"]  # which is no formula
    plots.plot_confusion(np.diag([3, 4, 0]), names, tmp_path / "confusion.png")
    band = np.ones(3), np.zeros(3), np.full(3, 2)
    plots.plot_bands([1, 2, 3], {"a": band}, tmp_path / "band.png", xlabel="x", ylabel="y")
    for name in ("grey", "colour", "confusion", "band"):
        assert imread(tmp_path / f"{name}.png").std() > 0  # not an empty sheet


def test_curves_are_drawn_during_a_run_too(tmp_path, monkeypatch):
    monkeypatch.setattr("salamandre.training.callbacks.REDRAWN", -1.0)
    seen = []

    class Look(sal.Callback):
        every = sal.Steps(1)

        def on_step(self, run):
            seen.append((tmp_path / "curves.png").exists())

    network = sal.Network([sal.NeuronLayer(1)], 1, sal.MeanSquaredError(), sal.SGD(0.1))
    train = np.ones((4, 1)), np.ones((4, 1))
    curves = sal.Curves(tmp_path, sal.Steps(2))
    sal.Engine(network, train, batch_size=2, callbacks=[curves, Look()]).run(epochs=2)
    assert seen == [False, True, True, True]


def test_a_picture_is_a_figure_that_need_not_be_a_file(tmp_path):
    images = np.random.default_rng(0).random((4, 1, 4, 4))
    figure = plots.plot_images(images, captions=list("abcd"))
    assert isinstance(figure, Figure) and len(figure.axes) == 4
    written = plots.plot_images(images, tmp_path / "x.png", captions=list("abcd"))
    assert (tmp_path / "x.png").read_bytes() == written._repr_png_() == figure._repr_png_()
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert len(pickle.loads(pickle.dumps(figure)).axes) == 4


def test_names_of_variants_are_not_cut_off(tmp_path):
    rows = [("noise multiplied with its layers", 1, 0, 2), *[("plain", 1, 0, 2)] * 26]
    panels = {f"metric {n}": rows for n in range(5)}
    figure = plots.plot_comparison(panels, tmp_path / "c.png")
    assert (imread(tmp_path / "c.png")[:, :3, :3] == 1).all()  # the paper before the longest one
    written = [[label.get_text() for label in ax.get_yticklabels()] for ax in figure.axes]
    assert written[0] == [name for name, *_ in rows] and not any(map(any, written[1:]))
    grid = Figure().subplots(2, 2)
    plots.plot_comparison({f"metric {n}": rows for n in range(4)}, axes=grid)
    named = [any(label.get_text() for label in ax.get_yticklabels()) for ax in grid.flat]
    assert named == [True, False, True, False]


def test_pictures_are_drawn_into_given_axes():
    figure = Figure()
    axes = figure.subplots(2, 2)
    band = np.arange(3.0), np.arange(3.0) - 1, np.arange(3.0) + 1
    network = sal.Network([sal.NeuronLayer(1)], 2)
    for draw in (
        lambda: plots.plot_images(np.zeros((4, 1, 4, 4)), axes=axes),
        lambda: plots.plot_confusion(np.eye(2, dtype=int), ["a", "b"], axes=axes[0, 0]),
        lambda: plots.plot_bands([0, 1, 2], {"x": band}, xlabel="", ylabel="", axes=axes[0, 1]),
        lambda: plots.plot_decision_maps({"x": network}, axes=axes[1, 0]),
        lambda: plots.plot_points({"x": np.zeros((3, 2))}, axes=axes[1, 1]),
        lambda: plots.plot_comparison({"x": [("a", 1, 0, 2)], "y": [("a", 1, 0, 2)]}, axes=axes[0]),
        lambda: plots.plot_curves({"a": np.arange(3.0)}, {"b": [(1, 2.0), (2, 1.0)]}, axes=axes[1]),
    ):
        for ax in axes.flat:
            ax.clear()
        assert draw() is figure and any(ax.has_data() for ax in axes.flat)
    with pytest.raises(ValueError, match="the picture has 3 panels: give as many axes, not 4"):
        plots.plot_images(np.zeros((3, 1, 4, 4)), axes=axes)


STEPS = {name: np.arange(1.0, 200) for name in ("d_loss", "g_loss", "d_real", "d_fake")}
METRICS = {
    name: [(100, 2.0), (199, 1.0)] for name in ("frechet", "intra", "recall", "robust_score")
}
BAND = np.arange(2), (np.ones(2), np.zeros(2), np.full(2, 2.0))
LINES = {f"the optimizer {name}": BAND for name in ("sgd", "momentum", "adam", "adagrad", "lion")}
CURVES = {label: ([1, 30], *BAND[1]) for label in ("rate 1", "rate 30")}
NAMED = {label: (["plain", "better"], *BAND[1]) for label in ("rate 1", "rate 30")}


def drawn(monkeypatch, plot, *arguments):
    """Return the figure of a picture of a study, which is written alone."""
    figures = []
    monkeypatch.setattr(drawings, "save_figure", lambda figure, path: figures.append(figure))
    plot(*arguments, "x.png")
    return figures[0]


@pytest.fixture
def figures(monkeypatch):
    """Pictures with legends."""
    over = drawings.plot_over_runs
    return {
        "curves": plots.plot_curves(STEPS, METRICS, panels=[["d_loss", "g_loss"]]),
        "game": plots.plot_game(np.zeros((24, 1, 8, 8)), STEPS, METRICS, title="a game"),
        "points": plots.plot_game(np.zeros((9, 2)), STEPS, {}, real=np.ones((9, 2))),
        "bands": plots.plot_bands(
            [1, 2], {label: band for label, (_, band) in LINES.items()}, xlabel="x", ylabel="y"
        ),
        "one": drawn(monkeypatch, over, {"": LINES}, "d_real", "round"),
        "same": drawn(monkeypatch, over, {"a": LINES, "b": LINES}, "d_real", "round"),
        "two": drawn(monkeypatch, over, {"a": LINES, "b": {"x": BAND}}, "d_real", "round"),
        "axes": drawn(monkeypatch, drawings.plot_axes, {"n": CURVES, "last_bias": NAMED}, "intra"),
    }


def test_legends_lie_between_titles_and_curves(figures):
    for name, figure in figures.items():
        figure._repr_png_()
        legends = [(ax.get_legend(), ax) for ax in figure.axes if ax.get_legend()]
        assert len(legends) + len(figure.legends) >= 1, name
        for legend, ax in legends:
            box = legend.get_window_extent()
            assert box.y0 >= ax.bbox.y1 - 1, (name, "covers curves")
            if title := ax.get_title(loc="left"):
                below_title = ax._left_title.get_window_extent().y0 >= box.y1 - 1
                assert below_title, (name, title)
            assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, (name, "is cropped")
        for legend in figure.legends:
            bottom = legend.get_window_extent().y0
            assert all(bottom >= ax.get_tightbbox().y1 - 1 for ax in figure.axes), name


def test_pictures_say_all_in_words(figures):
    for figure in figures.values():
        texts = [text.get_text() for text in figure.findobj(Text)]
        assert not [text for text in texts if "_" in text]
    labels = {figure.axes[0].get_ylabel() for figure in (figures["same"], figures["axes"])}
    assert labels == {"score of real examples", "Fréchet distance within\nclasses"}
    assert figures["axes"].axes[0].get_title(loc="left") == arrow("intra").strip()


def test_long_captions_take_lines_instead_of_their_neighbours_room(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(drawing, "save_figure", lambda figure, path: figures.append(figure))
    image, values = np.zeros((1, 1, 8, 8)), np.ones((1, 8, 8))
    names = "SmoothGrad", "integrated gradients", "guided backprop", "saliency", "Grad-CAM"
    maps = dict.fromkeys(names, values)
    drawing.draw_maps(image, maps, "x.png", captions=["coral fungus 63%"])
    drawing.draw_adversarial(image, image, "x.png", captions=[("Indian elephant 100%",) * 2])
    for figure in figures:
        figure._repr_png_()
        boxes = [ax.title.get_window_extent() for ax in figure.axes]
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
        assert boxes[0].x0 >= 0 and boxes[0].y1 <= figure.bbox.y1 + 1


def test_a_metric_that_was_evaluated_once_has_no_panel_of_its_own():
    once = {"test_loss": [(3, 0.5)], "accuracy": [(3, 0.9)]}
    loss = {"loss": np.arange(3.0)}
    drawn = plots.plot_curves(loss, once, panels=[["loss", "test_loss"]]).axes
    assert [ax.get_title(loc="left").split("  ")[0] for ax in drawn] == ["loss"]
    assert len(drawn[0].get_lines()) == 2
    assert len(plots.plot_curves({}, once).axes) == 2  # there is nothing else


def test_a_value_without_the_others_of_its_panel_has_its_own_name():
    shares = {"confident": [(1, 0.5), (2, 0.6)]}
    for metrics, title in (
        (shares, "share of confident samples"),
        (shares | {"right": [(1, 0)]}, "share of samples"),
    ):
        (ax,) = plots.plot_curves({}, metrics).axes
        assert ax.get_title(loc="left").split("  ")[0] == title


def test_few_values_near_zero_do_not_make_an_axis_logarithmic():
    scores = np.full(1000, 0.5)
    scores[:10] = 1e-4
    figure = plots.plot_curves({"d_fake": scores, "g_loss": np.geomspace(1e-4, 1, 1000)}, {})
    assert [ax.get_yscale() for ax in figure.axes] == ["linear", "log"]


def test_each_class_is_seen_in_a_map_whose_outputs_lie_apart():
    """Of outputs from -2 to 8, half of those below 0 are in full colour; of -0.1 to 9.9 none is."""
    network = sal.Network([sal.NeuronLayer(1)], 2)
    for bias, full in ((3, 1), (4.9, 0.2 * 4.95), (-9, 9), (0, 2.5)):
        network.load_tensors({"0.weights": [[5.0, 0.0]], "0.bias": [float(bias)]})
        figure = plots.plot_decision_maps({"x": network}, resolution=501)
        low, high = figure.axes[0].get_images()[0].get_clim()
        assert -low == high == pytest.approx(full, abs=0.02)
    network.load_tensors({"0.weights": [[0.0, 0.0]], "0.bias": [0.0]})
    assert plots.plot_decision_maps({"zero": network}).axes[0].get_images()


def test_names_without_values_are_left_out():
    (ax,) = plots.plot_curves({"loss": [1, 2], "d_loss": []}, {"test_loss": []}).axes
    assert ax.get_title(loc="left").split("  ")[0] == "training loss"
    with pytest.raises(ValueError, match="no values to draw"):
        plots.plot_curves({"loss": []}, {})


def test_what_cannot_be_drawn_is_told(tmp_path):
    for wrong, message in (
        (lambda: plots.plot_images(np.zeros((0, 1, 4, 4))), "no images to draw"),
        (
            lambda: plots.plot_images(np.full((1, 1, 4, 4), 255, np.uint8), white=16),
            "the images reach 255, above their white of 16",
        ),
        (lambda: plots.plot_images(np.float32(3)), "must be of shape"),
        (lambda: plots.animate([], tmp_path / "x.gif"), "at least one picture"),
        (
            lambda: plots.plot_decision_maps({"x": sal.Network([sal.NeuronLayer(2)], 2)}),
            r"with one output, got \(2,\)",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            wrong()
    assert plots.plot_confusion([[1, 2], [3, 4]], ["a", "b"]).axes
