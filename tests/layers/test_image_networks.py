"""Networks of layers over images."""

from __future__ import annotations

import numpy as np
import pytest
from pytorch_twins import agrees, nn

import salamandre as sal
from salamandre.backend.operations.layout import channels_last

CONV, UP = sal.ConvolutionalLayer, sal.TransposedConvolutionalLayer


def test_images_stay_pixel_by_pixel_between_layers(backend, random):
    """No layer has to turn them round for the next one."""
    layers = [
        *(CONV(8, 3, activation=sal.Tanh()), sal.BatchNorm(), sal.LeakyReLU(0.2), sal.MaxPool(2)),
        *(sal.Dropout(0.2), sal.Dropout(0.2, channels=True), sal.AveragePool(2, 1)),
        *(sal.Upsample(2), sal.LayerNorm(), sal.InstanceNorm(), UP(6, 4, 2, 1), sal.ELU()),
    ]
    network = sal.Network(layers, (3, 12, 12), backend=backend)
    x = network.backend.asarray(random.normal(size=(2, 3, 12, 12)), dtype="float32")
    run = network.new_pass()
    for layer, part in zip(layers, run.parts, strict=True):
        x = layer.compute(x, part)
        assert channels_last(x).flags.c_contiguous, layer
    for layer, part in zip(layers[::-1], run.parts[::-1], strict=True):
        x = layer.backprop(x, part)
        assert channels_last(x).flags.c_contiguous, layer


def test_vectors_and_maps_have_one_order(backend, host, random):
    """Flatten reads maps one after the other, however they lie; Reshape is its inverse."""
    x = random.normal(size=(2, 3, 4, 5))
    network = sal.Network(
        [CONV(3, 1), sal.Flatten(), sal.Reshape((3, 4, 5))],
        (3, 4, 5),
        backend=backend,
        dtype="float64",
    )
    first, flatten, reshape = network.layers
    run = network.new_pass()
    image = first.compute(network.backend.asarray(x), run.parts[0])
    flat = flatten.compute(image, run.parts[1])
    assert np.array_equal(host(flat), host(image).reshape(2, 60))
    assert np.array_equal(host(reshape.compute(flat, run.parts[2])), host(image))
    back = flatten.backprop(reshape.backprop(image, run.parts[2]), run.parts[1])
    assert np.array_equal(host(back), host(image))


def players():
    """Return a small generator and discriminator, ours and PyTorch's."""
    generator = [
        sal.Reshape((5, 1, 1)),
        sal.TransposedConvolutionalLayer(4, 3, activation=sal.ReLU(), bias=False),
        sal.BatchNorm(),
        sal.TransposedConvolutionalLayer(3, 4, 2, 1),
        sal.Upsample(2),
        sal.ConvolutionalLayer(1, 3, padding="same", activation=sal.Tanh()),
    ]
    discriminator = [
        sal.ConvolutionalLayer(3, 4, 2, 1, sal.LeakyReLU(0.2)),
        sal.MaxPool(2),
        sal.ConvolutionalLayer(4, 3, padding=1, bias=False),
        sal.BatchNorm(),
        sal.LeakyReLU(0.2),
        sal.Flatten(),
        sal.NeuronLayer(2),
    ]
    theirs = nn.Sequential(
        nn.Unflatten(1, (5, 1, 1)),
        nn.ConvTranspose2d(5, 4, 3, bias=False),
        nn.ReLU(),
        nn.BatchNorm2d(4),
        nn.ConvTranspose2d(4, 3, 4, 2, 1),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(3, 1, 3, padding="same"),
        nn.Tanh(),
    )
    other = nn.Sequential(
        nn.Conv2d(1, 3, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.MaxPool2d(2),
        nn.Conv2d(3, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(36, 2),
    )
    return (generator, theirs, (5,)), (discriminator, other, (1, 12, 12))


@pytest.mark.parametrize("which", [0, 1])
def test_whole_networks_against_pytorch(which, backend, host):
    agrees(*players()[which], backend, host)


def others():
    """Return a network of the layers that the players have not."""
    return [
        *(CONV(3, (3, 2), padding=(1, 0), bias=False), sal.InstanceNorm(), sal.AveragePool(2, 1)),
        *(sal.LayerNorm(1e-4), sal.Dropout(0.2, channels=True)),
        *(UP(4, 3, 2, 1, output_padding=(1, 0)), sal.GlobalAveragePool()),
    ]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_networks_are_saved_and_loaded(which, backend, host, tmp_path, random):
    layers, _, shape = [*players(), (others(), None, (2, 6, 7))][which]
    network = sal.Network(layers, shape, backend=backend)
    network.parameters += network.random.normal(network.parameters.shape, "float32")
    x = random.normal(size=(2, *shape))
    network.save(tmp_path / "net.safetensors")
    other = sal.Network.load(tmp_path / "net.safetensors", backend=backend)
    assert np.array_equal(host(network.predict(x)), host(other.predict(x)))
    assert [type(layer) for layer in other.layers] == [type(layer) for layer in layers]


@pytest.mark.parametrize(
    "make, shape, message",
    [
        (lambda: CONV(2, 5), (1, 4, 4), r"kernel \(5, 5\) is larger than the padded image \(4, 4"),
        (lambda: CONV(2, (3, 7), 1, 1), (1, 2, 4), r"\(3, 7\) .* padded image \(4, 6\)"),
        (lambda: CONV(2, 3), (7,), r"takes images, .* got examples of shape \(7,\): put a Reshape"),
        (lambda: UP(2, 3), (7,), "takes images"),
        (lambda: sal.MaxPool(3), (1, 2, 2), "MaxPool kernel .* padded image"),
        (lambda: sal.AveragePool(3), (9,), "AveragePool takes images"),
        (lambda: sal.GlobalAveragePool(), (9,), "takes images"),
        (lambda: sal.Upsample(2), (9,), "takes images"),
        (lambda: UP(2, 2, padding=1), (1, 1, 1), "leaves an image of 0 x 0 pixels"),
        (lambda: CONV(0, 3), (1, 4, 4), "channels must be a whole number of at least 1, got 0"),
        (lambda: CONV(2, (3, 3, 3)), (1, 4, 4), "kernel must be one whole number or a pair"),
        (lambda: CONV(2, 3, 0), (1, 4, 4), "stride must be a whole number of at least 1, got 0"),
        (lambda: CONV(2, 3, padding=-1), (1, 4, 4), "padding must be a whole number"),
        (lambda: CONV(2, 3, 2, "same"), (1, 4, 4), "'same' with stride 1, .* stride .2, 2."),
        (lambda: CONV(2, 3, padding="valid"), (1, 4, 4), "got 'valid'"),
        (lambda: UP(2, 4, 2, output_padding=2), (1, 4, 4), "output_padding must be smaller than"),
        (lambda: sal.MaxPool(2, padding=2), (1, 4, 4), "at most half of the kernel"),
        (lambda: sal.Upsample(0), (1, 4, 4), "factor must be a whole number"),
    ],
)
def test_what_is_refused(make, shape, message):
    with pytest.raises(ValueError, match=message):
        sal.Network([make()], shape)


def test_other_batches_are_refused():
    with pytest.raises(TypeError, match="got 'rleu', did you mean 'ReLU'"):
        CONV(2, 3, activation="rleu")
    network = sal.Network([CONV(2, 3)], (3, 6, 6))
    for shape in ((2, 1, 6, 6), (2, 3, 6, 5), (2, 108), (3, 6, 6)):
        with pytest.raises(ValueError, match=r"expected a batch of shape \(N, 3, 6, 6\)"):
            network.compute(np.zeros(shape))
