"""The window that convolutions and pooling move over an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from salamandre.checks import whole

Pair = tuple[int, int]


def pair(what: str, value: Any, least: int = 1) -> Pair:
    """Return a whole number, or two of them, as (vertical, horizontal)."""
    values = value if isinstance(value, Sequence) and not isinstance(value, str) else (value,) * 2
    if len(values) != 2:
        raise ValueError(
            f"{what} must be one whole number or a pair (vertical, horizontal), got {value!r}"
        )
    return whole(what, values[0], least), whole(what, values[1], least)


class Window:
    """A window of ``kernel`` pixels that moves by ``stride`` over an image padded with zeros.

    Args:
        owner: the layer's name, for errors.
        kernel, stride, padding: a number or a pair (vertical, horizontal). The padding ``"same"``
            keeps the size of the image, at stride 1; what cannot be halved goes to the bottom and
            to the right, as in PyTorch.
    """

    def __init__(self, owner: str, kernel: Any, stride: Any, padding: Any) -> None:
        self.owner = owner
        self.kernel = pair(f"{owner} kernel", kernel)
        self.stride = pair(f"{owner} stride", stride)
        if isinstance(padding, str):
            if padding != "same" or self.stride != (1, 1):
                raise ValueError(
                    f"{owner} padding must be whole numbers ('valid' is 0), or 'same' with stride "
                    f"1, got {padding!r} with stride {self.stride}"
                )
            around = (self.kernel[0] - 1, self.kernel[1] - 1)
            self.corner: Pair = (around[0] // 2, around[1] // 2)
        else:
            self.corner = pair(f"{owner} padding", padding, least=0)
            around = (2 * self.corner[0], 2 * self.corner[1])
        self.around: Pair = around
        self.geometry = (self.kernel, self.stride, self.corner)  # as operations take it

    def outputs(self, image: Sequence[int]) -> Pair:
        """Return the numbers of output positions over an image."""
        padded = (image[0] + self.around[0], image[1] + self.around[1])
        if self.kernel[0] > padded[0] or self.kernel[1] > padded[1]:
            raise ValueError(
                f"{self.owner} kernel {self.kernel} is larger than the padded image {padded}: "
                f"take a smaller kernel or more padding"
            )
        rows, columns = ((padded[d] - self.kernel[d]) // self.stride[d] + 1 for d in (0, 1))
        return rows, columns

    def image(self, outputs: Sequence[int], more: Pair) -> Pair:
        """Return the size of the image with so many output positions, and ``more`` pixels."""
        height, width = (
            (outputs[d] - 1) * self.stride[d] + self.kernel[d] - self.around[d] + more[d]
            for d in (0, 1)
        )
        if height < 1 or width < 1:
            raise ValueError(
                f"{self.owner} padding {self.corner} leaves an image of {height} x {width} pixels: "
                f"take less padding or a larger kernel"
            )
        return height, width
