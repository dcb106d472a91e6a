"""Reading pickles that hold data alone: nothing that they name is ever called.

A pickle is a program that may call any function it names. The batches of CIFAR name the three that
NumPy pickles arrays with. Here stand-ins replace these, which only note shape, type and bytes; all
other names are refused.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from collections.abc import Mapping
from typing import Any, BinaryIO, ClassVar

import numpy as np

CONTAINERS = ("EMPTY_", "LIST", "TUPLE", "DICT", "APPEND", "SETITEM", "ADDITEMS", "FROZENSET")
TUPLES = 1000  # in a pickle; an array has six
LONGEST = 200  # characters of a reason
TYPES = {"b1": "?", "u1": "u1", "i1": "i1"} | {
    kind: "<" + kind for kind in ("u2", "u4", "u8", "i2", "i4", "i8", "f2", "f4", "f8")
}


class StoredType:
    """Stands for ``numpy.dtype``: a type of numbers, by its code."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = code.decode("latin-1") if isinstance(code, bytes) else code

    def __setstate__(self, state: Any) -> None:
        if state[1] == ">" or state[1] == b">":
            raise pickle.UnpicklingError("it holds big-endian numbers")


class StoredArray:
    """Stands for ``numpy.ndarray`` and its maker: its shape, type and bytes."""

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        _, self.shape, self.type, self.by_columns, self.data = state

    def array(self) -> np.ndarray:
        """Return the array, read-only.

        Raises:
            ValueError: it is none of numbers, or its bytes do not fit its shape.
        """
        stored_type = TYPES[self.type.code.lstrip("|<=")]
        data = self.data.encode("latin-1") if isinstance(self.data, str) else self.data
        flat = np.frombuffer(data, stored_type)
        if flat.size != math.prod(self.shape):
            raise ValueError(f"it holds {flat.size} numbers for an array of shape {self.shape}")
        return flat.reshape(self.shape, order="F" if self.by_columns else "C")


ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): StoredArray,
    ("numpy._core.multiarray", "_reconstruct"): StoredArray,
    ("numpy", "ndarray"): StoredArray,
    ("numpy", "dtype"): StoredType,
}


class Restricted(pickle.Unpickler):
    """Reads a pickle whose names all have stand-ins.

    Attributes:
        allowed: the stand-in for each name, a pair (module, name).
    """

    allowed: ClassVar[Mapping[tuple[str, str], Any]] = ALLOWED

    @classmethod
    def load_from(cls, file: BinaryIO) -> Any:
        """Return the next object of a file, which is then at the end of its pickle."""
        start = file.tell()
        for count, (instruction, place, _) in enumerate(pickletools.genops(file)):
            # The unpickler would allocate room for so many objects, gigabytes of it.
            if instruction.name.endswith("PUT") and int(place or 0) > count:
                raise pickle.UnpicklingError(f"memo index {place} out of range")
        file.seek(start)
        return cls(file, encoding="bytes").load()

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a name; refuse all other names."""
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return self.allowed[module, name]


def _value(held: Any) -> Any:
    """Return an array, list or scalar of the pickle; refuse anything else."""
    scalar = (str, bytes, int, float, type(None))
    if isinstance(held, StoredArray):
        return held.array()
    if isinstance(held, scalar):
        return held
    if isinstance(held, list) and all(isinstance(item, scalar) for item in held):
        return held
    raise ValueError(f"it holds a {type(held).__name__} of something else")


def _bound(data: bytes) -> None:
    """Refuse a pickle that takes more time or memory than its length, before it is read.

    Python writes each list and each tuple once, unless data hold one twice. A list that holds the
    one before twice, and so on, would have 2ⁿ elements for n instructions (a "billion laughs").

    Raises:
        UnpicklingError: it uses a list, tuple or dictionary twice, or has too many tuples.
    """
    containers, before, tuples, memos = set[int](), "", 0, 0
    for instruction, place, _ in pickletools.genops(data):
        name = instruction.name
        if name.endswith("PUT") or name == "MEMOIZE":
            if before.startswith(CONTAINERS):
                containers.add(memos if name == "MEMOIZE" else int(place or 0))
            memos += 1
            continue  # it leaves what is before it on the stack
        if name == "DUP" or (name.endswith("GET") and int(place or 0) in containers):
            raise pickle.UnpicklingError("it uses a list or tuple twice")
        tuples += name.startswith("TUPLE")
        if tuples > TUPLES:  # one in the other, whose hash would overflow the stack
            raise pickle.UnpicklingError(f"it has more than {TUPLES:,} tuples")
        before = name


def unpickle(data: bytes) -> dict[str, Any]:
    """Return the dictionary of arrays, lists, strings and numbers that a pickle holds.

    Args:
        data: the pickle, of Python 2 or 3.

    Returns:
        Its values by name; strings of Python 2 are bytes.

    Raises:
        ValueError: it holds or names anything else; nothing in it has been run.
    """
    try:
        _bound(data)
        content = Restricted.load_from(io.BytesIO(data))
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}, not a dictionary")
        return {
            name.decode("ascii") if isinstance(name, bytes) else str(name): _value(held)
            for name, held in content.items()
        }
    except Exception as error:  # damaged pickles raise many kinds of errors
        raise ValueError(
            f"is no pickle of a dictionary of arrays, lists, strings and numbers "
            f"({str(error)[:LONGEST]})"
        ) from None
