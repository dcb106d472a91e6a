"""A round of the game ``pix2pix`` at 64×64 (Isola et al. 2017), timed beside PyTorch.

The same networks (a U-Net with dropout against a PatchGAN with patches of 34 pixels), objective, L1
loss and optimizer, batches of 16; PyTorch runs eagerly, in its default layout and channels-last,
its discriminator is frozen in the generator's step, as ours is. Contestants take turns in one
process as in ``table.py``; a ratio is the peer's median time over ours: above 1 we are faster.

    python benchmarks/pix2pix.py --threads 2            # and --threads 1
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from peers import Step
from timing import times

BATCH, SIZE, WIDTH, FIELD = 16, 64, 32, 34


def our_round(width: int) -> Step:
    """Return a round of ours."""
    import salamandre as sal
    from salamandre.games.translators import patch_gan, unet

    def player(layers: list[sal.Layer], channels: int, seed: int) -> sal.Network:
        return sal.Network(layers, (channels, SIZE, SIZE), optimizer=sal.Adam(2e-4, 0.5), seed=seed)

    generator = player(unet((SIZE, SIZE), 3, width), 3, 0)
    discriminator = player(patch_gan(FIELD, width), 6, 1)
    conditions, images = np.random.default_rng(0).integers(0, 256, (2, 8 * BATCH, 3, SIZE, SIZE))
    game = sal.GanGame(
        generator,
        discriminator,
        images.astype(np.uint8),
        conditions=conditions.astype(np.uint8),
        batch_size=BATCH,
        remedies=[sal.Reconstruction(100)],
    )

    def step() -> float:
        game.play_and_learn()
        return game.history.steps["d_loss"][-1]

    return step


def their_round(width: int, last: bool) -> Step:
    """Return the same round in PyTorch."""
    import torch
    from torch import nn

    def up(inputs: int, outputs: int, level: int, bias: bool = False) -> list[nn.Module]:
        if level > 1:
            return [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=bias)]
        return [nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, 1, 1, bias=bias)]

    class Level(nn.Module):
        """A level of the U-Net: down, what is inside, up; past it goes its input."""

        def __init__(self, level: int, inside: list[nn.Module]) -> None:
            super().__init__()
            outer, inner = widths[level - 1], widths[level]
            self.layers = nn.Sequential(
                *(nn.LeakyReLU(0.2), nn.Conv2d(outer, inner, 4, 2, 1, bias=False)),
                *([nn.BatchNorm2d(inner), *inside] if inside else []),
                nn.ReLU(),
                *up(inner * (2 if inside else 1), outer, level),
                nn.BatchNorm2d(outer),
                *([nn.Dropout(0.5)] if level >= depth - 3 else []),
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x, self.layers(x)], 1)

    layout = torch.channels_last if last else torch.contiguous_format
    depth = SIZE.bit_length() - 1
    widths = [width * min(8, 2**level) for level in range(depth)]
    inside: list[nn.Module] = []
    for level in range(depth - 1, 0, -1):
        inside = [Level(level, inside)]
    generator = nn.Sequential(
        *(nn.Conv2d(3, width, 4, 2, 1), *inside, nn.ReLU()),
        *(*up(2 * width, 3, 0, bias=True), nn.Tanh()),
    ).to(memory_format=layout)
    discriminator = nn.Sequential(
        *(nn.Conv2d(6, width, 4, 2, 1), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * width)),
        *(nn.LeakyReLU(0.2), nn.Conv2d(2 * width, 4 * width, 4, 1, 1, bias=False)),
        *(nn.BatchNorm2d(4 * width), nn.LeakyReLU(0.2), nn.Conv2d(4 * width, 1, 4, 1, 1)),
    ).to(memory_format=layout)
    optimizers = [
        torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (generator, discriminator)
    ]
    adversarial, absolute = nn.BCEWithLogitsLoss(), nn.L1Loss()
    conditions, images = 2 * torch.rand(2, 8 * BATCH, 3, SIZE, SIZE) - 1

    def step() -> float:
        rows = torch.randint(len(images), (BATCH,))
        condition, image = (x[rows].contiguous(memory_format=layout) for x in (conditions, images))
        fake = generator(condition)
        real_scores = discriminator(torch.cat([condition, image], 1))
        fake_scores = discriminator(torch.cat([condition, fake.detach()], 1))
        d_loss = adversarial(real_scores, torch.ones_like(real_scores))
        d_loss = d_loss + adversarial(fake_scores, torch.zeros_like(fake_scores))
        optimizers[1].zero_grad()
        d_loss.backward()
        optimizers[1].step()
        discriminator.requires_grad_(False)
        scores = discriminator(torch.cat([condition, fake], 1))
        g_loss = adversarial(scores, torch.ones_like(scores)) + 100 * absolute(fake, image)
        optimizers[0].zero_grad()
        g_loss.backward()
        optimizers[0].step()
        discriminator.requires_grad_(True)
        return d_loss.item()

    return step


def main() -> None:
    """Run the comparison and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2, help="of BLAS and PyTorch (default 2)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of measurement (default 20)")
    text = f"channels of the outermost level (default {WIDTH})"
    parser.add_argument("--channels", type=int, default=WIDTH, help=text)
    parser.add_argument("--output", type=Path, help="write the table to this file too")
    options = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = str(options.threads)

    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(options.threads)
    threadpool_limits(options.threads)
    contestants = {
        "ours": our_round(options.channels),
        "PyTorch": their_round(options.channels, False),
        "channels-last": their_round(options.channels, True),
    }
    median = times(contestants, options.seconds)
    own = median.pop("ours")
    ratios = " | ".join(f"**{seconds / own:.2f}**" for seconds in median.values())
    rows = [
        f"NumPy {np.__version__}, PyTorch {torch.__version__}, {options.threads} thread(s), "
        f"float32, batch {BATCH}, {options.channels} channels, medians.",
        "",
        "| round at 64 x 64 | ours, ms | PyTorch | its channels-last |",
        "|---|---|---|---|",
        f"| pix2pix | {own * 1e3:.0f} | {ratios} |",
    ]
    print("\n".join(rows))
    if options.output:
        options.output.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
