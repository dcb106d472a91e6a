"""Archives of pictures that lie in one folder for each class, such as CIFAR-10 as JPEG files."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from salamandre.data.conversion import Piece
from salamandre.data.decoding import MODES
from salamandre.data.entries import Member
from salamandre.data.formats import Shape, Unfit

BLOCK = 1000  # pictures


def pictures(path: Path, member: Member, shape: Shape, classes: Sequence[str]) -> Iterator[Piece]:
    """Yield the pictures ``FOLDER/CLASS/NAME`` of a tar archive, and their labels, in its order.

    Args:
        path: the archive.
        member: its folder and the number of pictures in it.
        shape: that each picture must have, (C, H, W).
        classes: names of the folders; a picture in folder k has label k.

    Raises:
        Unfit: a picture that cannot be read or has another size, an unknown class, another count.
    """
    from PIL import Image
    from tqdm import tqdm

    images = np.empty((BLOCK, *shape), np.uint8)
    labels = np.empty(BLOCK, np.uint8)
    filled = found = 0
    numbers = {name: number for number, name in enumerate(classes)}
    with (
        tarfile.open(path) as archive,
        tqdm(total=member.count, desc=path.name, unit=" pictures", disable=None) as bar,
    ):
        for info in archive:
            name = info.name.removeprefix("./")
            if not info.isfile() or not name.startswith(member.name + "/"):
                continue
            folder = name.removeprefix(member.name + "/").split("/")[0]
            if folder not in numbers:
                raise Unfit(f"holds {name}, which is of none of the {len(classes)} classes")
            file = archive.extractfile(info)
            assert file is not None
            try:
                with Image.open(io.BytesIO(file.read())) as picture:
                    pixels = np.asarray(picture.convert(MODES[shape[0]]))
            except Exception as error:  # whatever Pillow makes of a damaged picture
                raise Unfit(f"holds {name}, which is no readable picture ({error})") from None
            if pixels.shape[:2] != shape[1:]:
                raise Unfit(f"holds {name} of size {pixels.shape[:2]}, not {shape[1:]}")
            images[filled] = np.atleast_3d(pixels).transpose(2, 0, 1)
            labels[filled] = numbers[folder]
            filled, found = filled + 1, found + 1
            bar.update()
            if filled == BLOCK:
                yield "images", images
                yield "labels", labels
                filled = 0
                images, labels = np.empty_like(images), np.empty_like(labels)
    if found != member.count:
        raise Unfit(f"holds {found:,} pictures in {member.name}, not {member.count:,}")
    if filled:
        yield "images", images[:filled]
        yield "labels", labels[:filled]
