"""Data of one's own: published forms of labelled images, told apart by the names of files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from salamandre.checks import nearest, real, whole
from salamandre.class_names import checked_names, listed
from salamandre.data import array_files, cache, csv_files, matlab, parquet_files, tables_cache
from salamandre.data.catalogue import CATALOGUE, SPLITS
from salamandre.data.conversion import to_classes, to_pixels, with_channels, with_equal_channels
from salamandre.data.folders import Given, both, names_of
from salamandre.data.images import Images
from salamandre.data.listing import search
from salamandre.data.loading import load
from salamandre.data.own_files import Found, Wanted, refusing
from salamandre.data.pictures import checked_size, suffixes
from salamandre.data.transforms import Crop, Resize, apply
from salamandre.texts import path_of

FOLDER_SIZE = 64  # of pictures in a folder, which have many sizes
Reader = Callable[[list[Path], Wanted], Found]
FORMS: dict[str, Reader] = {  # by the end of their names
    "npz": array_files.npz,
    "npy": array_files.npy,
    "mat": matlab.mat,
    "parquet": parquet_files.parquet,
    "csv": csv_files.csv,
}
TABLES = (parquet_files.parquet, csv_files.csv)
READING = 2  # raised when tables become other images than before

Splits = tuple[Images, Images | None]


def open(
    source: str | os.PathLike[str],
    *,
    image_size: int | None = None,
    channels: int | None = None,
    test_share: float = 0.0,
    seed: int = 0,
    class_names: Given = None,
    label_column: str | None = None,
    classes: bool = True,
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> Splits:
    """Return the training and the test split of a data set of the catalogue or of one's own.

    Args:
        source: a name of :data:`salamandre.data.CATALOGUE`, which goes before a folder of that
            name; or a folder of pictures in folders of classes, which may be in ``train`` and
            ``test`` (or ``val``); or a folder with, or one of, files in one of these forms:

            - IDX files with MNIST's names, of any content (``train-images-idx3-ubyte``, ...).
            - ``.npz`` or ``.npy`` with arrays such as ``x_train`` and ``y_train``,
              ``train_images`` and ``train_labels``, or ``images`` and ``labels``.
            - ``.csv`` with the pixels of a square image in a row, and its label.
            - ``.mat`` with such arrays; EMNIST's and SVHN's are known.
            - ``.parquet`` with pictures, as Hugging Face's ``datasets`` writes it.

            Of files of one form, the words ``train``, ``test`` and ``val`` in their names tell the
            splits. A validation split is used only where there is no test split.
        image_size: height and width of the images, which are cropped to squares. Default: their
            own; 64 for a folder of pictures.
        channels: 1 for grey, 3 for colour. Default: their own; 3 for a folder of pictures.
        test_share: the share of the images that becomes the test split, the same of each class,
            if the source has none. Default 0: the test split is then None.
        seed: of that choice. Default 0.
        class_names: the names in the order of the labels, or the path of a text file with one in
            each line. Default: those of the source, else the labels.
        label_column: of a CSV or Parquet file: its name; of CSV also ``"first"`` or ``"last"``.
            Default: the one named ``label`` or similarly, or that looks like it.
        classes: whether folders of pictures are classes. Default True.
        data_dir: as of :func:`salamandre.data.load`, for a name.
        cache_dir: as of :func:`salamandre.data.load`; pictures and tables are kept there, until one
            of their files changes.
        download: as of :func:`salamandre.data.load`, for a name.

    Raises:
        ValueError: the source is none of these, or a file in it is damaged; or the options do not
            fit it.
        OSError: a file cannot be read.
        ImportError: PyArrow is needed and not installed.
    """
    size = None if image_size is None else checked_size("image_size", image_size)
    if channels not in (None, 1, 3):
        raise ValueError(f"channels must be 1 for grey or 3 for colour, got {channels!r}")
    share = real("test_share", test_share, 0, 1, below=True)
    whole("seed", seed, least=0)
    names = checked_names(names_of(class_names))
    train: Images
    test: Images | None
    name = located(source)
    published, place = name in CATALOGUE, Path(name)
    read, paths = (None, []) if published else _find(place)
    if label_column is not None and read not in TABLES:
        raise ValueError(f"label_column is for CSV and Parquet files, and {name} has none")
    if published:
        train, test = load(name, data_dir=data_dir, cache_dir=cache_dir, download=download)
        train, test = _renamed(train, names), _renamed(test, names)
    elif read is None:
        train, test = both(
            place,
            size or FOLDER_SIZE,
            channels or 3,
            classes=classes,
            class_names=names,
            cache_dir=cache_dir,
        )
    else:
        wanted = Wanted(label_column, size, channels)
        train, test = _read(place, read, paths, wanted, names, cache_dir)
    train = _fitted(train, size, channels)
    test = test and _fitted(test, size, channels)
    if share and test is not None:
        raise ValueError(
            f"test_share is for a source without a test split, and {os.fspath(source)} has one of "
            f"{len(test):,} images: leave it out"
        )
    return train.train_test_split(share, seed) if share else (train, test)


def located(source: str | os.PathLike[str]) -> str:
    """Return a source for :func:`open` as it can be noted: a name, or an absolute path.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(source, str) and source in CATALOGUE:
        return source
    place = path_of(source, "a data set")
    if not place.exists():
        raise ValueError(
            f"{os.fspath(source)!r} is neither the name of a data set{nearest(source, CATALOGUE)} "
            f"(known: {', '.join(CATALOGUE)}), nor is there a folder of pictures, or files of your "
            f"own, of that path, in one of the forms IDX, .{', .'.join(FORMS)}"
        )
    return str(place.resolve() if place.is_dir() else place.absolute())  # names of files say much


def _find(place: Path) -> tuple[Reader | None, list[Path]]:
    """Return the reader of a file, or of the files of a folder, and their paths.

    There is none for a folder of pictures. A CSV file beside folders of pictures describes them;
    of other things in one folder the first of :data:`FORMS` is read, and a warning says so.

    Raises:
        ValueError: a file of another form, or a folder with IDX files of several sets.
    """
    is_folder = place.is_dir()
    chosen = {}
    if is_folder or array_files.IDX.fullmatch(place.name):
        sets = array_files.idx_files(place if is_folder else place.parent)
        chosen = {name: paths for name, paths in sets.items() if is_folder or place in paths}
    if len(chosen) > 1:
        raise ValueError(
            f"{place} holds IDX files of several sets ({', '.join(chosen)}): name one of the files "
            f"instead of the folder"
        )
    for paths in chosen.values():
        return array_files.idx, paths
    inside = sorted(place.iterdir()) if is_folder else [place]
    inside = [path for path in inside if not path.name.startswith(".")]
    found: dict[str, list[Path]] = {}
    for path in inside:
        if (form := path.suffix.lower()[1:]) in FORMS and path.is_file():
            found.setdefault(form, []).append(path)
    pictured = bool(found) and is_folder and _has_pictures_below(place)
    if found and not (pictured and [*found] == ["csv"]):
        form, *others = sorted(found, key=[*FORMS].index)
        passed = [f".{other} files" for other in others] + ["folders of pictures"] * pictured
        if passed:
            warnings.warn(
                f"{place}: read the .{form} files, and passed over {' and '.join(passed)}",
                stacklevel=3,
            )
        return FORMS[form], found[form]
    if is_folder:
        return None, []
    raise ValueError(
        f"{place} is of no known form: expected a folder of pictures (unpack archives), IDX files "
        f"with names such as train-images-idx3-ubyte, or a name that ends in .{', .'.join(FORMS)}"
    )


def _has_pictures_below(place: Path) -> bool:
    return any("/" in path for path, *_ in search(place, suffixes()).pictures)


def _read(
    place: Path,
    read: Reader,
    paths: list[Path],
    wanted: Wanted,
    names: Sequence[str] | None,
    cache_dir: str | os.PathLike[str] | None,
) -> Splits:
    """Return the splits of a source; tables, which are slow to read, from the cache."""
    home = place.resolve()
    if (match := array_files.IDX.fullmatch(home.name)) and not home.is_dir():
        name = match["set"] or home.parent.name
    else:
        name = home.name if home.is_dir() else home.name.split(".")[0]

    def converted() -> list[Images]:
        with refusing(place, "data set"):
            return _as_images(place, name, read(paths, wanted), names)

    if read in TABLES:
        key = cache.key(cache.origin(paths), wanted, names, READING)
        stamp = cache.root(cache_dir) / "tables" / key
        train, *test = tables_cache.keep(stamp, name, converted)
    else:
        train, *test = converted()
    return train, test[0] if test else None


def _as_images(place: Path, name: str, found: Found, names: Sequence[str] | None) -> list[Images]:
    """Return the arrays of a source as images of the training and, if there is one, the test split.

    Raises:
        WrongFormat: they are no images with labels.
    """
    first = next(split for split in ("train", "", "test", "val") if split in found)
    others = [split for split in ("test", "val") if split in found and split != first][:1]
    for unused in found.keys() - {first, *others}:
        what = f"the split {unused!r}" if unused else "the images whose name tells no split"
        warnings.warn(f"{place}: passed over {what}", stacklevel=3)
    if others and found[first].labels is not None and found[others[0]].labels is None:
        warnings.warn(f"{place} has no labels for its {others[0]} images: left out", stacklevel=3)
        others = []
    sets = [found[split] for split in (first, *others)]
    pixels = to_pixels(with_equal_channels([one.images for one in sets]))
    labels, classes = to_classes(sets, names)
    if sets[0].labels is None:
        warnings.warn(f"{place} has no labels: all images are of one class", stacklevel=3)
    return [
        Images(images, numbers, classes, name, split)
        for images, numbers, split in zip(pixels, labels, SPLITS, strict=False)
    ]


def _renamed(images: Images, names: Sequence[str] | None) -> Images:
    if names is None:
        return images
    if len(names) != len(images.classes):
        raise ValueError(
            f"{images.name} has {len(images.classes)} classes ({listed(images.classes)}), got "
            f"{len(names)} class names"
        )
    return replace(images, classes=tuple(names))


def _fitted(images: Images, size: int | None, channels: int | None) -> Images:
    """Return images of another size and with other channels."""
    if channels is not None:
        images = replace(images, images=with_channels(images.images, channels))
    _, height, width = images.shape
    if size is None or size == height == width:
        return images
    if height != width:
        images = apply(images, Crop(min(height, width)))
    return apply(images, Resize(size))
