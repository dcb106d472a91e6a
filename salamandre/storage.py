"""Files of arrays: safetensors with a description in JSON, written wholly or not at all.

A file holds named tensors, and in its metadata the format's name and version, what kind of thing
it is, a description, and a checksum of both. Nothing in it is ever executed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salamandre.atomic import write_atomically
from salamandre.texts import path_of

FORMAT, VERSION = "salamandre", "1"


@dataclass(frozen=True)
class StoredFile:
    """What a file held: its architecture (plain JSON values) and its tensors by name."""

    path: Path
    architecture: Any
    tensors: dict[str, np.ndarray]

    @contextmanager
    def blame(self) -> Iterator[None]:
        """Turn what goes wrong while the contents are used into an error that names the file."""
        try:
            yield
        except KeyError as error:
            raise ValueError(f"{self.path} cannot be loaded: it lacks {error}") from error
        except (
            *(ValueError, TypeError, AttributeError),
            *(RecursionError, OverflowError, MemoryError),
        ) as error:
            raise ValueError(f"{self.path} cannot be loaded: {error}") from error


def write_file(
    path: str | os.PathLike[str], kind: str, architecture: Any, tensors: Mapping[str, np.ndarray]
) -> None:
    """Write tensors and a JSON description to ``path``, atomically.

    Args:
        path: the file; its folder is made if absent.
        kind: what it holds, such as ``"network"``; :func:`read_file` asks for the same.
        architecture: values that JSON can hold.
        tensors: arrays by name.
    """
    from safetensors.numpy import save

    arrays = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    description = json.dumps(architecture, allow_nan=False)
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "kind": kind,
        "architecture": description,
        "checksum": _checksum(description, arrays),
    }
    write_atomically(path, save(arrays, metadata))


def read_file(path: str | os.PathLike[str], *kinds: str) -> StoredFile:
    """Read a file that :func:`write_file` wrote, of one of these kinds.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a damaged file, or one of another format, version or kind; the file is named.
    """
    from safetensors import SafetensorError, safe_open

    path = path_of(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged or not a safetensors file: {error}") from None
    if metadata.get("format") != FORMAT:
        raise ValueError(
            f"{path} was not saved by Salamandre (its metadata names no such format): to take "
            f"weights from another program, see salamandre.from_pytorch"
        )
    if metadata.get("version") != VERSION:
        raise ValueError(
            f"{path} has version {metadata.get('version')} of the format, this Salamandre reads "
            f"version {VERSION}: load it with the release that wrote it"
        )
    if metadata.get("kind") not in kinds:
        raise ValueError(f"{path} holds a {metadata.get('kind')}, not a {kinds[0]}")
    description = metadata.get("architecture", "")
    if metadata.get("checksum") != _checksum(description, tensors):
        raise ValueError(f"{path} is damaged: its contents do not match its checksum")
    try:
        architecture = json.loads(description)
    except (ValueError, RecursionError):
        raise ValueError(f"{path} is damaged: its description is not valid JSON") from None
    return StoredFile(path, architecture, tensors)


def _checksum(description: str, tensors: Mapping[str, np.ndarray]) -> str:
    import hashlib

    digest = hashlib.blake2b(description.encode(), digest_size=16)
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode())
        digest.update(tensors[name].data if tensors[name].size else b"")
    return digest.hexdigest()
