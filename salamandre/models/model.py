"""A network with all that is needed to ask it about a picture."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from salamandre.backend import Array
from salamandre.checks import nearest, whole
from salamandre.data.catalogue import WrongFormat
from salamandre.data.conversion import square_of
from salamandre.models.preprocessing import Preprocessing
from salamandre.network import Network

Answer = list[tuple[str, float]]


@dataclass(frozen=True, eq=False)
class Model:
    """A network, what its pictures need, and what its outputs mean.

    Attributes:
        name: such as ``"squeezenet1_1"``.
        network: ends in Softmax; its layers have the names of PyTorch's published weights.
        preprocessing: from pictures to inputs.
        classes: the name of each output.
        source: the work that describes the architecture.
    """

    name: str
    network: Network
    preprocessing: Preprocessing
    classes: tuple[str, ...] = field(repr=False)
    source: str = ""

    def prepare(self, pictures: Any) -> np.ndarray:
        """Return pictures as inputs (N, *input_shape); see :class:`Preprocessing`."""
        return self.preprocessing(pictures).reshape(-1, *self.network.input_shape)

    def classify(self, pictures: Any, top: int = 5) -> Any:
        """Return the most likely classes with their probabilities.

        Args:
            pictures: a file, a Pillow image or pixels (uint8, (C, H, W)); or several of these in
                a list or an array (N, C, H, W).
            top: how many classes. Default 5.

        Returns:
            pairs (name, probability), the largest first; for several pictures a list of such.

        Raises:
            OSError: a file that cannot be read as a picture.
        """
        whole("top", top)
        y = self.network.predict(self.prepare(pictures), batch_size=16)
        answers = [self.named(row, top) for row in self.network.backend.to_numpy(y)]
        many = isinstance(pictures, (list, tuple)) or getattr(pictures, "ndim", 3) == 4
        return answers if many else answers[0]

    def named(self, probabilities: Array, top: int = 5) -> Answer:
        """Return the largest of the probabilities (classes,) with the names of their classes."""
        best = np.argsort(-probabilities, kind="stable")[:top]
        return [(self.classes[index], float(probabilities[index])) for index in best]

    def label(self, name: str | int) -> int:
        """Return the number of a class by its name or number.

        Raises:
            ValueError: an unknown name (the nearest is named), or a number out of range.
        """
        return class_number(name, self.classes)


def of_network(network: Network, classes: Sequence[str] | None = None, name: str = "") -> Model:
    """Return a model of a classifier of one's own, whose inputs are pixels from 0 to 1.

    Args:
        network: takes images (C, H, W), grey or red first, or square ones in one row.
        classes: the name of each output. Default: the network's class names, else their numbers.
        name: of the model.

    Raises:
        ValueError: other inputs, or another number of classes than outputs.
    """
    shape = image_shape(network)
    if len(shape) != 3 or shape[0] not in (1, 3) or len(network.output_shape) != 1:
        raise ValueError(
            f"a model needs a network from grey or colour images to classes, this one goes from "
            f"{network.input_shape} to {network.output_shape}"
        )
    if classes is None:
        classes = network.class_names or [*map(str, range(network.output_shape[0]))]
    names = tuple(map(str, classes))
    if len(names) != network.output_shape[0]:
        raise ValueError(
            f"a classifier of {len(names)} classes has an output for each of them, this network "
            f"has {network.output_shape[0]} outputs: name as many classes, if it is a classifier"
        )
    order = "L" if shape[0] == 1 else "RGB"
    return Model(name, network, Preprocessing((shape[1], shape[2]), order=order), names)


def image_shape(network: Network) -> tuple[int, ...]:
    """Return the shape of a network's inputs; of a square image in one row that of the image."""
    shape = network.input_shape
    if len(shape) == 1 and not isinstance(shape[0], tuple):
        with suppress(WrongFormat):
            channels, side = square_of(shape[0])
            return channels, side, side
    return shape


def class_number(name: str | int, classes: Sequence[str]) -> int:
    """Return the number of a class; see :meth:`Model.label`."""
    if name in classes:
        return list(classes).index(str(name))
    text = str(name)
    if text.isdecimal() and int(text) < len(classes):
        return int(text)
    raise ValueError(
        f"unknown class {name!r}{nearest(name, classes)} (there are {len(classes)}, by name or "
        f"from 0 to {len(classes) - 1})"
    )
