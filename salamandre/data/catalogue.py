"""The data sets that :func:`salamandre.data.load` knows, as ``catalogue.json`` describes them.

Sizes and checksums in it are those of the official files. A published file may have two: the
checksum of the file verifies a download, that of its content also a copy that was unpacked or
compressed again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

Split = Literal["train", "test"]
Kind = Literal["images", "labels"]

SPLITS: tuple[Split, Split] = ("train", "test")


class CorruptData(ValueError):
    """A file whose content is not that of the data set."""


class WrongFormat(ValueError):
    """A file or a part of one of another format; message without the file's name."""


class Unfit(WrongFormat):
    """A good file that options given for it do not fit; message without the file's name."""


class DataUnavailable(OSError):
    """A data set that was found in no folder and could not be downloaded."""


class File(msgspec.Struct, frozen=True, array_like=True):
    """A published file.

    Attributes:
        name: its official name.
        md5: its checksum.
        bytes: its size. Default 0: unknown.
    """

    name: str
    md5: str
    bytes: int = 0


class Part(msgspec.Struct, frozen=True, array_like=True):
    """Some examples of a data set: a published file, or a member of a published archive.

    Attributes:
        name: of the file, or its path in the archive; for pictures, the folder that holds one
            folder for each class.
        split: ``"train"`` or ``"test"``.
        kinds: ``("images",)``, ``("labels",)`` or both.
        count: number of examples.
        md5: of the content, unpacked. Default: unknown.
    """

    name: str
    split: Split
    kinds: tuple[Kind, ...]
    count: int
    md5: str = ""


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A form in which a data set is published.

    Attributes:
        format: of the parts, a key of :data:`salamandre.data.formats.READERS`.
        files: one archive or several, or a file for each part.
        parts: of both splits, each kind in the order of the examples.
        mirrors: addresses of folders with the files, in the order in which they are tried.
            Default: none, the files cannot be downloaded.
        labels: which labels are used if an example has several. Default: the only ones.
        first_label: the number of the first class in the files. Default 0.
        transposed: whether images are stored column by column. Default False.
    """

    format: Literal["idx", "bytes", "records", "pickles", "pictures", "libsvm", "matlab"]
    files: tuple[File, ...]
    parts: tuple[Part, ...]
    mirrors: tuple[str, ...] = ()
    labels: Literal["labels", "fine_labels", "coarse_labels"] = "labels"
    first_label: int = 0
    transposed: bool = False

    def of(self, split: Split) -> tuple[Part, ...]:
        """Return the parts of a split."""
        return tuple(part for part in self.parts if part.split == split)

    def file(self, part: Part) -> File:
        """Return the file that holds a part: itself, or the archive named as its top folder."""
        names = (part.name, f"{part.name.split('/')[0]}.zip")
        return next((file for file in self.files if file.name in names), self.files[0])

    @property
    def remedy(self) -> str:
        """What a user without the files can do; the end of a message."""
        names = ", ".join(file.name for file in self.files)
        return (
            f"put {names} into a folder and name that folder with data_dir (--data-dir) or the "
            f"variable SALAMANDRE_DATA"
        )


class DataSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entry of the catalogue.

    Attributes:
        name: what :func:`salamandre.data.load` is given.
        title: the name in messages, such as ``"CIFAR-10"``.
        shape: of an image: (channels, height, width).
        classes: their names; label k is ``classes[k]``.
        train: number of training examples.
        test: number of test examples.
        licence: of the data.
        source: its authors, and where it was published.
        forms: the forms that it is published in; the first is downloaded. Default: none, it comes
            with the package.
        white: the largest pixel value, which scaling makes 1. Default 255.
        family: the folder that sets of one archive share. Default: the name.
        latent: the usual size of latent vectors for such images. Default 100 (Radford et al.
            2016).
        checksums: where the MD5 and the sizes of the files were read. Default: not noted.
    """

    name: str
    title: str
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    train: int
    test: int
    licence: str
    source: str
    forms: tuple[Form, ...] = ()
    white: int = 255
    family: str = ""
    latent: int = 100
    checksums: str = ""

    @property
    def channels(self) -> int:
        """Channels of an image: 1 grey, 3 colour."""
        return self.shape[0]

    @property
    def size(self) -> int:
        """Height of an image, which is its width in all sets of the catalogue."""
        return self.shape[1]


#: The published data sets by name.
CATALOGUE: dict[str, DataSet] = {
    entry.name: entry
    for entry in msgspec.json.decode(
        Path(__file__).with_suffix(".json").read_bytes(), type=tuple[DataSet, ...]
    )
}
