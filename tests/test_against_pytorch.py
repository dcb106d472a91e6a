"""Outputs, gradients and whole trajectories against PyTorch, in float64 within 1e-10."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

import salamandre as sal

torch = pytest.importorskip("torch")
nn = torch.nn

RANDOM = np.random.default_rng(11)
X = RANDOM.normal(size=(7, 5))
LABELS = np.array([0, 2, 1, 1, 0, 2, 2])


def as_torch(array) -> torch.Tensor:
    return torch.tensor(np.asarray(array))


def close(ours, theirs, tolerance=1e-10) -> bool:
    theirs = theirs.detach().numpy() if isinstance(theirs, torch.Tensor) else theirs
    return np.shape(ours) == theirs.shape and float(np.abs(ours - theirs).max()) <= tolerance


def twins(backend, optimizer=None, loss=None):
    """Return a network with everything in it, and the same network in PyTorch."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Linear(5, 6),
        nn.LeakyReLU(0.2),
        nn.Linear(6, 4, bias=False),
        nn.BatchNorm1d(4),
        nn.Tanh(),
        nn.Linear(4, 3),
    ).double()
    layers = [
        sal.NeuronLayer(6, sal.LeakyReLU(0.2)),
        sal.NeuronLayer(4, bias=False),
        sal.BatchNorm(),
        sal.Tanh(),
        sal.NeuronLayer(3, sal.Softmax() if loss is None else sal.Identity()),
    ]
    network = sal.Network(
        layers,
        5,
        loss or sal.CrossEntropy(),
        optimizer or sal.SGD(0.1),
        backend=backend,
        dtype="float64",
    )
    sal.from_pytorch(network, module.state_dict())
    return network, module


def same_weights(network, module, tolerance=1e-10) -> bool:
    state = sal.to_pytorch(network, module.state_dict())
    return all(
        close(state[name].numpy(), value, tolerance) for name, value in module.state_dict().items()
    )


def test_outputs_gradients_and_statistics(backend, host):
    network, module = twins(backend, loss=sal.CrossEntropy(from_logits=True))
    x = as_torch(X).requires_grad_()
    dy = RANDOM.normal(size=(7, 3))
    y = module(x)
    y.backward(as_torch(dy))
    assert close(host(network.compute(X)), y)
    assert close(host(network.backprop(dy)), x.grad)
    gradients = np.concatenate([p.grad.numpy().ravel() for p in module.parameters()])
    assert close(host(network.gradients), gradients)
    assert same_weights(network, module)  # the running statistics among them
    module.eval()
    assert close(host(network.compute(X, training=False)), module(x))
    assert close(host(network.predict(X)), module(x))


def test_batch_norm_over_maps(backend, host):
    x = as_torch(RANDOM.normal(size=(3, 2, 4, 5))).requires_grad_()
    module = nn.BatchNorm2d(2, momentum=0.3, eps=1e-3).double()
    layer = sal.BatchNorm(momentum=0.3, eps=1e-3)
    network = sal.Network([layer], (2, 4, 5), backend=backend, dtype="float64")
    with torch.no_grad():
        module.weight.copy_(torch.tensor([0.5, 2.0]))
    sal.from_pytorch(network, module.state_dict())
    dy = RANDOM.normal(size=x.shape)
    y = module(x)
    y.backward(as_torch(dy))
    assert close(host(network.compute(x.detach().numpy())), y)
    assert close(host(network.backprop(dy)), x.grad)
    assert close(host(layer.d_gamma), module.weight.grad)
    assert same_weights(network, module)


F = nn.functional
ACTIVATIONS = [
    (sal.Sigmoid(), torch.sigmoid),
    (sal.Sigmoid(mu=0.5), lambda x: torch.sigmoid(0.5 * x)),
    (sal.CenteredSigmoid(mu=3), lambda x: 2 * torch.sigmoid(3 * x) - 1),
    (sal.Tanh(), torch.tanh),
    (sal.Tanh(k=1.7159, alpha=2 / 3), lambda x: 1.7159 * torch.tanh(2 / 3 * x)),
    (sal.ReLU(), torch.relu),
    (sal.LeakyReLU(), F.leaky_relu),
    (sal.ELU(), F.elu),
    (sal.ELU(alpha=2.5), lambda x: F.elu(x, 2.5)),
    (sal.SoftPlus(), lambda x: F.softplus(x, threshold=1e6)),
    (sal.Softmax(), lambda x: torch.softmax(x, 1)),
]


@pytest.mark.parametrize("activation, theirs", ACTIVATIONS, ids=[repr(a) for a, _ in ACTIVATIONS])
def test_activations(activation, theirs, backend, host):
    values = np.concatenate([3 * X, [[0.0, -30.0, 30.0, -1e-9, 1e-9]]])
    x = as_torch(values).requires_grad_()
    dy = RANDOM.normal(size=values.shape)
    y = theirs(x)
    y.backward(as_torch(dy))
    network = sal.Network([copy.deepcopy(activation)], 5, backend=backend, dtype="float64")
    assert close(host(network.compute(values)), y, 1e-13)
    assert close(host(network.backprop(dy)), x.grad, 1e-13)


P = RANDOM.uniform(0.05, 0.95, (7, 3))
ROWS = P / P.sum(axis=1, keepdims=True)
T = RANDOM.uniform(0, 1, (7, 3))
SOFT = T / T.sum(axis=1, keepdims=True)
LOSSES = [
    (sal.MeanSquaredError(), P, T, F.mse_loss),
    (sal.MeanAbsoluteError(), P, T, F.l1_loss),
    (sal.BinaryCrossEntropy(), P, T, F.binary_cross_entropy),
    (sal.BinaryCrossEntropy(from_logits=True), 9 * P, T, F.binary_cross_entropy_with_logits),
    (sal.CrossEntropy(), ROWS, LABELS, lambda y, t: F.nll_loss(y.log(), t)),
    (sal.CrossEntropy(from_logits=True), 9 * P, LABELS, F.cross_entropy),
    (sal.CrossEntropy(from_logits=True), 9 * P, SOFT, F.cross_entropy),
    (
        sal.CrossEntropy(from_logits=True, label_smoothing=0.2),
        9 * P,
        LABELS,
        lambda y, t: F.cross_entropy(y, t, label_smoothing=0.2),
    ),
    (
        sal.CrossEntropy(label_smoothing=0.2),
        ROWS,
        LABELS,
        lambda y, t: F.cross_entropy(y.log(), t, label_smoothing=0.2),
    ),
]


@pytest.mark.parametrize("loss, y, target, theirs", LOSSES, ids=[repr(row[0]) for row in LOSSES])
def test_losses(loss, y, target, theirs, backend, host):
    logits = as_torch(y).requires_grad_()
    value = theirs(logits, as_torch(target))
    value.backward()
    # A network of the identity hands y to the loss and gives back dE/dy.
    network = sal.Network([sal.Identity()], 3, loss, sal.SGD(), backend=backend, dtype="float64")
    side = network.backend
    checked = loss.check(target, y.shape, network.dtype, side)
    ours, dy = loss.compute(network.compute(y), checked, side.xp)
    assert float(ours) == pytest.approx(float(value.detach()), abs=1e-12)
    gradient = logits.grad.numpy()
    if getattr(loss, "label_smoothing", 0) and not loss.from_logits:
        # torch's log-softmax of log p re-normalises; within the simplex both agree.
        gradient = gradient - gradient.mean(axis=1, keepdims=True)
        dy = host(dy) - host(dy).mean(axis=1, keepdims=True)
        tangent = (dy - (dy * y).sum(axis=1, keepdims=True)) * y
        their_tangent = (gradient - (gradient * y).sum(axis=1, keepdims=True)) * y
        assert close(tangent, their_tangent)
    else:
        assert close(host(dy), gradient)


OPTIMIZERS = {
    "SGD": (lambda r: sal.SGD(r), lambda p, r: torch.optim.SGD(p, r)),
    "SGD, decay": (
        lambda r: sal.SGD(r, weight_decay=0.1),
        lambda p, r: torch.optim.SGD(p, r, weight_decay=0.1),
    ),
    "Momentum": (
        lambda r: sal.Momentum(r, 0.8),
        lambda p, r: torch.optim.SGD(p, r, momentum=0.8),
    ),
    "Nesterov": (
        lambda r: sal.Nesterov(r, 0.8, weight_decay=0.01),
        lambda p, r: torch.optim.SGD(p, r, momentum=0.8, nesterov=True, weight_decay=0.01),
    ),
    "AdaGrad": (lambda r: sal.AdaGrad(r), lambda p, r: torch.optim.Adagrad(p, r)),
    "RMSProp": (
        lambda r: sal.RMSProp(r, weight_decay=0.01),
        lambda p, r: torch.optim.RMSprop(p, r, weight_decay=0.01),
    ),
    "RMSProp, centred": (
        lambda r: sal.RMSProp(r, 0.9, 1e-6, centred=True),
        lambda p, r: torch.optim.RMSprop(p, r, 0.9, 1e-6, centered=True),
    ),
    "Adadelta": (lambda r: sal.Adadelta(r), lambda p, r: torch.optim.Adadelta(p, r)),
    "Adam": (lambda r: sal.Adam(r), lambda p, r: torch.optim.Adam(p, r)),
    "Adam of GANs": (
        lambda r: sal.Adam(r, beta1=0.5, beta2=0.9, weight_decay=0.1),
        lambda p, r: torch.optim.Adam(p, r, betas=(0.5, 0.9), weight_decay=0.1),
    ),
    "AdamW": (
        lambda r: sal.AdamW(r, decay=0.1),
        lambda p, r: torch.optim.AdamW(p, r, weight_decay=0.1),
    ),
}


def batches(steps):
    random = np.random.default_rng(6)
    for _ in range(steps):
        yield random.normal(size=(7, 5)), random.integers(0, 3, 7)


TRAJECTORIES = [
    *((name, "") for name in OPTIMIZERS),
    *(
        (name, "clip_" + what)
        for name in ("SGD, decay", "Adam")
        for what in ("norm", "value", "weights")
    ),
]


@pytest.mark.parametrize("name, change", TRAJECTORIES)
def test_trajectories_of_100_steps(name, change, backend):
    ours, theirs = OPTIMIZERS[name]
    optimizer = ours(0.01)
    if change:
        optimizer = type(optimizer)(**{**optimizer.config(), change: 0.05})
    network, module = twins(backend, optimizer)
    their_optimizer = theirs(module.parameters(), 0.01)
    for x, labels in batches(100):
        network.learn(x, labels)
        their_optimizer.zero_grad()
        F.cross_entropy(module(as_torch(x)), as_torch(labels)).backward()
        if change == "clip_norm":
            nn.utils.clip_grad_norm_(module.parameters(), 0.05)
        elif change == "clip_value":
            nn.utils.clip_grad_value_(module.parameters(), 0.05)
        their_optimizer.step()
        if change == "clip_weights":
            with torch.no_grad():
                for p in module.parameters():
                    p.clamp_(-0.05, 0.05)
        assert same_weights(network, module)


def centred_adadelta(p, gradients, rate, rho, eps):
    """Zeiler's formula with the variance in place of the mean square, number by number."""
    s = d = m = 0.0
    for g in gradients:
        s = rho * s + (1 - rho) * g**2
        m = rho * m + (1 - rho) * g
        delta = math.sqrt(d + eps) / math.sqrt(s - m**2 + eps) * g
        d = rho * d + (1 - rho) * delta**2
        p = p - rate * delta
    return p


def test_centred_adadelta_against_a_transcription(backend, host):
    random = np.random.default_rng(2)
    start, gradients = random.normal(size=6), random.normal(0.3, 1, (100, 6))
    optimizer = sal.Adadelta(0.7, rho=0.95, eps=1e-5, centred=True)
    side = sal.get_backend(backend)
    parameters = side.asarray(start.copy())
    optimizer.attach(side, parameters)
    for gradient in gradients:
        optimizer.step(parameters, side.asarray(gradient))
    expected = [
        centred_adadelta(p, g, 0.7, 0.95, 1e-5) for p, g in zip(start, gradients.T, strict=True)
    ]
    assert close(host(parameters), np.array(expected))


SCHEDULES = {
    "steps": (
        sal.schedules.StepDecay(0.1, 7, 0.5),
        lambda o: torch.optim.lr_scheduler.StepLR(o, 7, 0.5),
    ),
    "exponential": (
        sal.schedules.ExponentialDecay(0.1, 0.9),
        lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.9),
    ),
    "cosine": (
        sal.schedules.CosineDecay(0.1, 40, final=0.01),
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 40, 0.01),
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name):
    schedule, theirs = SCHEDULES[name]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
    scheduler = theirs(optimizer)
    for step in range(40):
        assert schedule(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        scheduler.step()
    assert sal.SGD(schedule).learning_rate == 0.1


def test_weights_travel_to_pytorch_and_back(backend):
    network, module = twins(backend)
    other = copy.deepcopy(module)
    for parameter in other.parameters():
        nn.init.normal_(parameter)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    state = sal.to_pytorch(network, other.state_dict())
    for name, value in other.state_dict().items():
        assert torch.equal(value, before[name])
    other.load_state_dict(state)
    x = as_torch(X)
    assert torch.equal(other(x), module(x))
    assert state["0.weight"].dtype == torch.float64


@pytest.mark.parametrize(
    "module, message",
    [
        (nn.Sequential(nn.Linear(5, 6), nn.Linear(6, 3)), "'1.weights' of shape .4, 6."),
        (nn.Sequential(nn.Linear(5, 6)), "6 arrays|9 arrays|the structures differ"),
        (nn.Sequential(nn.Linear(4, 6)), r"'0.weights' of shape \(6, 5\) .* shape \(6, 4\)"),
        (nn.Sequential(nn.Linear(5, 6, bias=False), nn.BatchNorm1d(6)), "'0.bias' .* '1.weight'"),
    ],
)
def test_other_structures_are_refused_and_change_nothing(module, message):
    network, _ = twins("numpy")
    before = network.tensors()
    for give in (sal.from_pytorch, sal.to_pytorch):
        with pytest.raises(ValueError, match=message):
            give(network, module.state_dict())
    after = network.tensors()
    assert all(np.array_equal(before[name], after[name]) for name in before)
