"""Values of channels and images for a grid, against NumPy on all pixels."""

from __future__ import annotations

import numpy as np
import pytest

from salamandre.data import Images, load, summary


def images(counts, channels=3, white=255):
    random = np.random.default_rng(0)
    labels = random.permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.uint16)
    pixels = random.integers(0, white + 1, (len(labels), channels, 4, 5), dtype=np.uint8)
    return Images(pixels, labels, tuple(f"c{k}" for k in range(len(counts))), "m", "train", white)


@pytest.mark.parametrize(("channels", "white"), [(1, 16), (3, 255)])
def test_values_of_channels(monkeypatch, channels, white):
    monkeypatch.setattr(summary, "BLOCK", 100)  # some blocks
    made = images((9, 8), channels, white)
    for channel, found in enumerate(summary.channel_values(made)):
        pixels = made.images[:, channel] / white
        wanted = (pixels.min(), pixels.max(), pixels.mean(), pixels.std())
        np.testing.assert_allclose(found, wanted)


def test_known_values_of_mnist(real, monkeypatch):
    monkeypatch.setenv("SALAMANDRE_DATA", str(real))
    (found,) = summary.channel_values(load("mnist")[0])
    assert found.mean == pytest.approx(0.1307, abs=5e-5)  # as everybody normalises with
    assert found.std == pytest.approx(0.3081, abs=5e-5)


@pytest.mark.parametrize(
    ("counts", "each", "columns"),
    [
        ((20, 20, 20), 8, 8),
        ((3, 0, 20), 8, 8),
        ((90,), 64, 8),
        ((5,), 5, 3),
        ((3, 2), 3, 6),
        ((4,) * 30, 3, 6),
        ((1,) * 300, 1, 8),
    ],
)
def test_some_images_of_each_class(counts, each, columns):
    made = images(counts)
    pixels, names, found = summary.some_of_each(made)
    assert found == columns
    filled = [c for c in counts if c]
    assert len(pixels) == len(names) == each * min(100, len(filled))
    for start in range(0, len(pixels), each):
        own = [name for name in names[start : start + each] if name]
        label = made.classes.index(own[0])
        assert own == [own[0]] * min(each, counts[label])
        of_class = made.images[made.labels == label] / np.float32(255)
        for row in range(start, start + len(own)):
            assert (pixels[row] == of_class).all((1, 2, 3)).sum() == 1
        assert (pixels[start + len(own) : start + each] == 1).all()
