"""Reading files of weights that PyTorch users publish, without PyTorch and without running them.

``.safetensors`` holds arrays by name. ``.pth`` is what ``torch.save(module.state_dict())`` writes:
since PyTorch 1.6 a zip archive of a pickle and a file for each storage, before that one file of
several pickles and the storages. The pickles only say which part of which storage an array is.
"""

from __future__ import annotations

import math
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from salamandre.data.unpickling import Restricted

BFLOAT16 = "bfloat16"  # the upper half of a float32, which NumPy does not know
STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of the form before PyTorch 1.6


class StoredDict(dict[Any, Any]):
    """Stands for ``collections.OrderedDict``; its attributes are left out."""

    def __setstate__(self, state: Any) -> None:
        pass


class StoredTensor:
    """Stands for a tensor: a part of a storage."""

    def __init__(self, storage: Any, offset: int, shape: Any, strides: Any, *_: Any) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self, values: np.ndarray) -> np.ndarray:
        """Return the array, a view of the values of its storage.

        Raises:
            ValueError: it reaches beyond the storage.
        """
        numbers = (self.offset, *self.shape, *self.strides)
        if len(self.shape) != len(self.strides) or min(numbers, default=0) < 0:
            raise ValueError(f"an array has shape {self.shape} and strides {self.strides}")
        ends = (max(0, n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        if math.prod(self.shape) and self.offset + sum(ends) >= len(values):
            raise ValueError(f"an array of shape {self.shape} reaches beyond its storage")
        steps = [step * values.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(
            values[self.offset :], self.shape, steps, writeable=False
        )


def _parameter(tensor: StoredTensor, *_: Any) -> StoredTensor:
    return tensor


class _StateDict(Restricted):
    """Reads the pickles of a state dict."""

    allowed = {
        ("collections", "OrderedDict"): StoredDict,
        ("torch._utils", "_rebuild_tensor_v2"): StoredTensor,
        ("torch._utils", "_rebuild_parameter"): _parameter,
        **{("torch", name): code for name, code in STORAGES.items()},
    }

    def persistent_load(self, key: Any) -> tuple[str, str, int]:
        """Return the name of a storage, its type and its number of elements."""
        kind, code, name, _, count = key[:5]
        if kind != "storage" or code not in STORAGES.values() or (len(key) > 5 and key[5]):
            raise pickle.UnpicklingError(f"it names a {kind} {key[1:]}")
        return str(name), code, int(count)


def read_weights(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Return the arrays of a ``.safetensors`` or ``.pth`` file by name.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a damaged file, or one of something else; nothing in it has been run.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of weights {path}")
    try:
        if zipfile.is_zipfile(path):
            return _read_zip(path)
        with path.open("rb") as file:
            if file.read(1) == b"\x80":  # how pickles begin
                file.seek(0)
                return _read_pickles(file)
        return _read_safetensors(path)
    except Exception as error:  # damaged pickles raise many kinds of errors
        raise ValueError(
            f"{path} is damaged, or holds no weights as .safetensors or .pth ({error})"
        ) from None


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors import deserialize, safe_open

    with safe_open(path, framework="np") as file:
        halves = {n for n in file.keys() if file.get_slice(n).get_dtype() == "BF16"}  # noqa: SIM118
        arrays = {n: file.get_tensor(n) for n in file.keys() if n not in halves}  # noqa: SIM118
    for name, found in deserialize(path.read_bytes()) if halves else ():  # type: ignore[no-untyped-call]
        if name in halves:
            arrays[name] = _numbers(found["data"], BFLOAT16).reshape(found["shape"])
    return arrays


def _numbers(content: bytes, code: str, count: int = -1) -> np.ndarray:
    """Return the numbers of a storage, bfloat16 as float32."""
    if code != BFLOAT16:
        return np.frombuffer(content, code, count)
    return (np.frombuffer(content, "<u2", count).astype("<u4") << 16).view("<f4")


def _read_zip(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        members = {name.partition("/")[2]: name for name in archive.namelist()}
        for info in archive.infolist():
            if info.compress_type != zipfile.ZIP_STORED:  # it could unpack to any size
                raise ValueError(f"{info.filename} is compressed, which PyTorch never does")
        if "byteorder" in members and archive.read(members["byteorder"]) != b"little":
            raise ValueError("its numbers are big-endian")

        def stored(name: str, code: str, count: int) -> np.ndarray:
            return _numbers(archive.read(members[f"data/{name}"]), code, count)

        with archive.open(members["data.pkl"]) as file:
            return _arrays(_StateDict.load_from(file), stored)  # type: ignore[arg-type]


def _read_pickles(file: BinaryIO) -> dict[str, np.ndarray]:
    if (_StateDict.load_from(file), _StateDict.load_from(file)) != (MAGIC, PROTOCOL):
        raise ValueError("it is a pickle of something else")
    if not _StateDict.load_from(file).get("little_endian"):
        raise ValueError("its numbers are big-endian")
    content, names = _StateDict.load_from(file), _StateDict.load_from(file)
    types = {tensor.storage[0]: tensor.storage[1:] for tensor in _found(content)}
    storages: dict[str, np.ndarray] = {}
    for name in names:
        code, count = types[name]
        if int.from_bytes(file.read(8), "little") != count:
            raise ValueError(f"storage {name} has another size than its arrays say")
        size = 2 if code == BFLOAT16 else np.dtype(code).itemsize
        storages[name] = _numbers(file.read(count * size), code, count)
    return _arrays(content, lambda name, *_: storages[name])


def _found(content: Any) -> Iterator[StoredTensor]:
    """Yield the tensors in dictionaries and lists, however deep."""
    if isinstance(content, StoredTensor):
        yield content
    elif isinstance(content, (dict, list, tuple)):
        for part in content.values() if isinstance(content, dict) else content:
            yield from _found(part)


def _tensors(content: Any) -> dict[str, StoredTensor]:
    """Return the tensors of a state dict, or of the only one in a dictionary of other things."""
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}, not a dictionary of arrays")
    inner = {name: found for name, found in content.items() if _count(found)}
    if isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    elif len(inner) > 1:
        raise ValueError(f"it holds several sets of weights, {', '.join(map(repr, inner))}")
    elif inner and _count(content) < max(map(_count, inner.values())):  # beside them a number or so
        content = next(iter(inner.values()))
    other = {k: v for k, v in content.items() if not isinstance(v, StoredTensor)}
    if other or not content:
        name, value = next(iter(other.items()), ("nothing", None))
        kind = "dict" if isinstance(value, dict) else type(value).__name__
        raise ValueError(f"it holds {name!r}, a {kind} and not an array")
    return {str(name): tensor for name, tensor in content.items()}


def _count(found: Any) -> int:
    """Return how many tensors a dictionary holds itself."""
    values = found.values() if isinstance(found, dict) else ()
    return sum(isinstance(value, StoredTensor) for value in values)


def _arrays(content: Any, stored: Callable[..., np.ndarray]) -> dict[str, np.ndarray]:
    storages: dict[str, np.ndarray] = {}  # arrays may share them
    arrays = {}
    for name, tensor in _tensors(content).items():
        key = tensor.storage[0]
        if key not in storages:
            storages[key] = stored(*tensor.storage)
        arrays[name] = tensor.array(storages[key])
    return arrays
