"""Transforms of images (N, C, H, W), most of them random.

Each is called with a batch and a generator of random numbers, and returns a new batch of the same
dtype. The result depends on the generator alone, so that equal seeds give equal batches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from salamandre.checks import real, whole
from salamandre.data.images import Images

BLOCK = 1024  # images changed at a time
SLACK = 1e-5  # beyond 0 and 1: interpolated values are rounded

Transform = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Shift:
    """Move each image by up to ``pixels`` along both axes; pixels from outside are zero.

    Args:
        pixels: the largest shift; whole numbers from -pixels to pixels are equally likely.
    """

    pixels: int

    def __post_init__(self) -> None:
        whole("Shift pixels", self.pixels)

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return shifted copies of images (N, C, H, W)."""
        return _windows(x, _size(x), self.pixels, random)


@dataclass(frozen=True)
class Flip:
    """Mirror some images, left to right.

    Args:
        probability: that an image is mirrored. Default 0.5.
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        real("Flip probability", self.probability, 0, 1)

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return images (N, C, H, W), some of them mirrored."""
        _size(x)
        y = x.copy()
        chosen = random.random(len(x)) < self.probability
        y[chosen] = x[chosen, :, :, ::-1]
        return y


@dataclass(frozen=True)
class Crop:
    """Keep the square in the middle of each image.

    Args:
        size: its height and width.
    """

    size: int

    def __post_init__(self) -> None:
        whole("Crop size", self.size)

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return the middles (N, C, size, size) of images (N, C, H, W)."""
        _check_room("Crop", self.size, x, 0)
        top, left = ((length - self.size) // 2 for length in _size(x))
        return x[:, :, top : top + self.size, left : left + self.size].copy()


@dataclass(frozen=True)
class RandomCrop:
    """Keep a square of each image, anywhere in it.

    Args:
        size: its height and width.
        padding: zeros added on each side of the image before. CIFAR is usually augmented with
            the image's own size and padding 4 (Krizhevsky 2012). Default 0.
    """

    size: int
    padding: int = 0

    def __post_init__(self) -> None:
        whole("RandomCrop size", self.size)
        whole("RandomCrop padding", self.padding, least=0)

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return squares (N, C, size, size) of images (N, C, H, W)."""
        _check_room("RandomCrop", self.size, x, self.padding)
        return _windows(x, (self.size, self.size), self.padding, random)


@dataclass(frozen=True)
class AlternatingFlip:
    """Mirror half of the images in each epoch, left to right, and the other half in the next one.

    Which half an image is in is a hash of its number. So each image is seen both ways in any two
    epochs, where :class:`Flip` shows it twice the same way every second time (Jordan 2024, "94% on
    CIFAR-10 in 3.29 seconds on a single GPU", section 3.6).

    Args:
        seed: of the halves. Default 0.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        whole("AlternatingFlip seed", self.seed, least=0)

    def visit(self, numbers: np.ndarray, epoch: int) -> Transform:
        """Return the transform of the images of these numbers (N,) in an epoch."""
        mixed = numbers.astype(np.uint64) + np.uint64(self.seed % 2**32 << 32)
        for shift in (33, 29):  # each number changes all bits, as at the end of MurmurHash3
            mixed ^= mixed >> np.uint64(shift)
            mixed *= np.uint64(0xFF51AFD7ED558CCD)
        return _Mirrored((mixed >> np.uint64(63)).astype(bool) ^ bool(epoch % 2))

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return images (N, C, H, W) of unknown numbers, half of them mirrored at random."""
        return Flip()(x, random)


@dataclass(frozen=True)
class _Mirrored:
    """Mirror the chosen images, (N,) of bool."""

    chosen: np.ndarray

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        _size(x)
        y = x.copy()
        y[self.chosen] = x[self.chosen, :, :, ::-1]
        return y


def visiting(transform: Transform, numbers: np.ndarray, epoch: int) -> Transform:
    """Return what a transform is for examples of these numbers (N,) in an epoch.

    Most are the same always; one that is not has a ``visit``, as :class:`AlternatingFlip`.
    """
    visit = getattr(transform, "visit", None)
    return transform if visit is None else visit(numbers, epoch)


@dataclass(frozen=True)
class Reflect:
    """Continue each image beyond its edges by its mirror image; before a :class:`RandomCrop`.

    A crop of zeros at the edges shows a network something that no picture has.

    Args:
        pixels: on each side; less than height and width.
    """

    pixels: int

    def __post_init__(self) -> None:
        whole("Reflect pixels", self.pixels)

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return larger images of images (N, C, H, W)."""
        if self.pixels >= min(_size(x)):
            raise ValueError(
                f"Reflect({self.pixels}) needs images of more than {self.pixels} pixels on each "
                f"side, got {x.shape[2]}×{x.shape[3]}"
            )
        side = (self.pixels, self.pixels)
        return np.pad(x, ((0, 0), (0, 0), side, side), mode="reflect")


def _windows(
    x: np.ndarray, size: tuple[int, ...], padding: int, random: np.random.Generator
) -> np.ndarray:
    """Return a window (N, C, *size) of each image with zeros on each side, anywhere in it."""
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = sliding_window_view(padded, size, axis=(2, 3))  # (N, C, .., .., *size)
    positions = np.array([[windows.shape[2]], [windows.shape[3]]])
    down, right = random.integers(0, positions, (2, len(x)))
    return windows[np.arange(len(x)), :, down, right]


@dataclass(frozen=True)
class Resize:
    """Make images larger or smaller, with antialiasing.

    A pixel of the result is a mean of the pixels around its position, weighted by a triangle as
    wide as the step between pixels (Turkowski 1990). It is linear in rows and columns: y = A x Bᵀ.

    Args:
        size: height and width of the result.
    """

    size: int

    def __post_init__(self) -> None:
        whole("Resize size", self.size)

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return images (N, C, size, size) of images (N, C, H, W)."""
        rows, columns = (bilinear(length, self.size) for length in _size(x))
        y = rows @ x.astype(np.result_type(x.dtype, np.float32), copy=False) @ columns.T
        return y.astype(x.dtype) if x.dtype.kind == "f" else np.rint(y).astype(x.dtype)


@dataclass(frozen=True)
class Jitter:
    """Enlarge images, keep a square of their former size anywhere, and mirror half of them.

    Isola et al. 2017, section 6.2, enlarge images of 256×256 to 286×286.

    Args:
        scale: of the enlargement, at least 1. Default 286/256.
    """

    scale: float = 286 / 256

    def __post_init__(self) -> None:
        real("Jitter scale", self.scale, 1)

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return images (N, C, size, size) of the same shape."""
        height, size = _size(x)
        if height != size:
            raise ValueError(f"Jitter takes square images, got {height}×{size}: crop them first")
        return Chain(Resize(round(self.scale * size)), RandomCrop(size), Flip())(x, random)


@lru_cache(maxsize=16)
def bilinear(length: int, size: int) -> np.ndarray:
    """Return the weights (size, length), float32, of a row's pixels in those of the resized row."""
    step = length / size
    centres = (np.arange(size) + 0.5) * step
    distance = np.abs(np.arange(length) + 0.5 - centres[:, None]) / max(step, 1.0)
    weights = np.maximum(0, 1 - distance)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def _check_floats(what: str, x: np.ndarray) -> None:
    if x.dtype.kind != "f":
        raise ValueError(
            f"{what} takes floats in 0..1, got {x.dtype}: divide pixels by their white"
        )


def _check_range(what: str, x: np.ndarray) -> None:
    """Refuse values outside of 0..1, but for what interpolation rounds."""
    if not (x.min(initial=0) >= -SLACK and x.max(initial=1) <= 1 + SLACK):  # NaN too
        raise ValueError(
            f"{what} takes values in 0..1, got {x.min():g}..{x.max():g}: scale them first"
        )


def _size(x: np.ndarray) -> tuple[int, ...]:
    """Return (H, W) of images (N, C, H, W)."""
    if x.ndim != 4:
        raise ValueError(
            f"this transform changes images (N, C, H, W), got an array of shape {x.shape}: give "
            f"images, and let the network begin with Flatten()"
        )
    return x.shape[2:]


def _check_room(what: str, size: int, x: np.ndarray, padding: int) -> None:
    height, width = _size(x)
    if size > min(height, width) + 2 * padding:
        raise ValueError(
            f"{what} of size {size} does not fit into images of {height}×{width} with a "
            f"padding of {padding}: make it smaller, or the images larger with Resize"
        )


@dataclass(frozen=True)
class Noise:
    """Add normal noise to values in 0..1, and keep them there.

    Args:
        deviation: the standard deviation of the noise.
    """

    deviation: float

    def __post_init__(self) -> None:
        real("Noise deviation", self.deviation, 0)

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return noisy copies of inputs (N, ...), floats."""
        _check_floats("Noise", x)
        _check_range("Noise", x)
        drawn = x.dtype if x.dtype in (np.float32, np.float64) else np.float32
        noise = random.standard_normal(x.shape, drawn)
        noise *= self.deviation
        noise += x
        return np.clip(noise, 0, 1, out=noise).astype(x.dtype, copy=False)


@dataclass(frozen=True)
class Mask:
    """Set values to 0, each by itself: masking noise (Vincent et al. 2008, section 2.3).

    Args:
        share: the probability of each value to be set to 0.
    """

    share: float

    def __post_init__(self) -> None:
        real("Mask share", self.share, 0, 1)

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return copies of inputs (N, ...) with holes."""
        return x * (random.random(x.shape, np.float32) >= self.share)


@dataclass(frozen=True)
class Binarise:
    """Draw each value anew: 1 with the probability x, else 0.

    Of pixels in 0..1 these are dynamically binarised images (Burda, Grosse, Salakhutdinov 2016,
    section 5): other ones in each epoch.
    """

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return zeros and ones (N, ...) for values in 0..1, floats."""
        _check_floats("Binarise", x)
        _check_range("Binarise", x)
        return (random.random(x.shape, np.float32) < x).astype(x.dtype)


@dataclass(frozen=True, init=False)
class Chain:
    """Several transforms, one after the other.

    Args:
        transforms: in the order in which they are applied.
    """

    transforms: tuple[Transform, ...]

    def __init__(self, *transforms: Transform) -> None:
        for transform in transforms:
            if not callable(transform) or isinstance(transform, type):
                raise TypeError(
                    f"Chain takes transforms one by one, such as Chain(Flip(), Shift(2)), got "
                    f"{transform!r}"
                )
        object.__setattr__(self, "transforms", transforms)

    def visit(self, numbers: np.ndarray, epoch: int) -> Transform:
        """Return the transforms of examples of these numbers (N,) in an epoch."""
        return Chain(*(visiting(transform, numbers, epoch) for transform in self.transforms))

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return the result of all transforms."""
        for transform in self.transforms:
            x = transform(x, random)
        return x


def apply(images: Images, transform: Transform, seed: int = 0) -> Images:
    """Return a data set whose images were changed once, in memory, such as by ``Resize(64)``.

    Args:
        images: the data set, which is not changed.
        transform: applied to its images, block by block.
        seed: of random transforms. Default 0.
    """
    if not isinstance(images, Images):
        raise TypeError(
            f"data.apply changes Images, got {type(images).__name__}; those of pairs are changed "
            f"with their conditions: apply it to the images before data.pairs"
        )
    random = np.random.default_rng(whole("seed", seed, least=0))
    blocks = range(0, len(images), BLOCK)
    changed = [transform(images.images[start : start + BLOCK].copy(), random) for start in blocks]
    return replace(images, images=np.concatenate(changed))
