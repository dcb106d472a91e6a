"""What the catalogue says of a data set: its images, its classes, and the files it is published in.

Of a file there are two checksums: the MD5 of what was published, which recognises it without
unpacking, and the MD5 of its content, which also recognises a plain or compressed-again copy and is
what decides, wherever it is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "test"]
Kind = Literal["images", "labels"]
Format = Literal["records", "pickles", "pictures", "columns", "idx"]


@dataclass(frozen=True)
class Part:
    """One of the four files of a data set in the IDX format.

    Attributes:
        title: of the data set, as people write it.
        split: ``"train"`` or ``"test"``.
        kind: ``"images"`` or ``"labels"``.
        file: its official name.
        shape: of the array in it: (N, 1, H, W) for images, (N,) for labels.
        bytes: size of the official ``.gz``.
        md5: of the official ``.gz``.
        content_md5: of what the ``.gz`` unpacks to.
    """

    title: str
    split: Split
    kind: Kind
    file: str
    shape: tuple[int, ...]
    bytes: int
    md5: str
    content_md5: str

    @property
    def header(self) -> tuple[int, ...]:
        """The numbers an IDX file starts with: magic number, count and, for images, H and W."""
        return (
            (2051, self.shape[0], *self.shape[2:]) if self.kind == "images" else (2049, *self.shape)
        )

    @property
    def content_bytes(self) -> int:
        """Size of what the file unpacks to."""
        return 4 * len(self.header) + math.prod(self.shape)

    def __str__(self) -> str:
        return f"the {'training' if self.split == 'train' else 'test'} {self.kind} of {self.title}"

    @property
    def expectation(self) -> str:
        """What a file that holds something else should have held, as a part of a sentence."""
        return (
            f"{self} were expected ({self.content_bytes:,} bytes unpacked, MD5 {self.content_md5})"
        )

    @property
    def needed(self) -> str:
        """What a user has to put into a folder."""
        return f"{self.file} and the other files of {self.title}"


@dataclass(frozen=True)
class Member:
    """A file inside an archive, or of the folder that the archive unpacks to.

    Attributes:
        name: its path in the archive; of pictures, the folder above those of the classes.
        split: ``"train"`` or ``"test"``.
        kind: ``"images"``, ``"labels"`` or ``"both"``.
        count: number of examples in it.
        md5: of its content; empty where none is published.
    """

    name: str
    split: Split
    kind: Literal["images", "labels", "both"]
    count: int
    md5: str = ""


@dataclass(frozen=True)
class Archive:
    """A file that holds a whole data set.

    Attributes:
        title: of the data set, as people write it.
        file: its official name.
        format: of its members; see :mod:`salamandre.data.formats`.
        members: what is read of it.
        md5: of the file; empty where none is published.
        url: its official address; empty where it cannot be downloaded.
        bytes: its size, where it can be downloaded.
        labels: which of several labels of an example is taken. Default ``"labels"``: the only one.
        first_label: the number that stands for the first class. Default 0.
    """

    title: str
    file: str
    format: Format
    members: tuple[Member, ...]
    md5: str = ""
    url: str = ""
    bytes: int = 0
    labels: Literal["labels", "fine_labels", "coarse_labels"] = "labels"
    first_label: int = 0

    def of(self, split: Split) -> tuple[Member, ...]:
        """Return the members that belong to a split."""
        return tuple(member for member in self.members if member.split == split)

    def __str__(self) -> str:
        return f"the archive of {self.title}"

    @property
    def expectation(self) -> str:
        """What a file that holds something else should have held, as a part of a sentence."""
        checksum = f" (MD5 of {self.file}: {self.md5})" if self.md5 else ""
        return f"{self.title} was expected{checksum}"

    @property
    def needed(self) -> str:
        """What a user has to put into a folder."""
        return self.file


@dataclass(frozen=True)
class DataSet:
    """An entry of the catalogue.

    Attributes:
        name: what :func:`salamandre.data.load` is given; also the name of its folder.
        title: as people write it.
        shape: of one image: (channels, height, width).
        white: the pixel value that means full ink.
        classes: their names; label k is ``classes[k]``.
        train: number of examples to learn from.
        test: number of examples to judge by.
        licence: what the data may be used under.
        source: who made it, and where it was published.
        parts: its files in the IDX format, if it is published in four of them.
        mirrors: addresses of folders that hold the files, tried in this order.
        archives: the archives that it is published in, the best first; a set without parts and
            archives comes with the package.
        family: the folder of downloads that sets of one archive share. Default: its name.
        latent: how many latent coordinates a generator of such images usually takes.
            Default 100 (Radford et al. 2016).
    """

    name: str
    title: str
    shape: tuple[int, int, int]
    white: int
    classes: tuple[str, ...]
    train: int
    test: int
    licence: str
    source: str
    parts: tuple[Part, ...] = ()
    mirrors: tuple[str, ...] = ()
    archives: tuple[Archive, ...] = ()
    family: str = ""
    latent: int = 100

    @property
    def channels(self) -> int:
        """Channels of an image: 1 grey, 3 colour."""
        return self.shape[0]

    @property
    def size(self) -> int:
        """Height of an image, which is its width in all sets of the catalogue."""
        return self.shape[1]

    def pairs(self) -> Iterator[tuple[Part, Part]]:
        """Yield images and labels of the training split, then of the test split."""
        by_role = {(part.split, part.kind): part for part in self.parts}
        for split in ("train", "test"):
            yield by_role[split, "images"], by_role[split, "labels"]
