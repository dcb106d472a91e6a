"""PyTorch's steps: eager, channels-last, compiled, or captured in a CUDA graph."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from peers import BATCH, LEAK, PLAYERS, RATE, Game, Step, dense, digits, pictures

torch._logging.set_logs(dynamo=logging.ERROR)  # it warns of what it leaves out


class Style(NamedTuple):
    """How PyTorch is used."""

    device: str = "cpu"
    channels_last: bool = False
    fused: bool = False  # the optimizer's loop
    compiled: bool = False  # by torch.compile, the whole step
    graph: bool = False  # the whole step in a CUDA graph

    @property
    def layout(self) -> torch.memory_format:
        """Return the memory format of images."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def optimizer(self, kind: str, parameters, rate: float, **options) -> torch.optim.Optimizer:
        """Return an optimizer."""
        if kind == "Adam" and self.graph:
            options["capturable"] = True
        fused = (self.fused or self.graph) or None
        return getattr(torch.optim, kind)(parameters, rate, fused=fused, **options)

    def adam(self, network: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer of a player."""
        betas = PLAYERS["beta1"], 0.999
        return self.optimizer("Adam", network.parameters(), PLAYERS["rate"], betas=betas)

    def finish(self, step: Step) -> Step:
        """Return the step as this style takes it."""
        if self.compiled:
            return torch.compile(step)
        return captured(step) if self.graph else step


def captured(step: Step) -> Step:
    """Return the replay of a CUDA graph of a step (docs.pytorch.org, notes on CUDA semantics)."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step()

    def replay() -> torch.Tensor:
        graph.replay()
        return loss

    replay.step = step  # a graph does not keep the tensors of its step
    return replay


def perceptron(sizes: list[int], batch: int, optimizer: str, **options) -> Step:
    """Return a step of a classifier with ReLU; options are those of a style."""
    style = Style(**options)
    model = _perceptron(sizes, 0, nn.ReLU()).to(style.device)
    return _classifier(model, optimizer, digits(batch, sizes[0]), style)


def perceptron_game(game: Game, images=None, seed: int = 0, **options) -> tuple[Step, nn.Module]:
    """Return a round of a game between perceptrons, and its generator."""
    style = Style(**options)
    torch.manual_seed(seed)
    generator = _perceptron(game.generator, 2 * seed, nn.ReLU(), nn.Tanh())
    discriminator = _perceptron(game.discriminator, 2 * seed + 1, nn.LeakyReLU(LEAK))
    players = generator.to(style.device), discriminator.to(style.device)
    images = torch.from_numpy(pictures(784) if images is None else images).to(style.device)
    if game.penalised:
        return penalty_game(*players, images, game.discriminator_steps, style), generator
    return gan_game(*players, images, (game.generator[0],), style), generator


def perceptron_round(game: Game, **options) -> Step:
    """Return a round of a game between perceptrons."""
    return perceptron_game(game, **options)[0]


def gan_game(
    generator: nn.Module, discriminator: nn.Module, images: torch.Tensor, latent, style: Style
) -> Step:
    """Return a round of the non-saturating game.

    The discriminator is frozen for the generator's step, as ours is, so that PyTorch does no more
    than is needed.
    """
    adam_g, adam_d = style.adam(generator), style.adam(discriminator)
    criterion, device = nn.BCEWithLogitsLoss(), style.device
    ones = torch.ones(BATCH, 1, device=device)
    zeros = torch.zeros(BATCH, 1, device=device)

    def play() -> torch.Tensor:
        real = images[torch.randint(len(images), (BATCH,), device=device)]
        fake = generator(torch.randn(BATCH, *latent, device=device))
        adam_d.zero_grad()
        d_loss = criterion(discriminator(real), ones)
        d_loss = d_loss + criterion(discriminator(fake.detach()), zeros)
        d_loss.backward()
        adam_d.step()
        discriminator.requires_grad_(False)
        adam_g.zero_grad()
        criterion(discriminator(fake), ones).backward()
        adam_g.step()
        discriminator.requires_grad_(True)
        return d_loss.detach()

    return style.finish(play)


def penalty_game(
    generator: nn.Module, critic: nn.Module, images: torch.Tensor, steps: int, style: Style
) -> Step:
    """Return a round of the Wasserstein game with a gradient penalty."""
    adam_g, adam_d = style.adam(generator), style.adam(critic)
    device, latent = style.device, generator[0].in_features

    def play() -> torch.Tensor:
        for _ in range(steps):
            real = images[torch.randint(len(images), (BATCH,), device=device)]
            fake = generator(torch.randn(BATCH, latent, device=device))
            seen = fake.detach()
            adam_d.zero_grad()
            d_loss = critic(seen).mean() - critic(real).mean()
            share = torch.rand(BATCH, 1, device=device)
            between = (share * real + (1 - share) * seen).requires_grad_()
            (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
            d_loss = d_loss + 10 * ((slope.norm(2, dim=1) - 1) ** 2).mean()
            d_loss.backward()
            adam_d.step()
        critic.requires_grad_(False)
        adam_g.zero_grad()
        (-critic(fake).mean()).backward()
        adam_g.step()
        critic.requires_grad_(True)
        return d_loss.detach()

    return style.finish(play)


def dcgan_game(images=None, seed: int = 0, **options) -> tuple[Step, nn.Module]:
    """Return a round of the DCGAN, and its generator."""
    style = Style(**options)
    generator, discriminator = (p.to(style.device) for p in dcgan_players(style.layout, seed))
    images = torch.from_numpy(pictures(1, 32, 32) if images is None else images).to(style.device)
    return gan_game(generator, discriminator, images, (100, 1, 1), style), generator


def dcgan_round(**options) -> Step:
    """Return a round of the DCGAN."""
    return dcgan_game(**options)[0]


def dcgan_players(layout: torch.memory_format, seed: int = 0) -> tuple[nn.Module, nn.Module]:
    """Return generator and discriminator of a DCGAN at 32×32."""

    def up(inputs: int, channels: int, *window: int) -> list[nn.Module]:
        convolution = nn.ConvTranspose2d(inputs, channels, *window, bias=False)
        return [convolution, nn.BatchNorm2d(channels), nn.ReLU()]

    def down(inputs: int, channels: int) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, channels, 4, 2, 1, bias=False)
        return [convolution, nn.BatchNorm2d(channels), nn.LeakyReLU(LEAK)]

    torch.manual_seed(seed)
    generator = nn.Sequential(
        *(*up(100, 256, 4), *up(256, 128, 4, 2, 1), *up(128, 64, 4, 2, 1)),
        *(nn.ConvTranspose2d(64, 1, 4, 2, 1), nn.Tanh()),
    ).to(memory_format=layout)
    discriminator = nn.Sequential(
        *(nn.Conv2d(1, 64, 4, 2, 1), nn.LeakyReLU(LEAK), *down(64, 128), *down(128, 256)),
        *(nn.Conv2d(256, 1, 4), nn.Flatten()),
    ).to(memory_format=layout)
    for module in (*generator, *discriminator):
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return generator, discriminator


def cgan_round(**options) -> Step:
    """Return a round of the conditional game, the discriminator frozen in the generator's step."""
    style = Style(**options)

    class Conditional(nn.Module):
        """Layers of the input concatenated with an embedding of the label."""

        def __init__(self, *layers: nn.Module) -> None:
            super().__init__()
            self.embedding, self.layers = nn.Embedding(10, 10), nn.Sequential(*layers)

        def forward(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            return self.layers(torch.cat([x, self.embedding(labels)], 1))

    def up(inputs: int, outputs: int) -> list[nn.Module]:
        norm = nn.BatchNorm1d(outputs, eps=1e-3, momentum=0.2)
        return [nn.Linear(inputs, outputs), norm, nn.LeakyReLU(LEAK)]

    def down(inputs: int) -> list[nn.Module]:
        return [nn.Linear(inputs, 512), nn.LeakyReLU(LEAK)]

    torch.manual_seed(0)
    generator = Conditional(
        *(nn.Linear(110, 128), nn.LeakyReLU(LEAK), *up(128, 256), *up(256, 512), *up(512, 1024)),
        *(nn.Linear(1024, 784), nn.Tanh()),
    )
    discriminator = Conditional(
        *(*down(794), *down(512), nn.Dropout(0.4), *down(512), nn.Dropout(0.4), nn.Linear(512, 1)),
    )
    for module in (*generator.modules(), *discriminator.modules()):
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, LEAK)
    adam_g, adam_d = style.adam(generator), style.adam(discriminator)
    pixels = torch.from_numpy(pictures(784))
    numbers = torch.from_numpy(digits(len(pixels), 1)[1])
    criterion, ones, zeros = nn.MSELoss(), torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

    def play() -> torch.Tensor:
        batch = torch.randint(len(pixels), (BATCH,))
        real, labels = pixels[batch], numbers[batch]
        fake = generator(torch.randn(BATCH, 100), labels)
        both = torch.cat([real, fake.detach()]), torch.cat([labels, labels])
        d_loss = criterion(discriminator(*both), torch.cat([ones, zeros]))
        adam_d.zero_grad()
        d_loss.backward()
        adam_d.step()
        discriminator.requires_grad_(False)
        adam_g.zero_grad()
        criterion(discriminator(fake, labels), ones).backward()
        adam_g.step()
        discriminator.requires_grad_(True)
        return d_loss.detach()

    return style.finish(play)


def layer(transposed: bool, inputs: int, outputs: int, size: int, **options) -> Step:
    """Return a forward and backward pass of a layer."""
    style = Style(**options)
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    module = kind(inputs, outputs, 4, 2, 1).to(memory_format=style.layout)
    x = torch.randn(BATCH, inputs, size, size).contiguous(memory_format=style.layout)
    x.requires_grad_()
    dy = torch.randn_like(module(x))

    def step() -> float:
        x.grad = None
        module.zero_grad()
        module(x).backward(dy)
        return 0.0

    return style.finish(step)


def small_cnn(**options) -> Step:
    """Return a step of a classifier with windows of 3×3."""

    def convolution(inputs: int, channels: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, channels, 3, padding=1), nn.ReLU()]

    torch.manual_seed(0)
    model = nn.Sequential(
        *(*convolution(1, 32), *convolution(32, 32), nn.MaxPool2d(2)),
        *(*convolution(32, 64), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(64 * 49, 128), nn.ReLU(), nn.Linear(128, 10)),
    )
    return _classifier(model, "Adam", digits(BATCH, 1, 28, 28), Style(**options))


def mnist_cnn(**options) -> Step:
    """Return a step of the network of ``mnist_classifier.py --model cnn``."""

    def convolution(inputs: int, channels: int, *window: int) -> list[nn.Module]:
        layer = nn.Conv2d(inputs, channels, *window, bias=False)
        return [layer, nn.BatchNorm2d(channels), nn.ReLU()]

    torch.manual_seed(0)
    model = nn.Sequential(
        *(*convolution(1, 32, 6, 2, 2), *convolution(32, 64, 4, 2, 1)),
        *(nn.Dropout2d(0.2), nn.Flatten()),
        *(nn.Linear(64 * 49, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 10)),
    )
    return _classifier(model, "Adam", digits(BATCH, 1, 28, 28), Style(**options))


def squeezenet(images: int, gradient: bool, **options) -> Step:
    """Return a forward pass of SqueezeNet 1.1, and back to the images if wanted."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
    from pytorch_models import SqueezeNet

    import salamandre as sal
    from peers.ours import squeezenet_network

    style = Style(**options)
    module = SqueezeNet(ceil_mode=False).eval().requires_grad_(False)
    module.load_state_dict(sal.to_pytorch(squeezenet_network(), module.state_dict()))
    module = module.to(memory_format=style.layout)
    x = torch.from_numpy(digits(images, 3, 227, 227)[0]).to(memory_format=style.layout)
    x.requires_grad_(gradient)
    dy = torch.ones(images, 1000)

    def step() -> torch.Tensor:
        x.grad = None
        y = module(x)
        if gradient:
            y.backward(dy)
        return y.detach().sum()

    return style.finish(step)


def _perceptron(sizes, seed: int, activation: nn.Module, *last: nn.Module) -> nn.Sequential:
    modules: list[nn.Module] = []
    for w, b in dense(sizes, seed):
        linear = nn.Linear(*w.shape[::-1])
        linear.load_state_dict({"weight": torch.from_numpy(w), "bias": torch.from_numpy(b)})
        modules += [linear, activation]
    return nn.Sequential(*modules[:-1], *last)


def _classifier(model: nn.Module, optimizer: str, data, style: Style) -> Step:
    """Return a step on a batch of images and labels."""
    model = model.to(memory_format=style.layout)
    learner = style.optimizer(optimizer, model.parameters(), RATE[optimizer])
    criterion = nn.CrossEntropyLoss()
    x, labels = (torch.from_numpy(array).to(style.device) for array in data)
    x = x.to(memory_format=style.layout) if x.ndim == 4 else x

    def step() -> torch.Tensor:
        learner.zero_grad()
        loss = criterion(model(x), labels)
        loss.backward()
        learner.step()
        return loss.detach()

    return style.finish(step)
