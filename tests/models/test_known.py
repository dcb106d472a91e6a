"""Known networks compute what transcriptions of them in PyTorch compute with the same weights."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from pytorch_models import (
    VGG11,
    VGG16,
    LeNet5,
    ResNet18,
    SqueezeNet,
    alexnet,
    nn,
    torch,
    vgg,
)

import salamandre as sal
from salamandre import models
from salamandre.layers.containers import Sequential
from salamandre.models.known import KNOWN
from salamandre.models.weights import Weights, _published


def with_statistics(module):
    """Return the module, whose batch-norm has something to do without training."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.running_mean, -0.1, 0.1)
            nn.init.uniform_(part.running_var, 0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 1.5)
    return module.eval()


def alike(network, module, shape, scale=1.0):
    """Assert that outputs before the Softmax and dE/dx are those of the module."""
    random = np.random.default_rng(3)
    values = (scale * random.normal(size=(1, *shape))).astype(np.float32)
    x = torch.tensor(values, requires_grad=True)
    y = module(x)
    dy = random.normal(size=tuple(y.shape)).astype(np.float32)
    y.backward(torch.tensor(dy))
    run = network.new_pass(parameter_gradients=False)
    run.want(parameter_gradients=False, logits=True)
    for ours, theirs in (
        (network.compute(values, run, training=False), y.detach()),
        (network.backprop(dy, run), x.grad),
    ):
        error = np.abs(ours - theirs.numpy()).max() / theirs.abs().max()
        assert error < 1e-4


@pytest.mark.parametrize(
    ("name", "make"), [("lenet5", LeNet5), ("squeezenet1_1", SqueezeNet), ("resnet18", ResNet18)]
)
def test_outputs_and_gradients_are_those_of_pytorch(name, make, tmp_path):
    module = with_statistics(make())
    path = tmp_path / "weights.pth"
    torch.save(module.state_dict(), path)
    model = models.load(name, path)
    alike(model.network, module, model.network.input_shape)


HEADED = {
    "alexnet": alexnet,
    "vgg11": partial(vgg, VGG11),
    "vgg11_bn": partial(vgg, VGG11, True),
    "vgg16": partial(vgg, VGG16),
    "vgg16_bn": partial(vgg, VGG16, True),
}


@pytest.mark.parametrize("name", HEADED)
def test_networks_with_large_heads_are_those_of_pytorch(name):
    """With small images, and 16 neurons where there are 4,096."""
    module = with_statistics(HEADED[name](width=16))
    layers = KNOWN[name].layers(1000)
    for layer in layers["classifier"].children:
        if getattr(layer, "outputs", None) == 4096:
            layer.outputs = 16
    shape = (3, 99, 99) if name == "alexnet" else (3, 32, 32)
    network = sal.Network(layers, shape)
    Weights("here", {n: a.numpy() for n, a in module.state_dict().items()}).give(network)
    alike(network, module, shape)


@pytest.mark.parametrize(
    ("name", "make", "parameters"),  # torchvision's documentation, "num_params" of each
    [
        ("squeezenet1_1", SqueezeNet, 1_235_496),
        ("alexnet", HEADED["alexnet"], 61_100_840),
        ("vgg11", HEADED["vgg11"], 132_863_336),
        ("vgg11_bn", HEADED["vgg11_bn"], 132_868_840),
        ("vgg16", HEADED["vgg16"], 138_357_544),
        ("vgg16_bn", HEADED["vgg16_bn"], 138_365_992),
        ("resnet18", ResNet18, 11_689_512),
    ],
)
def test_parameters_are_as_many_and_called_as_published_ones(name, make, parameters):
    whole = Sequential(KNOWN[name].layers(1000))
    assert whole.build(KNOWN[name].preprocessing.shape) == (1000,)
    assert whole.parameter_count() == parameters
    ours = {
        _published(prefix + declared.name): declared.shape
        for prefix, layer in whole.walk()
        for declared in (*layer.declared, *layer.declared_state)
    }
    with torch.device("meta"):  # shapes without memory
        theirs = {n: tuple(a.shape) for n, a in make().state_dict().items()}
    assert ours == {n: a for n, a in theirs.items() if not n.endswith("num_batches_tracked")}


def test_lenet_has_the_parameters_of_the_paper_with_full_connections():
    assert models.lenet5().network.parameter_count() == 61_706


def test_other_classes_get_a_fresh_last_layer_and_keep_the_others(tmp_path):
    module = SqueezeNet()
    path = tmp_path / "w.pth"
    torch.save(module.state_dict(), path)
    model = models.squeezenet1_1(path, classes=["cat", "dog"], frozen=["features"])
    arrays = model.network.named_parameters()
    assert model.network.output_shape == (2,) and model.label("dog") == 1
    first = module.state_dict()["features.0.weight"].numpy()
    np.testing.assert_array_equal(arrays["features.0.weights"], first)
    assert arrays["classifier.1.weights"].std() > 0


def test_an_unknown_model_is_told_the_nearest():
    with pytest.raises(ValueError, match="unknown model 'vgg_16', did you mean 'vgg16"):
        models.load("vgg_16")
