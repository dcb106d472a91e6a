"""Why two players that descend at once go round in circles, and what helps.

    python examples/simultaneous_descent.py
    python examples/simultaneous_descent.py --rate 0.2 --steps 400 --curvature 0.1

The generator changes x, the discriminator y; one minimises x y, the other maximises it. The field
of both gradients, (y, -x), is that of no function: it turns round the equilibrium 0. Steps along it
lead away from 0 however small they are; steps that look ahead, back, or at the field's length lead
to it (Goodfellow 2016, "NIPS 2016 tutorial", section 8.2; Mescheder et al. 2017, "The numerics of
GANs"). The pictures show the ways in the plane, and the distances from 0.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np

from salamandre import runs
from salamandre.plots.figure import WIDTH, new_figure, plain_ticks, save_figure, styled
from salamandre.program import Help, run_program

Field = Callable[[np.ndarray], np.ndarray]
START = np.array([1.0, 0.0])


def field(point: np.ndarray, curvature: float = 0.0) -> np.ndarray:
    """Return (dE/dx, -dE/dy) of E = x y + curvature/2 (x² - y²); both players descend along it."""
    x, y = point
    return np.array([y + curvature * x, curvature * y - x])


def simultaneous(v: Field, rate: float, steps: int) -> np.ndarray:
    """w ← w - η v(w): both players at once, each as if the other stood still."""
    points = [START]
    for _ in range(steps):
        points.append(points[-1] - rate * v(points[-1]))
    return np.array(points)


def alternating(v: Field, rate: float, steps: int) -> np.ndarray:
    """First x, then y, which sees the new x: neither inwards nor outwards."""
    points = [START]
    for _ in range(steps):
        w = points[-1].copy()
        for player in (0, 1):
            w[player] -= rate * v(w)[player]
        points.append(w)
    return np.array(points)


def optimistic(v: Field, rate: float, steps: int) -> np.ndarray:
    """w ← w - η (2 v - v before): optimism (Daskalakis et al. 2018, "Training GANs with optimism").

    The next gradient is guessed from the change of the last ones.
    """
    points, before = [START], v(START)
    for _ in range(steps):
        now = v(points[-1])
        points.append(points[-1] - rate * (2 * now - before))
        before = now
    return np.array(points)


def extragradient(v: Field, rate: float, steps: int) -> np.ndarray:
    """w ← w - η v(w - η v(w)): the gradient at the place a step ahead (Korpelevich 1976).

    Two gradients a step.
    """
    points = [START]
    for _ in range(steps):
        ahead = points[-1] - rate * v(points[-1])
        points.append(points[-1] - rate * v(ahead))
    return np.array(points)


def consensus(v: Field, rate: float, steps: int, weight: float = 0.5) -> np.ndarray:
    """w ← w - η (v + γ ∇‖v‖²/2): consensus (Mescheder et al. 2017, section 4).

    Both players also make the field shorter; ∇‖v‖²/2 = Jᵀ v with J the derivatives of v.
    """
    points, h = [START], 1e-6
    for _ in range(steps):
        w = points[-1]
        jacobian = np.stack([(v(w + h * e) - v(w - h * e)) / (2 * h) for e in np.eye(2)], axis=1)
        points.append(w - rate * (v(w) + weight * jacobian.T @ v(w)))
    return np.array(points)


WAYS = {
    "simultaneous": simultaneous,
    "alternating": alternating,
    "optimism": optimistic,
    "extragradient": extragradient,
    "consensus": consensus,
}


@styled
def draw(ways: dict[str, np.ndarray], v: Field, path: str) -> None:
    """Draw the ways over the field, and the distances from the equilibrium."""
    figure, axes = new_figure(WIDTH / 3, WIDTH / 3 + 0.1, len(ways) + 1, 3)
    places = np.stack(np.meshgrid(np.linspace(-1.6, 1.6, 13), np.linspace(-1.6, 1.6, 13)), axis=-1)
    arrows = np.array([-v(place) for place in places.reshape(-1, 2)]).reshape(places.shape)
    for number, (ax, (name, points)) in enumerate(zip(axes, ways.items(), strict=False)):
        ax.quiver(*places.transpose(2, 0, 1), *arrows.transpose(2, 0, 1), color="0.8")
        ax.plot(*points.T, color=f"C{number}", linewidth=1)
        ax.plot(*points[-1], "o", color=f"C{number}")
        ax.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1], xlim=(-1.7, 1.7), ylim=(-1.7, 1.7))
        ax.set_aspect("equal")
        ax.set_title(name, color=f"C{number}")
        axes[-1].semilogy(np.linalg.norm(points, axis=1), color=f"C{number}")
    axes[-1].set(title="distance from the middle", xlabel="step")
    plain_ticks(axes[-1].yaxis)
    save_figure(figure, path)


def main() -> None:
    """Walk all ways, and draw them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    add = parser.add_argument
    add("--rate", type=float, default=0.1, metavar="RATE", help="of the steps, default 0.1")
    add("--steps", type=runs.AtLeast(1), default=200, metavar="N", help="default 200")
    text = (
        "of each player's own loss, default 0; simultaneous descent converges above half the rate"
    )
    add("--curvature", type=float, default=0.0, metavar="C", help=text)
    options = runs.parse_options(parser, may_change=None)
    run = runs.open_run(options, "simultaneous-descent")
    v = partial(field, curvature=options.curvature)
    ways = {name: way(v, options.rate, options.steps) for name, way in WAYS.items()}
    for name, points in ways.items():
        print(f"{name}: distance {np.linalg.norm(points[-1]):.3g} after {options.steps} steps")
    draw(ways, v, run.folder / "circles.png")
    print("the run's files:", *run.files, sep="\n  ")


if __name__ == "__main__":
    run_program("simultaneous_descent", main)
