"""Pooling and upsampling against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from pytorch_twins import F, agrees, close, nn, torch

import salamandre as sal
from salamandre.gradient_checking import gradient_check

POOLS = [
    (2, None, 0, (6, 4)),
    (2, None, 0, (5, 7)),  # a row and a column are left over
    (3, 2, 1, (6, 5)),
    ((2, 3), (1, 2), (1, 1), (5, 6)),
    (2, 3, 0, (7, 6)),
    (3, 1, 1, (4, 3)),
    ((4, 3), None, 0, (4, 3)),
    (17, 1, 8, (5, 4)),  # more places than a byte can name
]


@pytest.mark.parametrize("kernel, stride, padding, image", POOLS)
@pytest.mark.parametrize("kind", ["Max", "Average"])
def test_pooling_against_pytorch(kind, kernel, stride, padding, image, backend, host, random):
    ours = sal.MaxPool if kind == "Max" else sal.AveragePool
    theirs = nn.MaxPool2d if kind == "Max" else nn.AvgPool2d
    layer, module = ours(kernel, stride, padding), theirs(kernel, stride, padding)
    agrees([layer], module, (3, *image), backend, host)
    x = random.normal(size=(1, 2, *image))
    assert gradient_check(layer, x, backend=backend).worst < 1e-6


def test_of_equal_pixels_the_first_is_chosen(backend, host):
    x = np.ones((1, 2, 5, 5))
    agrees([sal.MaxPool(3, 1, 1)], nn.MaxPool2d(3, 1, 1), (2, 5, 5), backend, host)
    network = sal.Network([sal.MaxPool(3, 2)], (2, 5, 5), backend=backend, dtype="float64")
    network.compute(x)
    dx = host(network.backprop(np.ones((1, 2, 2, 2))))
    t = torch.tensor(x, requires_grad=True)
    F.max_pool2d(t, 3, 2).sum().backward()
    assert close(dx, t.grad)


def test_what_is_no_number_stays_visible_behind_a_pool(backend, host):
    x = np.array([[np.nan, 1, 2, 3], [4, 5, 6, 7]])[None, None]
    network = sal.Network([sal.MaxPool(2)], (1, 2, 4), backend=backend)
    y = host(network.compute(network.backend.asarray(x), network.new_pass(), training=False))
    assert np.isnan(y[0, 0, 0, 0]) and y[0, 0, 0, 1] == 7


def test_what_is_no_number_is_found_in_any_place_of_any_channel(backend, host):
    """Of 18 channels, two for each pixel of the window."""
    x = np.ones((1, 18, 3, 3), np.float32)
    for channel in range(18):
        x[0, channel].flat[channel % 9] = np.nan
    network = sal.Network([sal.MaxPool(3)], (18, 3, 3), backend=backend)
    y = host(network.compute(network.backend.asarray(x), network.new_pass()))
    assert np.isnan(y).all()


def test_padding_is_never_chosen_and_the_last_nan_is(backend, host):
    """So dE/dy reaches a pixel, as in PyTorch."""
    lowest, unknown = np.full((1, 1, 2, 2), -np.inf), np.array([1, np.nan, np.nan, 2])
    for x, options in (
        (lowest, (3, 2, 1)),
        (lowest, (3, 1, 1)),
        (unknown, (2,)),
        (unknown, (3, 1, 1)),
    ):
        x = x.reshape(1, 1, 2, 2)
        network = sal.Network([sal.MaxPool(*options)], (1, 2, 2), backend=backend, dtype="float64")
        ctx = network.new_pass()
        y = network.compute(network.backend.asarray(x), ctx, training=False)
        dx = host(network.backprop(network.backend.asarray(np.ones(y.shape)), ctx))
        t = torch.tensor(x, requires_grad=True)
        F.max_pool2d(t, *options).sum().backward()
        assert np.array_equal(dx, t.grad)


def test_global_pooling_and_upsampling_against_pytorch(backend, host, random):
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    agrees([sal.GlobalAveragePool()], module, (3, 4, 5), backend, host)
    agrees([sal.Upsample()], nn.Upsample(scale_factor=2), (3, 4, 5), backend, host)
    agrees([sal.Upsample((3, 1))], nn.Upsample(scale_factor=(3, 1)), (3, 4, 5), backend, host)
    x = random.normal(size=(2, 2, 3, 2))
    assert gradient_check(sal.Upsample((1, 3)), x, backend=backend).worst < 1e-6
    assert gradient_check(sal.GlobalAveragePool(), x, backend=backend).worst < 1e-6


@pytest.mark.parametrize(("size", "out"), [((6, 6), 6), ((7, 5), (3, 4)), ((3, 2), 7)])
def test_adaptive_average_pooling_is_that_of_pytorch(size, out, backend, host):
    layers, module = [sal.AdaptiveAveragePool(out)], nn.AdaptiveAvgPool2d(out)
    agrees(layers, module, (2, *size), backend, host)
