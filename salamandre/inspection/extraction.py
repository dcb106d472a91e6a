"""Features for transfer learning: what a layer of a trained network says about images."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from salamandre.atomic import write_atomically
from salamandre.component import encode
from salamandre.data import cache
from salamandre.data.batches import named
from salamandre.inspection.probes import LayerView, full_name
from salamandre.inspection.scores import BATCH, blocks, checked_images
from salamandre.network import Network

Prepare = Callable[[Any], np.ndarray]


def features(
    network: Network,
    images: Any,
    layer: str | int,
    *,
    prepare: Prepare | None = None,
    pool: int | None = None,
    batch_size: int = BATCH,
    cache_dir: str | os.PathLike[str] | bool | None = None,
) -> np.ndarray:
    """Return a layer's outputs for images as rows (N, features), on the host.

    They are computed in blocks, as without training, and kept in the cache until the network's
    weights, the images or an argument changes.

    Args:
        network: which has the layer, and is not changed.
        images: (N, *input_shape); with ``prepare``, whatever it takes: pictures (uint8, N of (C, H,
            W)), or names of files.
        layer: its name, such as ``"features.9"``; the last part is enough if it is the only one.
        prepare: makes inputs of a block of images, such as ``model.prepare``. Default: the images
            are inputs.
        pool: outputs that are images are averaged over this many rows and columns of equal parts,
            (N, channels · pool²). Default: all positions.
        batch_size: images at a time. Default 32.
        cache_dir: the folder of the cache; False for none. Default: the user's, see
            :func:`salamandre.data.load`.

    Raises:
        ValueError: no such layer; the nearest name is given.
    """
    view = LayerView(network, full_name(network, layer))
    if prepare is None:
        images = checked_images(network, images)
    path = None
    if cache_dir is not False:
        home = cache.root(None if cache_dir is None or cache_dir is True else cache_dir)
        key = _key(network, images, view.name, pool, None if prepare is None else named(prepare))
        path = home / "features" / f"{key}.npy"
        if (found := _recall(path, len(images))) is not None:
            return found
    rows = []
    for part in blocks(len(images), batch_size, view.name):
        x = images[part] if prepare is None else prepare(images[part])
        y = network.backend.to_numpy(view.compute(checked_images(network, x)))
        y = _pooled(y, pool) if pool and y.ndim == 4 else y
        rows.append(y.reshape(len(y), -1))
    found = np.concatenate(rows)
    if path is not None and cache.writable(path.parent):
        data = io.BytesIO()
        np.save(data, found)
        write_atomically(path, data.getvalue())
    return found


def _pooled(y: np.ndarray, parts: int) -> np.ndarray:
    """Return the means of images (N, C, H, W) over so many rows and columns of parts."""
    for axis in (2, 3):
        pieces = np.array_split(y, min(parts, y.shape[axis]), axis=axis)
        y = np.concatenate([piece.mean(axis=axis, keepdims=True) for piece in pieces], axis=axis)
    return y


def _recall(path: Path, count: int) -> np.ndarray | None:
    """Return features from the cache, or None if they are not there or damaged."""
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.ndim == 2 and len(found) == count else None


def _key(network: Network, images: Any, *settings: Any) -> str:
    """Return a checksum of all that features depend on."""
    digest = hashlib.blake2b(json.dumps(encode(network), sort_keys=True).encode(), digest_size=16)
    for name, array in sorted(network.tensors().items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(array).data)
    digest.update(repr(settings).encode())
    if isinstance(images, Sequence):
        for image in images:
            digest.update(_stamp(image).encode("utf-8", "surrogateescape"))
    else:
        pixels = np.ascontiguousarray(network.backend.to_numpy(network.backend.asarray(images)))
        digest.update(f"{pixels.dtype} {pixels.shape}".encode())
        digest.update(pixels.data)
    return digest.hexdigest()


def _stamp(image: Any) -> str:
    """Return what tells one picture from another: of a file its name, size and time."""
    if isinstance(image, (str, os.PathLike)):
        path = Path(image)
        status = path.stat() if path.is_file() else None
        size, time = (status.st_size, status.st_mtime_ns) if status else (0, 0)
        return f"{path.resolve()} {size} {time}"
    pixels = np.ascontiguousarray(image)
    return f"{pixels.shape} {hashlib.blake2b(pixels.data, digest_size=16).hexdigest()}"
