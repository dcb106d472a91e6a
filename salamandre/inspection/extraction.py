"""Features for transfer learning: what a layer of a trained network says about images."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from salamandre.atomic import write_atomically
from salamandre.checks import whole
from salamandre.component import encode
from salamandre.data import cache
from salamandre.data.batches import named
from salamandre.inspection.probes import LayerViews, full_name
from salamandre.inspection.scores import BATCH, blocks, checked_images
from salamandre.network import Network

Prepare = Callable[[Any], np.ndarray]


def features(
    network: Network,
    images: Any,
    layer: str | int | list[str | int] | tuple[str | int, ...],
    *,
    prepare: Prepare | None = None,
    pool: int | None = None,
    batch_size: int = BATCH,
    cache_dir: str | os.PathLike[str] | bool | None = None,
) -> Any:
    """Return a layer's outputs for images as rows (N, features), on the host.

    They are computed in blocks, as without training, and kept in the cache until the network's
    weights, the images or an argument changes. Several layers are computed in one pass; each has
    its own place in the cache.

    Args:
        network: which has the layer, and is not changed.
        images: (N, *input_shape); with ``prepare``, whatever it takes: pictures (uint8, N of (C, H,
            W)), or names of files.
        layer: its name, such as ``"features.9"``; the last part is enough if it is the only one.
            Or a list of such.
        prepare: makes inputs of a block of images, such as ``model.prepare``. Default: the images
            are inputs.
        pool: outputs that are images are averaged over this many rows and columns of equal parts,
            (N, channels · pool²). Default: all positions.
        batch_size: images at a time. Default 32.
        cache_dir: the folder of the cache; False for none. Default: the user's, see
            :func:`salamandre.data.load`.

    Returns:
        rows (N, features), for a list of layers a list of such.

    Raises:
        ValueError: no such layer; the nearest name is given.
    """
    asked = layer if isinstance(layer, (list, tuple)) else [layer]
    names = [full_name(network, name) for name in asked]
    if pool is not None:
        whole("pool", pool)
    if prepare is None:
        images = checked_images(network, images)
    files: dict[str, Path] = {}
    if cache_dir is not False:
        home = cache.root(None if cache_dir is None or cache_dir is True else cache_dir)
        digest = _digest(network, images, pool, None if prepare is None else named(prepare))
        files = {name: home / "features" / f"{_place(digest, name)}.npy" for name in names}
    kept = {name: _recall(file, len(images)) for name, file in files.items()}
    found = {name: rows for name, rows in kept.items() if rows is not None}
    if missing := [name for name in names if name not in found]:
        found |= _computed(network, missing, images, prepare, pool, batch_size)
        for name in files.keys() & missing:
            _keep(found[name], files[name])
    rows = [found[name] for name in names]
    return rows[0] if asked is not layer else rows


def _computed(
    network: Network,
    names: list[str],
    images: Any,
    prepare: Prepare | None,
    pool: int | None,
    batch_size: int,
) -> dict[str, np.ndarray]:
    """Return the features of layers by name, all from one pass over the images."""
    views = LayerViews(network, names)
    rows: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for part in blocks(len(images), batch_size, "features"):
        x = images[part] if prepare is None else prepare(images[part])
        for name, outputs in views.compute(checked_images(network, x)).items():
            y = network.backend.to_numpy(outputs)
            y = _pooled(y, pool) if pool and y.ndim == 4 else y
            rows[name].append(y.reshape(len(y), -1))
    return {name: np.concatenate(parts) for name, parts in rows.items()}


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


def _keep(rows: np.ndarray, path: Path) -> None:
    """Write features into the cache, if it can be written."""
    data = io.BytesIO()
    np.save(data, rows)
    with suppress(OSError):  # else they are computed again next time
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data.getvalue())


def _place(digest: Any, name: str) -> str:
    """Return the checksum of a layer's features."""
    own = digest.copy()
    own.update(name.encode())
    return own.hexdigest()


def _digest(network: Network, images: Any, *settings: Any) -> Any:
    """Return the checksum, not yet closed, of all but the layer that features depend on."""
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
    return digest


def _stamp(image: Any) -> str:
    """Return what tells one picture from another: of a file its name, size and time."""
    if isinstance(image, (str, os.PathLike)):
        path = Path(image)
        status = path.stat() if path.is_file() else None
        size, time = (status.st_size, status.st_mtime_ns) if status else (0, 0)
        return f"{path.resolve()} {size} {time}"
    pixels = np.ascontiguousarray(image)
    return f"{pixels.shape} {hashlib.blake2b(pixels.data, digest_size=16).hexdigest()}"
