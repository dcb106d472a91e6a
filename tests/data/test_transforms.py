"""Transforms: what they do, and that they are copies, seeded and of the dtype they were given."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import salamandre as sal
from salamandre import data
from salamandre.data import (
    AlternatingFlip,
    Binarise,
    Chain,
    Crop,
    Flip,
    Images,
    Jitter,
    Mask,
    Noise,
    RandomCrop,
    Reflect,
    Resize,
    Shift,
)
from salamandre.data.batches import Source
from salamandre.inputs import Pixels

X = np.random.default_rng(0).integers(0, 256, (50, 3, 8, 6), np.uint8)
ALL = [
    Flip(),
    Crop(5),
    RandomCrop(5),
    RandomCrop(6, padding=2),
    Resize(4),
    Resize(9),
    Shift(2),
    Chain(Resize(8), RandomCrop(6), Flip()),
    AlternatingFlip(),
    Chain(Reflect(3), RandomCrop(6), AlternatingFlip()),
    Mask(0.3),
]


def draw(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("transform", ALL, ids=repr)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_copies_of_the_same_dtype_that_a_seed_decides(transform, dtype):
    x = X.astype(dtype)
    before = x.copy()
    y = transform(x, draw())
    assert y.dtype == dtype
    assert len(y) == len(x)
    assert not np.shares_memory(x, y)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(transform(x, draw()), y)


@pytest.mark.parametrize("transform", [Flip(), RandomCrop(5), RandomCrop(6, 1)], ids=repr)
def test_another_seed_gives_another_batch(transform):
    assert (transform(X, draw(0)) != transform(X, draw(1))).any()


def test_flip():
    y = Flip()(X, draw())
    mirrored = [np.array_equal(a, b[:, :, ::-1]) for a, b in zip(y, X, strict=True)]
    same = [np.array_equal(a, b) for a, b in zip(y, X, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 10 < sum(mirrored) < 40
    np.testing.assert_array_equal(Flip(1)(X, draw()), X[..., ::-1])
    np.testing.assert_array_equal(Flip(0)(X, draw()), X)


@pytest.mark.parametrize("transform", [Noise(0.3), Binarise(), Mask(0.5)], ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_noise_is_of_the_same_dtype_and_range_and_decided_by_a_seed(transform, dtype):
    x = (X / 255).astype(dtype)
    before = x.copy()
    y = transform(x, draw())
    assert y.dtype == dtype and y.shape == x.shape and y.min() >= 0 and y.max() <= 1
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(transform(x, draw()), y)
    assert (transform(x, draw(1)) != y).any()


def test_noise_has_the_deviation_that_is_asked_for():
    y = Noise(0.1)(np.full((100, 100), 0.5), draw())
    assert y.mean() == pytest.approx(0.5, abs=0.005) and y.std() == pytest.approx(0.1, rel=0.05)


def test_a_mask_sets_a_share_of_the_values_to_zero():
    y = Mask(0.2)(np.full((100, 100), 0.7), draw())
    assert set(np.unique(y)) == {0, 0.7}
    assert (y == 0).mean() == pytest.approx(0.2, abs=0.02)


def test_binarised_values_are_one_with_the_probability_of_the_value():
    x = np.linspace(0, 1, 5)[:, None] + np.zeros((5, 10_000))
    y = Binarise()(x, draw())
    assert set(np.unique(y)) == {0, 1}
    np.testing.assert_allclose(y.mean(axis=1), x[:, 0], atol=0.02)
    assert (y[0] == 0).all() and (y[4] == 1).all()


@pytest.mark.parametrize("transform", [Noise(0.1), Binarise()], ids=repr)
def test_noise_refuses_bytes(transform):
    with pytest.raises(ValueError, match=r"takes floats in 0\.\.1, got uint8"):
        transform(X, draw())


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_what_is_no_probability_is_not_binarised(value):
    with pytest.raises(ValueError, match=r"Binarise takes values in 0\.\.1, got .*: scale"):
        Binarise()(np.array([[0.5, value]]), draw())


def test_crop():
    np.testing.assert_array_equal(Crop(4)(X, draw()), X[:, :, 2:6, 1:5])
    np.testing.assert_array_equal(Crop(1)(X, draw()), X[:, :, 3:4, 2:3])


def test_random_crop_reaches_every_place():
    x = np.broadcast_to(np.arange(48, dtype=np.uint8).reshape(8, 6), (2000, 1, 8, 6))
    y = RandomCrop(5)(x, draw())
    for image in y[:50]:
        top, left = divmod(int(image[0, 0, 0]), 6)
        np.testing.assert_array_equal(image, x[0, :, top : top + 5, left : left + 5])
    places, counts = np.unique(y[:, 0, 0, 0], return_counts=True)
    assert places.tolist() == [0, 1, 6, 7, 12, 13, 18, 19]
    assert counts.min() > 200


def test_random_crop_with_padding():
    x = np.full((500, 2, 4, 4), 7, np.uint8)
    y = RandomCrop(4, padding=1)(x, draw())
    assert y.shape == x.shape
    assert set(np.count_nonzero(y[:, 0], axis=(1, 2)).tolist()) == {9, 12, 16}


@pytest.mark.parametrize("size", [3, 7, 16, 24, 40])
def test_resize_is_that_of_pillow(size):
    pixels = np.random.default_rng(1).integers(0, 256, (24, 17), np.uint8)
    truth = Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR)
    found = Resize(size)(pixels[None, None], draw())
    assert np.abs(found[0, 0].astype(int) - np.asarray(truth).astype(int)).max() <= 1


def test_resize_keeps_what_is_even():
    for value in (0, 1, 254, 255):
        x = np.full((2, 1, 5, 9), value, np.uint8)
        for size in (2, 5, 30):
            assert (Resize(size)(x, draw()) == value).all()
    np.testing.assert_array_equal(Resize(6)(X[:, :, :6], draw()), X[:, :, :6])


def test_chain_is_one_after_the_other():
    y = Chain(Crop(6), Flip(1))(X, draw())
    np.testing.assert_array_equal(y, X[:, :, 1:7, ::-1])
    assert repr(Chain(Flip(), Shift(1))) == (
        "Chain(transforms=(Flip(probability=0.5), Shift(pixels=1)))"
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Flip(1.5), "Flip probability must be .* at most 1, got 1.5"),
        (lambda: Crop(0), "Crop size must be a whole number"),
        (lambda: RandomCrop(3.5), "RandomCrop size must be a whole number"),
        (lambda: RandomCrop(3, -1), "RandomCrop padding must be a whole number of at least 0"),
        (lambda: Resize(-2), "Resize size must be a whole number"),
        (lambda: Crop(7)(X, draw()), "Crop of size 7 does not fit into images of 8×6"),
        (lambda: RandomCrop(9, 1)(X, draw()), "of size 9 does not fit .* a padding of 1: make"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# -- on data sets --------------------------------------------------------------------------------


def images(x=X, white=255):
    return Images(
        x, np.arange(len(x), dtype=np.uint8), tuple(map(str, range(50))), "x", "train", white
    )


def network(*shape):
    return sal.Network(
        [sal.Reshape(-1), sal.NeuronLayer(2)] if len(shape) > 1 else [sal.NeuronLayer(2)],
        input_shape=shape,
    )


def test_apply_changes_a_data_set_once(monkeypatch):
    monkeypatch.setattr("salamandre.data.transforms.BLOCK", 7)
    small = data.apply(images(), Resize(4))
    np.testing.assert_array_equal(small.images, Resize(4)(X, draw()))
    assert small.labels is not None
    np.testing.assert_array_equal(small.labels, images().labels)
    assert (small.name, small.split, small.classes) == ("x", "train", images().classes)
    drawn = data.apply(images(), Flip(), seed=3)
    np.testing.assert_array_equal(drawn.images, data.apply(images(), Flip(), seed=3).images)
    assert (drawn.images != data.apply(images(), Flip(), seed=4).images).any()


def test_what_is_no_transform():
    for wrong, message in (
        ("flip", r"a function of \(x, random\), such as data\.Flip\(\) or .*, got 'flip'"),
        (Flip, "got Flip"),
        (lambda x, random: None, r"as many examples as it is given, 50, got object of shape \(\)"),
        (lambda x, random: x[:3], r"50, got uint8 of shape \(3, 3, "),
    ):
        with pytest.raises(ValueError, match=message):
            Source(images(), network(3 * 48), wrong)


@pytest.mark.parametrize("limits", [(0.0, 1.0), (-1.0, 1.0), (-2.0, 2.0)])
@pytest.mark.parametrize("transform", [None, Flip(1)], ids=repr)
@pytest.mark.parametrize("white", [255, 16])
def test_pixels_reach_the_range_of_the_generator(limits, transform, white):
    x = np.zeros((4, 1, 2, 2), np.uint8)
    x[:, :, 1] = white
    source = Source(images(x, white), network(4), transform, pixels=Pixels(255, *limits))
    (batch, _), *_ = source.batches(4, 0, 0)
    np.testing.assert_allclose(
        np.asarray(batch), [[limits[0]] * 2 + [limits[1]] * 2] * 4, rtol=1e-6
    )


def test_a_source_takes_a_transform_that_makes_images_fit():
    source = Source(images(), network(3 * 25), RandomCrop(5))
    for batches in (source.batches(10, 0, 0), source.in_order(10)):
        for x, _ in batches:
            assert x.shape == (10, 75)
    with pytest.raises(ValueError, match=r"\(74,\), the data set has \(3, 8, 6\), which .* \(3, 5"):
        Source(images(), network(74), RandomCrop(5))


def test_what_is_tested_is_not_transformed():
    source = Source(images(), network(3 * 48), Flip(1))
    (x, _), *_ = source.in_order(50)
    np.testing.assert_allclose(np.asarray(x).reshape(X.shape), X / 255, rtol=1e-6)


def darken(x, random):
    """Write into x, as transforms of other libraries do."""
    x //= 2
    return x


def test_a_transform_that_writes_in_place_leaves_the_data_alone():
    arrays, labels = X.copy(), np.zeros(50, np.uint8)
    kept = images(X)
    for given in (kept, (arrays, labels)):
        source = Source(given, network(3 * 48), Chain(darken, Shift(1)))
        for _ in (*source.batches(10, 0, 0), *source.batches(10, 0, 0)):
            pass
        reshaping = Source(given, network(3 * 36), Chain(darken, Crop(6)))
        for _ in (*reshaping.in_order(20), *reshaping.batches(10, 0, 0)):
            pass
    data.apply(kept, darken)
    np.testing.assert_array_equal(arrays, X)
    np.testing.assert_array_equal(kept.images, X)


def to_unit(x, random):
    return x / np.float32(255)


def test_a_transform_may_scale_pixels_to_0_1_itself():
    (x, _), *_ = Source(images(X), network(3 * 48), to_unit).batches(50, 1, 0)
    (plain, _), *_ = Source(images(X), network(3 * 48)).batches(50, 1, 0)
    np.testing.assert_allclose(x, plain, rtol=1e-6)


def test_a_transform_that_standardises_pixels_is_told():
    with pytest.raises(ValueError, match=r"makes values in -1..1 of pixels in 0..255"):
        Source(images(X), network(3 * 48), lambda x, random: x / np.float32(127.5) - 1)


def test_a_transform_may_make_pixels_floats():
    def noisy(x, random):
        return x + random.normal(0, 10, x.shape).astype(np.float32)

    (x, _), *_ = Source(images(X), network(3 * 48), noisy).batches(50, 1, 0)
    assert 0.9 < x.max() < 1.3 and x.min() < 0


def test_shift_moves_each_image_by_whole_pixels():
    image = np.zeros((1, 1, 9, 9), np.uint8)
    image[0, 0, 4, 4] = 7
    many = np.repeat(image, 500, axis=0)
    moved = Shift(2)(many, np.random.default_rng(0))
    places = np.argwhere(moved[:, 0] == 7)
    assert len(places) == 500  # no pixel is lost or doubled here
    offsets = {tuple(place[1:] - 4) for place in places}
    assert offsets == {(a, b) for a in range(-2, 3) for b in range(-2, 3)}
    assert moved.sum() == 7 * 500
    corner = np.zeros((1, 1, 3, 3), np.uint8)
    corner[0, 0, 0, 0] = 1
    assert {int(Shift(1)(corner, np.random.default_rng(s)).sum()) for s in range(50)} == {0, 1}


@pytest.mark.parametrize(
    "transform", [Flip(), Shift(1), Crop(2), RandomCrop(2), Resize(2), Jitter()], ids=repr
)
def test_rows_of_numbers_are_no_images(transform):
    x = np.zeros((5, 64), np.float32)
    with pytest.raises(ValueError, match=r"images \(N, C, H, W\), got an array of shape \(5, 64\)"):
        transform(x, np.random.default_rng(0))
    network = sal.Network([sal.NeuronLayer(2)], 64, sal.MeanSquaredError(), sal.SGD(0.1))
    with pytest.raises(ValueError, match="images"):
        sal.Engine(network, (x, np.zeros((5, 2))), transform=transform).run(1)
    assert network.optimizer.steps == 0


def test_reflected_edges_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    expected = torch.nn.functional.pad(torch.tensor(X.astype(float)), (3, 3, 3, 3), mode="reflect")
    np.testing.assert_array_equal(Reflect(3)(X, draw()), expected.numpy())
    with pytest.raises(
        ValueError, match="needs images of more than 6 pixels on each side, got 8×6"
    ):
        Reflect(6)(X, draw())


@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: Chain(Reflect(1), Crop(6), t)])
def test_each_image_is_seen_both_ways_in_two_epochs(wrap):
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 6, 6), np.uint8)
    labels = np.arange(40)
    network = sal.Network([sal.Flatten(), sal.NeuronLayer(40, sal.Softmax())], (1, 6, 6))
    source = Source((images, labels), network, wrap(AlternatingFlip()))
    seen = []
    for epoch in range(4):
        mirrored = {}
        for x, numbers in source.batches(8, 3, epoch):
            for image, number in zip(x, numbers, strict=True):
                plain = source.pixels.scaled(images[number], x.dtype, np)
                assert np.allclose(image, plain) or np.allclose(image, plain[..., ::-1])
                mirrored[int(number)] = not np.allclose(image, plain)
        seen.append([mirrored[number] for number in range(40)])
    assert seen[0] == seen[2] and seen[1] == seen[3]
    assert seen[0] == [not way for way in seen[1]] and 10 <= sum(seen[0]) <= 30


def test_the_halves_of_another_seed_are_others():
    numbers = np.arange(4000)
    one, two = (AlternatingFlip(seed).visit(numbers, 0).chosen for seed in (0, 1))
    for chosen in (one, two, one == two, one[:-1] == one[1:]):
        assert chosen.mean() == pytest.approx(0.5, abs=0.04)


def test_jitter_is_of_square_images(random):
    with pytest.raises(ValueError, match="Jitter takes square images, got 4×6: crop them"):
        data.Jitter()(np.zeros((2, 3, 4, 6)), random)


def test_noise_of_half_precision_and_classes_in_a_chain(random):
    x = np.full((2, 1, 3, 3), 0.5, np.float16)
    assert Noise(0.1)(x, random).dtype == np.float16
    with pytest.raises(TypeError, match=r"transforms one by one, such as Chain\(Flip\(\)"):
        Chain(Flip)


def test_noise_and_drawing_are_of_numbers_in_0_to_1(random):
    x = np.array([[0.0, 0.5, np.float32(1) + np.float32(1e-6)]], np.float32)
    assert Noise(0.0)(x, random).max() == 1
    with pytest.raises(
        ValueError, match=r"Noise takes values in 0\.\.1, got -1\.5\.\.2: scale them"
    ):
        Noise(0.1)(np.array([[-1.5, 0.5, 2.0]]), random)


def test_images_of_pairs_are_changed_before_they_are_paired():
    pairs, _ = data.pairs("digits", "grey")
    with pytest.raises(TypeError, match=r"changes Images, got Pairs; .* to the images before"):
        data.apply(pairs, data.Resize(4))
