"""The data sets that :func:`salamandre.data.load` knows, one entry each.

Sizes and checksums are those of the official files.
"""

from __future__ import annotations

from salamandre.data.catalogue_cifar import CIFAR_10, CIFAR_100, CIFAR_100_COARSE
from salamandre.data.catalogue_emnist import EMNIST
from salamandre.data.catalogue_stl10 import STL_10, STL_10_UNLABELED
from salamandre.data.entries import DataSet, Kind, Part, Split

DIGITS = tuple("0123456789")


def idx_parts(
    title: str,
    shape: tuple[int, int, int],
    files: dict[tuple[Split, Kind], tuple[int, int, str, str]],
) -> tuple[Part, ...]:
    """Return the parts of a set in the files of MNIST's names.

    Args:
        title: of the set.
        shape: of one image.
        files: for every split and kind: examples, bytes, MD5 and MD5 unpacked.
    """
    return tuple(
        Part(
            title=title,
            split=split,
            kind=kind,
            file=f"{'t10k' if split == 'test' else split}-{kind}-"
            f"idx{3 if kind == 'images' else 1}-ubyte.gz",
            shape=(count, *shape) if kind == "images" else (count,),
            bytes=size,
            md5=md5,
            content_md5=content_md5,
        )
        for (split, kind), (count, size, md5, content_md5) in files.items()
    )


MNIST = DataSet(
    name="mnist",
    title="MNIST",
    shape=(1, 28, 28),
    white=255,
    classes=DIGITS,
    train=60_000,
    test=10_000,
    licence="CC BY-SA 3.0",
    source="Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits, 1998",
    parts=idx_parts(
        "MNIST",
        (1, 28, 28),
        {
            ("train", "images"): (
                60_000,
                9_912_422,
                "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                "6bbc9ace898e44ae57da46a324031adb",
            ),
            ("train", "labels"): (
                60_000,
                28_881,
                "d53e105ee54ea40749a09fcbcd1e9432",
                "a25bea736e30d166cdddb491f175f624",
            ),
            ("test", "images"): (
                10_000,
                1_648_877,
                "9fb629c4189551a2d022fa330f9573f3",
                "2646ac647ad5339dbf082846283269ea",
            ),
            ("test", "labels"): (
                10_000,
                4_542,
                "ec29112dd5afa0611ce80d1b7f02629c",
                "27ae3e4e09519cfbb04c329615203637",
            ),
        },
    ),
    mirrors=(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
)

FASHION_MNIST = DataSet(
    name="fashion-mnist",
    title="Fashion-MNIST",
    shape=(1, 28, 28),
    white=255,
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    train=60_000,
    test=10_000,
    licence="MIT, © 2017 Zalando SE",
    source="H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking "
    "Machine Learning Algorithms, 2017, arXiv:1708.07747",
    parts=idx_parts(
        "Fashion-MNIST",
        (1, 28, 28),
        {
            ("train", "images"): (
                60_000,
                26_421_880,
                "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            ),
            ("train", "labels"): (
                60_000,
                29_515,
                "25c81989df183df01b3e8a0aad5dffbe",
                "9018921c3c673c538a1fc5bad174d6f9",
            ),
            ("test", "images"): (
                10_000,
                4_422_102,
                "bef4ecab320f06d8554ea6380940ec79",
                "8181f5470baa50b63fa0f6fddb340f0a",
            ),
            ("test", "labels"): (
                10_000,
                5_148,
                "bb300cfdad3c16e7a12a480ee83cd310",
                "15d484375f8d13e6eb1aabb0c3f46965",
            ),
        },
    ),
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
)

BUNDLED_DIGITS = DataSet(
    name="digits",
    title="Optical Recognition of Handwritten Digits",
    shape=(1, 8, 8),
    white=16,
    classes=DIGITS,
    train=1_437,
    test=360,
    licence="CC BY 4.0",
    source="E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine "
    "Learning Repository, 1998, doi:10.24432/C50P49",
    latent=32,
)

_ENTRIES = (
    *(MNIST, FASHION_MNIST, BUNDLED_DIGITS),
    *(CIFAR_10, CIFAR_100, CIFAR_100_COARSE),
    *(STL_10, STL_10_UNLABELED),
    *EMNIST,
)

CATALOGUE: dict[str, DataSet] = {entry.name: entry for entry in _ENTRIES}
