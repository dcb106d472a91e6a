"""Normalisation against PyTorch."""

from __future__ import annotations

import pytest
from networks import LABELS, X, everything, snapshot, unchanged
from pytorch_twins import agrees, as_torch, close, nn, same_weights, torch

import salamandre as sal
from salamandre.gradient_checking import gradient_check


def test_batch_norm_takes_vectors_and_images_alone():
    with pytest.raises(ValueError, match=r"got examples of shape \(3, 4\)"):
        sal.Network([sal.BatchNorm()], (3, 4))


def test_batch_norm_without_scale_against_pytorch(backend, host):
    module = nn.BatchNorm2d(3, affine=False)
    agrees([sal.BatchNorm(affine=False)], module, (3, 4, 5), backend, host)


@pytest.mark.parametrize("shape", [(3, 4, 5), (7,)])
def test_layer_norm_against_pytorch(shape, backend, host, random):
    module = nn.LayerNorm(shape, eps=1e-3)
    nn.init.normal_(module.weight)
    agrees([sal.LayerNorm(eps=1e-3)], module, shape, backend, host)
    assert gradient_check(sal.LayerNorm(), random.normal(size=(2, *shape)), backend=backend)


def test_instance_norm_against_pytorch(backend, host, random):
    module = nn.InstanceNorm2d(3, affine=True)
    nn.init.normal_(module.weight)
    agrees([sal.InstanceNorm()], module, (3, 4, 5), backend, host)
    x = random.normal(size=(2, 3, 2, 3))
    assert gradient_check(sal.InstanceNorm(), x, backend=backend).worst < 1e-6


def test_batch_norm_over_maps(backend, host, random):
    x = as_torch(random.normal(size=(3, 2, 4, 5))).requires_grad_()
    module = nn.BatchNorm2d(2, momentum=0.3, eps=1e-3).double()
    layer = sal.BatchNorm(momentum=0.3, eps=1e-3)
    network = sal.Network([layer], (2, 4, 5), backend=backend, dtype="float64")
    with torch.no_grad():
        module.weight.copy_(torch.tensor([0.5, 2.0]))
    sal.from_pytorch(network, module.state_dict())
    dy = random.normal(size=x.shape)
    y = module(x)
    y.backward(as_torch(dy))
    assert close(host(network.compute(x.detach().numpy())), y)
    assert close(host(network.backprop(dy)), x.grad)
    assert close(host(layer.d_gamma), module.weight.grad)
    assert same_weights(network, module)


def test_batch_norm_needs_two_values_to_train():
    network = everything()
    before = snapshot(network)
    with pytest.raises(ValueError, match="at least 2 values per feature"):
        network.learn(X[:1], LABELS[:1])
    assert unchanged(network, before)
    assert network.compute(X[:1], training=False).shape == (1, 3)


@pytest.mark.parametrize("kind", [sal.InstanceNorm, sal.LayerNorm, sal.BatchNorm])
def test_a_constant_picture_becomes_zero(kind, backend, host):
    """However large: a sum of many numbers in float32 loses digits, the more so channels last."""
    first, layer = sal.ConvolutionalLayer(16, 1), kind()
    network = sal.Network([first, layer], (1, 128, 128), backend=backend)
    network.parameters[...] = 0
    with network.changing():
        first.bias[...] = 5.3
        layer.gamma[...] = 1
    y = network.compute(network.backend.xp.zeros((2, 1, 128, 128), "float32"), training=True)
    assert abs(host(y)).max() < 1e-3
