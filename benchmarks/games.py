"""Games beside the same games written in PyTorch: time of a round, and what they learn.

    python benchmarks/games.py --threads 2       # time of a round; and --threads 1
    python benchmarks/games.py --distance        # Fréchet distances after equal rounds on MNIST
    python benchmarks/games.py --distance --dcgan --rounds 1500    # likewise, convolutional

Generator 100-300-784, discriminator 784-300-1, batch 64, Adam 0.0002, β₁ 0.5: the non-saturating
game, and the Wasserstein game with a gradient penalty and one critic step. For time, also the game
``cgan`` of ``salamandre train``, without its moving average; contestants take turns in one process,
and a ratio is PyTorch's median over ours. For learning, both play the same number of rounds from
several seeds, and one judge looks at 10,000 samples of each.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from speed import times

ROUND = Callable[[], object]


def ours(images, penalised: bool, seed: int = 0):
    """Return a game of Salamandre."""
    import salamandre as sal

    def adam():
        return sal.Adam(2e-4, beta1=0.5)

    he, xavier = sal.initializers.He("normal"), sal.initializers.Xavier("normal")
    generator = sal.Network(
        [
            sal.NeuronLayer(300, sal.ReLU(), initializer=he),
            sal.NeuronLayer(784, sal.Tanh(), initializer=xavier),
        ],
        100,
        optimizer=adam(),
        seed=seed,
    )
    discriminator = sal.Network(
        [
            sal.NeuronLayer(300, sal.LeakyReLU(0.2), initializer=he),
            sal.NeuronLayer(1, initializer=xavier),
        ],
        784,
        optimizer=adam(),
        seed=seed + 1,
    )
    options = {"latent": sal.Gaussian(100), "batch_size": 64, "seed": seed}
    if penalised:
        return sal.WGanGame(
            generator,
            discriminator,
            images,
            critic_steps=1,
            lipschitz=sal.GradientPenalty(10),
            **options,
        )
    return sal.GanGame(generator, discriminator, images, **options)


def theirs(pixels: np.ndarray, penalised: bool, seed: int = 0):
    """Return a round of PyTorch in its usual, eager form, and its generator.

    The same structure, initial distributions, optimizer and order of play: the discriminator's
    step, then the generator's on the same fakes.
    """
    import torch
    from torch import nn

    torch.manual_seed(seed)
    generator = nn.Sequential(nn.Linear(100, 300), nn.ReLU(), nn.Linear(300, 784), nn.Tanh())
    discriminator = nn.Sequential(nn.Linear(784, 300), nn.LeakyReLU(0.2), nn.Linear(300, 1))
    for first, last in ((generator[0], generator[2]), (discriminator[0], discriminator[2])):
        nn.init.kaiming_normal_(first.weight)
        nn.init.xavier_normal_(last.weight)
        nn.init.zeros_(first.bias)
        nn.init.zeros_(last.bias)
    adam_g = torch.optim.Adam(generator.parameters(), 2e-4, betas=(0.5, 0.999))
    adam_d = torch.optim.Adam(discriminator.parameters(), 2e-4, betas=(0.5, 0.999))
    cross_entropy = nn.functional.binary_cross_entropy_with_logits
    ones, zeros = torch.ones(64, 1), torch.zeros(64, 1)
    images = torch.from_numpy(pixels)
    state = {"order": torch.randperm(len(images)), "next": 0}

    def batch():
        start = state["next"]
        if start + 64 > len(images):
            state["order"], start = torch.randperm(len(images)), 0
        state["next"] = start + 64
        return images[state["order"][start : start + 64]]

    def play():
        real, fake = batch(), generator(torch.randn(64, 100))
        seen = fake.detach()
        if penalised:
            loss = discriminator(seen).mean() - discriminator(real).mean()
            share = torch.rand(64, 1)
            between = (share * real + (1 - share) * seen).requires_grad_()
            (slope,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
            loss = loss + 10 * ((slope.norm(2, dim=1) - 1) ** 2).mean()
        else:
            loss = cross_entropy(discriminator(real), ones)
            loss = loss + cross_entropy(discriminator(seen), zeros)
        adam_d.zero_grad()
        loss.backward()
        adam_d.step()
        scores = discriminator(fake)
        loss = -scores.mean() if penalised else cross_entropy(scores, ones)
        adam_g.zero_grad()
        loss.backward()
        adam_g.step()
        return loss.item()

    return play, generator


def our_conditional(images: np.ndarray, labels: np.ndarray) -> ROUND:
    """Return a round of the architecture ``cgan``."""
    from salamandre import data, games

    pixels = ((images.reshape(-1, 1, 28, 28) + 1) * 127.5).astype(np.uint8)
    digits = data.Images(pixels, labels, tuple("0123456789"), "random", "train")
    game = games.new_game("cgan", digits, average=0)
    return game.play_and_learn


def their_conditional(images: np.ndarray, given: np.ndarray, frozen: bool) -> ROUND:
    """Return a round of the same game in PyTorch, eager.

    Args:
        images: (N, 784).
        given: the labels.
        frozen: spare the discriminator's gradients in the generator's step, as few programs do.
    """
    import torch
    from torch import nn

    class Conditional(nn.Module):
        """Layers of the input concatenated with an embedding of the label."""

        def __init__(self, *layers: nn.Module) -> None:
            super().__init__()
            self.embedding, self.layers = nn.Embedding(10, 10), nn.Sequential(*layers)

        def forward(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            return self.layers(torch.cat([x, self.embedding(labels)], 1))

    def up(inputs: int, outputs: int) -> list[nn.Module]:
        norm = nn.BatchNorm1d(outputs, eps=1e-3, momentum=0.2)
        return [nn.Linear(inputs, outputs), norm, nn.LeakyReLU(0.2)]

    def down(inputs: int) -> list[nn.Module]:
        return [nn.Linear(inputs, 512), nn.LeakyReLU(0.2)]

    generator = Conditional(
        *(nn.Linear(110, 128), nn.LeakyReLU(0.2), *up(128, 256), *up(256, 512), *up(512, 1024)),
        *(nn.Linear(1024, 784), nn.Tanh()),
    )
    discriminator = Conditional(
        *(*down(794), *down(512), nn.Dropout(0.4), *down(512), nn.Dropout(0.4), nn.Linear(512, 1)),
    )
    optimizers = [
        torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (generator, discriminator)
    ]
    pixels, numbers = torch.from_numpy(images), torch.from_numpy(given.astype(np.int64))
    criterion, ones, zeros = nn.MSELoss(), torch.ones(64, 1), torch.zeros(64, 1)

    def play() -> tuple[float, float]:
        batch = torch.randint(len(pixels), (64,))
        real, labels = pixels[batch], numbers[batch]
        fake = generator(torch.randn(64, 100), labels)
        both = torch.cat([real, fake.detach()]), torch.cat([labels, labels])
        d_loss = criterion(discriminator(*both), torch.cat([ones, zeros]))
        optimizers[1].zero_grad()
        d_loss.backward()
        optimizers[1].step()
        discriminator.requires_grad_(not frozen)
        g_loss = criterion(discriminator(fake, labels), ones)
        optimizers[0].zero_grad()
        g_loss.backward()
        optimizers[0].step()
        discriminator.requires_grad_(True)
        return d_loss.item(), g_loss.item()

    return play


def time_table(threads: int, blocks: int) -> list[str]:
    """Return the table of the time of a round."""
    import torch

    random = np.random.default_rng(0)
    pixels = random.random((6000, 784), dtype=np.float32) * 2 - 1
    rows = [
        f"NumPy {np.__version__}, PyTorch {torch.__version__}, {threads} thread(s), float32, "
        f"medians in microseconds.",
        "",
        "| round | ours | PyTorch eager | ratio |",
        "|---|---|---|---|",
    ]
    labels = random.integers(0, 10, len(pixels)).astype(np.uint8)
    pairs: dict[str, tuple[ROUND, ROUND]] = {
        name: (ours(pixels, penalised).play_and_learn, theirs(pixels, penalised)[0])
        for name, penalised in (("non-saturating", False), ("gradient penalty", True))
    }
    for name, frozen in (("cgan", False), ("cgan, PyTorch's discriminator frozen", True)):
        pairs[name] = our_conditional(pixels, labels), their_conditional(pixels, labels, frozen)
    for name, (own_round, their_round) in pairs.items():
        contestants = {"ours": own_round, "theirs": their_round}
        median = times(contestants, 12, blocks)
        own, other = median["ours"] * 1e6, median["theirs"] * 1e6
        rows.append(f"| {name} | {own:.0f} | {other:.0f} | **{other / own:.2f}** |")
    return rows


def distance_table(rounds: int, seeds: int, dcgan: bool) -> list[str]:
    """Return the table of Fréchet distances after equal rounds."""
    import torch
    from convolution import our_game, torch_game

    from salamandre import data, evaluation

    train, test = data.load("mnist")
    pairs = {
        "non-saturating": (partial(ours, penalised=False), partial(theirs, penalised=False)),
        "gradient penalty": (partial(ours, penalised=True), partial(theirs, penalised=True)),
    }
    if dcgan:
        train, test = (data.apply(images, data.Resize(32)) for images in (train, test))
        pairs = {"DCGAN at 32×32": (our_game, partial(torch_game, True))}
    judge = evaluation.Judge.trained(train, test)
    pixels = train.images.astype(np.float32) / np.float32(127.5) - 1
    if not dcgan:
        pixels = pixels.reshape(len(pixels), -1)
    rows = [
        f"MNIST, {rounds} rounds, seeds 0 to {seeds - 1}: Fréchet distance of 10,000 samples to "
        f"the 10,000 test digits in the features of a classifier ({judge.accuracy:.2%}).",
        "",
        "| game | ours | mean | PyTorch | mean |",
        "|---|---|---|---|---|",
    ]
    for name, (make, make_theirs) in pairs.items():
        found: dict[str, list[float]] = {"ours": [], "theirs": []}
        for seed in range(seeds):
            game = make(train, seed=seed)
            game.play(rounds)
            found["ours"].append(judge.of_game()(game)["frechet"])
            play, generator = make_theirs(pixels, seed=seed)
            for _ in range(rounds):
                play()
            latent = torch.randn(10_000, 100, *(1, 1) * dcgan)
            with torch.no_grad():
                samples = torch.cat([generator.eval()(z) for z in latent.split(100)]).numpy()
            found["theirs"].append(judge.metrics(samples, (-1, 1))["frechet"])
            print(name, seed, {who: f"{values[-1]:.2f}" for who, values in found.items()})
        cells = [
            f"{', '.join(f'{value:.1f}' for value in values)} | {np.mean(values):.1f}"
            for values in found.values()
        ]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return rows


def main() -> None:
    """Write one table or the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2, help="of BLAS and PyTorch (default 2)")
    parser.add_argument("--blocks", type=int, default=20, help="turns of each (default 20)")
    parser.add_argument("--distance", action="store_true", help="compare what is learned")
    parser.add_argument("--dcgan", action="store_true", help="with --distance: convolutional")
    parser.add_argument("--rounds", type=int, default=5000, help="with --distance (default 5000)")
    parser.add_argument("--seeds", type=int, default=3, help="with --distance (default 3)")
    parser.add_argument("--output", type=Path, help="write the table to this file too")
    options = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = str(options.threads)

    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(options.threads)
    threadpool_limits(options.threads)
    if options.distance:
        rows = distance_table(options.rounds, options.seeds, options.dcgan)
    else:
        rows = time_table(options.threads, options.blocks)
    print("\n".join(rows))
    if options.output:
        options.output.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
