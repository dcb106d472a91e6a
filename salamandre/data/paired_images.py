"""A split of a data set of pairs: a condition and the image that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from salamandre.checks import array as as_array, whole
from salamandre.data.images import checksum
from salamandre.data.splitting import chosen_rows, spread_rows
from salamandre.data.transforms import Transform


@dataclass(frozen=True, eq=False, repr=False)
class Pairs:
    """Conditions and images, pair by pair.

    A pair is one array: the channels of the condition, then those of the image. So one transform
    changes both alike, and games take pairs as they are.

    Attributes:
        examples: uint8 (N, C + channels, H, W), read-only; memory-mapped where it comes from the
            cache.
        condition_channels: C, the number of the first channels that are the condition.
        name: of the data set.
        split: ``"train"`` or ``"test"``.
        transform: a random change of training batches (n, C + channels, H, W), such as
            :class:`salamandre.data.Jitter`. Default none.

    Raises:
        ValueError: an array of another type or shape, or without channels for one of both.
    """

    examples: NDArray[np.uint8]
    condition_channels: int
    name: str
    split: str
    transform: Transform | None = None

    @classmethod
    def of(cls, conditions: Any, images: Any, name: str = "pairs", split: str = "train") -> Pairs:
        """Return pairs of arrays, which are copied.

        Args:
            conditions: uint8 (N, C, H, W).
            images: uint8 (N, channels, H, W).
            name: of the data set. Default ``"pairs"``.
            split: ``"train"`` (default) or ``"test"``.

        Raises:
            ValueError: arrays of another type or shape, or of different numbers or sizes.
        """
        both = [_as_bytes("conditions", conditions), _as_bytes("images", images)]
        if len(both[0]) != len(both[1]):
            raise ValueError(
                f"there must be one condition for each image, got {len(both[0]):,} conditions for "
                f"{len(both[1]):,} images"
            )
        if both[0].shape[2:] != both[1].shape[2:]:
            sizes = ["×".join(map(str, array.shape[2:])) for array in both]
            raise ValueError(
                f"conditions and images must have the same height and width, got {sizes[0]} and "
                f"{sizes[1]}: resize one of them"
            )
        return cls(np.concatenate(both, axis=1), both[0].shape[1], name, split)

    def __post_init__(self) -> None:
        view = _as_bytes("pairs", self.examples).view()
        view.flags.writeable = False
        object.__setattr__(self, "examples", view)
        if whole("condition_channels", self.condition_channels) >= view.shape[1]:
            raise ValueError(
                f"condition_channels must be below the {view.shape[1]} channels of condition and "
                f"image, got {self.condition_channels}"
            )

    @property
    def conditions(self) -> NDArray[np.uint8]:
        """What a network is given: uint8 (N, C, H, W), a view."""
        return self.examples[:, : self.condition_channels]

    @property
    def images(self) -> NDArray[np.uint8]:
        """What it shall make of them: uint8 (N, channels, H, W), a view."""
        return self.examples[:, self.condition_channels :]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image: (channels, H, W)."""
        return self.images.shape[1:]

    @property
    def condition_shape(self) -> tuple[int, ...]:
        """Shape of one condition: (C, H, W)."""
        return self.conditions.shape[1:]

    @cached_property
    def checksum(self) -> int:
        """A checksum (CRC-32) of conditions and images; it reads all of them, once."""
        return checksum(self.examples)

    def train_test_split(self, test_share: float, seed: int = 0) -> tuple[Pairs, Pairs]:
        """Return two disjoint parts of the pairs, as copies in memory, in the order of the pairs.

        Args:
            test_share: the share of the pairs in the second part, above 0 and below 1.
            seed: of the choice. Default 0.

        Returns:
            The parts as the splits ``"train"`` and ``"test"``; the second without the transform.

        Raises:
            ValueError: a share that leaves one of them empty.
        """
        test = chosen_rows(np.zeros(len(self), np.uint8), test_share, seed)
        return (
            replace(self[~test], split="train"),
            replace(self[test], split="test", transform=None),
        )

    def spread(self, count: int) -> Pairs:
        """Return so many of the pairs, or all, in equal steps: of sets in the order of classes too.

        Args:
            count: at least 1.
        """
        return self[spread_rows(count, len(self))]

    def __getitem__(self, index: Any) -> Pairs:
        """Return some of the pairs as :class:`Pairs`: ``test[0]``, ``test[:10]``, ``test[mask]``.

        Iteration gives the pairs one by one, each likewise.
        """
        if isinstance(index, (int, np.integer)):
            if not -len(self) <= index < len(self):
                raise IndexError(f"there are {len(self):,} pairs, got index {index}")
            index = slice(index, index + 1 or None)
        return replace(self, examples=self.examples[index])

    def __len__(self) -> int:
        return len(self.images)

    def __reduce__(self) -> tuple[Any, ...]:  # what is unpickled is read-only too
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

    def __deepcopy__(self, memo: Any) -> Pairs:
        return self  # it never changes

    def __repr__(self) -> str:
        sizes = ["×".join(map(str, x)) for x in (self.condition_shape, self.shape)]
        return f"Pairs({self.name!r}, {self.split}: {len(self):,} of {sizes[0]} → {sizes[1]})"


def _as_bytes(what: str, values: Any) -> NDArray[np.uint8]:
    array = np.asarray(as_array(what, values))
    if array.dtype != np.uint8 or array.ndim != 4 or 0 in array.shape:
        raise ValueError(
            f"{what} must be a uint8 array of shape (N, C, H, W) with at least one pixel, got "
            f"{array.dtype} of shape {array.shape}"
        )
    return array
