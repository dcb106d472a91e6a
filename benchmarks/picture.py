"""Draw the table of ratios that ``table.py`` wrote.

    python benchmarks/picture.py --threads 2        # to docs/pictures/peers-2-threads.png

A bar for each peer reaches from 1 to the worst ratio of the runs: to the right where we are faster.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import Patch
from timing import table_name

ROOT = Path(__file__).parents[1]
COLOURS = {
    "PyTorch": "#e0662f",
    "PyTorch, channels-last": "#f2a65a",
    "PyTorch, fused": "#b5442a",
    "PyTorch, compiled": "#7d2e2e",
    "PyTorch, compiled, channels-last": "#7d2e2e",
    "JAX": "#2f6fb0",
    "scikit-learn": "#8a8a8a",
    "thinc": "#bdbdbd",
}
LEGEND = [name for name in COLOURS if name != "PyTorch, compiled, channels-last"]
LEFT, RIGHT = 0.4, 4.5  # ratios beyond are cut off; their numbers stand there


def ratios(path: Path) -> dict[str, dict[str, float]]:
    """Return the worst ratio by work and peer, of whole steps and of peers that have a colour."""
    found: dict[str, dict[str, float]] = {}
    for line in path.read_text().splitlines():
        cells = [cell.strip(" *") for cell in line.split("|")]
        if len(cells) > 5 and cells[2] in COLOURS and cells[5] and "convolution " not in cells[1]:
            found.setdefault(cells[1], {})[cells[2]] = float(cells[5])
    return found


def draw(found: dict[str, dict[str, float]], title: str, path: Path) -> None:
    """Write the picture; it is readable at 400 pixels."""
    places, names = [], []
    y = 0.0
    for work, peers in found.items():
        names.append((y, work))
        places += [(y + 1 + index, *item) for index, item in enumerate(peers.items())]
        y += len(peers) + 1.6
    figure, axes = plt.subplots(figsize=(4, 0.115 * y + 1.1), dpi=200, layout="constrained")
    for place, peer, ratio in places:
        end = min(max(ratio, LEFT), RIGHT)
        axes.barh(place, end - 1, left=1, height=0.85, color=COLOURS[peer])
        faster = ratio >= 1
        shift = 2 if faster else -2
        axes.annotate(
            f"{ratio:.2f}",
            (end, place),
            (shift, 0),
            textcoords="offset points",
            ha="left" if faster else "right",
            va="center",
            fontsize=6,
        )
    for place, work in names:
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # covers the line at 1
        axes.text(
            LEFT * 0.72, place, work, va="center", fontsize=7, fontweight="bold", bbox=box, zorder=3
        )
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(LEFT * 0.7, RIGHT * 1.3)
    axes.set_ylim(y, -1)
    axes.set_yticks([])
    axes.set_xticks([0.5, 1, 2, 4], ["half", "as fast", "twice", "four times"], fontsize=7)
    axes.minorticks_off()
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    shown = {peer for _, peer, _ in places}
    patches = [Patch(color=COLOURS[name], label=name) for name in LEGEND if name in shown]
    figure.legend(handles=patches, loc="outside upper center", ncols=2, fontsize=7, frameon=False)
    axes.set_xlabel(title, fontsize=7)
    figure.savefig(path)


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2, help="of the table (default 2)")
    options = parser.parse_args()
    name = table_name(options.threads)
    title = f"speed of Salamandre, {options.threads} thread{'s' * (options.threads > 1)}"
    found = ratios(ROOT / "benchmarks/results" / f"{name}.md")
    draw(found, title, ROOT / "docs/pictures" / f"{name}.png")


if __name__ == "__main__":
    main()
