"""PyTorch's steps: eager, channels-last, compiled, or captured in a CUDA graph."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
from torch import nn

from peers import BATCH, LEAK, PLAYERS, RATE, Game, Step, digits, pictures


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


def perceptron(sizes: list[int], batch: int, optimizer: str, style: Style) -> Step:
    """Return a step of a classifier with ReLU."""
    torch.manual_seed(0)
    model = _perceptron(sizes, nn.ReLU()).to(style.device)
    learner = style.optimizer(optimizer, model.parameters(), RATE[optimizer])
    return classifier(model, learner, digits(batch), style)


def classifier(model: nn.Module, learner, data, style: Style) -> Step:
    """Return a step on a batch of images and labels."""
    criterion = nn.CrossEntropyLoss()
    x, labels = (torch.from_numpy(array).to(style.device) for array in data)

    def step() -> torch.Tensor:
        learner.zero_grad()
        loss = criterion(model(x), labels)
        loss.backward()
        learner.step()
        return loss.detach()

    return style.finish(step)


def vector_game(game: Game, style: Style) -> Step:
    """Return a round of a game between perceptrons."""
    torch.manual_seed(0)
    generator = _perceptron(game.generator, nn.ReLU(), nn.Tanh()).to(style.device)
    discriminator = _perceptron(game.discriminator, nn.LeakyReLU(LEAK)).to(style.device)
    images = torch.from_numpy(pictures(784)).to(style.device)
    if game.penalised:
        return penalty_round(generator, discriminator, images, game.discriminator_steps, style)
    return gan_round(generator, discriminator, images, (game.generator[0],), style)


def gan_round(
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


def penalty_round(
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


def dcgan(style: Style) -> Step:
    """Return a round of the DCGAN."""
    generator, discriminator = (p.to(style.device) for p in dcgan_players(style.layout))
    images = torch.from_numpy(pictures(1, 32, 32)).to(style.device)
    return gan_round(generator, discriminator, images, (100, 1, 1), style)


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


def _perceptron(sizes, activation: nn.Module, *last: nn.Module) -> nn.Sequential:
    modules: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        modules += [nn.Linear(inputs, outputs), activation]
        nn.init.kaiming_normal_(modules[-2].weight)
        nn.init.zeros_(modules[-2].bias)
    nn.init.xavier_normal_(modules[-2].weight)
    return nn.Sequential(*modules[:-1], *last)
