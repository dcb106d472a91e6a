"""Containers against transcriptions in PyTorch, first and second order."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from pytorch_twins import as_torch, close, nn, penalty_as_in_pytorch, torch

import salamandre as sal
from salamandre.gradient_checking import gradient_check

CONV, UP, NEURONS = sal.ConvolutionalLayer, sal.TransposedConvolutionalLayer, sal.NeuronLayer


class Joined(nn.Module):
    """Branches of one input, or of a tuple of inputs, whose outputs are concatenated or added."""

    def __init__(self, branches, join):
        super().__init__()
        self.branches, self.join = nn.ModuleList(branches), join

    def forward(self, x):
        inputs = x if isinstance(x, tuple) else [x] * len(self.branches)
        outputs = [branch(x) for branch, x in zip(self.branches, inputs, strict=True)]
        return torch.cat(outputs, dim=1) if self.join == "concatenate" else sum(outputs)


def beside(*layers, join):
    """The input joined with what layers make of it."""
    return Joined([nn.Identity(), nn.Sequential(*layers)], join)


def residual():
    """He et al. 2016, figure 2, with batch-norm."""
    ours = [
        CONV(3, 3, padding=1, bias=False),
        sal.Skip(
            [
                *(CONV(3, 3, padding=1, bias=False), sal.BatchNorm(), sal.ReLU()),
                *(CONV(3, 3, padding=1, bias=False), sal.BatchNorm()),
            ],
            join="add",
        ),
        sal.ReLU(),
    ]

    def conv(inputs):
        return nn.Conv2d(inputs, 3, 3, padding=1, bias=False)

    theirs = nn.Sequential(
        conv(2),
        beside(*(conv(3), nn.BatchNorm2d(3), nn.ReLU(), conv(3), nn.BatchNorm2d(3)), join="add"),
        nn.ReLU(),
    )
    return ours, theirs, (2, 5, 4)


def fire():
    """Iandola et al. 2016, section 3.2."""
    ours = [
        CONV(2, 1, activation=sal.ReLU()),
        sal.Parallel(
            [CONV(3, 1, activation=sal.ReLU()), CONV(4, 3, padding=1, activation=sal.ReLU())]
        ),
    ]
    expand = [
        nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU()),
        nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU()),
    ]
    theirs = nn.Sequential(nn.Conv2d(4, 2, 1), nn.ReLU(), Joined(expand, "concatenate"))
    return ours, theirs, (4, 5, 6)


def u_net():
    """Ronneberger, Fischer, Brox 2015, two levels deep."""

    def down(channels):
        return CONV(channels, 3, padding=1, activation=sal.ReLU())

    ours = [
        down(3),
        sal.Skip(
            [
                *(sal.MaxPool(2), down(4)),
                sal.Skip([sal.MaxPool(2), down(5), UP(4, 2, 2)]),
                *(down(4), UP(3, 2, 2)),
            ]
        ),
        *(down(3), CONV(2, 1)),
    ]

    def theirs_down(inputs, channels):
        return nn.Sequential(nn.Conv2d(inputs, channels, 3, padding=1), nn.ReLU())

    inner = beside(
        *(nn.MaxPool2d(2), theirs_down(4, 5), nn.ConvTranspose2d(5, 4, 2, 2)), join="concatenate"
    )
    theirs = nn.Sequential(
        theirs_down(1, 3),
        beside(
            *(nn.MaxPool2d(2), theirs_down(3, 4), inner),
            *(theirs_down(8, 4), nn.ConvTranspose2d(4, 3, 2, 2)),
            join="concatenate",
        ),
        *(theirs_down(6, 3), nn.Conv2d(3, 2, 1)),
    )
    return ours, theirs, (1, 8, 12)


def inception():
    """Szegedy et al. 2015, figure 2b: four branches, one of which only pools first."""
    ours = sal.Parallel(
        [
            CONV(2, 1),
            sal.Sequential([CONV(2, 1, activation=sal.ReLU()), CONV(3, 3, padding=1)]),
            sal.Sequential([CONV(1, 1, activation=sal.ReLU()), CONV(2, 5, padding=2)]),
            sal.Sequential([sal.MaxPool(3, 1, 1), CONV(2, 1)]),
        ]
    )
    branches = [
        nn.Conv2d(3, 2, 1),
        nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Conv2d(2, 3, 3, padding=1)),
        nn.Sequential(nn.Conv2d(3, 1, 1), nn.ReLU(), nn.Conv2d(1, 2, 5, padding=2)),
        nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(3, 2, 1)),
    ]
    return [ours], Joined(branches, "concatenate"), (3, 5, 6)


def of_vectors():
    """Containers in containers, with branches that do nothing."""
    ours = [
        sal.Parallel([sal.Sequential([]), sal.Skip([NEURONS(4, sal.Tanh())], "add")]),
        sal.Skip([sal.Network([NEURONS(3, sal.ELU())])]),
        sal.Parallel([NEURONS(5), sal.Sequential([NEURONS(6, sal.Tanh()), NEURONS(5)])], "add"),
    ]
    theirs = nn.Sequential(
        Joined([nn.Identity(), beside(nn.Linear(4, 4), nn.Tanh(), join="add")], "concatenate"),
        beside(nn.Linear(8, 3), nn.ELU(), join="concatenate"),
        Joined(
            [
                nn.Linear(11, 5),
                nn.Sequential(nn.Linear(11, 6), nn.Tanh(), nn.Linear(6, 5)),
            ],
            "add",
        ),
    )
    return ours, theirs, (4,)


def several_inputs():
    """A vector and an image, each with a branch of its own."""
    image = [CONV(2, 3, activation=sal.Tanh()), sal.Flatten()]
    ours = [
        sal.Parallel({"vector": NEURONS(3, sal.Tanh()), "image": sal.Sequential(image)}),
        NEURONS(2),
    ]
    theirs = nn.Sequential(
        Joined(
            [
                nn.Sequential(nn.Linear(4, 3), nn.Tanh()),
                nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten()),
            ],
            "concatenate",
        ),
        nn.Linear(3 + 12, 2),
    )
    return ours, theirs, [(4,), (1, 4, 5)]


BUILT = {
    made.__name__: made for made in (residual, fire, u_net, inception, of_vectors, several_inputs)
}


def batches(shape, count, random):
    """Return a batch as arrays and as tensors that want a gradient."""
    if isinstance(shape, list):
        pairs = [batches(part, count, random) for part in shape]
        return tuple(x for x, _ in pairs), tuple(t for _, t in pairs)
    x = random.normal(size=(count, *shape))
    return x, as_torch(x).requires_grad_()


def built(name, backend="numpy", dtype="float64"):
    ours, theirs, shape = BUILT[name]()
    network = sal.Network(ours, shape, backend=backend, dtype=dtype)
    module = theirs.double()
    sal.from_pytorch(network, module.state_dict())
    return network, module, shape


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", BUILT)
def test_outputs_and_gradients_against_pytorch(name, training, backend, host, random):
    network, module, shape = built(name, backend)
    module.train(training)
    for count in (3, 2, 3):  # buffers of other sizes are made anew
        module.zero_grad()
        x, t = batches(shape, count, random)
        y = module(t)
        dy = random.normal(size=tuple(y.shape))
        y.backward(as_torch(dy))
        assert close(host(network.compute(x, training=training)), y)
        assert network.output_shape == tuple(y.shape[1:])
        dx = network.backprop(dy)
        pairs = zip(dx, t, strict=True) if isinstance(t, tuple) else [(dx, t)]
        assert all(close(host(ours), theirs.grad) for ours, theirs in pairs)
        gradients = network.named_gradients().values()
        for ours, theirs in zip(gradients, module.parameters(), strict=True):
            assert close(host(ours), theirs.grad)
        state = sal.to_pytorch(network, module.state_dict())
        for key, value in module.state_dict().items():
            assert close(state[key].numpy(), value)


@pytest.mark.parametrize("name", ["residual", "of_vectors"])
def test_gradients_against_differences(name, backend, random):
    ours, _, shape = BUILT[name]()
    assert gradient_check(ours, random.normal(size=(2, *shape)), backend=backend).worst < 1e-6


CRITICS = {
    "vectors": (
        (4,),
        [
            sal.Skip([NEURONS(5, sal.Tanh())]),
            sal.Parallel([NEURONS(3, sal.ELU()), sal.Skip([NEURONS(9, sal.Tanh())], "add")]),
            sal.Parallel([NEURONS(4, sal.Tanh()), NEURONS(4)], "add"),
        ],
        [
            beside(nn.Linear(4, 5), nn.Tanh(), join="concatenate"),
            Joined(
                [
                    nn.Sequential(nn.Linear(9, 3), nn.ELU()),
                    beside(nn.Linear(9, 9), nn.Tanh(), join="add"),
                ],
                "concatenate",
            ),
            Joined([nn.Sequential(nn.Linear(12, 4), nn.Tanh()), nn.Linear(12, 4)], "add"),
        ],
    ),
    "images": (
        (2, 6, 8),
        [
            CONV(3, 3, padding=1, activation=sal.Tanh()),
            sal.Skip([CONV(3, 3, padding=1), sal.Tanh()], "add"),
            sal.Parallel(
                [CONV(2, 1), sal.Sequential([sal.AveragePool(3, 1, 1), CONV(2, 3, padding=1)])]
            ),
            sal.Skip([CONV(4, 4, 2, 1, sal.Tanh()), UP(3, 2, 2)]),
            sal.Tanh(),
        ],
        [
            *(nn.Conv2d(2, 3, 3, padding=1), nn.Tanh()),
            beside(nn.Conv2d(3, 3, 3, padding=1), nn.Tanh(), join="add"),
            Joined(
                [
                    nn.Conv2d(3, 2, 1),
                    nn.Sequential(nn.AvgPool2d(3, 1, 1), nn.Conv2d(3, 2, 3, padding=1)),
                ],
                "concatenate",
            ),
            beside(
                *(nn.Conv2d(4, 4, 4, 2, 1), nn.Tanh(), nn.ConvTranspose2d(4, 3, 2, 2)),
                join="concatenate",
            ),
            nn.Tanh(),
        ],
    ),
}


@pytest.mark.parametrize("name", CRITICS)
def test_the_gradient_penalty_against_pytorch(name, backend, host, random):
    """Second-order backprop through containers, against PyTorch's double backward."""
    shape, ours, theirs = CRITICS[name]
    layers = [*copy.deepcopy(ours), sal.Flatten(), NEURONS(1)]
    critic = sal.Network(layers, shape, optimizer=sal.SGD(), backend=backend, dtype="float64")
    penalty_as_in_pytorch(critic, theirs, shape, host, random)


@pytest.mark.parametrize("name", BUILT)
def test_saved_and_loaded(name, backend, host, random, tmp_path):
    network, _, shape = built(name, backend, "float32")
    network.state += 0.5
    network.save(tmp_path / "net")
    loaded = sal.Network.load(tmp_path / "net", backend=backend)
    x, _ = batches(shape, 2, random)
    assert [*loaded.tensors()] == [*network.tensors()]
    assert np.array_equal(host(loaded.predict(x)), host(network.predict(x)))
    assert loaded.summary() == network.summary()


@pytest.mark.parametrize("branches", [1, 2])
@pytest.mark.parametrize("size", [1, 3])
def test_the_gradient_that_is_given_is_not_written_over(branches, size, backend, host, random):
    """Also where the part of a branch is one run of memory: one branch, or images of a pixel."""
    layer = sal.Parallel([CONV(3, 1, activation=sal.ReLU()) for _ in range(branches)])
    network = sal.Network([layer], (2, size, size), backend=backend, dtype="float64")
    dy = random.normal(size=(1, size, size, 3 * branches)).transpose(0, 3, 1, 2)
    given, run = network.backend.asarray(dy.copy(order="K")), network.new_pass()
    y = host(network.compute(random.normal(size=(1, 2, size, size)), run)).copy()
    network.backprop(given, run)
    assert (y == 0).any() and np.array_equal(host(given), dy)
    bias = network.named_gradients()["0.0.bias"]
    assert close(host(bias), (dy * (y > 0))[:, :3].sum(axis=(0, 2, 3)))
