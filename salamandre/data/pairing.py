"""Data sets of pairs: pictures side by side, two folders, or conditions made from images."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

import numpy as np

from salamandre.checks import nearest, real, whole
from salamandre.data import cache
from salamandre.data.archives import is_archive, stem, unpacked
from salamandre.data.catalogue import CATALOGUE
from salamandre.data.images import Images
from salamandre.data.making_conditions import CONDITIONS, Bytes
from salamandre.data.opening import FOLDER_SIZE, located, open
from salamandre.data.paired_folders import Reading, Splits, side_by_side, two_folders
from salamandre.data.paired_images import Pairs
from salamandre.data.pictures import checked_size
from salamandre.data.transforms import Transform
from salamandre.texts import path_of

BLOCK = 1 << 24  # bytes of images whose conditions are made at a time
HALVES = ("left", "right")
NAMES = (*HALVES, *CONDITIONS)
MAKING = 1  # raised when images get other conditions than before

Make = Callable[[Bytes], Bytes]


def pairs(
    source: str | os.PathLike[str] | Images,
    conditions: str | os.PathLike[str] | Make = "right",
    *,
    image_size: int | None = None,
    channels: int | None = None,
    transform: Transform | None = None,
    test_share: float = 0.0,
    seed: int = 0,
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> Splits:
    """Return the training and the test split of a data set of conditions and images.

    Args:
        source: the images. A folder of pictures, which may be in ``train`` and ``test`` (or
            ``val``), also packed as ``.tar.gz``; or, where conditions are made, anything that
            :func:`salamandre.data.open` takes, or :class:`Images`.
        conditions: where the conditions are:

            - ``"right"`` (default) or ``"left"``: in that half of each picture; the image is the
              other half. So pix2pix's data sets are published (Isola et al. 2017).
            - a folder with pictures of the same names and sizes.
            - made of the images, by the name of a function of
              :mod:`salamandre.data.making_conditions`: ``"edges"``, ``"grey"``, ``"small"`` (half
              as many pixels each way) or ``"masked"`` (without the middle); or by a function of
              yours, from images, uint8 (n, C, H, W), to conditions, uint8 (n, channels, H, W).
        image_size: height and width of both. The square in the middle of each picture is resized.
            Default: their own; 64 for a folder of pictures.
        channels: 1 for grey, 3 for colour. Default: their own; 3 for a folder of pictures.
        transform: of the training split, see :class:`Pairs`. Default none.
        test_share: the share of the pairs that becomes the test split, if the source has none.
            Default 0: the test split is then None.
        seed: of that choice. Default 0.
        data_dir: as of :func:`salamandre.data.load`, for a name.
        cache_dir: as of :func:`salamandre.data.load`; pairs are kept there, but not those of a
            function of yours.
        download: as of :func:`salamandre.data.load`, for a name.

    Raises:
        ValueError: the source is none of these, a picture has an odd width, the pictures of a pair
            differ in size or folders in names, or the options do not fit.
        OSError: a file cannot be read.
    """
    if image_size is not None:
        checked_size("image_size", image_size)
    if channels not in (None, 1, 3):
        raise ValueError(f"channels must be 1 for grey or 3 for colour, got {channels!r}")
    share = real("test_share", test_share, 0, 1, below=True)
    whole("seed", seed, least=0)
    home = cache.root(cache_dir)
    train: Pairs
    test: Pairs | None
    if isinstance(source, Images):
        if image_size or channels or not _are_made(conditions):
            raise ValueError(
                "conditions of Images can only be made, in their size and channels: give the name "
                f"of a way ({', '.join(CONDITIONS)}) or a function, and nothing else"
            )
        train, test = _made(source, conditions, home), None
    elif _are_made(conditions):
        with _placed(source, home) as (place, name):
            images, more = open(
                place,
                image_size=image_size,
                channels=channels,
                classes=False,
                data_dir=data_dir,
                cache_dir=cache_dir,
                download=download,
            )
        train = _made(replace(images, name=name), conditions, home)
        test = None if more is None else _made(replace(more, name=name), conditions, home)
    else:
        half = isinstance(conditions, str) and conditions in HALVES
        other = None if half else conditions_folder(conditions)
        with _placed(source, home) as (place, name):
            if place in CATALOGUE or not Path(place).is_dir():  # folders may have such a name
                raise ValueError(
                    f"{name} holds images without conditions, which can only be made of them: give "
                    f"one of {', '.join(CONDITIONS)}, or a folder of pairs of pictures"
                )
            how = Reading(name, image_size or FOLDER_SIZE, channels or 3, home)
            if other is None:
                train, test = side_by_side(Path(place), conditions == "left", how)
            else:
                train, test = two_folders(Path(place), other, how)
    if share and test is not None:
        raise ValueError(
            f"test_share is for a source without a test split, and {train.name} has one of "
            f"{len(test):,} pairs: leave it out"
        )
    train = replace(train, transform=transform)
    return train.train_test_split(share, seed) if share else (train, test)


def conditions_folder(conditions: Any) -> Path:
    """Return the folder that conditions are in, for what has no other meaning in :func:`pairs`.

    Raises:
        ValueError: there is none of that name.
    """
    if isinstance(conditions, (str, os.PathLike)) and (place := path_of(conditions)).is_dir():
        return place
    raise ValueError(
        f"conditions must be one of {', '.join(NAMES)}, a folder of pictures, or a function of "
        f"images, got {conditions!r}{nearest(conditions, NAMES)}"
    )


def located_conditions(text: str) -> str:
    """Return the name of a way to conditions, or the absolute path of their folder."""
    return text if text in NAMES else str(conditions_folder(text).absolute())


@contextmanager
def _placed(source: str | os.PathLike[str], home: Path) -> Iterator[tuple[str | Path, str]]:
    """Give a source, archives unpacked, and the name of the data set."""
    name = located(source)
    if name in CATALOGUE:
        yield name, name
        return
    place = Path(name)
    with unpacked(place, home) if is_archive(place) else nullcontext(place) as folder:
        yield folder, stem(place)


def _are_made(conditions: Any) -> TypeGuard[str | Make]:
    """Return whether conditions are made of images."""
    return callable(conditions) or (isinstance(conditions, str) and conditions in CONDITIONS)


def _made(images: Images, conditions: str | Make, home: Path) -> Pairs:
    """Return images with conditions that are made of them; those by name from the cache."""
    pixels = images.images
    if images.white != 255:
        pixels = np.rint(pixels * np.float32(255 / images.white)).astype(np.uint8)
    if callable(conditions):
        made = np.concatenate([*_blocks(conditions, pixels)])
        return Pairs.of(made, pixels, images.name, images.split)
    make, channels = CONDITIONS[conditions], pixels.shape[1]

    def write(file: BinaryIO) -> None:
        for block in _blocks(lambda images: np.concatenate([make(images), images], 1), pixels):
            file.write(block.tobytes())
        file.write(bytes(len(pixels)))  # labels

    of_condition = make(pixels[:1]).shape[1]
    key = cache.key(images.checksum, pixels.shape, images.white, conditions, MAKING)
    shape = (of_condition + channels, *pixels.shape[2:])
    examples, _ = cache.keep(home / "pairs" / f"{key}.bytes", shape, write)
    return Pairs(examples, of_condition, images.name, images.split)


def _blocks(make: Make, images: Bytes) -> Iterator[Bytes]:
    """Yield the conditions of some images after the other.

    Raises:
        ValueError: they are no bytes of as many images of one shape.
    """
    step, shape = max(1, BLOCK // math.prod(images.shape[1:])), None
    for start in range(0, len(images), step):
        block = images[start : start + step]
        made = np.asarray(make(block.copy()))
        shape = shape or made.shape[1:]
        if made.dtype != np.uint8 or made.ndim != 4 or made.shape != (len(block), *shape):
            raise ValueError(
                f"conditions must be made as a uint8 array of shape ({len(block)}, channels, H, "
                f"W), got {made.dtype} of shape {made.shape}"
            )
        yield made
