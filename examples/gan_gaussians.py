"""Games on mixtures of Gaussians in the plane, where mode collapse can be measured.

    python examples/gan_gaussians.py                      # ring of 8 and grid of 25, one run each
    python examples/gan_gaussians.py --runs 10            # the table of docs/games.md
    python examples/gan_gaussians.py --distribution ring --plain --rounds 5000

The mixtures and the way of counting are those of Srivastava et al. 2017 (VEEGAN) and Lin et al.
2018 (PacGAN): a sample is good if it is within three standard deviations of a mode, a mode is
found if it has a good sample. Each run writes one folder with an animation of the samples and of
the discriminator's field. Ctrl-C stops with everything saved, of several processes up to the latest
picture; --resume RUN continues.
"""

from __future__ import annotations

import argparse
import csv
import sys
from functools import partial
from pathlib import Path

import numpy as np

import salamandre as sal
from salamandre import evaluation, plots, runs, studies
from salamandre.data import toy
from salamandre.program import INTERRUPTED, Help, run_program, usage
from salamandre.texts import counted, this_program

MIXTURES = {"ring": toy.ring, "grid": toy.grid}
SCALES = {"ring": 1.0, "grid": 4.0}  # divided by these, both mixtures are in [-1, 1]²
SAMPLES, COUNTED = 100_000, 2_500
PICTURES = 40


def build_game(name: str, seed: int, rounds: int, plain: bool, backend: str | None) -> sal.GanGame:
    """Return a game on a mixture, scaled to [-1, 1]².

    Separate modes need a generator with steep slopes, and narrow modes a discriminator with steep
    slopes: both start with large weights, and the generator has three hidden layers. A small
    gradient penalty bounds the slopes of a discriminator that separates all samples, so that no
    mode is lost. Falling learning rates and a moving average of the generator make modes narrow.
    """

    def player(layers: int, outputs: int, rate: float, steepness: float, seed: int) -> sal.Network:
        if plain:
            hidden = [sal.NeuronLayer(128, sal.ReLU()) for _ in range(layers)]
            optimizer = sal.Adam(1e-3, beta1=0.5)
        else:
            steep = sal.initializers.Gaussian(steepness)
            hidden = [sal.NeuronLayer(128, sal.Tanh(), initializer=steep)]
            hidden += [sal.NeuronLayer(128, sal.Tanh()) for _ in range(layers - 1)]
            falling = sal.schedules.CosineDecay(rate, rounds, final=rate / 10)
            optimizer = sal.Adam(falling, beta1=0.5, beta2=0.9)
        last = sal.NeuronLayer(outputs)
        return sal.Network([*hidden, last], 2, optimizer=optimizer, seed=seed, backend=backend)

    mixture = MIXTURES[name]()
    return sal.GanGame(
        player(3, 2, 5e-4, 3.0, seed),
        player(2, 1, 2e-3, 6.0, seed + 1000),
        mixture.sample(SAMPLES, seed) / np.float32(SCALES[name]),
        latent=sal.Gaussian(2),
        batch_size=128,
        lipschitz=None if plain else sal.GradientPenalty(0.003),
        remedies=[] if plain else [sal.MovingAverage(0.999)],
        seed=seed,
    )


def coverage(game: sal.GanGame, name: str) -> dict[str, float]:
    """Return the mode coverage of the generator's samples."""
    mixture = MIXTURES[name]()
    samples = game.backend.to_numpy(game.generate(COUNTED, seed=1)) * SCALES[name]
    return evaluation.mode_coverage(samples, mixture.modes, mixture.std)


def play(
    seed: int,
    name: str,
    rounds: int,
    plain: bool,
    backend: str | None,
    tensorboard: bool,
    whole: runs.Run,
    quiet: bool,
) -> tuple[dict[str, float], np.ndarray]:
    """Play a run of the whole study; return its mode coverage and its samples."""
    game = build_game(name, seed, rounds, plain, backend)
    modes = MIXTURES[name]().modes / SCALES[name]

    def draw(samples: np.ndarray, path: Path) -> None:
        caption = f"round {game.rounds}"
        plots.plot_points({caption: samples}, path, modes=modes, field=game.discriminator)

    runs.play(
        game,
        rounds,
        whole.part(f"{name}-{seed}", distribution=name, seed=seed, runs=1).folder,
        every=max(1, rounds // PICTURES),
        metrics={"coverage": partial(coverage, name=name)},
        evaluate_every=max(1, rounds // PICTURES),
        draw=draw,
        count=1000,
        quiet=quiet,
        tensorboard=tensorboard,
    )
    if game.interrupted:
        raise KeyboardInterrupt
    samples = game.backend.to_numpy(game.generate(COUNTED, seed=1))
    return coverage(game, name), samples


def runs_in(table: Path) -> set[tuple[str, ...]]:
    """Return the runs of a table, each what it is of and its seed; none if there is no table."""
    if not table.exists():
        return set()
    with open(table, newline="", encoding="utf-8") as file:
        return {tuple(row[:2]) for row in list(csv.reader(file))[1:]}


def study(
    name: str, options: argparse.Namespace, run: runs.Run
) -> tuple[list[list[object]], dict[str, np.ndarray]]:
    """Play all runs on a mixture; return a row for each, and their samples by their captions."""
    seeds = range(options.seed, options.seed + options.runs)
    kept = ("rounds", "plain", "backend", "tensorboard")
    settings = {option: getattr(options, option) for option in kept}
    results = studies.repeat(
        partial(play, name=name, whole=run, quiet=options.runs > 1, **settings),
        seeds,
        options.processes,
        name,
    )
    rows: list[list[object]] = []
    panels = {}
    for seed, (found, samples) in zip(seeds, results, strict=False):
        words = f"{counted(found['modes'], 'mode')}, {found['quality']:.1%} good"
        print(f"{name}, seed {seed}: {words}")
        panels[f"seed {seed}: {words}"] = samples
        rows.append([name, seed, options.rounds, *found.values()])
    if len(rows) > 1:
        modes_found, good, _, divergence = np.mean([row[3:] for row in rows], axis=0)
        print(
            f"{name}: mean of {len(rows)} runs: {modes_found:.1f} modes, {good:.1%} good, reverse "
            f"KL {divergence:.3f}"
        )
    return rows, panels


def parse_arguments() -> argparse.Namespace:
    """Return the options: those given, then those of the runs to be resumed, then defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    add = parser.add_argument
    add("--distribution", choices=[*MIXTURES, "both"], default="both", help="default both")
    count = runs.AtLeast(1)
    add("--runs", type=count, default=1, metavar="N", help="on each, default 1")
    add("--rounds", type=count, default=50_000, metavar="N", help="of each run, default 50000")
    add("--plain", action="store_true", help="an ordinary game without remedies, for comparison")
    add("--seed", type=runs.AtLeast(0), default=0, metavar="N", help="of the first run, default 0")
    add("--processes", type=count, metavar="N", help="runs at a time, default the number of cores")
    add("--backend", metavar="NAME", help="numpy or cupy, default $SALAMANDRE_BACKEND or numpy")
    add("--tensorboard", **runs.TENSORBOARD)
    # The rates fall with the number of rounds, which therefore may not change.
    may_change = ("runs", "processes", "backend", "tensorboard")
    return runs.parse_options(parser, may_change=may_change)


def main() -> None:
    """Play on each mixture and print the paths of the pictures."""
    options = parse_arguments()
    names = list(MIXTURES) if options.distribution == "both" else [options.distribution]
    with usage():
        first = build_game(names[0], options.seed, options.rounds, options.plain, options.backend)
    rows: list[list[object]] = []
    pictures = {}
    run = runs.open_run(options, "gaussians", loops={f"{names[0]}-{options.seed}": first})
    for name in names:
        found, pictures[name] = study(name, options, run)
        rows += found
        if len(found) < options.runs:
            break
    complete, table = len(rows) == options.runs * len(names), run.folder / "runs.csv"
    # An interruption leaves a table with other runs alone.
    if complete or {(str(row[0]), str(row[1])) for row in rows} >= runs_in(table):
        with open(table, "w", newline="", encoding="utf-8") as file:
            header = ["distribution", "seed", "rounds", "modes", "quality", "balance", "divergence"]
            csv.writer(file).writerows([header, *rows])
        for name, panels in pictures.items():
            modes = MIXTURES[name]().modes / SCALES[name]
            if panels:
                plots.plot_points(panels, run.folder / f"{name}.png", modes=modes)
    print("the study's files:", *run.files, sep="\n  ")
    if not complete:
        print(f"interrupted; continue with\n  {this_program('--resume', run.folder)}")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    run_program("gan_gaussians", main)
