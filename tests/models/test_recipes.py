"""Whitening, and predictions that are averaged over views."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import salamandre as sal
from salamandre import models


def images(count=300):
    """Noise whose pixels and channels are correlated."""
    random = np.random.default_rng(0)
    x = random.normal(size=(count, 3, 9, 9))
    x = x[:, :, 1:, 1:] + x[:, :, :-1, 1:] + 0.5 * x[:, :, 1:, :-1]
    return (x + x.mean(axis=1, keepdims=True)).astype(np.float32)


def network(bias=False):
    layers = [sal.ConvolutionalLayer(24, 2, bias=bias), sal.ReLU(), sal.Flatten()]
    optimizer = sal.SGD(0.1)
    layers += [sal.NeuronLayer(4, sal.Softmax())]
    return sal.Network(layers, (3, 8, 8), sal.CrossEntropy(), optimizer, dtype="float64")


@pytest.mark.parametrize("bias", [False, True])
def test_channels_are_uncorrelated_and_their_negatives_follow(bias):
    net, bright = network(bias), images() + 1
    models.whiten(net, bright, eps=1e-9)
    y = net.compute(bright, training=False, stop=1)
    assert np.allclose(y[:, :12], -y[:, 12:], atol=1e-9)
    covariance = np.cov(y[:, :12].transpose(1, 0, 2, 3).reshape(12, -1))
    assert np.allclose(covariance, np.eye(12), atol=0.05)
    assert np.allclose(y.mean(axis=(0, 2, 3)), 0, atol=0.02) == bias
    before = net.tensors()
    net.learn(images(8), np.arange(8) % 4)
    after = net.tensors()
    assert all(np.array_equal(before[n], after[n]) == n.startswith("0.") for n in before)


def test_components_that_images_hardly_have_are_left_out():
    def grey():  # with colours that are the same in each patch of 2×2, and faint between patches
        x = np.repeat(images()[:, :1], 3, axis=1)
        colours = np.random.default_rng(1).normal(size=(len(x), 3, 1, 1)).astype(np.float32)
        return x + colours + 0.01 * images()

    net = network()
    models.whiten(net, grey(), eps=1e-9, least=0.02)
    weights = net.tensors()["0.weights"][:12].reshape(12, 3, 4)
    kept = np.abs(weights).max(axis=(1, 2)) > 0
    assert kept.sum() == 6  # four of brightness, and two colours
    differences = weights - weights.mean(axis=1, keepdims=True)  # of colour,
    differences -= differences.mean(axis=2, keepdims=True)  # between neighbours
    assert np.abs(differences).max() < 0.05 * np.abs(weights).max()
    covariance = np.cov(
        net.compute(grey(), training=False, stop=1)[:, :12][:, kept]
        .transpose(1, 0, 2, 3)
        .reshape(6, -1)
    )
    assert np.allclose(covariance, np.eye(6), atol=0.05)


def test_channels_do_not_depend_on_the_scale_of_the_images():
    outputs = []
    for x in (images(), images() / 16):
        net = network()
        models.whiten(net, x)
        outputs.append(np.abs(net.compute(x, training=False, stop=1)))  # signs are free
    assert np.allclose(*outputs, atol=1e-6)


def test_images_without_differences_are_refused():
    net = network()
    before = net.tensors()["0.weights"]
    with pytest.raises(ValueError, match="needs images whose pixels differ"):
        models.whiten(net, np.ones((4, 3, 8, 8)))
    single = sal.Network([sal.ConvolutionalLayer(24, 2), sal.Flatten()], (3, 2, 2))
    with pytest.raises(ValueError, match="needs images whose pixels differ"):
        models.whiten(single, images(1)[:, :, :2, :2])  # one patch
    assert np.array_equal(net.tensors()["0.weights"], before)


def test_layers_that_do_not_fit_are_refused():
    few = sal.Network([sal.ConvolutionalLayer(20, 2)], (3, 8, 8))
    with pytest.raises(ValueError, match="makes 24 channels, the first layer has 20"):
        models.whiten(few, images())
    with pytest.raises(ValueError, match="needs a ConvolutionalLayer as the first layer"):
        models.whiten(sal.Network([sal.Flatten(), sal.NeuronLayer(2)], (3, 8, 8)), images())


def test_predictions_are_averaged_over_mirrored_and_shifted_images():
    net, x = network(), images(5).astype(np.float64)
    wide = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    views = [(x, 0.5), (wide[:, :, :8, :8], 0.25), (wide[:, :, 2:, 2:], 0.25)]
    expected = sum(w / 2 * (net.predict(v) + net.predict(v[..., ::-1])) for v, w in views)
    assert np.allclose(models.averaged_predictions(net, x, batch_size=2), expected)
    plain = models.averaged_predictions(net, x, mirror=False, shift=0)
    assert np.allclose(plain, net.predict(x))


def test_bytes_are_scaled_as_in_predictions():
    net = network()
    x = np.random.default_rng(0).integers(0, 256, (6, 3, 8, 8)).astype(np.uint8)
    plain = models.averaged_predictions(net, x, mirror=False, shift=0)
    assert np.allclose(plain, net.predict(x))


def test_networks_of_vectors_are_refused():
    with pytest.raises(ValueError, match=r"of a network of images \(C, H, W\), got one of \(4,\)"):
        models.averaged_predictions(sal.Network([sal.NeuronLayer(2)], 4), np.zeros((2, 4)))
    net = sal.Network([sal.ConvolutionalLayer(1, 3)], (1, 4, 4))
    with pytest.raises(ValueError, match="need at least one image"):
        models.averaged_predictions(net, np.zeros((0, 1, 4, 4)))


@pytest.mark.parametrize(
    ("shape", "first", "widths"),
    [((3, 32, 32), (2, 1, 0), (16, 32, 32)), ((1, 28, 28), (4, 2, 1), (16, 32))],
)
def test_the_quick_classifier_is_that_of_pytorch(shape, first, widths):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    window, stride, padding = first
    inputs = 2 * shape[0] * window**2
    parts = [nn.Conv2d(shape[0], inputs, window, stride, padding), nn.ReLU()]
    for width in widths:
        parts += [nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.MaxPool2d(2)]
        parts += [nn.BatchNorm2d(width), nn.ReLU()]
        parts += [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)]
        parts += [nn.ReLU()]
        inputs = width
    module = nn.Sequential(*parts, nn.Flatten(), nn.Linear(9 * inputs, 10), nn.Softmax(1))
    layers = models.quick_classifier(10, shape[0], widths, *first)
    net = sal.Network(layers, shape, sal.CrossEntropy())
    sal.from_pytorch(net, module.state_dict())
    x = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    y = module.eval()(torch.tensor(x)).detach().numpy()
    assert np.allclose(net.predict(x), y, atol=1e-5)
    models.whiten(net, x)


def test_lists_are_whitened_as_arrays_are():
    one, two = network(), network()
    models.whiten(one, images(40))
    models.whiten(two, images(40).tolist())
    assert np.allclose(one.parameters, two.parameters)


def test_patches_of_large_images_are_taken_without_a_copy_of_all_of_them():
    x = np.zeros((60, 3, 200, 200), np.float32)
    x[:, :, :, 1::2] = 1
    net = sal.Network([sal.ConvolutionalLayer(24, 2), sal.Flatten()], (3, 200, 200))
    tracemalloc.start()
    models.whiten(net, x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60 * 3 * 4 * 199**2 * 4  # bytes of all patches


def test_grey_pixels_are_whitened_alone():
    net = sal.Network([sal.ConvolutionalLayer(2, 1), sal.Flatten()], (1, 8, 8))
    x = 3 * images()[:, :1] + 2
    models.whiten(net, x, eps=1e-9)
    y = net.compute(x, training=False, stop=1)
    assert np.allclose([y[:, 0].mean(), y[:, 0].std()], [0, 1], atol=1e-3)


def test_convolutions_but_the_first_begin_by_passing_on_their_inputs():
    net = sal.Network(models.quick_classifier(10, 3, (32, 48)), (3, 16, 16))
    first, *others = (net.tensors()[f"{i}.weights"] for i in (2, 6, 9, 13))
    for weights in (first, *others):
        inputs = min(weights.shape[:2])
        passing = np.zeros((inputs, *weights.shape[1:]), np.float32)
        passing[range(inputs), range(inputs), 1, 1] = 1
        assert np.array_equal(weights[:inputs], passing) == (weights is not first)
