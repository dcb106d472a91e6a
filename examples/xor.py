"""How small perceptrons learn the exclusive or, and how often they fail.

    python examples/xor.py
    python examples/xor.py --structure 2-2-2-1 --runs 100
    python examples/xor.py --structure 2-4-1 --learning-rates 0.003 0.03 0.3
    python examples/xor.py --structure 2-2-2-1 --starts 1 --first-layer axes

A point (x, y) of the square [-1, 1]² belongs to class 1 where x and y differ in sign, else to
class -1. 2-2-1 learns the four corners, other structures the whole square. Each structure is
trained many times with different seeds. The pictures show the mean success with its 95% confidence
band, and decision maps of single networks. Ctrl-C draws the finished runs.

From some initial weights 2-2-2-1 ends in a local minimum. A run of it therefore has several starts:
its steps are divided among them, and a start whose loss is high at its end is followed by one from
weights drawn anew. The starts of all runs are counted.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import deque
from functools import partial
from pathlib import Path

import numpy as np

import salamandre as sal
from salamandre import plots, runs, studies
from salamandre.checks import one_of
from salamandre.program import INTERRUPTED, Help, WrongUsage, run_program, usage
from salamandre.texts import counted

CORNERS = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], dtype=np.float32)
# The centres of 50 × 50 cells of the square: none is on a border between the classes.
GRID = np.stack(np.meshgrid(*2 * [np.linspace(-0.98, 0.98, 50)]), axis=-1).reshape(-1, 2)
STRUCTURES = ("2-2-1", "2-4-1", "2-2-2-1")
RATES = {"2-2-1": 0.03}  # others: 0.3
STARTS = {"2-2-2-1": 8}  # others: 1
# A start is given up if the mean loss of its last batches is larger. A constant 0 has the loss 1.
GIVEN_UP, LAST = 0.25, 100
FIRST_LAYERS = {  # initial weights of the first layer of 2-2-2-1
    "rotated": sal.initializers.Orthogonal(gain=30),  # two steep steps in a random direction
    "axes": sal.initializers.Identity(gain=30),  # along the axes, as in the solution
    "xavier": sal.initializers.Xavier(),
}
STEPS, TESTS, BATCH = 8000, 80, 64
SUCCESS = 0.95


def truth(points: np.ndarray) -> np.ndarray:
    """Return the class (N, 1) of points (N, 2): 1 where the signs differ, else -1."""
    return np.where(points[:, :1] * points[:, 1:] < 0, 1.0, -1.0)


def mirrored(points: np.ndarray) -> np.ndarray:
    """Return points mirrored into all four quadrants, so that every batch is balanced."""
    return np.concatenate([points * corner for corner in CORNERS])


def build_network(
    structure: str,
    rate: float,
    steps: int,
    seed: int,
    backend: str | None,
    first_layer: str = "rotated",
) -> sal.Network:
    """Return a network with the settings that make its structure reliable; class 1 is y > 0.

    With orthogonal weights no two neurons start alike. A layer of two neurons needs batch-norm, the
    smooth SoftPlus and least squares, and the first layer of 2-2-2-1 initial weights that are two
    steep steps: small weights first learn a stripe along a diagonal, and stay there. With more
    neurons, cross-entropy is more precise.
    """
    sizes = [int(size) if size.isdecimal() else 0 for size in structure.split("-")]
    if len(sizes) < 2 or sizes[0] != 2 or sizes[-1] != 1 or 0 in sizes:
        raise ValueError(f"--structure takes 2-...-1, such as 2-4-1, got {structure}")
    orthogonal = sal.initializers.Orthogonal()
    layers: list[sal.Layer] = []
    for size in sizes[1:-1]:
        if structure == "2-2-2-1" and not layers:
            layers.append(sal.NeuronLayer(size, sal.Tanh(), initializer=FIRST_LAYERS[first_layer]))
        elif size == 2:
            layers += [sal.NeuronLayer(size, initializer=orthogonal)]
            layers += [sal.BatchNorm(), sal.SoftPlus()]
        else:
            layers.append(sal.NeuronLayer(size, sal.ELU(), initializer=orthogonal))
    layers.append(sal.NeuronLayer(1, initializer=orthogonal))
    pairs = set(sizes[1:-1]) == {2}
    loss = sal.MeanSquaredError() if pairs else sal.BinaryCrossEntropy(from_logits=True)
    decay = 1e-3 if structure == "2-2-1" else 0.0  # for the few runs that get stuck in a minimum
    optimizer = sal.Adam(sal.schedules.CosineDecay(rate, steps), weight_decay=decay)
    return sal.Network(layers, 2, loss, optimizer, seed=seed, backend=backend)


def learn(
    seed: int,
    structure: str,
    rate: float,
    steps: int,
    starts: int | None,
    first_layer: str,
    backend: str | None,
) -> tuple[list[float], int, dict[str, np.ndarray]]:
    """Return the success at ``TESTS`` steps of a run, its number of starts, the last weights."""
    starts = starts or STARTS.get(structure, 1)
    corners = structure == "2-2-1"
    test_points = CORNERS if corners else GRID
    few: tuple[int, int] = (BATCH // 4, 2)
    curve: list[float] = []
    random = np.random.default_rng([seed, 1])
    for start in range(starts):
        first, end = steps * start // starts, steps * (start + 1) // starts
        network = build_network(
            structure, rate, end - first, seed + 1_000_000 * start, backend, first_layer
        )
        least_squares = isinstance(network.loss, sal.MeanSquaredError)
        losses: deque[float] = deque(maxlen=LAST)
        for step in range(first + 1, end + 1):
            points = mirrored(np.ones(few) if corners else random.uniform(-1, 1, few))
            target = truth(points)
            losses.append(network.learn(points, target if least_squares else (target + 1) / 2))
            if step * TESTS // steps > len(curve):
                curve.append(share_right(network, test_points))
        if np.mean([float(loss) for loss in losses]) < GIVEN_UP:
            break
    curve += [share_right(network, test_points)] * (TESTS - len(curve))  # it learns no more
    return curve, start + 1, network.tensors()


def share_right(network: sal.Network, points: np.ndarray) -> float:
    """Return the share of points whose class is found."""
    outputs = network.backend.to_numpy(network.predict(points, len(points)))
    return float(((outputs > 0) == (truth(points) > 0)).mean())


def success(
    seed: int,
    structure: str = "2-2-1",
    learning_rate: float | None = None,
    steps: int = STEPS,
    starts: int | None = None,
    first_layer: str = "rotated",
    backend: str | None = None,
) -> dict[str, list[float] | float]:
    """Return the success of a run over its steps; the base of studies/xor*.toml.

    ``learned`` is 1 of a run whose success ends above 95%, else 0; its mean is their share.
    """
    rate = RATES.get(structure, 0.3) if learning_rate is None else learning_rate
    curve, _, _ = learn(seed, structure, rate, steps, starts, first_layer, backend)
    measured = [float(-(-steps * test // TESTS)) for test in range(1, TESTS + 1)]
    return {"success": curve, "learned": float(curve[-1] > SUCCESS), "step": measured}


def check(
    seed: int,
    structure: str,
    learning_rate: float | None,
    steps: int,
    starts: int | None,
    first_layer: str,
    **_: object,
) -> None:
    """Raise ValueError for options that do not fit."""
    if steps < TESTS:
        raise ValueError(f"steps must be at least {TESTS}, got {steps}")
    if starts is not None and not 1 <= starts <= steps:
        raise ValueError(f"starts must be 1 to the number of steps, {steps}, got {starts}")
    one_of("first_layer", first_layer, FIRST_LAYERS)
    build_network(structure, learning_rate or 0.1, steps, seed, None, first_layer)


BASE = studies.Base.of(success, check)


def study(structure: str, options: argparse.Namespace, folder: Path) -> list[list[object]]:
    """Repeat the runs of a structure, draw its pictures, and return a row for each run."""
    rates = list(dict.fromkeys(options.learning_rates or [RATES.get(structure, 0.3)]))
    rows: list[list[object]] = []
    bands = {}
    for rate in rates:
        settings = {"structure": structure, "rate": rate, "steps": options.steps}
        settings["first_layer"] = options.first_layer
        results = studies.repeat(
            partial(learn, **settings, starts=options.starts, backend=options.backend),
            range(options.seed, options.seed + options.runs),
            options.processes,
            f"{structure}, learning rate {rate}",
        )
        if not results:
            break
        curves = np.array([curve for curve, _, _ in results])
        starts = [count for _, count, _ in results]
        ends = curves[:, -1]
        good = int((ends > SUCCESS).sum())
        print(
            f"{structure}, learning rate {rate}: {good} of {counted(len(results), 'run')} above "
            f"{SUCCESS:.0%}, mean success {ends.mean():.2%}, least {ends.min():.2%}; "
            f"{counted(sum(starts), 'start')}, at most {max(starts)} of a run",
            flush=True,
        )
        bands[f"learning rate {rate} ({good} of {len(results)})"] = studies.mean_band(curves)
        rows += [
            [structure, rate, options.seed + i, options.steps, f"{curve[-1]:.4f}", starts[i]]
            for i, curve in enumerate(curves)
        ]
        networks = {}
        for i, (curve, _, tensors) in enumerate(results[:10]):
            network = build_network(**settings, seed=options.seed + i, backend=None)
            network.load_tensors(tensors)
            networks[f"seed {options.seed + i}: {curve[-1]:.1%}"] = network
            if i == 0:
                network.save(folder / f"network-{structure}-{rate}.safetensors")
        plots.plot_decision_maps(
            networks,
            folder / f"maps-{structure}-{rate}.png",
            points=CORNERS if structure == "2-2-1" else None,
        )
        if len(results) < options.runs:
            break
    if bands:
        steps = np.arange(1, TESTS + 1) * options.steps / TESTS
        where = "the four corners" if structure == "2-2-1" else "the square"
        plots.plot_bands(
            steps,
            bands,
            folder / f"success-{structure}.png",
            xlabel="step",
            ylabel="success",
            title=f"{structure} learns the exclusive or on {where}: means of the runs",
        )
    return rows


def parse_arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    add = parser.add_argument
    text = f"default {' '.join(STRUCTURES)}"
    add("--structure", nargs="+", default=STRUCTURES, metavar="2-N-1", help=text)
    count = runs.AtLeast(1)
    add(
        "--runs", type=count, default=20, metavar="N", help="of each structure and rate, default 20"
    )
    text = f"of each run, default {STEPS}"
    add("--steps", type=runs.AtLeast(TESTS), default=STEPS, metavar="N", help=text)
    add(
        "--learning-rates",
        type=float,
        nargs="+",
        metavar="RATE",
        help="one band each; default: the rate that suits the structure",
    )
    text = "of each run, among which its steps are divided, default 8 of 2-2-2-1, else 1"
    add("--starts", type=runs.AtLeast(1), metavar="N", help=text)
    text = "initial weights of 2-2-2-1: steep steps in a random direction (default) or along the "
    add("--first-layer", choices=FIRST_LAYERS, default="rotated", help=f"{text}axes, or Xavier's")
    add("--seed", type=runs.AtLeast(0), default=0, metavar="N", help="of the first run, default 0")
    add("--processes", type=count, metavar="N", help="runs at a time, default the number of cores")
    add("--backend", metavar="NAME", help="numpy or cupy, default $SALAMANDRE_BACKEND or numpy")
    return runs.parse_options(parser, may_change=None)


def main() -> None:
    """Study each structure and print the paths of the pictures."""
    options = parse_arguments()
    structures = list(dict.fromkeys(options.structure))
    if options.first_layer != "rotated" and "2-2-2-1" not in structures:
        raise WrongUsage(f"--first-layer is of 2-2-2-1, got --structure {' '.join(structures)}")
    with usage():  # wrong options are refused before the first run
        for structure in structures:
            for rate in options.learning_rates or [0.1]:
                check(0, structure, rate, options.steps, options.starts, options.first_layer)
    header = ["structure", "learning rate", "seed", "steps", "success", "starts"]
    rows: list[list[object]] = []
    run = runs.open_run(options, "xor")
    folder = run.folder
    each = options.runs * len(set(options.learning_rates or [0.1]))
    for structure in structures:
        found = study(structure, options, folder)
        rows += found
        with open(folder / "runs.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])
        if len(found) < each:
            break
    print("the study's files:", *run.files, sep="\n  ")
    if len(rows) < each * len(structures):
        print("interrupted: the pictures show the finished runs")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    run_program("xor", main)
