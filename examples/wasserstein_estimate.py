"""How well a critic estimates the Wasserstein distance, by the constraint that bounds its slope.

    python examples/wasserstein_estimate.py
    python examples/wasserstein_estimate.py --steps 5000 --distribution grid

The real points are a mixture of Gaussians, the fake ones the same mixture moved to the right: their
distance is the length of the move. A critic learns to tell both apart, with clipped weights, a
gradient penalty or spectral normalisation. Its estimate, the mean score of real points minus that
of fakes, is laid beside the exact distance of two samples and their sliced one. Clipped critics
estimate a multiple of the distance, which changes with the limit and the network; so each estimate
is also divided by the critic's steepest slope at the points.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

import salamandre as sal
from salamandre import evaluation, runs
from salamandre.data import toy
from salamandre.games.duel import Duel
from salamandre.plots.figure import WIDTH, heads, new_figure, save_figure, styled
from salamandre.program import Help, run_program

MIXTURES = {"ring": toy.ring, "grid": partial(toy.grid, step=0.5, std=0.02)}
CONSTRAINTS = {
    "clipping": lambda: sal.WeightClipping(0.1),
    "penalty": lambda: sal.GradientPenalty(10),
    "spectral": sal.SpectralNorm,
}
BATCH, SAMPLES = 256, 1000


def estimate(constraint: str, move: float, mixture: toy.GaussianMixture, steps: int, seed: int):
    """Return a critic's estimate after so many steps, and its steepest slope at the points."""
    layers = [sal.NeuronLayer(64, sal.LeakyReLU(0.2)) for _ in range(2)]
    falling = sal.Adam(sal.schedules.CosineDecay(2e-3, steps), beta1=0.5, beta2=0.9)
    critic = sal.Network([*layers, sal.NeuronLayer(1)], 2, optimizer=falling, seed=seed)
    objective, lipschitz = sal.Wasserstein(), CONSTRAINTS[constraint]()
    lipschitz.attach(critic)
    duel = Duel(critic, lipschitz)
    for step in range(steps):
        real, fake = pair(mixture, move, BATCH, (seed, step))
        scores = duel.scores(real, fake, None)
        _, d_real, d_fake = objective.discriminator(*scores, 1, 0, np)
        duel.backprop(d_real, d_fake)
        duel.penalty(real, fake, None)
        lipschitz.step()
    real, fake = pair(mixture, move, SAMPLES, (seed, steps))
    scores = critic.compute(np.concatenate([real, fake]))[:, 0]
    slopes = np.linalg.norm(critic.backprop(np.ones((2 * SAMPLES, 1)), update=False), axis=1)
    return float(scores[:SAMPLES].mean() - scores[SAMPLES:].mean()), float(slopes.max())


def pair(mixture: toy.GaussianMixture, move: float, count: int, seed: tuple[int, int]):
    """Return real and fake points (count, 2), drawn apart."""
    drawn = mixture.sample(2 * count, seed)
    return drawn[:count], drawn[count:] + np.float32([move, 0])


def parse_arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    add = parser.add_argument
    add("--distribution", choices=MIXTURES, default="ring", help="default ring")
    add("--steps", type=runs.AtLeast(1), default=2000, metavar="N", help="of each critic")
    add(
        "--moves", type=runs.AtLeast(1), default=5, metavar="N", help="distances up to 1, default 5"
    )
    add("--seed", type=runs.AtLeast(0), default=0, metavar="N", help="default 0")
    return runs.parse_options(parser, may_change=None)


@styled
def draw(rows: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draw the estimates, and those divided by the critics' slopes, beside the exact distances."""
    moves = [row["distance"] for row in rows]
    figure, axes = new_figure(WIDTH / 2, 3.4, 2, 2)
    for ax in axes:
        ax.plot(moves, [row["exact"] for row in rows], "--", color="0.5", label="exact")
        ax.plot(moves, [row["sliced"] for row in rows], ":", color="0.5", label="sliced")
        ax.set(xlabel="distance of the distributions")
        ax.grid()
    for name in CONSTRAINTS:
        found = np.array([row[name] for row in rows])
        axes[0].plot(moves, found, "o-", label=name)
        axes[1].plot(moves, found / [row[f"{name} slope"] for row in rows], "o-", label=name)
    heads(figure, axes, ("estimates", "divided by the steepest slope"))
    save_figure(figure, path)


def main() -> None:
    """Let critics learn, and write their estimates as a table and a picture."""
    options = parse_arguments()
    evaluation.wasserstein_distance([[0.0]], [[0.0]])  # without SciPy no folder is made
    run = runs.open_run(options, "wasserstein-estimate")
    mixture = MIXTURES[options.distribution]()
    moves = np.linspace(0, 1, options.moves + 1)[1:]
    rows = []
    for move in moves:
        sets = pair(mixture, move, SAMPLES, (options.seed, 0))
        row = {
            "distance": float(move),
            "exact": evaluation.wasserstein_distance(*sets),
            "sliced": evaluation.sliced_wasserstein_distance(*sets),
        }
        for name in CONSTRAINTS:
            row[name], row[f"{name} slope"] = estimate(
                name, move, mixture, options.steps, options.seed
            )
        rows.append(row)
        print("   ".join(f"{name} {value:.3f}" for name, value in row.items()), flush=True)
        with open(run.folder / "estimates.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row)  # Ctrl-C keeps what has been learned
            writer.writeheader()
            writer.writerows(rows)
    draw(rows, run.folder / "estimates.png")
    print("the run's files:", *run.files, sep="\n  ")


if __name__ == "__main__":
    run_program("wasserstein_estimate", main)
