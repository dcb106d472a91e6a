"""Files of arrays: IDX, NumPy's .npy and .npz.

Each array is found by the words in its name: ``x_train``, ``train_images`` and ``images`` beside
``y_train``, ``train_labels`` and ``labels``.
"""

from __future__ import annotations

import gzip
import math
import os
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from salamandre.data.catalogue import WrongFormat
from salamandre.data.own_files import DENSEST, Found, Load, Wanted, check_claim, refusing, sort_out

TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}  # of IDX, by their code
IDX = re.compile(r"(?:(?P<set>.+)-)?(?P<split>train|t10k|test)-(?P<kind>images|labels)[-.]idx\d-.+")


# -- IDX -----------------------------------------------------------------------------------------


def idx_files(folder: Path) -> dict[str, list[Path]]:
    """Return the IDX files of a folder by the name of their set, which is empty for MNIST's."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if (match := IDX.fullmatch(path.name)) and path.is_file():
            found.setdefault(match["set"] or "", []).append(path)
    return found


def idx(paths: Sequence[Path], wanted: Wanted) -> Found:
    """Return the splits in IDX files named as those of MNIST, QMNIST or EMNIST.

    Of QMNIST's labels the first column is used; images of EMNIST are stored column by column.
    """
    named: list[tuple[str, str, Load]] = []
    for path in sorted(paths, key=lambda path: path.suffix == ".gz"):  # a plain file goes first
        match = IDX.fullmatch(path.name)
        assert match is not None
        split = "train" if match["split"] == "train" else "test"
        name = f"{split} {match['kind']}"
        if name not in (known for known, _, _ in named):
            named.append((name, "", _idx_loader(path, match["kind"], match["set"] or "")))
    return sort_out(named)


def _idx_loader(path: Path, kind: str, family: str) -> Load:
    def load() -> np.ndarray:
        with refusing(path, "IDX file"):
            array = read_idx(path)
            if array.ndim not in ((1, 2) if kind == "labels" else (3, 4)):
                raise WrongFormat(f"holds an array of shape {array.shape} as {kind}")
        if kind == "labels" and array.shape[1:] == (8,) and array.dtype.itemsize == 4:
            return array[:, 0]
        return array.swapaxes(1, 2) if kind == "images" and family.startswith("emnist") else array

    return load


def read_idx(path: Path) -> np.ndarray:
    """Return the array in an IDX file, plain or ``.gz``.

    Its header is two zeros, a code of the type, the number of axes, and their lengths as big-endian
    32-bit numbers (LeCun 1998).
    """
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
        start = file.read(4)
        if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in TYPES or not start[3]:
            raise WrongFormat(f"does not start as an IDX file, but with {start!r}")
        lengths = file.read(4 * start[3])
        shape = tuple(np.frombuffer(lengths, ">u4").tolist()) if len(lengths) % 4 == 0 else ()
        if len(shape) != start[3] or start[3] > 4:
            raise WrongFormat(f"has an IDX header of {start[3]} axes, expected at most 4")
        kind = np.dtype(TYPES[start[2]])
        size = math.prod(shape) * kind.itemsize
        check_claim(size, os.path.getsize(path) * (DENSEST if packed else 1))
        array = np.empty(shape, kind)
        view = array.reshape(-1).view(np.uint8).data
        done = 0
        while done < size and (count := file.readinto(view[done : done + (1 << 24)])):  # type: ignore[attr-defined]
            done += count
        if done < size or file.read(1):
            amount = "more" if done == size else f"only {done:,}"
            raise WrongFormat(f"has {amount} bytes, expected {size:,} for the shape {shape}")
    return array if kind.itemsize == 1 else array.astype(kind.newbyteorder("="))


# -- NumPy ---------------------------------------------------------------------------------------


def npy(paths: Sequence[Path], wanted: Wanted) -> Found:
    """Return the splits in ``.npy`` files."""
    return sort_out([(path.stem, "", _npy_loader(path)) for path in paths])


def _npy_loader(path: Path) -> Load:
    def load() -> np.ndarray:
        with refusing(path, ".npy file"), path.open("rb") as file:
            _check_header(file, os.path.getsize(path))
            file.seek(0)
            return np.load(file, allow_pickle=False)

    return load


def _check_header(file: BinaryIO, size: int) -> None:
    """Raise if the header of an array claims objects or more bytes than there are."""
    version = np.lib.format.read_magic(file)
    header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if header is None:
        raise WrongFormat(f"has version {version} of the format, expected 1.0 or 2.0")
    shape, _, kind = header(file)
    if kind.hasobject:
        raise WrongFormat("holds Python objects, which are not read, expected numbers or strings")
    if any(length < 0 for length in shape):
        raise WrongFormat(f"has an array of shape {shape}")
    check_claim(math.prod(shape) * kind.itemsize, size)


def npz(paths: Sequence[Path], wanted: Wanted) -> Found:
    """Return the splits in ``.npz`` files, with the names of MedMNIST, Keras and others."""
    named = []
    for path in paths:
        with refusing(path, ".npz file"), zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise WrongFormat(f"packs {info.filename} in a way that NumPy does not use")
                name = info.filename.removesuffix(".npy")
                # NumPy's name of an array that was given none says nothing
                inner = "" if name == "arr_0" and len(archive.namelist()) == 1 else name
                named.append((path.stem, inner, _npz_loader(path, info)))
    return sort_out(named)


def _npz_loader(path: Path, info: zipfile.ZipInfo) -> Load:
    def load() -> np.ndarray:
        with refusing(path, ".npz file"), zipfile.ZipFile(path) as archive:
            packed = min(info.compress_size, os.path.getsize(path))
            check_claim(info.file_size, packed * DENSEST)
            with archive.open(info) as member:
                _check_header(cast(BinaryIO, member), info.file_size)
            with archive.open(info) as member:
                array = np.lib.format.read_array(member, allow_pickle=False)
                if member.read(1):
                    raise WrongFormat(f"has more bytes in {info.filename} than its shape needs")
            return array

    return load
