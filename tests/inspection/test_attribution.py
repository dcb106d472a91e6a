"""Saliency maps are those that PyTorch's gradients give."""

from __future__ import annotations

import copy
import logging
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from small_classifier import CLASSES, F, torch

import salamandre as sal
from salamandre import inspection
from salamandre.inspection import scores

REAL = Path(os.environ.get("SALAMANDRE_DATA", "/nowhere")) / "squeezenet1_1"


def score_gradient(module, images, classes=CLASSES):
    x = torch.tensor(images, requires_grad=True)
    module(x)[torch.arange(len(x)), torch.tensor(classes)].sum().backward()
    return x.grad.numpy()


def test_gradients_and_saliency(twins, images, host):
    network, module = twins
    wanted = score_gradient(module, images)
    found = host(inspection.gradient(network, images, CLASSES, batch_size=4))
    np.testing.assert_allclose(found, wanted, atol=1e-10)
    maps = host(inspection.saliency(network, images, CLASSES))
    np.testing.assert_allclose(maps, abs(wanted).max(axis=1), atol=1e-10)


def test_without_classes_the_predicted_ones_are_explained(twins, images, host):
    network, module = twins
    predicted = module(torch.tensor(images)).argmax(1).numpy()
    found = host(inspection.gradient(network, images))
    np.testing.assert_allclose(found, score_gradient(module, images, predicted), atol=1e-10)
    one = host(inspection.gradient(network, images, 3))
    np.testing.assert_allclose(one, score_gradient(module, images, [3] * 6), atol=1e-10)


@pytest.mark.parametrize(
    "look",
    [
        inspection.saliency,
        partial(inspection.smooth_grad, samples=2, noise=0),
        partial(inspection.integrated_gradients, steps=3),
        inspection.guided_backprop,
        inspection.grad_cam,
        partial(inspection.occlusion, patch=4, stride=4),
        partial(inspection.fgsm, epsilon=0.1),
        partial(inspection.targeted_ascent, rate=0.05, steps=3),
    ],
    ids=lambda look: getattr(look, "func", look).__name__,
)
def test_images_are_looked_at_one_by_one_however_many_at_a_time(look, twins, images, host):
    network, _ = twins
    wanted = np.concatenate(
        [host(look(network, images[n : n + 1], CLASSES[n])) for n in range(len(images))]
    )
    for size in (1, 4, 6):
        found = host(look(network, images, CLASSES, batch_size=size))
        np.testing.assert_allclose(found, wanted, atol=1e-10)


def test_nothing_of_the_network_changes(twins, images):
    network, _ = twins
    before = network.tensors()
    network.gradients[...] = 7
    inspection.guided_backprop(network, images)
    inspection.grad_cam(network, images)
    for name, array in network.tensors().items():
        np.testing.assert_array_equal(array, before[name])
    assert bool((network.gradients == 7).all())


def test_integrated_gradients_are_complete(twins, images, host):
    network, module = twins
    baseline = np.full((3, 1, 1), 0.5)
    found = host(inspection.integrated_gradients(network, images, CLASSES, baseline=baseline))
    with torch.no_grad():
        scores = module(torch.tensor(images)) - module(torch.full((1, 3, 10, 12), 0.5).double())
    wanted = scores.numpy()[np.arange(6), CLASSES]
    np.testing.assert_allclose(found.sum(axis=(1, 2, 3)), wanted, rtol=0.01, atol=0.002)


def test_integrated_gradients_of_a_linear_network_are_its_terms(random):
    network = sal.Network([sal.Flatten(), sal.NeuronLayer(3)], (1, 2, 2), dtype="float64")
    x = random.normal(size=(2, 1, 2, 2))
    found = inspection.integrated_gradients(network, x, [0, 2], steps=3)
    weights = network.named_parameters()["1.weights"][[0, 2]].reshape(x.shape)
    np.testing.assert_allclose(found, weights * x, atol=1e-12)


def test_smooth_grad_is_the_mean_over_noise(twins, images, host):
    network, module = twins
    still = inspection.smooth_grad(network, images, CLASSES, samples=2, noise=0)
    np.testing.assert_allclose(
        host(still), abs(score_gradient(module, images)).max(axis=1), atol=1e-10
    )
    stream = network.backend.stream(5)
    width = 0.2 * (images.max(axis=(1, 2, 3)) - images.min(axis=(1, 2, 3)))[:, None, None, None]
    noisy = [images + width * host(stream.normal(images.shape, "float64")) for _ in range(3)]
    mean = sum(score_gradient(module, x) for x in noisy) / 3
    found = inspection.smooth_grad(network, images, CLASSES, samples=3, noise=0.2, seed=5)
    np.testing.assert_allclose(host(found), abs(mean).max(axis=1), atol=1e-10)


class GuidedReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy.clamp(min=0) * (x > 0)


def test_guided_backprop(twins, images, host, monkeypatch):
    network, module = twins
    monkeypatch.setattr(F, "relu", GuidedReLU.apply)
    wanted = score_gradient(module, images)
    found = host(inspection.guided_backprop(network, images, CLASSES))
    np.testing.assert_allclose(found, wanted, atol=1e-10)


@pytest.mark.parametrize(
    ("layer", "seen"), [("fire", "fire"), ("fire.expand.left", "left"), ("block", "block")]
)
def test_grad_cam_at_any_layer(twins, images, host, layer, seen):
    network, module = twins
    x = torch.tensor(images, requires_grad=True)
    scores = module(x)[torch.arange(6), torch.tensor(CLASSES)].sum()
    a = module.seen[seen]
    (slope,) = torch.autograd.grad(scores, a)
    small = (slope.mean((2, 3), keepdim=True) * a).sum(1).clamp(min=0)
    wanted = F.interpolate(small[:, None], (10, 12), mode="bilinear", align_corners=False)[:, 0]
    found = host(inspection.grad_cam(network, images, CLASSES, layer=layer))
    np.testing.assert_allclose(found, wanted.detach().numpy(), atol=1e-6)
    if layer == "fire.expand.left":
        short = host(inspection.grad_cam(network, images, CLASSES, layer="left"))
        np.testing.assert_array_equal(short, found)


def test_grad_cam_is_of_the_last_convolution_with_what_rectifies_it(random):
    """Before a batch-norm and a rectifier the sign of a channel's outputs means little."""
    convolution = sal.ConvolutionalLayer
    layers = [
        *(convolution(2, 3, activation=sal.ReLU()), convolution(4, 3), sal.BatchNorm()),
        *(sal.ReLU(), sal.Dropout(0.5), sal.Flatten(), sal.NeuronLayer(9), sal.ReLU()),
    ]
    network = sal.Network(layers, (1, 6, 6))
    x = random.uniform(size=(3, 1, 6, 6)).astype(np.float32)
    wanted = inspection.grad_cam(network, x, 1, layer="3")
    np.testing.assert_array_equal(inspection.grad_cam(network, x, 1), wanted)
    assert (inspection.grad_cam(network, x, 1, layer="1") != wanted).any()
    inner = {"convolution": convolution(4, 3), "rectifier": sal.ReLU()}
    network = sal.Network([sal.Sequential(inner), sal.ReLU(), sal.Flatten()], (1, 6, 6))
    wanted = inspection.grad_cam(network, x, 1, layer="rectifier")
    np.testing.assert_array_equal(inspection.grad_cam(network, x, 1), wanted)
    branches = sal.Parallel([convolution(4, 1), sal.Sigmoid()], names=["left", "right"])
    network = sal.Network([branches, sal.Flatten()], (1, 6, 6))
    wanted = inspection.grad_cam(network, x, 1, layer="left")
    np.testing.assert_array_equal(inspection.grad_cam(network, x, 1), wanted)


def test_occlusion_is_the_fall_of_the_score(twins, images, host):
    network, module = twins
    grey = np.array([0.3, 0.5, 0.7]).reshape(3, 1, 1)
    found = host(inspection.occlusion(network, images, CLASSES, patch=5, stride=5, value=grey))
    with torch.no_grad():
        total, count = np.zeros((6, 10, 12)), np.zeros((10, 12))
        for top in (0, 5):
            for left in (0, 5, 7):
                hidden = images.copy()
                hidden[:, :, top : top + 5, left : left + 5] = grey
                fall = (module(torch.tensor(images)) - module(torch.tensor(hidden))).numpy()
                part = (slice(top, top + 5), slice(left, left + 5))
                total[(slice(None), *part)] += fall[np.arange(6), CLASSES][:, None, None]
                count[part] += 1
    np.testing.assert_allclose(found, total / count, atol=1e-10)


def test_square_images_row_by_row_are_looked_at_as_images(random):
    """A network that takes rows and makes images of them gives the maps of one without rows."""
    parts = [sal.ConvolutionalLayer(2, 3, activation=sal.ReLU()), sal.Flatten(), sal.NeuronLayer(3)]
    rows = sal.Network([sal.Reshape((1, 6, 6)), *copy.deepcopy(parts)], 36, dtype="float64")
    images = sal.Network(parts, (1, 6, 6), dtype="float64")
    rows.parameters[:] = images.parameters
    x = random.uniform(size=(2, 1, 6, 6))
    for look in (inspection.grad_cam, partial(inspection.occlusion, patch=3, stride=2)):
        np.testing.assert_allclose(look(rows, x.reshape(2, 36)), look(images, x), atol=1e-12)
    with pytest.raises(ValueError, match="images are needed"):
        inspection.occlusion(sal.Network([sal.NeuronLayer(2)], 5), np.ones((1, 5)))


@pytest.mark.skipif(not REAL.is_dir(), reason="the published weights are not here")
def test_gradients_of_published_weights_are_those_of_pytorch(random):
    """SqueezeNet 1.1 of its authors, which rounds sizes down."""
    from pytorch_models import SqueezeNet

    model = sal.models.squeezenet1_1(REAL)
    module = SqueezeNet(ceil_mode=False).eval()
    weights = sal.models.read_weights(REAL / "squeezenet1_1.safetensors")
    module.load_state_dict({name: torch.tensor(a) for name, a in weights.items()})
    x = model.prepare(random.integers(0, 256, (3, 30, 40), np.uint8))
    for found, wanted in (
        (inspection.gradient(model.network, x, 7), score_gradient(module, x, [7])),
        (model.network.predict(x), module(torch.tensor(x)).softmax(1).detach().numpy()),
    ):
        assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_the_softmax_is_mentioned_once(twins, images, caplog):
    network, _ = twins
    scores._say_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        inspection.saliency(network, images)
        inspection.saliency(network, images)
    assert [record.message for record in caplog.records] == [
        "the network ends in Softmax: scores are those before it"
    ]


def test_bad_input_is_refused_in_a_sentence(twins, images):
    network, _ = twins
    for wrong, message in (
        (lambda: inspection.grad_cam(network, images, layer="fires"), "did you mean 'fire'"),
        (lambda: inspection.grad_cam(network, images, layer="mean"), "whose outputs are images"),
        (lambda: inspection.saliency(network, images[:, :1]), "takes colour images .*np.repeat"),
        (lambda: inspection.saliency(network, images, 5), "knows the classes 0 to 4, got 5"),
        (lambda: inspection.saliency(network, images, [1, 2]), "one whole number or 6"),
        (lambda: inspection.occlusion(network, images, patch=11), "must fit into images of 10×12"),
        (lambda: inspection.occlusion(network, images, patch=8, value="a"), "fits .*, got 'a'"),
        (lambda: inspection.smooth_grad(network, images, samples=0), "samples"),
        (lambda: inspection.integrated_gradients(network, images, baseline=[1, 2]), "that fits"),
        (lambda: inspection.integrated_gradients(network, images, baseline=np.nan), "be finite"),
        (lambda: inspection.occlusion(network, images, patch=8, value=np.inf), "be finite"),
    ):
        with pytest.raises(ValueError, match=message):
            wrong()
    linear = sal.Network([sal.NeuronLayer(2)], 4)
    with pytest.raises(ValueError, match="needs a network with ReLU"):
        inspection.guided_backprop(linear, np.ones((1, 4)))
    with pytest.raises(ValueError, match="has none"):
        inspection.grad_cam(linear, np.ones((1, 4)))
    images_out = sal.Network([sal.ConvolutionalLayer(2, 1)], (1, 3, 3))
    with pytest.raises(ValueError, match="scores of classes"):
        inspection.saliency(images_out, np.ones((1, 1, 3, 3)))


def test_maps_of_rows_have_a_value_for_each_input(random):
    network = sal.Network([sal.NeuronLayer(5, "tanh"), sal.NeuronLayer(3)], 27)
    x = random.random((2, 27)).astype(np.float32)
    wanted = abs(inspection.gradient(network, x, [0, 1]))
    np.testing.assert_array_equal(inspection.saliency(network, x, [0, 1]), wanted)
    still = inspection.smooth_grad(network, x, [0, 1], samples=1, noise=0)
    np.testing.assert_allclose(still, wanted, rtol=1e-5)


def test_pixels_are_scaled_as_the_network_has_learned_them():
    """White of the embedded digits is 16."""
    train, _ = sal.data.load("digits")
    network = sal.Network([sal.NeuronLayer(10, "softmax")], 64, "cross_entropy", sal.SGD())
    sal.Engine(network, train).run(1)
    pixels = train[:5].images
    scaled = pixels.reshape(5, 64) / np.float32(16)
    found, wanted = (inspection.activations(network, x, "0") for x in (pixels, scaled))
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_allclose(wanted, network.predict(pixels), rtol=1e-6)


def test_masked_classes_are_refused(random):
    network = sal.Network([sal.NeuronLayer(3)], 4)
    classes = np.ma.masked_array([0, 1], [True, False])
    with pytest.raises(ValueError, match="classes are a masked array"):
        inspection.saliency(network, random.random((2, 4)), classes)
