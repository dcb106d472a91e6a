"""Images in memory: (N, C, H, W) to their users, (N, H, W, C) to the operations."""

from __future__ import annotations

from typing import Any

Array = Any


def channels_last(x: Array) -> Array:
    """Return images (N, C, H, W) as a view (N, H, W, C)."""
    return x.transpose(0, 2, 3, 1)


def channels_first(x: Array) -> Array:
    """Return images (N, H, W, C) as a view (N, C, H, W)."""
    return x.transpose(0, 3, 1, 2)


def pixels(ctx: Any, name: str, x: Array) -> Array:
    """Return images (N, C, H, W) as contiguous (N, H, W, C): a view, or a copy in a buffer."""
    x = channels_last(x)
    if x.flags.c_contiguous:
        return x
    copied = ctx.buffer(name, x.shape)
    copied[...] = x
    return copied


def images(ctx: Any, name: str, count: int, shape: tuple[int, ...]) -> Array:
    """Return a buffer for images of ``shape`` (C, H, W) as contiguous (N, H, W, C)."""
    return ctx.buffer(name, (count, *shape[1:], shape[0]))
