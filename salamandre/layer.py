"""What a layer is: ``compute`` and ``backprop``, and named views of its network's vectors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from salamandre.backend import Array, Backend, RandomStream
from salamandre.component import Component
from salamandre.initializers import Initializer

Shape = tuple[int, ...]


def pixelwise(x: Array) -> Array:
    """Return images (N, C, H, W) as a view (N, H, W, C)."""
    return x.transpose(0, 2, 3, 1)


def mapwise(x: Array) -> Array:
    """Return images (N, H, W, C) as a view (N, C, H, W)."""
    return x.transpose(0, 3, 1, 2)


@dataclass(frozen=True)
class Declared:
    """A parameter or a state array that a layer asks for: its name, shape and first value.

    ``memory`` is the order of its axes in the flat vector, if not their own.
    """

    name: str
    shape: Shape
    initializer: Initializer
    memory: Shape = ()

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def flat(self, values: Array) -> Array:
        """Return an array of this shape as a vector, in the order of the memory."""
        return (values.transpose(self.memory) if self.memory else values).reshape(-1)

    def view(self, vector: Array) -> Array:
        """Return a part of a flat vector as an array of this shape: the inverse of flat."""
        if not self.memory:
            return vector.reshape(self.shape)
        lying = vector.reshape([self.shape[axis] for axis in self.memory])
        return lying.transpose([self.memory.index(axis) for axis in range(len(self.shape))])


class Layer(Component):
    """Base of layers. A layer of your own is three methods.

    - :meth:`build` is told the shape of one example, declares parameters with
      :meth:`declare`, and returns the shape of one output.
    - :meth:`compute` returns y and keeps what :meth:`backprop` needs.
    - :meth:`backprop` writes dE/dw into ``self.d_w`` for each parameter ``w`` (if ``update``)
      and returns dE/dx.

    A declared parameter ``w`` is then ``self.w``, its gradient ``self.d_w``: views of the flat
    vectors of the network, to be written in place (``self.d_w[...] = ``). Check your layer with
    :func:`salamandre.gradient_check`.

    Attributes:
        children: the layers that this one is made of, if any.
        built: whether the layer has its place in a network.
        couples_examples: whether an output depends on the other examples of its batch.
        input_gradient: the network clears it on its first layer while it learns: dE/dx is not
            wanted then, and :meth:`backprop` may return ``None`` to save the time. The layer
            behind may be told the first one's :attr:`learning_outputs`: no other part is wanted.
    """

    kind = "layers"
    couples_examples: ClassVar[bool] = False

    backend: Backend
    xp: Any
    dtype: np.dtype
    random: RandomStream

    def __init__(self) -> None:
        self.children: Sequence[Layer] = ()
        self.input_gradient: bool | slice = True
        self.built = False
        self.declared: list[Declared] = []
        self.declared_state: list[Declared] = []
        self._buffers: dict[str, Array] = {}
        self._shared: dict[str, Array] = {}

    def build(self, input_shape: Shape) -> Shape:
        """Declare parameters for examples of ``input_shape``; return the shape of an output."""
        raise NotImplementedError

    def compute(self, x: Array, training: bool = True) -> Array:
        """Return y (N, ...) for the batch x (N, ...)."""
        raise NotImplementedError

    def backprop(self, dy: Array, update: bool = True) -> Array:
        """Return dE/dx from dE/dy; write the gradients of the parameters if ``update``."""
        raise NotImplementedError

    def compute_tangent(self, x_dot: Array) -> Array:
        """Return the derivative of the latest y along x_dot, the shape of x.

        With :meth:`backprop_tangent` this is Pearlmutter's R operator (1994), on which a gradient
        penalty stands. Layers without it refuse.
        """
        raise ValueError(
            f"{type(self).__name__} cannot be part of a critic with a gradient penalty: it has no "
            f"second-order backprop"
        )

    def backprop_tangent(self, dy: Array | None, dy_dot: Array) -> tuple[Array | None, Array]:
        """Return dE/dx and dE/dx_dot for an E of y and of y_dot; write the parameters' gradients.

        Args:
            dy: dE/dy; ``None`` stands for zero, and may be returned for it.
            dy_dot: dE/dy_dot, y_dot being the latest result of :meth:`compute_tangent`.
        """
        raise NotImplementedError

    def declare(
        self, name: str, shape: Shape, initializer: Initializer, memory: Shape = ()
    ) -> None:
        """Ask for a parameter; it becomes ``self.<name>``, its gradient ``self.d_<name>``.

        ``memory`` names the axes in the order in which they lie in the flat vector, slowest first;
        by default as they stand.
        """
        if not isinstance(initializer, Initializer):
            raise TypeError(
                f"the initializer of {type(self).__name__}'s {name} must be one such as "
                f"salamandre.initializers.He(), got {initializer!r}"
            )
        self.declared.append(Declared(name, shape, initializer, memory))

    def declare_state(self, name: str, shape: Shape, initializer: Initializer) -> None:
        """Ask for an array that is saved with the network but that no optimizer touches."""
        self.declared_state.append(Declared(name, shape, initializer))

    def buffer(
        self,
        name: str,
        shape: Shape,
        by_feature: bool = False,
        channels_last: bool = False,
        dtype: Any = None,
    ) -> Array:
        """Return an uninitialised array of the layer's dtype that is reused from step to step.

        With ``by_feature`` the array lies transposed in memory, feature by feature, as
        :class:`NeuronLayer` keeps its vectors; with ``channels_last`` images (N, C, H, W) lie
        pixel by pixel, (N, H, W, C), as :class:`ConvolutionalLayer` keeps them.
        """
        flat = self._take(self._buffers, name, math.prod(shape), dtype or self.dtype)
        if channels_last:
            n, c, h, w = shape
            return flat.reshape(n, h, w, c).transpose(0, 3, 1, 2)
        return flat.reshape(shape[::-1]).T if by_feature else flat.reshape(shape)

    def buffer_like(self, name: str, x: Array) -> Array:
        """Return a reused array of x's shape and order in memory."""
        if x.ndim == 4:
            return self.buffer(name, x.shape, channels_last=pixelwise(x).flags.c_contiguous)
        return self.buffer(name, x.shape, x.ndim == 2 and not x.flags.c_contiguous)

    def workspace(self, name: str, shape: Shape) -> Array:
        """As :meth:`buffer`, shared by all layers of the network: it holds for one call."""
        return self._take(self._shared, name, math.prod(shape), self.dtype).reshape(shape)

    def _take(self, kept: dict[str, Array], name: str, size: int, dtype: Any) -> Array:
        array = kept.get(name)
        if array is None or array.size < size:
            kept.pop(name, None)  # the memory of the smaller one is free before more is taken
            array = kept[name] = self.xp.empty(size, dtype=dtype)
        return array if array.size == size else array[:size]

    def pixels(self, name: str, x: Array) -> Array:
        """Return images (N, C, H, W) as contiguous (N, H, W, C): a view, or a buffer's copy."""
        x = pixelwise(x)
        if x.flags.c_contiguous:
            return x
        copied = self.buffer(name, x.shape)
        copied[...] = x
        return copied

    def parameter_count(self) -> int:
        """Return the number of parameters of this layer and of all below it."""
        return sum(declared.size for _, layer in self.walk() for declared in layer.declared)

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Layer]]:
        """Yield this layer and all below it with the prefix of their parameters' names."""
        yield prefix, self
        for index, child in enumerate(self.children):
            yield from child.walk(f"{prefix}{index}.")

    @property
    def learning_outputs(self) -> bool | slice:
        """Those that depend on the parameters: True for all, or a slice of axis 1."""
        return True

    @property
    def output_activation(self) -> Layer | None:
        """The activation that makes this layer's output, or ``None``.

        A layer that has one also has :meth:`backprop_before_activation`.
        """
        return None

    def backprop_before_activation(self, dz: Array, update: bool = True) -> Array:
        """As :meth:`backprop`, from dE/dz where y = activation(z): for losses that give dz."""
        raise NotImplementedError
