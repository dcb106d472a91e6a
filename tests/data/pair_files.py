"""Pictures of pairs, written into folders."""

from __future__ import annotations

import numpy as np
from PIL import Image


def noise(width=16, height=16, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def published(folder, count=3, split="train", size=16, first=0):
    """Write pictures side by side, and return their left and right halves (N, C, H, W)."""
    pixels = [noise(2 * size, size, first + number) for number in range(count)]
    for number, one in enumerate(pixels):
        save(folder / split / f"{number}.png", one)
    both = np.stack(pixels).transpose(0, 3, 1, 2)
    return both[..., :size], both[..., size:]
