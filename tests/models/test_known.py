"""Known networks compute what transcriptions of them in PyTorch compute with the same weights."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal
from salamandre import models
from salamandre.layers.containers import Sequential
from salamandre.models.known import KNOWN
from salamandre.models.weights import Weights

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = F.avg_pool2d(torch.tanh(self.conv1(x)), 2)
        x = F.avg_pool2d(torch.tanh(self.conv2(x)), 2).flatten(1)
        return self.fc3(torch.tanh(self.fc2(torch.tanh(self.fc1(x)))))


class Fire(nn.Module):
    def __init__(self, inputs, squeezed, expanded):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x):
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], 1)


class SqueezeNet(nn.Module):
    def __init__(self, ceil_mode=True):
        super().__init__()

        def pool():
            return nn.MaxPool2d(3, 2, ceil_mode=ceil_mode)

        self.features = nn.Sequential(
            *(nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), pool()),
            *(Fire(64, 16, 64), Fire(128, 16, 64), pool()),
            *(Fire(128, 32, 128), Fire(256, 32, 128), pool()),
            *(Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256)),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(0.5), nn.Conv2d(512, 1000, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )

    def forward(self, x):
        return self.classifier(self.features(x)).flatten(1)


class Headed(nn.Module):
    def __init__(self, features, size, classifier):
        super().__init__()
        self.features, self.classifier = features, classifier
        self.avgpool = nn.AdaptiveAvgPool2d(size)

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def alexnet():
    features = nn.Sequential(
        *(nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)),
    )
    classifier = nn.Sequential(
        *(nn.Dropout(), nn.Linear(9216, 4096), nn.ReLU()),
        *(nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)),
    )
    return Headed(features, 6, classifier)


VGG11 = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")
VGG16 = (64, 64, "M", 128, 128, "M", *(256,) * 3, "M", *(512,) * 3, "M", *(512,) * 3, "M")


def vgg_features(plan, batch_norm):
    layers, inputs = [], 3
    for outputs in plan:
        if outputs == "M":
            layers.append(nn.MaxPool2d(2))
            continue
        layers.append(nn.Conv2d(inputs, outputs, 3, padding=1))
        layers += [nn.BatchNorm2d(outputs)] if batch_norm else []
        layers.append(nn.ReLU())
        inputs = outputs
    return nn.Sequential(*layers)


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if inputs != outputs:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.downsample(x) if self.downsample else x))


class ResNet18(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        sizes = ((64, 64), (64, 128), (128, 256), (256, 512))
        for stage, (inputs, outputs) in enumerate(sizes, start=1):
            blocks = Block(inputs, outputs, 1 if stage == 1 else 2), Block(outputs, outputs, 1)
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.fc = nn.Linear(512, 1000)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, padding=1)
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
        return self.fc(x.mean((2, 3)))


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
    ("name", "make"),
    [
        ("lenet5", LeNet5),
        ("squeezenet1_1", SqueezeNet),
        ("alexnet", alexnet),
        ("resnet18", ResNet18),
    ],
)
def test_outputs_and_gradients_are_those_of_pytorch(name, make, tmp_path):
    module = with_statistics(make())
    path = tmp_path / "weights.pth"
    torch.save(module.state_dict(), path)
    model = models.load(name, path)
    alike(model.network, module, model.network.input_shape)


@pytest.mark.parametrize("name", ["vgg11", "vgg11_bn", "vgg16", "vgg16_bn"])
def test_the_convolutions_of_vgg_are_those_of_pytorch(name):
    """Without its head of 120 million weights."""
    plan = VGG11 if "11" in name else VGG16
    module = with_statistics(vgg_features(plan, name.endswith("bn")))
    network = sal.Network({"features": KNOWN[name].layers(1000)["features"]}, (3, 32, 32))
    arrays = {f"features.{n}": a.numpy() for n, a in module.state_dict().items()}
    Weights("here", arrays).give(network)
    alike(network, module, (3, 32, 32))


@pytest.mark.parametrize(
    ("name", "parameters"),  # torchvision's documentation, "num_params" of each
    [
        ("squeezenet1_1", 1_235_496),
        ("alexnet", 61_100_840),
        ("vgg11", 132_863_336),
        ("vgg11_bn", 132_868_840),
        ("vgg16", 138_357_544),
        ("vgg16_bn", 138_365_992),
        ("resnet18", 11_689_512),
    ],
)
def test_networks_have_as_many_parameters_as_published_ones(name, parameters):
    whole = Sequential(KNOWN[name].layers(1000))
    assert whole.build(KNOWN[name].preprocessing.shape) == (1000,)
    assert whole.parameter_count() == parameters


def test_lenet_has_the_parameters_of_the_paper_with_full_connections():
    assert models.lenet5().network.parameter_count() == 61_706


@pytest.mark.parametrize(("size", "out"), [((6, 6), 6), ((7, 5), (3, 4)), ((3, 2), 7)])
def test_adaptive_average_pooling_is_that_of_pytorch(size, out):
    network = sal.Network([sal.AdaptiveAveragePool(out)], (2, *size), dtype="float64")
    alike(network, nn.AdaptiveAvgPool2d(out).double(), (2, *size))


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
