"""The games of the examples after the same time: MNIST at 32×32, one judge for all.

    python benchmarks/budget.py --minutes 5

Each plays with its example's defaults; the time is that of its rounds alone, the games play one
after another. Equal machines matter: leave this one alone meanwhile.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from salamandre import data, evaluation

GAMES = {
    "perceptrons, remedies for collapse": "gan_mnist",
    "perceptrons, Wasserstein": "wgan_mnist",
    "convolutions": "dcgan",
}


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=5, help="of each (default 5)")
    parser.add_argument("--threads", type=int, default=2, help="of BLAS (default 2)")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    parser.add_argument("--output", type=Path, help="write the table to this file too")
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

    from threadpoolctl import threadpool_limits

    threadpool_limits(options.threads)
    train, test = (data.apply(images, data.Resize(32)) for images in data.load("mnist"))
    judge = evaluation.Judge.trained(train, test, convolutional=True)
    rows = [
        f"MNIST at 32×32, {options.minutes:g} minutes each in {options.threads} thread(s), seed "
        f"{options.seed}; the judge, a convolutional network, has an accuracy of "
        f"{judge.accuracy:.2%} on the test digits.",
        "",
        "| game | example | rounds | smallest class | largest | confident | Fréchet | recall |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, example in GAMES.items():
        module = __import__(example)
        game = module.build_game(module.parse_arguments(["--seed", str(options.seed)]), train)
        while game.seconds < 60 * options.minutes:
            game.play(game.rounds + 50)
        found = judge.of_game()(game)
        shares = " | ".join(f"{found[key]:.1%}" for key in ("least", "most", "confident"))
        rows.append(
            f"| {name} | {example}.py | {game.rounds:,} | {shares} | **{found['frechet']:.1f}** | "
            f"{found['recall']:.2f} |"
        )
        print(rows[-1], flush=True)
    print("\n".join(rows))
    if options.output:
        options.output.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
