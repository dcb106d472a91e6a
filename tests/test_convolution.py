"""Layers over images: against PyTorch, against centred differences, and what they refuse."""

from __future__ import annotations

import copy
import tracemalloc

import numpy as np
import pytest

import salamandre as sal
from salamandre.backend.cpu import NumpyBackend
from salamandre.backend.operations.convolution import BLOCK
from salamandre.backend.operations.layout import channels_last
from salamandre.gradient_checking import gradient_check
from salamandre.layers.window import Window

torch = pytest.importorskip("torch")
nn = torch.nn
F = nn.functional

RANDOM = np.random.default_rng(23)
CONV, UP = sal.ConvolutionalLayer, sal.TransposedConvolutionalLayer


def close(ours, theirs, tolerance=1e-10) -> bool:
    theirs = theirs.detach().numpy()
    return ours.shape == theirs.shape and float(np.abs(ours - theirs).max()) <= tolerance


def agrees(layers, module, shape, backend, host, batch=3):
    """Whether outputs and all gradients are those of a PyTorch module with the same weights."""
    network = sal.Network(copy.deepcopy(layers), shape, backend=backend, dtype="float64")
    module = copy.deepcopy(module).double()
    sal.from_pytorch(network, module.state_dict())
    values = RANDOM.normal(size=(batch, *shape))
    x = torch.tensor(values, requires_grad=True)
    y = module(x)
    dy = RANDOM.normal(size=tuple(y.shape))
    y.backward(torch.tensor(dy))
    assert close(host(network.compute(values)), y)
    assert network.output_shape == tuple(y.shape[1:])
    assert close(host(network.backprop(dy)), x.grad)
    gradients = network.named_gradients().values()
    for ours, theirs in zip(gradients, module.parameters(), strict=True):
        assert close(host(ours), theirs.grad)


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
@pytest.mark.parametrize("kernel, stride", [(3, 1), (4, 2)])
def test_a_batch_in_blocks_against_pytorch(kernel, stride, block, monkeypatch, backend, host):
    """By columns and by tiles, image by image and a few at a time."""
    monkeypatch.setattr("salamandre.backend.operations.convolution.BLOCK", block)
    layer = sal.ConvolutionalLayer(18, kernel, stride, 1)
    module = nn.Conv2d(17, 18, kernel, stride, 1)
    agrees([layer], module, (17, 8, 6), backend, host, batch=7)
    layer = sal.TransposedConvolutionalLayer(18, kernel, stride, 1)
    module = nn.ConvTranspose2d(17, 18, kernel, stride, 1)
    agrees([layer], module, (17, 4, 5), backend, host, batch=7)


@pytest.mark.parametrize("kernel, stride, padding, image", WINDOWS[:5])
def test_gradients_of_convolutions(kernel, stride, padding, image, backend):
    layer = sal.ConvolutionalLayer(2, kernel, stride, padding, sal.Tanh())
    report = gradient_check(layer, RANDOM.normal(size=(2, 2, *image)), backend=backend)
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
def test_convolutions_by_tiles_against_pytorch(kernel, stride, padding, image, backend, host):
    layer = sal.ConvolutionalLayer(17, kernel, stride, padding)
    agrees([layer], nn.Conv2d(16, 17, kernel, stride, padding), (16, *image), backend, host)
    places = Window("test", kernel, stride, padding).outputs(image)
    layer = sal.TransposedConvolutionalLayer(16, kernel, stride, padding)
    module = nn.ConvTranspose2d(17, 16, kernel, stride, padding)
    agrees([layer], module, (17, *places), backend, host)


def test_tiles_are_as_accurate_as_columns_in_float32():
    x = RANDOM.normal(size=(4, 64, 16, 16))
    layer = sal.ConvolutionalLayer(32, 4, 2, 1)
    network = sal.Network([layer], (64, 16, 16))
    y, dy = network.compute(x), RANDOM.normal(size=(4, 32, 8, 8))
    t = torch.tensor(x, requires_grad=True)
    weights = torch.tensor(np.array(layer.weights, "float64", order="C"), requires_grad=True)
    expected = F.conv2d(t, weights, stride=2, padding=1)
    expected.backward(torch.tensor(dy))
    pairs = ((y, expected), (network.backprop(dy), t.grad), (layer.d_weights, weights.grad))
    for ours, exact in pairs:
        exact = exact.detach().numpy()
        assert np.abs(ours - exact).max() < 3e-6 * np.abs(exact).max()


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("kernel, stride", [(5, 1), (4, 2)])
def test_the_memory_of_columns_is_bounded(kernel, stride, compiled):
    """The columns of this batch would take 500 MB, its tiles 70 MB."""
    backend = NumpyBackend(compiled=compiled)
    layers = [sal.ConvolutionalLayer(16, kernel, stride, 2)]
    network = sal.Network(layers, (16, 32, 32), backend=backend)
    x = RANDOM.normal(size=(320, 16, 32, 32)).astype("float32")
    run = network.new_pass()
    network.backprop(network.compute(x[:2], run) + 0, run)  # compiled code is no memory of it
    tracemalloc.start()
    y = network.compute(x, run)
    dx = network.backprop(y, run)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    results = y.nbytes + dx.nbytes + x.nbytes  # x is copied: it came map by map
    assert peak < results + 4 * BLOCK


def test_images_stay_pixel_by_pixel_between_layers(backend):
    """No layer has to turn them round for the next one."""
    layers = [
        *(CONV(8, 3, activation=sal.Tanh()), sal.BatchNorm(), sal.LeakyReLU(0.2), sal.MaxPool(2)),
        *(sal.Dropout(0.2), sal.Dropout(0.2, channels=True), sal.AveragePool(2, 1)),
        *(sal.Upsample(2), sal.LayerNorm(), sal.InstanceNorm(), UP(6, 4, 2, 1), sal.ELU()),
    ]
    network = sal.Network(layers, (3, 12, 12), backend=backend)
    x = network.backend.asarray(RANDOM.normal(size=(2, 3, 12, 12)), dtype="float32")
    run = network.new_pass()
    for layer, part in zip(layers, run.parts, strict=True):
        x = layer.compute(x, part)
        assert channels_last(x).flags.c_contiguous, layer
    for layer, part in zip(layers[::-1], run.parts[::-1], strict=True):
        x = layer.backprop(x, part)
        assert channels_last(x).flags.c_contiguous, layer


def test_vectors_and_maps_have_one_order(backend, host):
    """Flatten reads maps one after the other, however they lie; Reshape is its inverse."""
    x = RANDOM.normal(size=(2, 3, 4, 5))
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
def test_gradients_of_transposed_convolutions(kernel, stride, padding, more, image, backend):
    layer = sal.TransposedConvolutionalLayer(
        2, kernel, stride, padding, sal.Sigmoid(), output_padding=more
    )
    report = gradient_check(layer, RANDOM.normal(size=(2, 2, *image)), backend=backend)
    assert report.worst < 1e-6


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
def test_pooling_against_pytorch(kind, kernel, stride, padding, image, backend, host):
    ours = sal.MaxPool if kind == "Max" else sal.AveragePool
    theirs = nn.MaxPool2d if kind == "Max" else nn.AvgPool2d
    layer, module = ours(kernel, stride, padding), theirs(kernel, stride, padding)
    agrees([layer], module, (3, *image), backend, host)
    x = RANDOM.normal(size=(2, 2, *image))
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


def test_batch_norm_takes_vectors_and_images_alone():
    with pytest.raises(ValueError, match=r"got examples of shape \(3, 4\)"):
        sal.Network([sal.BatchNorm()], (3, 4))


def test_batch_norm_without_scale_against_pytorch(backend, host):
    module = nn.BatchNorm2d(3, affine=False)
    agrees([sal.BatchNorm(affine=False)], module, (3, 4, 5), backend, host)


def test_global_pooling_and_upsampling_against_pytorch(backend, host):
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    agrees([sal.GlobalAveragePool()], module, (3, 4, 5), backend, host)
    agrees([sal.Upsample()], nn.Upsample(scale_factor=2), (3, 4, 5), backend, host)
    agrees([sal.Upsample((3, 1))], nn.Upsample(scale_factor=(3, 1)), (3, 4, 5), backend, host)
    x = RANDOM.normal(size=(2, 2, 3, 2))
    assert gradient_check(sal.Upsample((1, 3)), x, backend=backend).worst < 1e-6
    assert gradient_check(sal.GlobalAveragePool(), x, backend=backend).worst < 1e-6


@pytest.mark.parametrize("shape", [(3, 4, 5), (7,)])
def test_layer_norm_against_pytorch(shape, backend, host):
    module = nn.LayerNorm(shape, eps=1e-3)
    nn.init.normal_(module.weight)
    agrees([sal.LayerNorm(eps=1e-3)], module, shape, backend, host)
    assert gradient_check(sal.LayerNorm(), RANDOM.normal(size=(2, *shape)), backend=backend)


def test_instance_norm_against_pytorch(backend, host):
    module = nn.InstanceNorm2d(3, affine=True)
    nn.init.normal_(module.weight)
    agrees([sal.InstanceNorm()], module, (3, 4, 5), backend, host)
    x = RANDOM.normal(size=(2, 3, 2, 3))
    assert gradient_check(sal.InstanceNorm(), x, backend=backend).worst < 1e-6


@pytest.mark.parametrize("maps", [False, True])
def test_dropout_over_images(maps, backend, host):
    layer = sal.Dropout(0.25, maps)
    network = sal.Network([CONV(400, 1), layer], (2, 4, 4), backend=backend)
    x = RANDOM.normal(size=(6, 2, 4, 4))
    kept, plain = host(network.compute(x)), host(network.compute(x, training=False))
    ratio = kept / plain
    assert np.allclose(ratio[ratio != 0], 4 / 3, rtol=1e-5)
    assert np.mean(ratio == 0) == pytest.approx(0.25, abs=0.04)
    dropped = (ratio == 0).mean(axis=(2, 3))
    assert maps == bool(np.isin(dropped, (0, 1)).all())
    checked = [CONV(3, 2), sal.Dropout(0.4, maps)]
    assert gradient_check(checked, RANDOM.normal(size=(3, 2, 3, 4)), backend=backend).worst < 1e-6


CRITICS = {
    "columns": ([CONV(3, 3, 2, 1, sal.Tanh())], [nn.Conv2d(2, 3, 3, 2, 1), nn.Tanh()]),
    "tiles": ([CONV(16, 4, 2, 1), CONV(16, 2, 1, 0, sal.LeakyReLU(0.2))], None),
    "whole": ([CONV(4, 1, activation=sal.Sigmoid()), CONV(3, (6, 8), activation=sal.ELU())], None),
    "transposed": (
        [UP(3, 3, 2, 1, sal.SoftPlus(), output_padding=1)],
        [nn.ConvTranspose2d(2, 3, 3, 2, 1, 1), nn.Softplus()],
    ),
    "max-pool": (
        [CONV(3, 3, activation=sal.Tanh()), sal.MaxPool(2, 1), CONV(2, 2, activation=sal.Tanh())],
        [nn.Conv2d(2, 3, 3), nn.Tanh(), nn.MaxPool2d(2, 1), nn.Conv2d(3, 2, 2), nn.Tanh()],
    ),
    "average-pool": (
        [CONV(3, 3, activation=sal.Tanh()), sal.AveragePool(2), CONV(2, 2, activation=sal.Tanh())],
        [nn.Conv2d(2, 3, 3), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(3, 2, 2), nn.Tanh()],
    ),
    "global pool": (
        [
            CONV(3, 3, activation=sal.Tanh()),
            sal.GlobalAveragePool(),
            sal.NeuronLayer(4, sal.Tanh()),
        ],
        None,
    ),
    "upsample": (
        [CONV(3, 3, activation=sal.Tanh()), sal.Upsample(2), CONV(2, 2, activation=sal.Tanh())],
        None,
    ),
    "layer-norm": (
        [CONV(3, 3, bias=False), sal.LayerNorm(), sal.Tanh()],
        [nn.Conv2d(2, 3, 3, bias=False), nn.LayerNorm((3, 4, 6)), nn.Tanh()],
    ),
    "instance-norm": (
        [CONV(3, 3, bias=False), sal.InstanceNorm(), sal.Tanh()],
        [nn.Conv2d(2, 3, 3, bias=False), nn.InstanceNorm2d(3, affine=True), nn.Tanh()],
    ),
    "dropout": ([CONV(3, 3, activation=sal.Tanh()), sal.Dropout(0.3, channels=True)], None),
}


def critic_of(layers, backend):
    layers = [*copy.deepcopy(layers), sal.Flatten(), sal.NeuronLayer(1)]
    return sal.Network(layers, (2, 6, 8), optimizer=sal.SGD(0.1), backend=backend, dtype="float64")


@pytest.mark.parametrize("name", CRITICS)
def test_the_gradient_of_the_gradient_penalty(name, backend, host):
    """Second-order backprop, against centred differences along random directions."""
    critic = critic_of(CRITICS[name][0], backend)
    penalty = sal.GradientPenalty(10)
    penalty.attach(critic)
    random = np.random.default_rng(4)
    real, fake = (critic.backend.asarray(random.normal(size=(4, 2, 6, 8))) for _ in range(2))
    state = copy.deepcopy(critic.random.state)

    def energy():
        critic.random.state, critic.gradients[...] = copy.deepcopy(state), 0
        return float(penalty.penalty(real, fake))

    energy()
    analytic, h = np.array(host(critic.gradients)), 1e-5
    for _ in range(5):
        way = random.normal(size=analytic.shape)
        way /= np.linalg.norm(way)
        step = critic.backend.asarray(h * way)
        critic.parameters += step
        high = energy()
        critic.parameters -= 2 * step
        numerical = (high - energy()) / (2 * h)
        critic.parameters += step
        assert numerical == pytest.approx(analytic @ way, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("name", [name for name, (_, theirs) in CRITICS.items() if theirs])
def test_the_gradient_penalty_against_pytorch(name, backend, host):
    layers, theirs = CRITICS[name]
    critic = critic_of(layers, backend)
    module = nn.Sequential(*copy.deepcopy(theirs), nn.Flatten())
    module.append(nn.Linear(module(torch.zeros(1, 2, 6, 8)).shape[1], 1))
    module = module.double()
    sal.from_pytorch(critic, module.state_dict())
    penalty = sal.GradientPenalty(7)
    penalty.attach(critic)
    real, fake = RANDOM.normal(size=(2, 4, 2, 6, 8))
    state = copy.deepcopy(critic.random.state)
    share = host(critic.random.uniform((4, 1, 1, 1), critic.dtype))
    critic.random.state, critic.gradients[...] = state, 0
    value = penalty.penalty(critic.backend.asarray(real), critic.backend.asarray(fake))
    x = torch.tensor(fake + share * (real - fake), requires_grad=True)
    (g,) = torch.autograd.grad(module(x).sum(), x, create_graph=True)
    loss = 7 * ((g.flatten(1).norm(dim=1) - 1) ** 2).mean()
    loss.backward()
    assert float(value) == pytest.approx(float(loss.detach()), rel=1e-9)
    gradients = critic.named_gradients().values()
    for ours, parameter in zip(gradients, module.parameters(), strict=True):
        expected = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        assert close(host(ours), expected, 1e-9)


def test_batch_norm_over_maps_is_refused_under_a_gradient_penalty():
    critic = critic_of([CONV(3, 3), sal.BatchNorm()], "numpy")
    with pytest.raises(ValueError, match="BatchNorm cannot be part of a critic"):
        sal.GradientPenalty().attach(critic)


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
def test_networks_are_saved_and_loaded(which, backend, host, tmp_path):
    layers, _, shape = [*players(), (others(), None, (2, 6, 7))][which]
    network = sal.Network(layers, shape, backend=backend)
    network.parameters += network.random.normal(network.parameters.shape, "float32")
    x = RANDOM.normal(size=(2, *shape))
    network.save(tmp_path / "net.safetensors")
    other = sal.Network.load(tmp_path / "net.safetensors", backend=backend)
    assert np.array_equal(host(network.predict(x)), host(other.predict(x)))
    assert [type(layer) for layer in other.layers] == [type(layer) for layer in layers]


def test_weights_are_drawn_for_their_inputs_and_outputs():
    """He's variance is 2 / (what an output sees): the inputs' number, not the outputs'."""
    net = sal.Network([sal.ConvolutionalLayer(64, 3, activation=sal.ReLU())], (4, 8, 8))
    assert net.layers[0].weights.shape == (64, 4, 3, 3)
    assert net.layers[0].weights.var() == pytest.approx(2 / 36, rel=0.1)
    net = sal.Network([sal.TransposedConvolutionalLayer(4, 3, activation=sal.ReLU())], (64, 8, 8))
    assert net.layers[0].weights.shape == (64, 4, 3, 3)
    assert net.layers[0].weights.var() == pytest.approx(2 / 576, rel=0.1)


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
    with pytest.raises(TypeError, match="must be an Activation"):
        CONV(2, 3, activation="relu")
    network = sal.Network([CONV(2, 3)], (3, 6, 6))
    for shape in ((2, 1, 6, 6), (2, 3, 6, 5), (2, 108), (3, 6, 6)):
        with pytest.raises(ValueError, match=r"expected a batch of shape \(N, 3, 6, 6\)"):
            network.compute(np.zeros(shape))
