"""Small valid files of every reader of data.

``SAMPLES[name]()`` returns the files of one form by name, and a function that reads them from a
folder. ``tests/damage.py`` damages them.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from salamandre import data
from salamandre.data import reading
from salamandre.data.catalogue import DataSet, File, Form, Part

COUNT, SIZE = 6, 8  # images of each split, and their height and width
CLASSES = ("a", "b", "c")
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (2, COUNT, SIZE, SIZE), np.uint8)  # of training and testing
COLOURS = RANDOM.integers(0, 256, (2, COUNT, 3, SIZE, SIZE), np.uint8)
LABELS = np.array([[0, 1, 2, 0, 1, 2], [2, 1, 0, 2, 1, 0]], np.uint8)

Files = dict[str, bytes]
Read = Callable[[Path], object]


def same(found: data.Images, images: np.ndarray, labels: np.ndarray | None = None) -> None:
    """Compare images, and labels if they are given."""
    np.testing.assert_array_equal(found.images, images)
    if labels is not None:
        np.testing.assert_array_equal(found.labels, labels)


def is_mapped(array: np.ndarray | None) -> bool:
    """Return whether an array is mapped into memory from a file."""
    while array is not None and not isinstance(array, np.memmap):
        array = array.base
    return array is not None


# -- how files are written -----------------------------------------------------------------------


def idx(array: np.ndarray, code: int = 8) -> bytes:
    kind = {8: ">u1", 12: ">i4", 13: ">f4"}[code]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(kind).tobytes()


def write(folder: Path, files: Files) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def save(folder: Path, **arrays: object) -> Path:
    """Write arrays into a file ``set.npz``."""
    path = folder / "set.npz"
    np.savez(path, **arrays)
    return path


def draw(path: Path, colour=(255, 0, 0), size=(20, 20), **how: object) -> Path:
    """Write a picture of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB" if isinstance(colour, tuple) else "L", size, colour).save(path, **how)
    return path


def written(write: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def picture(pixels: np.ndarray, form: str = "PNG") -> bytes:
    return written(lambda file: Image.fromarray(pixels).save(file, form))


def tar(members: Files, mode: str = "gz") -> bytes:
    def write(file: io.BytesIO) -> None:
        with tarfile.open(fileobj=file, mode=f"w:{mode}") as archive:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))

    return written(write)


def zipped(members: Files, packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    def write(file: io.BytesIO) -> None:
        with zipfile.ZipFile(file, "w", packing) as archive:
            for name, content in members.items():
                archive.writestr(name, content)

    return written(write)


def csv(images: np.ndarray, labels: np.ndarray, header: bool = True) -> bytes:
    rows = np.column_stack([labels, images.reshape(len(images), -1)])
    names = ",".join(["label", *(f"pixel{i}" for i in range(rows.shape[1] - 1))])
    lines = [names] * header + [",".join(map(str, row)) for row in rows.tolist()]
    return ("\n".join(lines) + "\n").encode()


def parquet(images: np.ndarray, labels: np.ndarray, classes: Sequence[str] = CLASSES) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pictures = [{"bytes": picture(pixels), "path": f"{i}.png"} for i, pixels in enumerate(images)]
    names = {"names": list(classes), "_type": "ClassLabel"}
    features = {"image": {"_type": "Image"}, "label": names}
    table = pa.table({"image": pictures, "label": pa.array(labels.tolist(), pa.int64())})
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return written(lambda file: pq.write_table(table.replace_schema_metadata(metadata), file))


def mat(variables: dict, packed: bool = True) -> bytes:
    from scipy.io import savemat

    return written(lambda file: savemat(file, variables, do_compression=packed))


def svhn(images: np.ndarray, labels: np.ndarray, zero: int = 10) -> dict:
    """SVHN's variables: the digit 0 is 10, the example is the last axis."""
    digits = np.where(labels == 0, zero, labels).astype(np.uint8)
    return {"X": images.transpose(2, 3, 1, 0), "y": digits[:, None]}


def emnist(images: np.ndarray, labels: np.ndarray) -> dict:
    """EMNIST's variables: column after column, classes count from 1, their names in a table."""
    splits = {
        split: {"images": pixels.swapaxes(1, 2).reshape(COUNT, -1), "labels": digits[:, None] + 1}
        for split, pixels, digits in zip(("train", "test"), images, labels, strict=True)
    }
    mapping = np.array([[i + 1, ord(name)] for i, name in enumerate(CLASSES)], np.uint8)
    return {"dataset": {**splits, "mapping": mapping}}


def libsvm(images: np.ndarray, labels: np.ndarray) -> bytes:
    values = images.reshape(len(images), -1) / 127.5 - 1
    lines = (
        f"{label + 1} " + " ".join(f"{i + 1}:{value:.7f}" for i, value in enumerate(row))
        for label, row in zip(labels, values, strict=True)
    )
    return bz2.compress("\n".join([*lines, ""]).encode())


# -- data sets of the catalogue ------------------------------------------------------------------


def published(
    form: str, archives: Files, parts: list[Part], shape=(1, SIZE, SIZE), **more: object
) -> tuple[Files, Read]:
    """Return files of a data set that has them, and how they are read."""

    def read(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
        sealed = tuple(  # the checksums are those of the damaged files, so that these are read
            File(name, hashlib.md5((folder / name).read_bytes()).hexdigest()) for name in archives
        )
        described = Form(form, sealed, tuple(parts), **more)
        entry = DataSet(
            "small", "Small", shape, CLASSES, COUNT, COUNT, "none", "a test", (described,)
        )
        found = []
        for split in ("train", "test"):
            paths = reading.find(entry, described, split, folder)
            if len(paths) < len(described.of(split)):
                raise ValueError(f"{folder} lacks files")
            content = written(
                lambda file, paths=paths: reading.write(entry, described, paths, file)
            )
            values = np.frombuffer(content, np.uint8)
            found.append((values[:-COUNT].reshape(COUNT, *shape), values[-COUNT:]))
        return found

    return archives, read


def both(names: tuple[str, str], count: int = COUNT) -> list[Part]:
    return [
        Part(name, split, ("images", "labels"), count)
        for name, split in zip(names, ("train", "test"), strict=True)
    ]


def halves(make: Callable[[np.ndarray, np.ndarray], bytes], *names: str, colours=False) -> Files:
    images = COLOURS if colours else IMAGES
    return {name: make(*pair) for name, *pair in zip(names, images, LABELS, strict=True)}


def emnist_zip(packing: int = zipfile.ZIP_DEFLATED) -> tuple[Files, Read]:
    members, parts = {}, []
    for i, split in enumerate(("train", "test")):
        for kind, array in (("images", IMAGES[i]), ("labels", LABELS[i])):
            name = f"gzip/emnist-{split}-{kind}-idx{array.ndim}-ubyte.gz"
            members[name] = gzip.compress(idx(array), mtime=0)
            parts.append(Part(name, split, (kind,), COUNT))
    return published("idx", {"gzip.zip": zipped(members, packing)}, parts)


def qmnist_files() -> tuple[Files, Read]:
    files, parts = {}, []
    for i, split in enumerate(("train", "test")):
        rows = np.column_stack([LABELS[i].astype(np.int32), np.full((COUNT, 7), 300)])
        for kind, name, content in (
            ("images", f"qmnist-{split}-images-idx3-ubyte.gz", idx(IMAGES[i])),
            ("labels", f"qmnist-{split}-labels-idx2-int.gz", idx(rows, 12)),
        ):
            files[name] = gzip.compress(content, mtime=0)
            parts.append(Part(name, split, (kind,), COUNT))
    return published("idx", files, parts)


def cifar(
    form: str, make: Callable[[np.ndarray, np.ndarray], bytes], mode: str = "gz"
) -> tuple[Files, Read]:
    names = "batches/train", "batches/test"
    packed = tar(halves(make, *names, colours=True), mode)
    return published(form, {"cifar.tar.gz": packed}, both(names), (3, SIZE, SIZE))


def records(images: np.ndarray, labels: np.ndarray) -> bytes:
    return np.column_stack([labels, images.reshape(COUNT, -1)]).tobytes()


def pickled(images: np.ndarray, labels: np.ndarray) -> bytes:
    content = {"data": images.reshape(COUNT, -1), "labels": labels.tolist()}
    return pickle.dumps(content, protocol=4)


def stl() -> tuple[Files, Read]:
    members, parts = {}, []
    for i, split in enumerate(("train", "test")):
        members[f"{split}_X.bin"] = COLOURS[i].swapaxes(2, 3).tobytes()
        members[f"{split}_y.bin"] = (LABELS[i] + 1).tobytes()
        parts.append(Part(f"{split}_X.bin", split, ("images",), COUNT))
        parts.append(Part(f"{split}_y.bin", split, ("labels",), COUNT))
    form = {"first_label": 1, "transposed": True}
    return published("bytes", {"stl.tar.gz": tar(members)}, parts, (3, SIZE, SIZE), **form)


def drawings(folder: str, images: np.ndarray, labels: np.ndarray) -> Files:
    return {
        f"{folder}/{CLASSES[label]}/character01/{i:04}.png": picture(pixels)
        for i, (pixels, label) in enumerate(zip(images, labels, strict=True))
    }


def omniglot() -> tuple[Files, Read]:
    names = "images_background", "images_evaluation"
    archives = {
        f"{name}.zip": zipped(drawings(name, *pair))
        for name, *pair in zip(names, IMAGES, LABELS, strict=True)
    }
    return published("pictures", archives, both(names))


def cifar_pictures() -> tuple[Files, Read]:
    names = "images/train", "images/test"
    members: Files = {}
    for name, *pair in zip(names, IMAGES, LABELS, strict=True):
        members |= drawings(name, *pair)
    return published("pictures", {"images.tar.gz": tar(members)}, both(names))


# -- data of one's own ---------------------------------------------------------------------------


def own(files: Files) -> tuple[Files, Read]:
    return files, lambda folder: data.open(folder, cache_dir=folder / ".cache")


def named(*arrays: str) -> dict[str, np.ndarray]:
    values = IMAGES[0], LABELS[0], IMAGES[1], LABELS[1]
    return dict(zip(arrays, values, strict=True))


def mnist_names(pack: Callable[[bytes], bytes] = bytes, end: str = "") -> Files:
    arrays = named(
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )
    return {name + end: pack(idx(array)) for name, array in arrays.items()}


MEDMNIST = "train_images", "train_labels", "test_images", "test_labels"
KERAS = "x_train", "y_train", "x_test", "y_test"


def npy_files() -> Files:
    return {
        f"{name}.npy": written(lambda file, array=array: np.save(file, array))
        for name, array in named(*KERAS).items()
    }


def paired_pictures() -> tuple[Files, Read]:
    """Pictures side by side in an archive, as pix2pix's data sets are published."""
    members = {}
    for split, halves in (("train", COLOURS), ("val", COLOURS[::-1])):
        for i, pixels in enumerate(np.concatenate(halves, axis=3).transpose(0, 2, 3, 1)):
            members[f"pairs/{split}/{i}.png"] = picture(pixels)

    def read(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
        pairs = data.pairs(folder / "pairs.tar.gz", image_size=SIZE, cache_dir=folder / ".cache")
        return [(one.images, labels) for one, labels in zip(pairs, LABELS, strict=True)]

    return {"pairs.tar.gz": tar(members)}, read


SAMPLES: dict[str, Callable[[], tuple[Files, Read]]] = {
    "idx": lambda: own(mnist_names()),
    "idx.gz": lambda: own(mnist_names(gzip.compress, ".gz")),
    "npz": lambda: own({"set.npz": written(lambda file: np.savez(file, **named(*KERAS)))}),
    "packed npz": lambda: own(
        {"set.npz": written(lambda file: np.savez_compressed(file, **named(*MEDMNIST)))}
    ),
    "npy": lambda: own(npy_files()),
    "csv": lambda: own(halves(csv, "train.csv", "test.csv")),
    "mat": lambda: own(
        halves(lambda *pair: mat(svhn(*pair, zero=0)), "train.mat", "test.mat", colours=True)
    ),
    "plain mat": lambda: own({"letters.mat": mat(emnist(IMAGES, LABELS), packed=False)}),
    "parquet": lambda: own(halves(parquet, "train-00000.parquet", "test-00000.parquet")),
    "pairs in tar.gz": paired_pictures,
    "catalogue: idx in zip": emnist_zip,
    "catalogue: idx in zip, stored": lambda: emnist_zip(zipfile.ZIP_STORED),
    "catalogue: qmnist": qmnist_files,
    "catalogue: records": lambda: cifar("records", records),
    "catalogue: records in plain tar": lambda: cifar("records", records, ""),
    "catalogue: records in tar.xz": lambda: cifar("records", records, "xz"),
    "catalogue: pickles": lambda: cifar("pickles", pickled),
    "catalogue: pickles in plain tar": lambda: cifar("pickles", pickled, ""),
    "catalogue: bytes": stl,
    "catalogue: pictures in zip": omniglot,
    "catalogue: pictures in tar": cifar_pictures,
    "catalogue: libsvm": lambda: published(
        "libsvm", halves(libsvm, "set.bz2", "set.t.bz2"), both(("set.bz2", "set.t.bz2")),
        first_label=1,
    ),
    "catalogue: matlab": lambda: published(
        "matlab",
        halves(lambda *pair: mat(svhn(*pair, zero=3)), "train.mat", "test.mat", colours=True),
        both(("train.mat", "test.mat")),
        (3, SIZE, SIZE),
    ),
}  # fmt: skip
