"""Which remedies help against mode collapse: each alone and several together, at equal cost.

    python examples/mode_collapse_study.py
    python examples/mode_collapse_study.py --rounds 10000 --runs 5
    python examples/mode_collapse_study.py --mixture grid --runs 10

Every variant is the plain game of gan_mnist.py with one remedy. A classifier of the real digits
evaluates 10,000 samples of each run; with --mixture the data are points of gan_gaussians.py, whose
modes are counted. The study writes a table of all runs, and the means with their 95% confidence
bands as a table and as a picture. Ctrl-C keeps finished runs; --resume RUN plays the others.
"""

from __future__ import annotations

import argparse
import csv
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import gan_mnist
import numpy as np
from digit_games import COUNT, add_data, open_data
from gan_gaussians import COUNTED, MIXTURES, SAMPLES, runs_in

import salamandre as sal
from salamandre import data, evaluation, plots, runs, studies
from salamandre.program import INTERRUPTED, Help, WrongUsage, run_program
from salamandre.recorded import arrow
from salamandre.runs.images import OPTIONS as IMAGE_OPTIONS
from salamandre.texts import option_name, this_program

VARIANTS = {
    "plain": "",
    "noise in generator layers": "--noise 32",
    "noise added to its layers": "--added-noise 0.1",
    "noise multiplied with its layers": "--multiplied-noise 0.1",
    "label smoothing 0.7-1": "--smoothing 0.7-1",
    "label flipping 5%": "--flipping 0.05",
    "minibatch discrimination": "--minibatch discrimination",
    "minibatch deviation": "--minibatch deviation",
    "packs of 2": "--pack 2",
    "packs of 4": "--pack 4",
    "augmentation": "--augment all",
    "translation alone": "--augment translation",
    "top half of the fakes": "--top-k 0.5",
    "two rates (D four times G)": "--discriminator-rate 0.0008",
    "two optimizers (D RMSProp)": "--discriminator-optimizer rmsprop",
    "instance noise 0.2": "--instance-noise 0.2",
    "feature matching": "--matching 1",
    "dropout in D 0.3": "--dropout 0.3",
    "moving average of G": "--average 0.999",
    "spectral norm": "--lipschitz spectral --objective hinge",
    "gradient penalty": "--lipschitz penalty",
    "DRAGAN": "--lipschitz dragan",
    "zero-centred penalties": "--lipschitz zero-centred",
    "relativistic pairs": "--objective relativistic",
    "relativistic averages": "--objective relativistic-average",
    "pairs, zero-centred penalties": "--objective relativistic --lipschitz zero-centred",
    "together": (
        "--smoothing 0.7-1 --minibatch discrimination --matching 1 --dropout 0.3 --average 0.999"
    ),
}
METRICS = {
    "classes": "classes drawn",
    "divergence": "reverse KL of classes",
    "recall": "diversity: recall",
    "confident": "quality: confident samples",
    "frechet": "Fréchet distance",
}
# Of points: the sizes of gan_gaussians.py, latent space and counting of Srivastava et al. 2017.
PLANE = "--latent 2 --batch-size 128 --generator 128-128-128 --discriminator 128-128"
PLANE_METRICS = {
    "modes": "modes drawn",
    "divergence": "reverse KL of modes",
    "quality": "quality: good samples",
}
REACH = 1.25  # a generator that ends in Tanh does not reach 1


class Subject(NamedTuple):
    """What the games learn, what measures and draws them, and a word about the measure."""

    examples: data.Images | np.ndarray
    measure: Callable[[sal.GanGame], dict[str, float]]
    draw: Callable[[np.ndarray, Path], None] | None
    word: str


@functools.cache
def subject(mixture: str | None, **options: Any) -> Subject:
    """Return the subject of the options; each process loads it once."""
    if mixture:
        return plane(mixture)
    train, test = open_data(argparse.Namespace(**options))
    if test is None:
        raise WrongUsage(f"{train.name} has no test images: give --test-share 0.1 to keep some")
    judge = evaluation.Judge.trained(train, test)
    word = f"the judge's accuracy on the test digits is {judge.accuracy:.2%}"
    return Subject(train, judge.of_game(), None, word)


def plane(name: str) -> Subject:
    """Return the points of a mixture; its modes are counted."""
    mixture = MIXTURES[name]()
    scale = np.float32(REACH * np.abs(mixture.modes).max())

    def measure(game: sal.GanGame) -> dict[str, float]:
        samples = game.backend.to_numpy(game.generate(COUNTED, seed=1)) * scale
        return evaluation.mode_coverage(samples, mixture.modes, mixture.std)

    def draw(samples: np.ndarray, path: Path) -> None:
        plots.plot_points({name: samples}, path, modes=mixture.modes / scale)

    word = f"{len(mixture.modes)} modes are counted in {COUNTED} samples"
    return Subject(mixture.sample(SAMPLES) / scale, measure, draw, word)


def play(
    task: tuple[str, int], rounds: int, source: dict[str, Any], whole: runs.Run
) -> dict[str, float] | None:
    """Play a variant with a seed in a folder of its own; return metrics, None if it diverges."""
    variant, seed = task
    learned = subject(**source)
    sizes = PLANE.split() if source["mixture"] else []
    given = ["--plain", *sizes, *VARIANTS[variant].split(), "--seed", str(seed)]
    given += ["--output", source["output"]]
    game: sal.GanGame = gan_mnist.build_game(gan_mnist.parse_arguments(given), learned.examples)
    name = variant.split(" (")[0].replace(" ", "-").replace("%", "")
    part = whole.part(f"{name}-{seed}", variants=[variant], seed=seed, runs=1)
    try:
        runs.play(game, rounds, part.folder, every=rounds, draw=learned.draw, quiet=True)
    except sal.Diverged:
        return None
    if game.interrupted:
        raise KeyboardInterrupt
    return learned.measure(game)


def write_tables(
    rows: list[tuple[str, int, dict[str, float]]], titles: dict[str, str], folder: Path
) -> dict[str, list]:
    """Write all runs and the means of each variant; return the variants' bands by metric."""
    with open(folder / "runs.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["variant", "seed", *rows[0][2]])
        writer.writerows([[variant, seed, *found.values()] for variant, seed, found in rows])
    bands: dict[str, list] = {metric: [] for metric in titles}
    heads = " | ".join(title + arrow(metric) for metric, title in titles.items())
    lines = [f"| variant | runs | {heads} |"]
    lines.append("|---" * (2 + len(titles)) + "|")
    for variant in VARIANTS:
        found = [row[2] for row in rows if row[0] == variant]
        if not found:
            continue
        cells = []
        for metric in titles:
            band = studies.mean_band(np.array([run[metric] for run in found]))
            bands[metric].append((variant, *map(float, band)))
            mean, low, high = band
            cells.append(f"{mean:.3g} ({low:.3g} to {high:.3g})")
        lines.append(f"| {variant} | {len(found)} | " + " | ".join(cells) + " |")
    table = "\n".join(lines) + "\n"
    (folder / "table.md").write_text(table, encoding="utf-8")
    print(table)
    return bands


def of_images(variant: str) -> bool:
    """Return whether a variant has no meaning for points."""
    return "--augment" in VARIANTS[variant]


def parse_arguments() -> argparse.Namespace:
    """Return the options: those given, then those of the study to be resumed, then defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    add_data(parser)
    add = parser.add_argument
    names = ", ".join(VARIANTS).replace("%", "%%")
    add("--variants", nargs="+", choices=VARIANTS, metavar="NAME", help=f"default all: {names}")
    text = "the data are its points instead of images"
    add("--mixture", choices=MIXTURES, help=text)
    add("--rounds", type=COUNT, default=3000, metavar="N", help="of each run, default 3000")
    add("--runs", type=COUNT, default=3, metavar="N", help="of each variant, default 3")
    add("--processes", type=COUNT, metavar="N", help="runs at a time, default the number of cores")
    parser.set_defaults(seed=0)  # of the choice of test images
    runs.earlier_names(parser, seeds="runs")
    may_change = ("variants", "runs", "rounds", "processes", "data_dir")
    return runs.parse_options(parser, may_change=may_change)


def main() -> None:
    """Play all variants and compare them."""
    options = parse_arguments()
    of_data = ("dataset", "grey", *IMAGE_OPTIONS)
    if options.resume:
        earlier = runs.find_run(options.resume, options.output).options["rounds"]
        if options.rounds < earlier:
            raise WrongUsage(
                f"--rounds is {earlier} in this study, and games cannot go back: give at least so "
                f"many, that all have as many"
            )
    if not options.mixture:
        open_data(options)
    elif given := [name for name in of_data if name != "seed" and getattr(options, name)]:
        names = " and ".join(map(option_name, given))
        raise WrongUsage(f"--mixture has points: leave out {names}, for images")
    kept = ("mixture", "output", "resume", *of_data)
    source = {name: getattr(options, name) for name in kept}
    print(subject(**source).word)  # a judge is trained now, processes find it in the cache
    variants = list(dict.fromkeys(options.variants or VARIANTS))
    if options.mixture and not options.variants:
        variants = [variant for variant in variants if not of_images(variant)]
    if options.mixture and any(map(of_images, variants)):
        raise WrongUsage("augmentation changes images, and --mixture has points: leave it out")
    tasks = [(variant, seed) for variant in variants for seed in range(options.runs)]
    run = runs.open_run(options, "mode-collapse")
    folder = run.folder
    results = studies.repeat(
        functools.partial(play, rounds=options.rounds, source=source, whole=run),
        tasks,
        options.processes,
        "games",
    )
    complete = len(results) == len(tasks)
    rows = [(*task, found) for task, found in zip(tasks, results, strict=False) if found]
    for (variant, seed), found in zip(tasks, results, strict=False):
        if not found:
            print(f"{variant}, seed {seed}: diverged, and is left out of the tables")
    if complete and not rows:
        raise sal.Diverged("all games diverged: there is nothing to compare")
    # An interruption leaves tables with other runs alone.
    known = {(variant, str(seed)) for variant, seed, _ in rows}
    if rows and (complete or known >= runs_in(folder / "runs.csv")):
        titles = PLANE_METRICS if options.mixture else METRICS
        # Test images that lack a class have no reverse KL of classes.
        titles = {key: title for key, title in titles.items() if key in rows[0][2]}
        bands = write_tables(rows, titles, folder)
        panels = {title + arrow(metric): bands[metric] for metric, title in titles.items()}
        plots.plot_comparison(panels, folder / "comparison.png")
    print("the study's files:", *run.files, sep="\n  ")
    if not complete:
        print(f"interrupted; continue with\n  {this_program('--resume', folder)}")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    run_program("mode_collapse_study", main)
