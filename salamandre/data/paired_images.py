"""A split of a data set of pairs: a condition and the image that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from salamandre.checks import array as as_array
from salamandre.data.images import checksum
from salamandre.data.splitting import chosen_rows
from salamandre.data.transforms import Transform


@dataclass(frozen=True, eq=False, repr=False)
class Pairs:
    """Conditions and images, pair by pair.

    Attributes:
        conditions: uint8 (N, C, H, W), read-only; what a network is given.
        images: uint8 (N, channels, H, W), read-only; what it shall return.
        name: of the data set.
        split: ``"train"`` or ``"test"``.
        transform: a random change of training batches, such as :class:`salamandre.data.Jitter`. It
            is given both parts of a pair as one array with the channels of both, so that all random
            choices are the same for both. Default none.

    Raises:
        ValueError: an array of another type or shape, other numbers or sizes of conditions than of
            images, or a transform that does not keep number and channels.
    """

    conditions: NDArray[np.uint8]
    images: NDArray[np.uint8]
    name: str
    split: str
    transform: Transform | None = None

    def __post_init__(self) -> None:
        for what in ("conditions", "images"):
            array = np.asarray(as_array(what, getattr(self, what)))
            if array.dtype != np.uint8 or array.ndim != 4 or 0 in array.shape:
                raise ValueError(
                    f"{what} must be a uint8 array of shape (N, C, H, W) with at least one pixel, "
                    f"got {array.dtype} of shape {array.shape}"
                )
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, what, view)
        if len(self.conditions) != len(self.images):
            raise ValueError(
                f"there must be one condition for each image, got {len(self.conditions):,} "
                f"conditions for {len(self.images):,} images"
            )
        if self.conditions.shape[2:] != self.images.shape[2:]:
            sizes = ["×".join(map(str, x.shape[2:])) for x in (self.conditions, self.images)]
            raise ValueError(
                f"conditions and images must have the same height and width, got {sizes[0]} and "
                f"{sizes[1]}: resize one of them"
            )
        if self.transform is not None:
            self.drawn(np.arange(1), np.random.default_rng(0))

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
        return checksum(self.conditions, self.images)

    def drawn(
        self, rows: NDArray[np.integer], random: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return a training batch: conditions and images of some rows, changed by the transform.

        Args:
            rows: numbers of pairs (n,).
            random: of the transform.

        Raises:
            ValueError: the transform does not return as many pairs with as many channels.
        """
        conditions, images = self.conditions[rows], self.images[rows]
        if self.transform is None:
            return conditions, images
        both = np.concatenate([conditions, images], axis=1)
        changed = np.asarray(self.transform(both, random))
        if changed.dtype != np.uint8 or changed.ndim != 4 or changed.shape[:2] != both.shape[:2]:
            raise ValueError(
                f"the transform of pairs must return bytes of shape ({both.shape[0]}, "
                f"{both.shape[1]}, H, W), as it is given, got {changed.dtype} of shape "
                f"{changed.shape}"
            )
        return changed[:, : conditions.shape[1]], changed[:, conditions.shape[1] :]

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

    def __getitem__(self, index: Any) -> Pairs:
        """Return some of the pairs as :class:`Pairs`: ``test[0]``, ``test[:10]``, ``test[mask]``.

        Iteration gives the pairs one by one, each likewise.
        """
        if isinstance(index, (int, np.integer)):
            if not -len(self) <= index < len(self):
                raise IndexError(f"there are {len(self):,} pairs, got index {index}")
            index = slice(index, index + 1 or None)
        return replace(self, conditions=self.conditions[index], images=self.images[index])

    def __len__(self) -> int:
        return len(self.images)

    def __reduce__(self) -> tuple[Any, ...]:  # what is unpickled is read-only too
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

    def __deepcopy__(self, memo: Any) -> Pairs:
        return self  # it never changes

    def __repr__(self) -> str:
        sizes = ["×".join(map(str, x)) for x in (self.condition_shape, self.shape)]
        return f"Pairs({self.name!r}, {self.split}: {len(self):,} of {sizes[0]} → {sizes[1]})"
