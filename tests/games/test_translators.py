"""U-Net, encoder-decoder and PatchGAN: against PyTorch, differences and the paper."""

from __future__ import annotations

import numpy as np
import pytest
from pytorch_twins import as_torch, close, nn, torch

import salamandre as sal
from salamandre import data, games
from salamandre.games.translators import encoder_decoder, patch_gan, unet, whole_picture
from salamandre.gradient_checking import gradient_check

RANDOM = np.random.default_rng(5)
SIZE = (16, 16)


def torch_up(inputs, outputs, level, bias=False):
    """The two outermost levels enlarge before they convolve."""
    if level > 1:
        return [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=bias)]
    return [nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, 1, 1, bias=bias)]


class TorchUNet(nn.Module):
    """A level of the U-Net: down, what is inside, up; past it goes its input."""

    def __init__(self, inputs, channels, level, inner):
        super().__init__()
        doubled = channels if inner is None else 2 * channels
        norm = nn.Identity() if inner is None else nn.BatchNorm2d(channels)
        self.layers = nn.Sequential(
            nn.LeakyReLU(0.2),
            nn.Conv2d(inputs, channels, 4, 2, 1, bias=False),
            norm,
            nn.Identity() if inner is None else inner,
            nn.ReLU(),
            *torch_up(doubled, inputs, level),
            nn.BatchNorm2d(inputs),
        )

    def forward(self, x):
        return torch.cat([x, self.layers(x)], 1)


def torch_players(width):
    """The U-Net for 16×16 and the 16×16 PatchGAN in PyTorch, with grey conditions."""
    inner = None
    for level in (3, 2, 1):
        inner = TorchUNet(width * 2 ** (level - 1), width * 2**level, level, inner)
    generator = nn.Sequential(
        *(nn.Conv2d(1, width, 4, 2, 1), inner, nn.ReLU()),
        *(*torch_up(2 * width, 3, 0, bias=True), nn.Tanh()),
    )
    discriminator = nn.Sequential(
        *(nn.Conv2d(4, width, 4, 2, 1), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(width, 2 * width, 4, 1, 1, bias=False), nn.BatchNorm2d(2 * width)),
        *(nn.LeakyReLU(0.2), nn.Conv2d(2 * width, 1, 4, 1, 1)),
    )
    return generator.double(), discriminator.double()


def players(width, backend="numpy", optimizer=None, dropout=0.0):
    """The same networks of ours; a dropout of 0 leaves the noise out."""
    made = []
    layers = (unet(SIZE, 3, width), patch_gan(16, width))
    for seed, (part, shape) in enumerate(zip(layers, (1, 4), strict=True)):
        network = sal.Network(
            part,
            (shape, *SIZE),
            optimizer=optimizer() if optimizer else sal.Adam(2e-4, 0.5),
            dtype="float64",
            backend=backend,
            seed=seed,
        )
        for _, layer in network.walk():
            if isinstance(layer, sal.Dropout):
                layer.rate = dropout
        made.append(network)
    return made


def pairs(count=8):
    return RANDOM.uniform(-1, 1, (count, 1, *SIZE)), RANDOM.uniform(-1, 1, (count, 3, *SIZE))


@pytest.mark.parametrize("objective", [sal.NonSaturating(), sal.LeastSquares()], ids=repr)
def test_rounds_against_pytorch(objective, backend, host):
    """Isola et al. 2017, section 3: all parameters after two rounds."""
    theirs = torch_players(2)
    ours = players(2, backend)
    for network, module in zip(ours, theirs, strict=True):
        module.load_state_dict(sal.to_pytorch(network, module.state_dict()))
    conditions, images = pairs()
    play = sal.GanGame(
        *ours,
        images,
        conditions=conditions,
        batch_size=4,
        objective=objective,
        remedies=[sal.Reconstruction(100)],
    )
    g, d = theirs
    optimizers = [torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (g, d)]
    if isinstance(objective, sal.LeastSquares):
        criterion = lambda scores, target: nn.functional.mse_loss(scores, target) / 2  # noqa: E731
    else:
        criterion = nn.functional.binary_cross_entropy_with_logits

    for _ in range(2):
        batch = play.draw()
        condition, image = as_torch(host(batch.real)).split([1, 3], dim=1)
        d_loss = play.discriminator_learning(batch)["d_loss"]
        g_loss = play.generator_learning(batch)

        fake = g(condition)
        real_scores = d(torch.cat([condition, image], 1))
        fake_scores = d(torch.cat([condition, fake.detach()], 1))
        loss = criterion(real_scores, torch.ones_like(real_scores))
        loss = loss + criterion(fake_scores, torch.zeros_like(fake_scores))
        optimizers[1].zero_grad()
        loss.backward()
        optimizers[1].step()
        assert float(d_loss) == pytest.approx(loss.item(), abs=1e-9)
        scores = d(torch.cat([condition, fake], 1))
        loss = criterion(scores, torch.ones_like(scores)) + 100 * (fake - image).abs().mean()
        optimizers[0].zero_grad()
        loss.backward()
        optimizers[0].step()
        assert float(g_loss) == pytest.approx(loss.item(), abs=1e-9)
    for network, module in zip(ours, theirs, strict=True):
        state = sal.to_pytorch(network, module.state_dict())
        assert all(
            close(state[name].numpy(), value, 1e-9) for name, value in module.named_parameters()
        )


def test_the_generator_through_a_patch_gan_against_differences():
    """Its gradient, noise of dropout and L1 included, along random directions."""
    conditions, images = pairs(4)
    ours = players(2, optimizer=lambda: sal.SGD(1e-300), dropout=0.5)
    play = sal.GanGame(
        *ours, images, conditions=conditions, batch_size=4, remedies=[sal.Reconstruction(3)]
    )
    generator, real = ours[0], play.draw().real
    noise, start = generator.random.state, generator.parameters.copy()

    def loss(move):
        generator.random.state = noise  # the same is dropped
        generator.parameters[...] = start + move
        return float(play.generator_learning(games.remedies.Batch(real, play.make(real), None)))

    loss(0)
    gradient = generator.gradients.copy()
    for _ in range(5):
        direction = RANDOM.normal(size=start.shape)
        numeric = (loss(1e-6 * direction) - loss(-1e-6 * direction)) / 2e-6
        assert numeric == pytest.approx(gradient @ direction, rel=1e-6)


@pytest.mark.parametrize("skips", [True, False])
def test_gradients_of_the_u_net_and_of_the_encoder_decoder(skips):
    layers = unet((8, 8), 1, 1, skips)
    assert gradient_check(layers, RANDOM.normal(size=(3, 1, 8, 8))).worst < 1e-6


def test_the_u_net_is_the_paper_s_at_256():
    """Section 6.1.1: the channels of each level, and where dropout is."""
    network = sal.Network(unet((256, 256), 3, channels=1), (3, 256, 256))
    down, up, dropped = [], [], []
    for _, layer in network.walk():
        if isinstance(layer, sal.TransposedConvolutionalLayer):
            up.append(layer.weights.shape[:2])
        elif isinstance(layer, sal.ConvolutionalLayer) and layer.weights.shape[2:] == (3, 3):
            up.append(layer.weights.shape[1::-1])
        elif isinstance(layer, sal.ConvolutionalLayer):
            down.append(64 * layer.channels)
        elif isinstance(layer, sal.Dropout):
            dropped.append(len(up))
    assert down == [64, 128, 256, 512, 512, 512, 512, 512]
    assert dropped == [1, 2, 3]
    assert [64 * outputs for _, outputs in up[:-1]] == [512, 512, 512, 512, 256, 128, 64]
    assert [64 * inputs for inputs, _ in up] == [512, 1024, 1024, 1024, 1024, 512, 256, 128]
    assert network.output_shape == (3, 256, 256)


def test_a_wide_area_gets_no_grid_from_the_outermost_levels():
    """Equal pixels inside them stay equal, away from the picture's edge (Odena et al. 2016)."""
    _, skip, *last = unet((64, 64), 3, channels=4)
    layers = [*skip.layers[-3:], *last]
    network = sal.Network(layers, (16, 16, 16), dtype="float64", seed=0)
    y = network.predict(np.broadcast_to(RANDOM.normal(size=(1, 16, 1, 1)), (1, 16, 16, 16)))
    assert y.shape == (1, 3, 64, 64)
    assert np.ptp(y[:, :, 8:-8, 8:-8], axis=(2, 3)).max() < 1e-12 < np.abs(y).max()


@pytest.mark.parametrize("field", [1, 16, 34, 70])
def test_a_score_sees_a_patch(field):
    network = sal.Network(patch_gan(field, 2), (2, 96, 96), dtype="float64")
    y = network.compute(RANDOM.normal(size=(1, 2, 96, 96)), training=False)
    dy = np.zeros(y.shape)
    dy[0, 0, y.shape[2] // 2, y.shape[3] // 2] = 1
    seen = np.abs(network.backprop(dy)).max(axis=(0, 1))
    rows, columns = (np.flatnonzero(seen.max(axis=axis)) for axis in (1, 0))
    assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == field


@pytest.mark.parametrize("latent", [None, 6])
@pytest.mark.parametrize("name", ["pix2pix", "slides"])
def test_architectures_of_pairs_play(name, latent):
    lines = RANDOM.integers(0, 256, (9, 1, 32, 32), dtype=np.uint8)
    colours = RANDOM.integers(0, 256, (9, 3, 32, 32), dtype=np.uint8)
    pairs = data.Pairs.of(lines, colours)
    play = games.new_game(name, pairs, batch_size=3, latent=latent)
    play.play(2)
    assert play.generate(conditions=lines[:2]).shape == (2, 3, 32, 32)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: unet((100, 90), 3), r"U-Net halves pictures 5 times.*100×90.*to 96×96"),
        (lambda: unet((28, 28), 3), "resize them to 32×32"),
        (lambda: encoder_decoder((60, 65), 3, (8, 16, 32)), r"60×65 .* to 64×64"),
        (lambda: unet((5, 5), 3), "halves pictures 1 time, which 5×5"),
        (
            lambda: games.new_game("pix2pix", data.Pairs.of(*np.zeros((2, 9, 3, 4, 4), np.uint8))),
            "pictures of at least 8×8, got 4×4: resize them",
        ),
        (lambda: patch_gan(30), "must be 1, 16, 34 or 70, got 30"),
        (lambda: games.new_game("slides", data.load("digits")[0]), "slides .* give it Pairs"),
        (
            lambda: games.new_game("cgan", data.Pairs.of(*np.zeros((2, 9, 3, 8, 8), np.uint8))),
            "give it Images, or use pix2pix",
        ),
    ],
)
def test_what_translators_refuse(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_the_small_discriminator_has_one_score():
    network = sal.Network(whole_picture((4, 8)), (6, 16, 16))
    assert network.output_shape == (1,)
