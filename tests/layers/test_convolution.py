"""Convolutions: against PyTorch, against centred differences, and what they refuse."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from pytorch_twins import F, agrees, nn, torch

import salamandre as sal
from salamandre.backend.cpu import NumpyBackend
from salamandre.backend.operations.products import BLOCK
from salamandre.gradient_checking import gradient_check
from salamandre.layers.window import Window

CONV, UP = sal.ConvolutionalLayer, sal.TransposedConvolutionalLayer

# kernel, stride, padding, image
WINDOWS = [
    (3, 1, 0, (5, 5)),
    (4, 2, 1, (8, 8)),
    (3, 1, "same", (5, 4)),
    ((2, 4), 1, "same", (5, 6)),
    ((3, 2), (2, 3), (1, 0), (7, 9)),
    ((1, 5), (3, 1), (0, 2), (7, 5)),
    (2, 3, 0, (8, 7)),  # the stride is larger than the kernel: some pixels are never seen
    (2, 3, 1, (7, 8)),
    (3, 2, 2, (6, 5)),  # the padding is larger than the stride
    (5, 1, 4, (3, 2)),  # the padding is larger than the image
    (1, 1, 0, (4, 3)),
    (1, 2, 0, (5, 4)),
    ((4, 3), 1, 0, (4, 3)),  # the kernel is the image
    ((4, 3), 2, 0, (4, 3)),
]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize("kernel, stride, padding, image", WINDOWS)
def test_convolutions_against_pytorch(kernel, stride, padding, image, backend, host):
    layer = sal.ConvolutionalLayer(4, kernel, stride, padding)
    agrees([layer], nn.Conv2d(3, 4, kernel, stride, padding), (3, *image), backend, host)


@pytest.mark.parametrize("block", [1, 3000])
@pytest.mark.parametrize("window", [(3, 1, 1), (4, 2, 1), (1, 1, 0)])
@pytest.mark.usefixtures("tiles_of_any_batch")
def test_a_batch_in_blocks_against_pytorch(window, block, monkeypatch, backend, host):
    """By columns, by tiles and pixel by pixel; image by image and a few at a time."""
    monkeypatch.setattr("salamandre.backend.operations.products.BLOCK", block)
    layer = sal.ConvolutionalLayer(18, *window)
    module = nn.Conv2d(17, 18, *window)
    agrees([layer], module, (17, 8, 6), backend, host, batch=7)
    layer = sal.TransposedConvolutionalLayer(18, *window)
    module = nn.ConvTranspose2d(17, 18, *window)
    agrees([layer], module, (17, 4, 5), backend, host, batch=7)


@pytest.mark.parametrize("kernel, stride, padding, image", WINDOWS[:5])
def test_gradients_of_convolutions(kernel, stride, padding, image, backend, random):
    layer = sal.ConvolutionalLayer(2, kernel, stride, padding, sal.Tanh())
    report = gradient_check(layer, random.normal(size=(2, 2, *image)), backend=backend)
    assert report.worst < 1e-6
    assert set(report.errors) == {"x", "0.weights", "0.bias"}


# Windows of twice the stride over 16 maps and more are computed by tiles.
TILES = [
    (4, 2, 1, (8, 8)),
    (4, 2, 0, (13, 15)),  # odd places, and a pixel that is never seen
    (4, 2, 3, (9, 10)),
    ((2, 6), (1, 3), (1, 2), (6, 16)),
    (2, 1, 0, (9, 10)),
]


@pytest.mark.parametrize("kernel, stride, padding, image", TILES)
@pytest.mark.usefixtures("tiles_of_any_batch")
def test_convolutions_by_tiles_against_pytorch(kernel, stride, padding, image, backend, host):
    layer = sal.ConvolutionalLayer(17, kernel, stride, padding)
    agrees([layer], nn.Conv2d(16, 17, kernel, stride, padding), (16, *image), backend, host)
    places = Window("test", kernel, stride, padding).outputs(image)
    layer = sal.TransposedConvolutionalLayer(16, kernel, stride, padding)
    module = nn.ConvTranspose2d(17, 16, kernel, stride, padding)
    agrees([layer], module, (17, *places), backend, host)


@pytest.mark.usefixtures("tiles_of_any_batch")
def test_tiles_are_as_accurate_as_columns_in_float32(random):
    x = random.normal(size=(4, 64, 16, 16))
    layer = sal.ConvolutionalLayer(32, 4, 2, 1)
    network = sal.Network([layer], (64, 16, 16))
    y, dy = network.compute(x), random.normal(size=(4, 32, 8, 8))
    t = torch.tensor(x, requires_grad=True)
    weights = torch.tensor(np.array(layer.weights, "float64", order="C"), requires_grad=True)
    expected = F.conv2d(t, weights, stride=2, padding=1)
    expected.backward(torch.tensor(dy))
    pairs = ((y, expected), (network.backprop(dy), t.grad), (layer.d_weights, weights.grad))
    for ours, exact in pairs:
        exact = exact.detach().numpy()
        assert np.abs(ours - exact).max() < 3e-6 * np.abs(exact).max()


@pytest.mark.usefixtures("tiles_of_any_batch")
def test_tiles_are_made_anew_for_other_gradients_in_the_same_memory(random):
    """What backprop returns is linear in dy, also where one array holds first one, then another."""
    network = sal.Network([sal.ConvolutionalLayer(8, 4, 2, 1)], (8, 8, 8))
    run = network.new_pass()
    dy = random.normal(size=network.compute(random.normal(size=(4, 8, 8, 8)), run).shape)
    dy = dy.astype("float32")
    dx = np.array(network.backprop(dy, run))
    gradients = np.array(network.gradients)
    dy *= 2
    np.testing.assert_array_equal(network.backprop(dy, run), 2 * dx)
    np.testing.assert_array_equal(network.gradients, 2 * gradients)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("kernel, stride", [(5, 1), (4, 2), (3, 1)])
def test_the_memory_of_columns_is_bounded(kernel, stride, compiled, random):
    """The columns of this batch would take 500 MB, its tiles 70 MB."""
    backend = NumpyBackend(compiled=compiled)
    layers = [sal.ConvolutionalLayer(16, kernel, stride, 2)]
    network = sal.Network(layers, (16, 32, 32), backend=backend)
    x = random.normal(size=(320, 16, 32, 32)).astype("float32")
    run = network.new_pass()
    network.backprop(network.compute(x[:2], run) + 0, run)  # compiled code is no memory of it
    tracemalloc.start()
    y = network.compute(x, run)
    dx = network.backprop(y, run)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    results = y.nbytes + dx.nbytes + x.nbytes  # x is copied: it came map by map
    assert peak < results + 4 * BLOCK


# kernel, stride, padding, output padding, image
TRANSPOSED = [
    (3, 1, 0, 0, (4, 5)),
    (4, 2, 1, 0, (4, 4)),
    ((3, 2), (2, 3), (1, 0), (1, 2), (3, 4)),
    ((1, 5), (3, 1), (0, 2), (2, 0), (3, 5)),
    (2, 3, 0, 2, (3, 2)),
    (3, 2, 2, 1, (4, 5)),
    (1, 1, 0, 0, (4, 3)),
    (1, 2, 0, 1, (2, 3)),
    ((4, 3), 1, 0, 0, (1, 1)),  # a plain product
    ((4, 3), 2, 0, 1, (1, 1)),
    (5, 1, 2, 0, (3, 4)),
]


@pytest.mark.parametrize("kernel, stride, padding, more, image", TRANSPOSED)
def test_transposed_convolutions_against_pytorch(
    kernel, stride, padding, more, image, backend, host
):
    layer = sal.TransposedConvolutionalLayer(4, kernel, stride, padding, output_padding=more)
    module = nn.ConvTranspose2d(3, 4, kernel, stride, padding, more)
    agrees([layer], module, (3, *image), backend, host)


@pytest.mark.parametrize("kernel, stride, padding, more, image", TRANSPOSED[:5])
def test_gradients_of_transposed_convolutions(
    kernel, stride, padding, more, image, backend, random
):
    layer = sal.TransposedConvolutionalLayer(
        2, kernel, stride, padding, sal.Sigmoid(), output_padding=more
    )
    report = gradient_check(layer, random.normal(size=(2, 2, *image)), backend=backend)
    assert report.worst < 1e-6


def test_weights_are_drawn_for_their_inputs_and_outputs():
    """He's variance is 2 / (what an output sees): the inputs' number, not the outputs'."""
    net = sal.Network([sal.ConvolutionalLayer(64, 3, activation=sal.ReLU())], (4, 8, 8))
    assert net.layers[0].weights.shape == (64, 4, 3, 3)
    assert net.layers[0].weights.var() == pytest.approx(2 / 36, rel=0.1)
    net = sal.Network([sal.TransposedConvolutionalLayer(4, 3, activation=sal.ReLU())], (64, 8, 8))
    assert net.layers[0].weights.shape == (64, 4, 3, 3)
    assert net.layers[0].weights.var() == pytest.approx(2 / 576, rel=0.1)
