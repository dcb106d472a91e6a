"""What a layer is: ``compute`` and ``backprop``, and named views of its network's vectors."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar

from salamandre.backend import Array
from salamandre.checks import real, whole
from salamandre.component import Component, is_ours
from salamandre.initializers import Initializer
from salamandre.parts import checked_part
from salamandre.passes import Context

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Declared:
    """A parameter or a state array that a layer asks for: its name, shape and first value.

    ``memory`` is the order of its axes in the flat vector, if not their own; ``rate`` the multiple
    of the learning rate that it learns by.
    """

    name: str
    shape: Shape
    initializer: Initializer
    memory: Shape = ()
    rate: float = 1.0

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def draw(self, random: Any) -> Array:
        """Return the first value."""
        values = self.initializer.draw(random, self.shape)
        if getattr(values, "shape", None) != self.shape:
            raise ValueError(
                f"{self.initializer!r} must draw an array of shape {self.shape} for {self.name}, "
                f"got {getattr(values, 'shape', values)!r}"
            )
        return values

    def flat(self, values: Array) -> Array:
        """Return an array of this shape as a vector, in the order of the memory."""
        return (values.transpose(self.memory) if self.memory else values).reshape(-1)

    def view(self, vector: Array) -> Array:
        """Return a part of a flat vector as an array of this shape: the inverse of flat."""
        if not self.memory:
            return vector.reshape(self.shape)
        array = vector.reshape([self.shape[axis] for axis in self.memory])
        return array.transpose([self.memory.index(axis) for axis in range(len(self.shape))])


class Layer(Component, abstract=True):
    """Base of layers. A layer of your own is three methods.

    - :meth:`build` gets the shape of one example, declares parameters with
      :meth:`declare`, and returns the shape of one output.
    - :meth:`compute` returns y and keeps in ``ctx`` what :meth:`backprop` needs.
    - :meth:`backprop` writes dE/dw into ``self.d_w`` for each parameter ``w`` (if
      ``ctx.parameter_gradients``) and returns dE/dx.

    A declared parameter ``w`` is then ``self.w``, its gradient ``self.d_w``: views of the flat
    vectors of the network, to be written in place (``self.d_w[...] = ``). A layer keeps nothing
    of a batch in itself: ``ctx`` (:class:`salamandre.passes.Context`) is its part of the pass.
    Check your layer with :func:`salamandre.gradient_check`.

    Attributes:
        children: the layers that this one is made of, if any.
        names: theirs, in the names of parameters; by default their numbers.
        built: whether the layer belongs to a network.
        trainable: set it to False before a network is made of it, then use :meth:`Network.freeze`.
        couples_examples: whether an output depends on the other examples of its batch.
        whole_batch: whether it has to see all of them, so that threads cannot share a batch.
        owns_vectors: whether it is a network that keeps its vectors as a layer of another one.
        fresh_output: whether y is always memory of its own that it does not read again, so that
            the next layer may write over it. Of exactly the class that says so: not inherited.
        fresh_gradient: likewise dE/dx, for the layer before.
        adds_gradients: whether backprop adds to the gradients of the parameters where ``ctx.adds``,
            and keeps their factors where ``ctx.postpones``, for :meth:`descend`. Not inherited.
        fixed: names of arrays of its own that are never to be replaced.
    """

    kind = "layers"
    required = {"build": "", "compute": "", "backprop": None}
    sets = "children"
    couples_examples: ClassVar[bool] = False
    whole_batch: ClassVar[bool] = False
    owns_vectors: bool = False
    fresh_output: bool = False
    fresh_gradient: bool = False
    adds_gradients: bool = False
    fixed: ClassVar[Collection[str]] = ()

    def __init__(self) -> None:
        self.children: Sequence[Layer] = ()
        self.names: Sequence[str] | None = None
        self.built = False
        self.trainable = True
        self.declared: list[Declared] = []
        self.declared_state: list[Declared] = []

    def build(self, input_shape: Shape) -> Shape:
        """Declare parameters for examples of ``input_shape``; return the shape of an output."""
        raise NotImplementedError

    def compute(self, x: Array, ctx: Context) -> Array:
        """Return y (N, ...) for the batch x (N, ...)."""
        raise NotImplementedError

    def backprop(self, dy: Array, ctx: Context) -> Array:
        """Return dE/dx from dE/dy; write the gradients of the parameters."""
        raise TypeError(f"{type(self).__name__} has no backprop(dy, ctx), which learning needs")

    def compute_tangent(self, x_dot: Array, ctx: Context) -> Array:
        """Return the derivative of the latest y along x_dot, the shape of x.

        With :meth:`backprop_tangent` this is Pearlmutter's R operator (1994), which a gradient
        penalty needs. Layers without it raise ValueError.
        """
        raise ValueError(
            f"{type(self).__name__} cannot be part of a critic with a gradient penalty: it has no "
            f"second-order backprop"
        )

    def backprop_tangent(
        self, dy: Array | None, dy_dot: Array, ctx: Context
    ) -> tuple[Array | None, Array]:
        """Return dE/dx and dE/dx_dot for an E of y and of y_dot; write the parameters' gradients.

        Args:
            dy: dE/dy; ``None`` means zero, and may be returned for zero.
            dy_dot: dE/dy_dot, y_dot being the latest result of :meth:`compute_tangent`.
            ctx: as for the others.
        """
        raise NotImplementedError

    def descend(self, rate: float, ctx: Context) -> None:
        """Change the parameters by -rate times their gradients, of which ctx has the factors."""
        raise NotImplementedError

    def complete(self, ctx: Context) -> None:
        """Write the gradients, of which ctx has the factors."""
        raise NotImplementedError

    def declare(
        self,
        name: str,
        shape: Shape,
        initializer: Initializer,
        memory: Shape = (),
        rate: float = 1.0,
    ) -> None:
        """Ask for a parameter; it becomes ``self.<name>``, its gradient ``self.d_<name>``.

        ``memory`` is the order of its axes in the flat vector, the slowest first; by default the
        order of ``shape``. Optimizers multiply their learning rate by ``rate`` for it.
        """
        declared = self._checked(name, shape, initializer, memory)
        rate = real(f"the rate of {type(self).__name__}'s {name}", rate, 0, above=True)
        self.declared.append(replace(declared, rate=rate))

    def declare_state(self, name: str, shape: Shape, initializer: Initializer) -> None:
        """Ask for an array that is saved with the network but that no optimizer touches.

        Change it by ``ctx.update(self.<name>, value)``.
        """
        self.declared_state.append(self._checked(name, shape, initializer))

    def _checked(
        self, name: str, shape: Shape, initializer: Initializer, memory: Shape = ()
    ) -> Declared:
        owner = type(self).__name__
        if not isinstance(shape, (tuple, list)):
            raise ValueError(f"the shape of {owner}'s {name} must be a tuple, got {shape!r}")
        sizes = tuple(whole(f"each number of the shape of {owner}'s {name}", n, 0) for n in shape)
        initializer = checked_part(f"the initializer of {owner}'s {name}", initializer, Initializer)
        first = vars(self).get(name)  # an argument may be the first value, and have its name
        taken = first is not None and not isinstance(first, Real)
        if taken or name in dir(Layer) or name in self.views:
            raise ValueError(
                f"{owner} cannot have an array {name!r}: it has an attribute of that name already"
            )
        return Declared(name, sizes, initializer, memory)

    def __call__(self, *_: Any, **__: Any) -> Any:
        """Refuse to be called: layers are put together by lists."""
        raise TypeError(
            f"a {type(self).__name__} is not called: put layers into a list, Network([...], "
            f"input_shape), where Parallel makes branches and Skip adds a layer's input"
        )

    @property
    def views(self) -> Collection[str]:
        """The names of the attributes that are views of the network's vectors."""
        if not (self.declared or self.declared_state):
            return ()
        names = {name for d in self.declared for name in (d.name, f"d_{d.name}")}
        return names | {d.name for d in self.declared_state}

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute, but for a view: what is set in its place would not be learned."""
        kept = self.__dict__.get(name)  # which += gives back
        owned = name == "trainable" and (self.__dict__.get("built") or hasattr(self, "freeze"))
        if owned and kept is not None and value is not kept:
            raise TypeError("a network freezes its parts: network.freeze('0'), by the part's name")
        if kept is not None and value is not kept and (name in self.fixed or name in self.views):
            raise TypeError(
                f"{type(self).__name__}.{name} is memory of its network, which what is set in its "
                f"place would not be: write into it, {name}[...] = value"
            )
        super().__setattr__(name, value)

    def unbuild(self) -> None:
        """Forget what was declared: the network that asked for it was refused."""
        for name in self.views:
            self.__dict__.pop(name, None)
        self.built = False
        self.declared.clear()
        self.declared_state.clear()

    @classmethod
    @functools.cache  # asked for in each step
    def is_standard(cls, method: str) -> bool:
        """Return whether a method is one of this package's, not of a class of a user's own."""
        return is_ours(getattr(cls, method))

    def plan(self, ctx: Context) -> None:
        """Say in the contexts of the children what is wanted of them; called when that changes."""
        for child, part in zip(self.children, ctx.parts, strict=True):
            child.plan_part(part, ctx, bool(self.inner_gradient(ctx)))

    def inner_gradient(self, ctx: Context) -> bool | slice:
        """Return what dE/dx is wanted of the children.

        A backprop of a user's own may add them up: it is given all, also where nobody wants them.
        """
        return ctx.input_gradient if self.is_standard("backprop") else True

    def plan_part(
        self, ctx: Context, outer: Context, input_gradient: bool | slice, logits: bool = False
    ) -> None:
        """Say what is wanted of this layer, as a part of an outer one."""
        ctx.logits = logits
        ctx.frozen = outer.frozen or not self.trainable or self.owns_vectors
        ctx.parameter_gradients = outer.parameter_gradients and not ctx.frozen
        ctx.input_gradient = input_gradient
        ctx.by_hand = outer.by_hand or not outer.standard
        run, adds = ctx.run, self.claims("adds_gradients") and not ctx.by_hand
        ctx.adds = adds and run.accumulate
        ctx.postpones = adds and ctx.parameter_gradients and (run.followed or run.postpones)
        if ctx.postpones:
            run.postponing.append((self, ctx))
        self.plan(ctx)

    def parameter_count(self) -> int:
        """Return the number of parameters of this layer and of all below it."""
        return sum(declared.size for _, layer in self.walk() for declared in layer.declared)

    @property
    def child_names(self) -> Sequence[str]:
        """The names of the children, or their numbers."""
        return self.names or [str(index) for index in range(len(self.children))]

    def walk(self, prefix: str = "", shared: bool = True) -> Iterator[tuple[str, Layer]]:
        """Yield this layer and all below it with the prefix of their parameters' names.

        Without ``shared``, networks below it that have vectors of their own are left out.
        """
        yield prefix, self
        for name, child in zip(self.child_names, self.children, strict=True):
            if shared or not child.owns_vectors:
                yield from child.walk(f"{prefix}{name}.", shared)

    @property
    def learning_outputs(self) -> bool | slice:
        """The outputs that depend on the parameters: all, none, or a slice of axis 1."""
        return any(layer.declared for _, layer in self.walk(shared=False))

    def claims(self, name: str) -> bool:
        """Return a claim that the layer's own class makes, not one that it inherits."""
        return name in type(self).__dict__ and bool(getattr(self, name))

    @property
    def repeats(self) -> bool:
        """Whether it and all layers below it launch the same work each time."""
        return super().repeats and all(child.repeats for child in self.children)

    @property
    def output_activation(self) -> Layer | None:
        """The activation that makes this layer's output, or ``None``.

        A layer that has one leaves it out where ``ctx.logits`` says so.
        """
        return None

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the views: the network hands out new ones of its copied vectors."""
        views = self.views
        return {name: value for name, value in self.__dict__.items() if name not in views}


class Linear(Layer, abstract=True):
    """Base of layers without parameters whose y is linear in x, once a pass has chosen how.

    :meth:`apply` is y = A x, :meth:`adjoint` Aᵀ: backprop, tangents and second-order backprop
    follow. What A depends on (which elements were dropped, which pixel was the largest) is
    chosen in :meth:`compute`.
    """

    def apply(self, x: Array, ctx: Context, name: str = "y") -> Array:
        """Return A x; ``name`` tells the buffers of x from those of a tangent."""
        raise NotImplementedError

    def adjoint(self, dy: Array, ctx: Context, name: str = "dx") -> Array:
        """Return Aᵀ dy."""
        raise NotImplementedError

    def compute(self, x: Array, ctx: Context) -> Array:
        """Return A x."""
        return self.apply(x, ctx)

    def backprop(self, dy: Array, ctx: Context) -> Array:
        """Return Aᵀ dy."""
        return self.adjoint(dy, ctx)

    def compute_tangent(self, x_dot: Array, ctx: Context) -> Array:
        """Return A x_dot."""
        return self.apply(x_dot, ctx, "y_dot")

    def backprop_tangent(
        self, dy: Array | None, dy_dot: Array, ctx: Context
    ) -> tuple[Array | None, Array]:
        """Return Aᵀ dy and Aᵀ dy_dot."""
        dx = None if dy is None else self.adjoint(dy, ctx)
        return dx, self.adjoint(dy_dot, ctx, "dx_dot")
