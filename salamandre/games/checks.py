"""Checks of the networks and examples that a game is given."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from salamandre.activations import CenteredSigmoid, Identity, Sigmoid, Tanh
from salamandre.checks import array
from salamandre.class_names import Names, listed
from salamandre.data.arrays import named_labels, require_one_set
from salamandre.data.batches import Source
from salamandre.data.images import Images
from salamandre.data.paired_images import Pairs
from salamandre.data.rows import sampled
from salamandre.games.conditions import Pairing
from salamandre.layer import Layer
from salamandre.layers.minibatch import require_packs
from salamandre.layers.shape import Flatten, Reshape
from salamandre.network import Network


def players(generator: Network, discriminator: Network, pairing: Pairing) -> None:
    """Check that two networks can play against each other."""
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        if network.optimizer is None:
            raise ValueError(f"the {name} needs an optimizer: Network(..., optimizer=Adam())")
    if generator.backend is not discriminator.backend:
        raise ValueError(
            f"both networks must be on one backend, got {generator.backend.name!r} and "
            f"{discriminator.backend.name!r}"
        )
    if generator.dtype != discriminator.dtype:
        raise ValueError(
            f"both networks must be of one dtype, got {generator.dtype} and {discriminator.dtype}"
        )
    if generator.input_shape != pairing.inputs:
        what = f"the latent space has {pairing.inputs[0]} coordinates"
        if pairing.shape:
            what = f"latent vectors and conditions are of the shape {pairing.inputs}"
        raise ValueError(f"the generator takes {generator.input_shape}, {what}: they must agree")
    shown = pairing.picture_shape(discriminator.input_shape)
    if generator.output_shape != shown:
        beside = f" beside a condition {pairing.shape}" if pairing.shape else ""
        raise ValueError(
            f"the generator makes {generator.output_shape}, the discriminator takes "
            f"{shown}{beside}: they must agree"
        )
    if discriminator.output_shape[0] != 1 or len(discriminator.output_shape) == 2:
        raise ValueError(
            f"the discriminator must give one score, or one channel of scores, got outputs "
            f"{discriminator.output_shape}"
        )
    last = _last_activation(discriminator)
    if last is not None and not isinstance(last, Identity):
        raise ValueError(
            f"the discriminator must end in a linear neuron, got {last!r}: leave it out, the "
            f"objective has the sigmoid in it"
        )


def classes(
    generator: Network, discriminator: Network, images: Images | Pairs | np.ndarray, labels: Any
) -> int | None:
    """Return the number of classes that conditional players learn, ``None`` for others."""
    require_one_set(images)
    if isinstance(images, tuple):
        raise ValueError(
            f"a game needs images in one array, got a tuple of {len(images)}: give labels by "
            f"labels=..."
        )
    known = [network.classes for network in (generator, discriminator)]
    if labels is None or labels is False:
        if any(known):
            raise ValueError("the players are conditional: the game needs labels=True")
        return None
    if known[0] is None:
        raise ValueError(
            "the game has labels, and the generator no layer that takes them: begin it with "
            "an Embedding(classes)"
        )
    if isinstance(images, Images) != (labels is True):
        raise ValueError(
            "labels must be True for Images, which have their own, and an array for an array"
        )
    if isinstance(images, Images):
        found = len(images.classes)
    else:
        if len(images := array("the images", images)) == 0:
            raise ValueError("a game needs at least one image, got none")
        given, _ = named_labels(
            array("labels", labels), _class_names(generator, discriminator), True
        )
        if given.shape != (len(images),) or given.dtype.kind not in "iu" or (given < 0).any():
            raise ValueError(
                f"each of the {len(images)} examples needs a label, a whole number from 0 on: got "
                f"{given.dtype} of shape {given.shape}"
                + (f" with {given.min()}" if given.dtype.kind in "iu" and given.size else "")
            )
        found = int(given.max()) + 1
    for who, count in zip(("generator", "discriminator"), known, strict=True):
        if count is not None and count < found:
            raise ValueError(
                f"the {who} knows {count} classes, the images have {found}: make its conditional "
                f"layers for {found} classes"
            )
    return found


def output_range(generator: Network) -> tuple[float, float]:
    """Return the value range of the generator's last activation."""
    last = _last_activation(generator)
    if isinstance(last, Sigmoid):
        return 0.0, 1.0
    return (-last.k, last.k) if isinstance(last, Tanh) else (-1.0, 1.0)


def batch(player: Network, count: int) -> None:
    """Refuse a batch of so many examples, of one process, that a player cannot compute."""
    player.check_threads(count)
    for _, layer in player.walk():
        require_packs(layer, count)


def examples(
    generator: Network,
    discriminator: Network,
    images: Images | Pairs | np.ndarray,
    labels: Any,
    batch_size: int,
) -> Source:
    """Return the real examples in the discriminator's shape and the generator's value range."""
    low, high = output_range(generator)
    pixels = discriminator.pixels._replace(low=low, high=high)
    names = _class_names(generator, discriminator)
    require_one_set(images)
    if isinstance(images, Images):
        source = Source(images, discriminator, pixels=pixels, class_names=names)
    else:
        transform = images.transform if isinstance(images, Pairs) else None
        values = images.examples if isinstance(images, Pairs) else array("the images", images)
        if labels is None or labels is False:
            labels = np.zeros(len(values), np.uint8)
        source = Source((values, labels), discriminator, transform, pixels, names, labelled=True)
        bounded = isinstance(_last_activation(generator), (Sigmoid, Tanh, CenteredSigmoid))
        if source.pixels is None and bounded:  # or else they are scaled, or any can be reached
            seen = sampled(values)
            _warn_of_other_range(float(seen.min()), float(seen.max()), low, high)
    if len(source) < batch_size:
        raise ValueError(
            f"a batch of {batch_size} needs at least as many images, got {len(source)}"
        )
    return source


def _warn_of_other_range(least: float, most: float, low: float, high: float) -> None:
    """Warn if images have values that the generator, in [low, high], does not reach or fill."""
    if low < 0 <= least and 0 < most <= 1:
        cure = "give 2 * images - 1, or end the generator in Sigmoid()"
        reach = "the generator's are in"
    elif least < low - 1e-6 or most > high + 1e-6:
        cure = "scale them, or change its last activation"
        reach = "the generator can only reach"
    else:
        return
    warnings.warn(
        f"the images have values in [{least:g}, {most:g}], {reach} [{low:g}, {high:g}]: {cure}",
        stacklevel=4,
    )


def _class_names(generator: Network, discriminator: Network) -> Names | None:
    """Return the names of the classes that the players know, if they know any.

    Raises:
        ValueError: they know different ones.
    """
    ours, theirs = generator.class_names, discriminator.class_names
    if ours and theirs and ours != theirs:
        raise ValueError(
            f"the generator's classes are {listed(ours)}, the discriminator's {listed(theirs)}: "
            f"they must agree"
        )
    return ours or theirs


def _last_activation(network: Network) -> Layer | None:
    """Return the activation of a network's last layer, before any change of shape."""
    for layer in reversed(network.layers):
        if not isinstance(layer, (Flatten, Reshape)):
            return layer.output_activation
    return None
