"""Memory layouts of images: a convolution by columns in three of them.

    python benchmarks/layouts.py --threads 2        # and --threads 1

Forward and backward of the convolutions of a DCGAN (4×4 windows, stride 2, padding 1, batch 64), in
nothing but NumPy: columns are gathered and added up window element by window element, and the rest
is three matrix products. Contestants take turns in one process; a ratio is their median time over
that of the first layout, which is the library's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from peers import BATCH, LAYERS, Step
from timing import times

K, STRIDE, PADDING = 4, 2, 1
# Axes of an image: n example, c channel, h height, w width.
LAYOUTS = {
    "channels-last, (N, H, W, C)": "nhwc",
    "channels-first, (N, C, H, W)": "nchw",
    "channels outermost, (C, N, H, W)": "cnhw",
}


def convolution(layout: str, inputs: int, outputs: int, size: int) -> Step:
    """Return a forward and backward pass, images in and out in one layout."""
    random = np.random.default_rng(0)
    positions, padded = size // STRIDE, size + 2 * PADDING
    sizes = {"n": BATCH, "c": inputs, "h": padded, "w": padded}
    x = random.standard_normal([sizes[axis] for axis in layout], dtype=np.float32)
    dx = np.empty_like(x)
    weights = random.standard_normal((outputs, inputs * K * K), dtype=np.float32)
    d_weights = np.empty_like(weights)
    axes = {"nhwc": "nhwijc", "nchw": "ncijhw", "cnhw": "cijnhw"}[layout]
    lengths = {"n": BATCH, "c": inputs, "i": K, "j": K, "h": positions, "w": positions}
    columns = np.empty([lengths[axis] for axis in axes], dtype=np.float32)
    matrix = {
        "nhwc": (BATCH * positions * positions, K * K * inputs),
        "nchw": (BATCH, inputs * K * K, positions * positions),
        "cnhw": (inputs * K * K, BATCH * positions * positions),
    }[layout]
    d_columns = np.empty_like(columns)
    a, b = columns.reshape(matrix), d_columns.reshape(matrix)
    shape = {
        "nhwc": (BATCH * positions * positions, outputs),
        "nchw": (BATCH, outputs, positions * positions),
        "cnhw": (outputs, BATCH * positions * positions),
    }[layout]
    y = np.empty(shape, dtype=np.float32)
    dy = random.standard_normal(shape, dtype=np.float32)

    def elements():
        """Yield, for each window element, its elements of the images and of the columns."""
        for i in range(K):
            for j in range(K):
                rows = slice(i, i + STRIDE * positions, STRIDE)
                lines = slice(j, j + STRIDE * positions, STRIDE)
                at = {"h": rows, "w": lines}
                in_images = tuple(at.get(axis, slice(None)) for axis in layout)
                within = {"i": i, "j": j}
                yield in_images, tuple(within.get(axis, slice(None)) for axis in axes)

    def step() -> float:
        for in_images, in_columns in elements():
            columns[in_columns] = x[in_images]
        if layout == "nhwc":
            np.dot(a, weights.T, out=y)
            np.dot(dy.T, a, out=d_weights)
            np.dot(dy, weights, out=b)
        elif layout == "cnhw":
            np.dot(weights, a, out=y)
            np.dot(dy, a.T, out=d_weights)
            np.dot(weights.T, dy, out=b)
        else:
            np.matmul(weights, a, out=y)
            np.einsum("npk->pk", np.matmul(dy, a.swapaxes(1, 2)), out=d_weights)
            np.matmul(weights.T, dy, out=b)
        dx[...] = 0
        for in_images, in_columns in elements():
            dx[in_images] += d_columns[in_columns]
        return 0.0

    return step


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2, help="of BLAS (default 2)")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each row (default 5)")
    parser.add_argument("--output", type=Path, help="write the table to this file too")
    options = parser.parse_args()

    from threadpoolctl import threadpool_limits

    threadpool_limits(options.threads)
    first, *others = LAYOUTS
    rows = [
        f"NumPy {np.__version__}, {options.threads} thread(s), float32, batch {BATCH}, medians.",
        "",
        f"| forward and backward | {first}, ms | {' | '.join(others)} |",
        "|---|---|---|---|",
    ]
    for transposed, inputs, outputs, size in LAYERS:
        if transposed:  # the same products and columns the other way round
            continue
        contestants = {
            name: convolution(layout, inputs, outputs, size) for name, layout in LAYOUTS.items()
        }
        median = times(contestants, options.seconds)
        own = median.pop(first)
        ratios = " | ".join(f"**{seconds / own:.2f}**" for seconds in median.values())
        rows.append(f"| {inputs} → {outputs} at {size} x {size} | {own * 1e3:.2f} | {ratios} |")
    print("\n".join(rows))
    if options.output:
        options.output.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
