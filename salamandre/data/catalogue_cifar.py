"""CIFAR-10 and CIFAR-100, as binary records and as Python 2 pickles, the first as pictures too."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from salamandre.data.entries import Archive, DataSet, Format, Member, Split

FOLDER = "https://www.cs.toronto.edu/~kriz/"
SOURCE = "A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009"
LICENCE = "none stated; cite the report"
FINE = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle
    bowl boy bridge bus butterfly camel can castle caterpillar cattle
    chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur
    dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard
    lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain
    mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree
    plain plate poppy porcupine possum rabbit raccoon ray road rocket
    rose sea seal shark shrew skunk skyscraper snail snake spider
    squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor
    train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""
COARSE = """
    aquatic_mammals fish flowers food_containers fruit_and_vegetables
    household_electrical_devices household_furniture insects large_carnivores
    large_man-made_outdoor_things large_natural_outdoor_scenes
    large_omnivores_and_herbivores medium_mammals non-insect_invertebrates people
    reptiles small_mammals trees vehicles_1 vehicles_2
"""


def _members(names: dict[str, tuple[Split, int, str]]) -> tuple[Member, ...]:
    """Return members that hold images and labels."""
    return tuple(
        Member(name, split, "both", count, md5) for name, (split, count, md5) in names.items()
    )


def _archive(
    title: str, kind: str, format: Format, size: int, md5: str, members: tuple[Member, ...]
) -> Archive:
    """Return an archive of the university's page."""
    file = f"{title.lower()}-{kind}.tar.gz"
    return Archive(title, file, format, members, md5, FOLDER + file, size)


CIFAR_10 = DataSet(
    name="cifar-10",
    title="CIFAR-10",
    shape=(3, 32, 32),
    white=255,
    classes=(
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
    train=50_000,
    test=10_000,
    licence=LICENCE,
    source=SOURCE,
    archives=(
        _archive(
            "CIFAR-10",
            "binary",
            "records",
            170_052_171,
            "c32a1d4ab5d03f1284b67883e8d87530",
            _members(
                {
                    **{
                        f"cifar-10-batches-bin/data_batch_{number}.bin": ("train", 10_000, "")
                        for number in range(1, 6)
                    },
                    "cifar-10-batches-bin/test_batch.bin": ("test", 10_000, ""),
                }
            ),
        ),
        _archive(
            "CIFAR-10",
            "python",
            "pickles",
            170_498_071,
            "c58f30108f718f92721af3b95e74349a",
            _members(
                {
                    "cifar-10-batches-py/data_batch_1": (
                        "train",
                        10_000,
                        "c99cafc152244af753f735de768cd75f",
                    ),
                    "cifar-10-batches-py/data_batch_2": (
                        "train",
                        10_000,
                        "d4bba439e000b95fd0a9bffe97cbabec",
                    ),
                    "cifar-10-batches-py/data_batch_3": (
                        "train",
                        10_000,
                        "54ebc095f3ab1f0389bbae665268c751",
                    ),
                    "cifar-10-batches-py/data_batch_4": (
                        "train",
                        10_000,
                        "634d18415352ddfa80567beed471001a",
                    ),
                    "cifar-10-batches-py/data_batch_5": (
                        "train",
                        10_000,
                        "482c414d41f54cd18b22e5b47cb7c3cb",
                    ),
                    "cifar-10-batches-py/test_batch": (
                        "test",
                        10_000,
                        "40351d587109b95175f43aff81a1287e",
                    ),
                }
            ),
        ),
        Archive(
            "CIFAR-10",
            "cifar-10-images.tar.gz",
            "pictures",
            _members(
                {
                    "cifar-10-images/train": ("train", 50_000, ""),
                    "cifar-10-images/test": ("test", 10_000, ""),
                }
            ),
            "8fc5237a7c137b6fd70d2e000fea7a16",
        ),
    ),
)

_CIFAR_100 = (
    _archive(
        "CIFAR-100",
        "binary",
        "records",
        168_513_733,
        "03b5dce01913d631647c71ecec9e9cb8",
        _members(
            {
                "cifar-100-binary/train.bin": ("train", 50_000, ""),
                "cifar-100-binary/test.bin": ("test", 10_000, ""),
            }
        ),
    ),
    _archive(
        "CIFAR-100",
        "python",
        "pickles",
        169_001_437,
        "eb9058c3a382ffc7106e4002c42a8d85",
        _members(
            {
                "cifar-100-python/train": ("train", 50_000, "16019d7e3df5f24257cddd939b257f8d"),
                "cifar-100-python/test": ("test", 10_000, "f0ef6b0ae62326f3e7ffdfab6717acfc"),
            }
        ),
    ),
)


def _with_labels(labels: Literal["fine_labels", "coarse_labels"]) -> tuple[Archive, ...]:
    return tuple(replace(archive, labels=labels) for archive in _CIFAR_100)


CIFAR_100 = DataSet(
    name="cifar-100",
    title="CIFAR-100",
    shape=(3, 32, 32),
    white=255,
    classes=tuple(FINE.split()),
    train=50_000,
    test=10_000,
    licence=LICENCE,
    source=SOURCE,
    archives=_with_labels("fine_labels"),
)

CIFAR_100_COARSE = replace(
    CIFAR_100,
    name="cifar-100-coarse",
    title="CIFAR-100 by superclasses",
    classes=tuple(COARSE.split()),
    archives=_with_labels("coarse_labels"),
    family="cifar-100",
)
