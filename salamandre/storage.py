"""Files of arrays: safetensors with a description in JSON, written wholly or not at all.

A file holds named tensors, and in its metadata the format's name and version, what kind of thing
it is, a description, and a checksum of both. Nothing in it is ever executed.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from salamandre.atomic import write_atomically
from salamandre.checks import shortened
from salamandre.texts import path_of

FORMAT, VERSION = "salamandre", "1"
Kind = TypeVar("Kind")


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
        except Exception as error:  # of any component that gets arguments it does not expect
            text = shortened(error) or type(error).__name__
            raise ValueError(f"{self.path} cannot be loaded: {text}") from error


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
    arrays = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    description = json.dumps(architecture, allow_nan=False)
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "kind": kind,
        "architecture": description,
        "checksum": _checksum(description, arrays),
    }
    write_atomically(path, _serialized(arrays, metadata))


def read_file(path: str | os.PathLike[str], *kinds: str) -> StoredFile:
    """Read a file that :func:`write_file` wrote, of one of these kinds.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a damaged file, or one of another format, version or kind; the file is named.
    """
    from safetensors import safe_open

    path = path_of(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # also what a type that NumPy has not, such as bfloat16, raises
        raise ValueError(
            f"{path} is damaged or not a safetensors file: {shortened(error)}"
        ) from None
    if metadata.get("format") != FORMAT:
        raise ValueError(
            f"{path} was not saved by Salamandre (its metadata names no such format): to take "
            f"weights from another program, see salamandre.from_pytorch"
        )
    if metadata.get("version") != VERSION:
        raise ValueError(
            f"{path} has version {shortened(metadata.get('version'))} of the format, this "
            f"Salamandre reads version {VERSION}: load it with the release that wrote it"
        )
    if metadata.get("kind") not in kinds:
        raise ValueError(f"{path} holds a {shortened(metadata.get('kind'))}, not a {kinds[0]}")
    description = metadata.get("architecture", "")
    if metadata.get("checksum") != _checksum(description, tensors):
        raise ValueError(f"{path} is damaged: its contents do not match its checksum")
    try:
        architecture = json.loads(
            description, object_pairs_hook=_named, parse_float=_finite, parse_constant=_finite
        )
        json.dumps(architecture, ensure_ascii=False).encode()  # refuses halves of characters
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: its description is not valid JSON: {error}") from None
    return StoredFile(path, architecture, tensors)


def checked(value: Any, kind: type[Kind], file: Path, part: str = "") -> Kind:
    """Return a part of a file as a struct; missing fields get their defaults.

    Raises:
        ValueError: it does not fit; the file, the field and what was expected are named.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        expected, _, place = str(error).partition(" - at `$")
        field = f"{part}{place.rstrip('`')}".lstrip(".")
        raise ValueError(
            f"{file} is damaged{f' at {field}' if field else ''}: {expected[0].lower()}"
            f"{expected[1:]}"
        ) from None


def _named(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON, whose names must differ."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"an object of {len(pairs)} entries has only {len(found)} names")
    return found


def _finite(text: str) -> float:
    """Return a number of JSON, which knows neither NaN nor infinity, but numbers like 1e400."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no finite number")
    return number


def _serialized(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """Return the bytes of a file, which are the same each time.

    A file is the length of its header, the header in JSON, padded with spaces to a multiple of 8
    bytes, and the arrays. The library gives the entries of the metadata a random order.
    """
    from safetensors.numpy import save

    data = memoryview(save(dict(arrays)))
    end = 8 + int.from_bytes(data[:8], "little")
    header = {"__metadata__": metadata, **json.loads(bytes(data[8:end]))}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, data[end:]])


def _checksum(description: str, tensors: Mapping[str, np.ndarray]) -> str:
    import hashlib

    digest = hashlib.blake2b(description.encode(), digest_size=16)
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode())
        digest.update(tensors[name].data if tensors[name].size else b"")
    return digest.hexdigest()
