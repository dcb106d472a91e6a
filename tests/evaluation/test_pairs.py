"""L1, PSNR and SSIM against scikit-image and the formula of the paper, written out."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal
from salamandre import data
from salamandre.evaluation import critic_gap, l1, of_pairs, psnr, similarity, ssim

RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.integers(0, 256, (3, 3, 17, 20), np.uint8)
IMAGES = np.clip(TRUTH + RANDOM.normal(0, [[[[10]]], [[[30]]], [[[60]]]], TRUTH.shape), 0, 255)
IMAGES = np.rint(IMAGES).astype(np.uint8)


def of_wang(x, y, width):
    """Return SSIM window by window, as sections III-B and III-C of Wang et al. 2004 have it."""
    distance = np.arange(-5, 6)
    w = np.exp(-(distance[:, None] ** 2 + distance**2) / (2 * 1.5**2))
    w /= w.sum()
    found = []
    for top in range(x.shape[0] - 10):
        for left in range(x.shape[1] - 10):
            a, b = (z[top : top + 11, left : left + 11].astype(float) for z in (x, y))
            mx, my = (w * a).sum(), (w * b).sum()
            sx, sy = (w * (a - mx) ** 2).sum(), (w * (b - my) ** 2).sum()
            sxy = (w * (a - mx) * (b - my)).sum()
            c1, c2 = (0.01 * width) ** 2, (0.03 * width) ** 2
            above = (2 * mx * my + c1) * (2 * sxy + c2)
            found.append(above / ((mx**2 + my**2 + c1) * (sx + sy + c2)))
    return np.mean(found)


def test_ssim_is_the_formula_of_the_paper():
    wanted = np.mean(
        [of_wang(x, y, 255) for xs, ys in zip(IMAGES, TRUTH, strict=True)
         for x, y in zip(xs, ys, strict=True)]
    )  # fmt: skip
    assert ssim(IMAGES, TRUTH) == pytest.approx(wanted, abs=1e-12)
    assert 0.1 < wanted < 0.99


def test_metrics_agree_with_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    pairs = list(zip(TRUTH, IMAGES, strict=True))
    how = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    similar = [metrics.structural_similarity(*pair, channel_axis=0, **how) for pair in pairs]
    assert ssim(IMAGES, TRUTH) == pytest.approx(np.mean(similar), abs=1e-9)
    wanted = metrics.peak_signal_noise_ratio(TRUTH, IMAGES)
    assert psnr(IMAGES, TRUTH) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("metric", [l1, psnr, ssim])
def test_the_value_range_does_not_matter_if_it_is_stated(metric):
    wanted = metric(IMAGES, TRUTH)
    for low, high in ((0, 1), (-1, 1), (0, 16)):
        scaled = [low + (high - low) * (x / 255) for x in (IMAGES, TRUTH)]
        assert metric(*scaled, (low, high)) == pytest.approx(wanted, rel=1e-9)


def test_what_equal_and_opposite_images_get():
    black, white = np.zeros((2, 1, 12, 12), np.uint8), np.full((2, 1, 12, 12), 255, np.uint8)
    assert l1(TRUTH, TRUTH) == 0 and l1(black, white) == 1
    assert psnr(TRUTH, TRUTH) == np.inf and psnr(black, white) == 0
    one_is_equal = np.concatenate([IMAGES[:2], TRUTH[2:]])
    assert psnr(IMAGES, TRUTH) < psnr(one_is_equal, TRUTH) < np.inf
    assert ssim(TRUTH, TRUTH) == pytest.approx(1)
    assert ssim(black, white) == pytest.approx(0.01**2 / (1 + 0.01**2))


def test_many_images_are_compared_in_blocks(monkeypatch):
    wanted = [metric(IMAGES, TRUTH) for metric in (l1, psnr, ssim)]
    monkeypatch.setattr("salamandre.evaluation.pairs.BLOCK", 1)
    assert [m(IMAGES, TRUTH) for m in (l1, psnr, ssim)] == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("metric", [l1, psnr, ssim])
@pytest.mark.parametrize(
    ("images", "truth", "value_range", "message"),
    [
        (TRUTH, TRUTH[:2], None, r"one shape \(N, C, H, W\), got \(3, 3, 17, 20\) and \(2, 3"),
        (TRUTH[0], TRUTH[0], None, "one shape"),
        (TRUTH / 255, TRUTH / 255, None, "value range must be given .* got float64"),
        (TRUTH / 255, TRUTH / 255, (-1, 0.5), r"must be in the range -1..0.5, got 0..1"),
        (TRUTH / 255, TRUTH / 255, (1, 1), "largest value must be .* above 1, got 1"),
        (TRUTH / 255, TRUTH / 255, (0, 0.5, 1), r"must be two numbers, .* got \(0, 0\.5, 1\)"),
        (TRUTH * np.nan, TRUTH / 255, (0, 1), "images must be finite numbers"),
    ],
)
def test_what_cannot_be_compared(metric, images, truth, value_range, message):
    with pytest.raises(ValueError, match=message):
        metric(images, truth, value_range)


def test_only_pairs_are_metrics_of_games():
    with pytest.raises(TypeError, match=r"of_pairs takes Pairs, .* got \[1\]"):
        of_pairs([1])


def test_ssim_needs_room_for_a_window():
    with pytest.raises(ValueError, match="windows of 11×11, and images of 10×20 are smaller"):
        ssim(TRUTH[:, :, :10], TRUTH[:, :, :10])


def copying_game(channels, size, pairs):
    """A game whose generator returns its conditions."""
    generator = sal.Network(
        [sal.ConvolutionalLayer(channels, 1)], (channels, *size), optimizer=sal.SGD()
    )
    generator.named_parameters()["0.weights"][...] = np.eye(channels)[..., None, None]
    generator.named_parameters()["0.bias"][...] = 0
    discriminator = sal.Network(
        [sal.ConvolutionalLayer(1, 1)], pairs.examples.shape[1:], optimizer=sal.SGD()
    )
    return sal.GanGame(generator, discriminator, pairs, batch_size=1)


def test_a_game_is_judged_by_what_it_makes_of_conditions():
    pairs = data.Pairs.of(IMAGES, TRUTH)
    found = of_pairs(pairs, 2)(copying_game(3, (17, 20), pairs))
    wanted = {metric.__name__: metric(IMAGES[:2], TRUTH[:2]) for metric in (l1, psnr, ssim)}
    assert similarity(IMAGES[:2], TRUTH[:2]) == wanted
    assert found == pytest.approx(wanted, rel=1e-5)
    small = data.Pairs.of(IMAGES[..., :8, :8], TRUTH[..., :8, :8])
    assert [*of_pairs(small)(copying_game(3, (8, 8), small))] == ["l1", "psnr"]


def test_the_critic_gap_of_a_game_of_pairs_is_that_of_its_scores():
    pairs = data.Pairs.of(IMAGES, TRUTH)
    game = copying_game(3, (17, 20), pairs)
    held_out = data.Pairs.of(TRUTH, IMAGES)

    def scores(pairs):
        examples = np.concatenate([pairs.conditions, pairs.images], axis=1)
        return game.discriminator.predict(examples / np.float32(127.5) - 1)

    known, new = scores(pairs), scores(held_out)
    wanted = (known.mean() - new.mean()) / new.std()
    assert critic_gap(game, held_out) == pytest.approx(wanted, rel=1e-4) and abs(wanted) > 0.01
