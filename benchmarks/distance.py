"""What games learn beside the same games in PyTorch: Fréchet distances after equal rounds on MNIST.

    python benchmarks/distance.py                          # perceptrons
    python benchmarks/distance.py --dcgan --rounds 1500    # convolutional

Generator 100-300-784, discriminator 784-300-1, batch 64, Adam 0.0002, β₁ 0.5: the non-saturating
game, and the Wasserstein game with a gradient penalty and one critic step; or the DCGAN at 32×32.
Both play the same number of rounds from several seeds, and one judge looks at 10,000 samples.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np


def table(rounds: int, seeds: int, dcgan: bool) -> list[str]:
    """Return the table of Fréchet distances after equal rounds."""
    import torch
    from peers import GAN, in_pytorch, ours

    from salamandre import data, evaluation

    train, test = data.load("mnist")
    if dcgan:
        train, test = (data.apply(images, data.Resize(32)) for images in (train, test))
    judge = evaluation.Judge.trained(train, test)
    pixels = train.images.astype(np.float32) / np.float32(127.5) - 1
    pixels = pixels if dcgan else pixels.reshape(len(pixels), -1)
    games = {
        "non-saturating": GAN,
        "gradient penalty": GAN._replace(penalised=True),
    }
    rows = [
        f"MNIST, {rounds} rounds, seeds 0 to {seeds - 1}: Fréchet distance of 10,000 samples to "
        f"the 10,000 test digits in the features of a classifier ({judge.accuracy:.2%}).",
        "",
        "| game | ours | mean | PyTorch | mean |",
        "|---|---|---|---|---|",
    ]
    for name in ["DCGAN at 32×32"] if dcgan else games:
        found: dict[str, list[float]] = {"ours": [], "theirs": []}
        for seed in range(seeds):
            if dcgan:
                game = ours.dcgan_game(train, seed)
                play, generator = in_pytorch.dcgan_game(pixels, seed, channels_last=True)
            else:
                game = ours.perceptron_game(games[name], pixels, seed)
                play, generator = in_pytorch.perceptron_game(games[name], pixels, seed)
            game.play(rounds)
            found["ours"].append(judge.of_game()(game)["frechet"])
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
    """Write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dcgan", action="store_true", help="convolutional")
    parser.add_argument("--rounds", type=int, default=5000, help="default 5000")
    parser.add_argument("--seeds", type=int, default=3, help="default 3")
    parser.add_argument("--output", type=Path, help="write the table to this file too")
    options = parser.parse_args()
    rows = table(options.rounds, options.seeds, options.dcgan)
    print("\n".join(rows))
    if options.output:
        options.output.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
