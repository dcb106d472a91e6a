"""Pictures of autoencoders: reconstructions, walks, and maps of the latent space."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

import salamandre as sal
from salamandre import data, plots
from salamandre.atomic import numbered
from salamandre.plots.figure import WIDTH, heads, new_figure, plain_ticks, save_figure, styled

COLUMNS = 16  # images in a picture
Decode = Callable[[np.ndarray], np.ndarray]  # images (N, C, H, W) of latent vectors (N, k)


def as_pixels(images: data.Images) -> np.ndarray:
    """Return images with values in 0..1."""
    return images.images.astype(np.float32) / np.float32(images.white)


def save_rows(rows: np.ndarray, path: Path) -> None:
    """Write images (rows, columns, C, H, W) with values in 0..1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plots.save_grid(rows.reshape(-1, *rows.shape[2:]), path, columns=rows.shape[1])


class Reconstructions(sal.Callback):
    """Draws test images, what the network is shown of them, makes of them, and what that lacks.

    The pictures are ``reconstructions/STEP.png``, their animation is ``animation.gif``.

    Args:
        folder: of the run.
        t: the test images (N, C, H, W) with values in 0..1.
        test: the data set that they are of.
        reconstructions: a function of the network's outputs and the targets.
        engine: whose test set has the inputs.
    """

    every = sal.Epochs(1)
    recorded = ()

    def __init__(
        self,
        folder: Path,
        t: np.ndarray,
        test: data.Images,
        reconstructions: Callable[..., Any],
        engine: sal.Engine,
    ) -> None:
        self.folder, self.shape, self.network = folder, test.shape, engine.network
        self.rows = one_of_each(test)
        shown, targets = next(engine.test_set.in_order(int(self.rows.max()) + 1))
        to_numpy = self.network.backend.to_numpy
        self._inputs, self._targets = (to_numpy(a)[self.rows] for a in (shown, targets))
        self._pixels = reconstructions

    def shown(self) -> np.ndarray:
        """Return the network's reconstructions (N, features) on the host."""
        y = self._pixels(self.network.predict(self._inputs), self._targets)
        return self.network.backend.to_numpy(y)

    def on_start(self, engine: sal.Engine) -> None:
        """Remove pictures of later steps, which a killed process drew."""
        for number, path in numbered(self.folder / "reconstructions", "", ".png").items():
            if number > engine.step:
                path.unlink()
        if engine.step == 0:
            self.on_step(engine)

    def on_step(self, engine: sal.Engine) -> None:
        """Draw."""
        inputs, targets, y = (
            a.reshape(-1, *self.shape) for a in (self._inputs, self._targets, self.shown())
        )
        rows = [inputs, y, abs(y - targets)]
        if not np.array_equal(inputs, targets):
            rows.insert(1, targets)
        save_rows(np.stack(rows), self.folder / "reconstructions" / f"{engine.step:08d}.png")

    def on_end(self, engine: sal.Engine) -> None:
        """Draw the animation."""
        pictures = list(numbered(self.folder / "reconstructions", "", ".png").values())
        if engine.error is None and len(pictures) > 1:
            plots.animate(pictures, self.folder / "animation.gif")


def one_of_each(test: data.Images) -> np.ndarray:
    """Return the rows of the first image of each class, and of others, at most 16 in all."""
    _, first = np.unique(test.labels, return_index=True)
    others = np.setdiff1d(np.arange(min(len(test), 10 * COLUMNS)), first)
    return np.concatenate([first, others])[:COLUMNS]


def draw_walk(decode: Decode, z: np.ndarray, test: data.Images, path: Path) -> None:
    """Draw walks between the latent vectors of two images, straight and in equal steps."""
    ends = z[one_of_each(test)[:10]]
    share = np.linspace(0, 1, 12)[:, None]
    pairs = itertools.pairwise(ends)
    save_rows(np.stack([decode((1 - share) * a + share * b) for a, b in pairs]), path)


@styled
def draw_latent_space(
    decode: Decode, z: np.ndarray, test: data.Images, normal: bool, folder: Path
) -> None:
    """Draw what each point of a plane of latent vectors means, and where the test images lie.

    Args:
        decode: the decoder.
        z: latent vectors (N, 2) of the test images.
        test: they.
        normal: whether the points are those of equal shares of a normal distribution (Kingma,
            Welling 2014, figure 4); otherwise they are in equal steps over the test images.
        folder: for ``map.png`` and ``latent.png``.
    """
    shares = np.linspace(0.02, 0.98, 20)
    if normal:
        axes = [np.array([NormalDist().inv_cdf(share) for share in shares])] * 2
    else:
        axes = [np.linspace(*np.quantile(values, [0.02, 0.98]), 20) for values in z.T]
    across, up = np.meshgrid(axes[0], axes[1][::-1])
    save_rows(
        decode(np.stack([across.ravel(), up.ravel()], axis=1)).reshape(20, 20, *test.shape),
        folder / "map.png",
    )
    figure, (ax,) = new_figure(WIDTH, 5)
    count = min(len(test.classes), 10)
    for label in range(count):
        ax.scatter(*z[test.labels == label].T, s=2, label=test.classes[label])
    ax.set(xlabel="first coordinate", ylabel="second coordinate", aspect="equal")
    ax.legend(markerscale=4, loc="center left", bbox_to_anchor=(1, 0.5))
    save_figure(figure, folder / "latent.png")


@styled
def draw_study(
    table: Sequence[Mapping[str, float]],
    images: np.ndarray,
    shown: Mapping[int, np.ndarray],
    linear: Mapping[int, np.ndarray],
    test: data.Images,
    folder: Path,
) -> None:
    """Draw error and accuracy against the number of latent coordinates, and reconstructions.

    Args:
        table: the results of each number.
        images: test images (N, features).
        shown: their reconstructions by the number.
        linear: likewise by principal components.
        test: the data set.
        folder: for ``study.png`` and ``study-images.png``.
    """
    sizes = [row["latent"] for row in table]
    count = 1 + ("pixels" in table[0])
    figure, axes = new_figure(WIDTH / count, 3.2, count, count)
    components = "principal components"
    axes[0].plot(sizes, [row["squared"] for row in table], "o-", label="latent vectors")
    axes[0].plot(sizes, [row["pca squared"] for row in table], "s--", label=components)
    axes[0].set_yscale("log")
    plain_ticks(axes[0].yaxis)
    for ax in axes[1:]:
        ax.plot(sizes, [100 * row["latent vectors"] for row in table], "o-", label="latent vectors")
        ax.plot(sizes, [100 * row[components] for row in table], "s--", label=components)
        ax.axhline(100 * table[0]["pixels"], color="0.5", linestyle=":", label="pixels")
    for ax in axes:
        ax.set_xscale("log")
        ax.set_xticks(sizes, [f"{size:g}" for size in sizes])
        ax.set_xticks([], minor=True)
        ax.set(xlabel="latent coordinates")
        ax.grid()
    titles = "squared error of an image  ↓ better", "accuracy of a classifier, %  ↑ better"
    heads(figure, axes, titles[:count])
    save_figure(figure, folder / "study.png")
    rows = [images]
    for size in shown:
        rows += [shown[size], np.clip(linear[size], 0, 1)]
    save_rows(np.stack(rows).reshape(len(rows), -1, *test.shape), folder / "study-images.png")
