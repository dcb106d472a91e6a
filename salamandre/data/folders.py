"""A folder of pictures as a data set."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from salamandre.class_names import composed, listed, matched, several_texts
from salamandre.data import cache
from salamandre.data.images import MOST, Images, label_type
from salamandre.data.listing import Listing, search
from salamandre.data.pictures import checked_size, pixel_limit, suffixes, write_squares
from salamandre.data.split_folders import SPLIT_NAMES, splits
from salamandre.texts import bracketed, counted, path_of

READING = 2  # raised when pictures become other pixels than before

Given = str | os.PathLike[str] | Sequence[str] | None  # names of classes


def folder(
    path: str | os.PathLike[str],
    size: int = 64,
    channels: int = 3,
    *,
    classes: bool = True,
    class_names: Given = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Images:
    """Return the pictures of a folder and its sub-folders.

    Each is cropped to the square in its middle and resized; :mod:`salamandre.data.modes` says how
    its pixels become bytes. The result is kept in the cache, until a picture is added, removed or
    changed. All kinds of :data:`salamandre.data.pictures.FORMATS` are read. Links are followed, and
    each picture is read once. Hidden files, those that systems make and run folders of the library
    are left out; one warning says what else was passed over.

    Args:
        path: the folder.
        size: height and width of the images. Default 64.
        channels: 3 for colour, 1 for grey. Default 3.
        classes: whether sub-folders are classes; without sub-folders all pictures are of one
            class, named as the folder. If False, they always are. Default True.
        class_names: the names of all sub-folders with pictures, in the order of their labels: a
            list, or the path of a text file (UTF-8) with one in each line. Default: in the order
            of the names. Folders whose names differ only in their Unicode form are one class.
        cache_dir: as of :func:`salamandre.data.load`.

    Returns:
        The images in the order of their paths, as the split ``"train"``.

    Raises:
        ValueError: no folder, one without a readable picture, one with pictures both in classes and
            outside of them, or with splits in place of classes (see :func:`both`); class names that
            are not those of the sub-folders.
        OSError: a file cannot be read; one that can, but is damaged, is left out.
    """
    return _read(
        path_of(path),
        size=size,
        channels=channels,
        classes=classes,
        class_names=class_names,
        cache_dir=cache_dir,
    )


def both(
    path: str | os.PathLike[str], size: int = 64, channels: int = 3, **how: Any
) -> tuple[Images, Images | None]:
    """Return the training and the test images of a folder with ``train/`` and ``test/``.

    The classes are those of the training images; the test images may lack some. A folder without
    such sub-folders (see :func:`splits`) has training images only.

    Args:
        path: the folder.
        size: as of :func:`folder`. Default 64.
        channels: as of :func:`folder`. Default 3.
        **how: the other arguments of :func:`folder`; ``class_names`` of the training images.

    Returns:
        The splits ``"train"`` and ``"test"``; the second is None if there is none.

    Raises:
        ValueError: as of :func:`folder`; a class of the test images is none of the others.
        OSError: a file cannot be read.
    """
    read: Callable[..., Images] = partial(_read, size=size, channels=channels, **how)
    place, found = path_of(path), splits(path)
    if found is None:
        return read(place), None
    name = place.resolve().name
    train = read(found["train"], name=name)
    test = read(found["test"], name=name, split="test", class_names=None)
    what = f"the test split of {name!r}"
    labels = matched(what, test.labels, test.classes, "the training split", train.classes)
    return train, replace(test, labels=labels, classes=train.classes)


def _read(
    place: Path,
    *,
    size: int,
    channels: int,
    name: str = "",
    split: str = "train",
    classes: bool = True,
    class_names: Given = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Images:
    """Return the pictures of a folder under a name, by default its own, as a split."""
    checked_size("size", size)
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 for grey or 3 for colour, got {channels!r}")
    home = cache.root(cache_dir)
    found = pictures_in(place, home)
    pictures, passed = found.paths, found.passed_over()
    name = name or place.resolve().name
    by_folder = classes and _has_classes(place, found)
    wanted = names_of(class_names)
    if by_folder:
        names, labels = _classes(place, found, wanted)
    elif wanted is None:
        names, labels = (name,), np.zeros(len(pictures), np.uint8)
    else:
        raise ValueError(
            f"class names are for sub-folders that are classes, and {place} is read without: leave "
            f"out {listed(wanted)}"
        )
    shape, broken = (channels, size, size), list[str]()

    def write(file: BinaryIO) -> None:
        broken[:], readable = write_squares(place, pictures, shape, file)
        file.write(cache.stored(labels[readable], len(names)))

    origin = (str(place.resolve()), found.pictures, size, channels, names, pixel_limit(), READING)
    path = home / "folders" / f"{cache.key(*origin)}.bytes"
    images, kept = cache.keep(path, shape, write, len(names))
    if lost := len(pictures) - len(images):
        passed.append(
            f"{lost:,} of {len(pictures):,} pictures that cannot be read{bracketed(broken)}"
        )
    seen = np.bincount(kept, minlength=len(names)) > 0
    own = {path.split("/")[0] for path in found.runs}
    empty = [name for name in found.folders if composed(name) not in names and name not in own]
    empty += [name for name, has in zip(names, seen, strict=True) if not has]
    if by_folder and empty:
        passed.append(counted(len(empty), "folder without a readable picture") + bracketed(empty))
    if passed:
        warnings.warn(f"{place}: passed over {'; '.join(passed)}", stacklevel=3)
    if wanted is None and not seen.all():
        names = tuple(name for name, has in zip(names, seen, strict=True) if has)
        kept = (np.cumsum(seen) - 1)[kept].astype(label_type(len(names)))
    return Images(images, kept, names, name, split)


def pictures_in(place: Path, home: Path) -> Listing:
    """Return what a folder with pictures holds.

    Args:
        place: the folder.
        home: the folder of the cache, which is left out.

    Raises:
        ValueError: it is no folder, or holds no picture.
    """
    if not place.is_dir():
        raise ValueError(f"{place} is no folder: name one that holds pictures")
    found = search(place, suffixes(), home)
    if not found.pictures:
        told = "; ".join(found.passed_over())
        raise ValueError(
            f"{place} holds no picture{f' ({told})' if told else ''}: put files "
            f"into it that end in one of {', '.join(suffixes())}"
        )
    return found


def _has_classes(place: Path, found: Listing) -> bool:
    """Return whether the pictures are in sub-folders that are classes.

    Raises:
        ValueError: some are, or the sub-folders are splits.
    """
    outside = [name for name, *_ in found.pictures if "/" not in name]
    if len(outside) == len(found.pictures):
        return False
    if outside:
        raise ValueError(
            f"{place} holds {counted(len(outside), 'picture')} outside of its class folders, such "
            f"as {outside[0]}: move them into one, or give classes=False to have no classes"
        )
    tops = {name.split("/")[0] for name, *_ in found.pictures}
    deep = any(name.count("/") > 1 for name, *_ in found.pictures)
    if all(top.lower() in SPLIT_NAMES for top in tops) and (deep or len(tops) > 1):
        raise ValueError(
            f"{place} holds splits ({', '.join(sorted(tops))}) in place of classes: name one of "
            f"them, such as {place / min(tops)}, or read both with data.open"
        )
    return True


def names_of(given: Given) -> tuple[str, ...] | None:
    """Return names of classes from a list or a text file."""
    if given is None:
        return None
    if isinstance(given, (str, os.PathLike)):
        file = path_of(given)
        try:
            lines = file.read_text("utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise ValueError(
                f"{file} is no text in UTF-8: write the names of the classes, one in each line"
            ) from None
        given = [line for line in lines if line.strip()]
    return tuple(map(composed, several_texts(given)))


def _classes(
    place: Path, found: Listing, wanted: tuple[str, ...] | None
) -> tuple[tuple[str, ...], NDArray[Any]]:
    """Return the names of the classes and the label of each picture.

    Raises:
        ValueError: a name that is no text, names other than those wanted, or too many.
    """
    own = [composed(path.split("/")[0]) for path, *_ in found.pictures]
    names, numbers = np.unique(own, return_inverse=True)
    for name in names.tolist():
        if name != name.encode(errors="replace").decode():  # surrogates stand for undecodable bytes
            raise ValueError(f"the name of the folder {name!r} is not valid text: rename it")
    if len(names) > MOST:
        raise ValueError(
            f"{place} holds {len(names):,} class folders, at most {MOST:,} can be told apart: "
            f"give classes=False to have no classes"
        )
    if wanted is None:
        return tuple(names.tolist()), numbers.astype(label_type(len(names)))
    folders = {composed(name) for name in found.folders}
    unknown = [name for name in wanted if name not in folders]
    unnamed = [name for name in names.tolist() if name not in wanted]
    if unknown or unnamed or len(set(wanted)) < len(wanted):
        fault = (
            f"name {listed(unknown)}, which is no folder in {place}"
            if unknown
            else f"do not name the folder {listed(unnamed)} in {place}"
            if unnamed
            else "name a folder twice"
        )
        raise ValueError(
            f"the class names {listed(wanted)} {fault}: name each of {listed(sorted(folders))} once"
        )
    label = {name: number for number, name in enumerate(wanted)}
    table = np.array([label[name] for name in names.tolist()], label_type(len(wanted)))
    return wanted, table[numbers]
