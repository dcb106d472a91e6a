"""Layers are looked at by name, whatever containers they are in."""

from __future__ import annotations

import numpy as np
import pytest
from small_classifier import torch

import salamandre as sal
from salamandre import inspection
from salamandre.inspection.probes import Probe, place


@pytest.mark.parametrize("name", ["fire", "left", "fire.expand.left", "block"])
def test_activations_and_gradients_of_a_layer(twins, images, host, name):
    network, module = twins
    x = torch.tensor(images, requires_grad=True)
    module(x)
    wanted = module.seen[name.rpartition(".")[2]]
    found = host(inspection.activations(network, images, name, batch_size=4))
    np.testing.assert_allclose(found, wanted.detach().numpy(), atol=1e-10)
    view = inspection.LayerView(network, name)
    view.compute(images)
    dy = np.random.default_rng(0).normal(size=wanted.shape)
    wanted.backward(torch.tensor(dy))
    dx = host(view.backprop(network.backend.asarray(dy)))
    np.testing.assert_allclose(dx, x.grad.numpy(), atol=1e-10)


def test_the_last_layer_gives_what_the_network_predicts(twins, images, host):
    network, _ = twins
    np.testing.assert_allclose(
        host(inspection.activations(network, images, "fc")), host(network.predict(images))
    )


def test_layers_after_the_one_looked_at_are_not_computed(twins, images):
    network, _ = twins

    class Never(sal.Layer):
        def compute(self, x, ctx):
            raise AssertionError("computed")

        backprop = compute

    for name in ("mean", "fc"):
        layer = inspection.layer_names(network)[name]
        layer.__dict__ |= {"compute": Never().compute, "backprop": Never().compute}
    view = inspection.LayerView(network, "fire.squeeze")
    view.backprop(view.compute(network.backend.asarray(images)))


def test_a_view_lasts_when_parts_are_frozen(twins, images, host):
    network, _ = twins
    view = inspection.LayerView(network, "fire.squeeze")
    wanted = host(view.compute(images)).copy()
    dy = network.backend.asarray(np.ones(wanted.shape))
    dx = host(view.backprop(dy)).copy()
    network.freeze("conv1")
    np.testing.assert_array_equal(host(view.compute(images[::-1])), wanted[::-1])
    np.testing.assert_array_equal(host(view.backprop(dy)), dx[::-1])
    network.unfreeze()


def test_a_layer_that_fails_after_a_probe_says_why():
    class Refusing(sal.Layer):
        def build(self, input_shape):
            return input_shape

        def compute(self, x, ctx):
            raise ValueError("not today")

    network = sal.Network([sal.NeuronLayer(2), Refusing()], 3)
    run = network.new_pass()
    place(network, run, lambda name, layer: Probe(layer) if name == "0" else layer)
    with pytest.raises(ValueError, match="not today"):
        network.compute(np.ones((1, 3)), run)


def test_names_of_layers(twins):
    network, _ = twins
    names = list(inspection.layer_names(network))
    assert names[:4] == ["conv1", "pool", "fire", "fire.squeeze"]
    for wrong, message in (
        ("fire.squeez", "no layer 'fire.squeez', did you mean 'fire.squeeze'"),
        ("nothing", "no layer 'nothing'.*outer layers: conv1, pool, fire, block, mean, fc"),
    ):
        with pytest.raises(ValueError, match=message):
            inspection.activations(network, np.ones((1, 3, 10, 12)), wrong)
    twice = sal.Network({n: sal.Sequential({"a": sal.Tanh()}) for n in ("x", "y")}, 3)
    with pytest.raises(ValueError, match=r"called 'a': give the whole name, one of x\.a, y\.a"):
        inspection.activations(twice, np.ones((1, 3)), "a")


def test_filters(twins, host):
    network, module = twins
    found = host(inspection.filters(network))
    np.testing.assert_array_equal(found, module.conv1.weight.detach().numpy())
    right = host(inspection.filters(network, "right"))
    np.testing.assert_array_equal(right, module.right.weight.detach().numpy())
    with pytest.raises(ValueError, match="is a MaxPool, not a convolution"):
        inspection.filters(network, "pool")


def test_the_weights_of_a_neuron_are_an_image():
    network = sal.Network([sal.Flatten(), sal.NeuronLayer(9), sal.NeuronLayer(2)], (2, 3, 4))
    weights = network.named_parameters()
    found = inspection.neuron_image(network, 1, 5)
    np.testing.assert_array_equal(found, weights["1.weights"][5].reshape(2, 3, 4))
    hidden = inspection.neuron_image(network, 2, 1)  # of no pixels, though 9 is a square
    np.testing.assert_array_equal(hidden, weights["2.weights"][1])
    rows = sal.Network([sal.NeuronLayer(2)], 9)
    square = rows.named_parameters()["0.weights"][1].reshape(1, 3, 3)
    np.testing.assert_array_equal(inspection.neuron_image(rows, 0, 1), square)
    with pytest.raises(ValueError, match="has 9 neurons, got number 9"):
        inspection.neuron_image(network, 1, 9)
    with pytest.raises(ValueError, match="not a NeuronLayer"):
        inspection.neuron_image(network, 0, 0)
