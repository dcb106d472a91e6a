"""Pages of one HTML file: a generator, its runtime, and hands to draw in."""

from __future__ import annotations

import base64
import html
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from salamandre.atomic import write_atomically
from salamandre.backend import Array
from salamandre.games.checks import output_range
from salamandre.games.latent import of_seed
from salamandre.network import Network
from salamandre.onnx.exporting import onnx_bytes
from salamandre.pages.runtime import Runtime, find_runtime
from salamandre.texts import folder_of

HANDS, LETTERS = 16, 24  # hands, and latent vectors of each
SAMPLES = 10  # of a generator without classes
LARGEST = 300_000  # bytes of images that are drawn beforehand
FRAMES = 40  # of the film
TEMPLATE = Path(__file__).with_name("template.html")


def write_page(
    generator: Network,
    folder: str | os.PathLike[str],
    shape: Sequence[int],
    classes: Sequence[str] = (),
    *,
    title: str = "A generator",
    about: str = "",
    film: dict[int, Path] | None = None,
    runtime: Runtime | None = None,
) -> Path:
    """Write a page on which a generator draws what is typed; return its path.

    The page, ``index.html``, also works from a disk, without a server; pictures of the film are
    beside it in ``film/``. Hand k has the latent vectors of seed k, as :func:`of_seed` draws them.

    Args:
        generator: from latent vectors, and labels if it is conditional, to images in -1 to 1.
        folder: of the page; it is made if absent.
        shape: of an image, (C, H, W), with one or three channels.
        classes: their names. Default none.
        title: of the page.
        about: a sentence below the title.
        film: pictures of samples, by rounds; at most 40 of them are shown.
        runtime: as :func:`find_runtime` returns it. Default: from a CDN.

    Raises:
        ValueError: layers that ONNX cannot say, images of other channels, or a shape or classes
            that are not the generator's.
    """
    folder = folder_of(folder, "the folder of the page")
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ValueError(f"a page draws images of 1 or 3 channels, got examples of {tuple(shape)}")
    if math.prod(generator.output_shape) != math.prod(shape):
        raise ValueError(
            f"the generator makes outputs of shape {generator.output_shape}, which are no images "
            f"of shape {tuple(shape)}"
        )
    if len(classes) != (generator.classes or 0):
        raise ValueError(
            f"the page needs a name for each of the generator's {generator.classes or 0} classes, "
            f"got {len(classes)}"
        )
    runtime = find_runtime() if runtime is None else runtime
    hands = [of_seed(generator, LETTERS, seed) for seed in range(HANDS)]
    page: dict[str, Any] = {
        "shape": list(shape),
        "range": output_range(generator),
        "latent": generator.input_shape[0],
        "classes": list(classes),
        "about": about,
        "hands": [_numbers(generator.backend.to_numpy(rows)) for rows in hands],
        "first": _text(_first(generator, hands[0], math.prod(shape))),
        "film": [],
    }
    engine = {"network": _text(onnx_bytes(generator)), "runtime": runtime.parts}
    for rounds, picture in _chosen(film or {}).items():
        name = f"film/{rounds:08d}.png"
        write_atomically(folder / name, picture.read_bytes())
        page["film"].append([rounds, name])
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, value in (
        ("title", html.escape(title)),
        ("runtime", runtime.script),
        ("generator", _json(engine)),
        ("page", _json(page)),
    ):
        text = text.replace(f"{{{{{name}}}}}", value)
    path = folder / "index.html"
    write_atomically(path, text.encode())
    return path


def _first(generator: Network, hand: Array, size: int) -> bytes:
    """Return what a hand draws, as bytes: all classes by its first latent vector, or samples."""
    count = min(generator.classes or SAMPLES, LARGEST // size)
    if not count:
        return b""
    latent = hand[:1].repeat(count, axis=0) if generator.classes else hand[:count]
    labels = np.arange(count) if generator.classes else None
    y = generator.backend.to_numpy(generator.predict(latent, labels=labels))
    low, high = output_range(generator)
    return np.rint(255 * np.clip((y - low) / (high - low), 0, 1)).astype(np.uint8).tobytes()


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _json(value: Any) -> str:
    """Return a value as JSON that may stand in an element of HTML."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _numbers(rows: np.ndarray) -> list[float]:
    """Return latent vectors in a row, with the digits that float32 has."""
    return [float(f"{value:.9g}") for value in rows.ravel()]


def _chosen(film: dict[int, Path]) -> dict[int, Path]:
    """Return pictures evenly spread, the first and the last among them."""
    rounds = sorted(film)
    index = np.linspace(0, len(rounds) - 1, min(FRAMES, len(rounds))).round().astype(int)
    return {rounds[n]: film[rounds[n]] for n in index}
