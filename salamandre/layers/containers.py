"""Layers made of layers: one after another, side by side, and past each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from salamandre.backend import Array
from salamandre.checks import one_of
from salamandre.layer import Layer, Shape
from salamandre.layers.checks import check_held, checked_output_shape, output_mistake, with_children
from salamandre.other_names import SEQUENTIAL
from salamandre.parts import checked_part
from salamandre.passes import Context
from salamandre.told import Told

Layers = Sequence[Layer] | Mapping[str, Layer]
Pairs = Sequence[tuple[Layer, Context]]  # of a layer and its part of the pass


class Container(Layer, abstract=True):
    """Base of layers made of layers.

    Args:
        layers: in a row, or by names, which the names of their parameters then begin with.
        names: theirs, if ``layers`` is a row.
    """

    argument: ClassVar[str] = "layers"
    note = ""  # beside the name in a summary

    def __init__(self, layers: Layers, names: Sequence[str] | None = None) -> None:
        super().__init__()
        if isinstance(layers, Mapping):
            names, layers = tuple(layers), tuple(layers.values())
        owner = type(self).__name__
        if not isinstance(layers, Iterable):
            cure = f": write [{layers!r}]" if isinstance(layers, Layer) else ""
            raise TypeError(f"{owner} {self.argument} must be a list, got {layers!r}{cure}")
        what = f"each of a {owner}'s {self.argument}"
        self.children = tuple(with_children(checked_part(what, part, Layer)) for part in layers)
        if names is not None:
            texts = {name for name in names if isinstance(name, str) and name and "." not in name}
            if not len(texts) == len(names) == len(self.children):
                raise ValueError(
                    f"{owner} names must be {len(self.children)} different texts without a dot, "
                    f"got {list(names)}"
                )
            self.names = tuple(names)
        self._outputs: dict[int, Shape] = {}  # the shapes of the children's outputs
        # What was given may be changed, or be a mapping, which a file of JSON does not hold. A
        # class with a constructor of its own may have other arguments.
        made = {self.argument: self.children, "names": self.names}
        self._arguments |= {name: made[name] for name in made.keys() & self._arguments.keys()}

    @property
    def layers(self) -> Sequence[Layer]:
        """The layers that it is made of."""
        return self.children

    def build_child(self, index: int, input_shape: Shape) -> Shape:
        """Build a child; if it is refused, give it and those before back as they were."""
        child = self.children[index]
        name = self.child_names[index]
        if child.built and not child.owns_vectors:
            self._unbuild(index - 1)
            raise ValueError(
                f"layer {name} ({child!r}) is in a network already, or stands twice in this one: "
                f"make a new one for each place, or share a whole network"
            )
        child.built = True
        try:
            shape = child.build(input_shape)
            self._outputs[index] = shape = checked_output_shape(shape)
            check_held(child)
            return shape
        except ValueError as error:
            self._unbuild(index)
            raise ValueError(f"layer {name} ({type(child).__name__}): {error}") from None
        except BaseException:
            self._unbuild(index)
            raise

    def summary_rows(self, indent: str) -> list[tuple[str, str, str]]:
        """Return the name, output shape and parameter count of each layer and of those inside."""
        rows: list[tuple[str, str, str]] = []
        for index, (name, child) in enumerate(zip(self.child_names, self.children, strict=True)):
            inside, title = [], repr(child)
            if isinstance(child, Container):
                inside, title = child.summary_rows(indent + "  "), type(child).__name__ + child.note
            notes = " shared" * child.owns_vectors + " frozen" * (not child.trainable)
            count = f"{child.parameter_count():,}{notes}"
            rows += [(f"{indent}{name} {title}", str(self._outputs[index]), count), *inside]
        return rows

    def _unbuild(self, last: int) -> None:
        """Give the layers back as they were: a network that was refused has no claim on them."""
        for child in self.children[: last + 1]:
            if not child.owns_vectors:
                for _, part in child.walk(shared=False):
                    part.unbuild()


class Sequential(Container, Told):
    """Layers one after another: y = f_n(... f_2(f_1(x))). Without any, y = x.

    Args:
        layers: in the order of computation, in a row or by names.
        names: of the layers, if they are in a row. Default their numbers.
    """

    ways = SEQUENTIAL

    def build(self, input_shape: Shape) -> Shape:
        """Build the layers in a row; return the shape of the last one's output."""
        self._outputs[-1] = input_shape  # as if of a layer before the first one
        for index in range(len(self.children)):
            input_shape = self.build_child(index, input_shape)
        return input_shape

    def plan(self, ctx: Context) -> None:
        """Ask each layer for dE/dx if it or a layer before it has a use for that."""
        wanted = self.inner_gradient(ctx)
        ctx.needed = []  # the layers that backprop goes through, the last one first
        ctx.pairs = tuple(zip(self.children, ctx.parts, strict=True))
        for index, (layer, part) in enumerate(ctx.pairs):
            before, after = self.children[:index], self.children[index + 1 :]
            fresh = bool(before) and before[-1].claims("fresh_output")
            part.may_overwrite = fresh and not ctx.parts[index - 1].keeps_z
            part.may_overwrite_gradient = bool(after) and after[0].claims("fresh_gradient")
            layer.plan_part(part, ctx, wanted, logits=ctx.logits and not after)
            learning = part.parameter_gradients and layer.learning_outputs
            if wanted or learning:
                ctx.needed.insert(0, (layer, part))
            wanted = True if wanted else learning

    @property
    def output_activation(self) -> Layer | None:
        """The last layer's, unless a compute of a user's own makes something else of it."""
        last = self.children and self.is_standard("compute")
        return self.children[-1].output_activation if last else None

    def compute(self, x: Array, ctx: Context) -> Array:
        """Compute the layers one after another."""
        return self._through(x, ctx.pairs, ctx)

    def backprop(self, dy: Array, ctx: Context) -> Array:
        """Go back through the layers, as far as a gradient is wanted."""
        return self._back(dy, ctx.needed, ctx)

    def _through(self, x: Any, pairs: Pairs, ctx: Context) -> Array:
        """Compute some of the layers; if one cannot, say whether the one before is to blame."""
        before = None
        try:
            for layer, part in pairs:
                x = layer.compute(x, part)
                before = part
        except Exception as error:
            self._blame(before, "compute", x, ctx, error)
            raise
        return x

    def _back(self, dy: Array, pairs: Pairs, ctx: Context) -> Array:
        """Go back through some of the layers; see :meth:`_through`."""
        before = None
        try:
            for layer, part in pairs:
                dy = layer.backprop(dy, part)
                before = part
        except Exception as error:
            self._blame(before, "backprop", dy, ctx, error)
            raise
        return dy

    def _blame(
        self, part: Context | None, method: str, found: Any, ctx: Context, error: Exception | None
    ) -> None:
        """Raise TypeError if the layer of a part of the pass has returned what it must not."""
        if part is None:
            return
        index = ctx.parts.index(part)
        layer = self.children[index]
        shape = self._outputs.get(index if method == "compute" else index - 1)
        mistake = shape and output_mistake(layer, method, found, shape, ctx.dtype)
        if mistake:
            raise TypeError(f"layer {self.child_names[index]}: {mistake}") from error

    def compute_tangent(self, x_dot: Array, ctx: Context) -> Array:
        """Return the derivative of the latest outputs along x_dot."""
        for layer, part in ctx.pairs:
            x_dot = layer.compute_tangent(x_dot, part)
        return x_dot

    def backprop_tangent(
        self, dy: Array | None, dy_dot: Array, ctx: Context
    ) -> tuple[Array | None, Array]:
        """Carry dE/dy and dE/dy_dot back."""
        for layer, part in ctx.needed:
            dy, dy_dot = layer.backprop_tangent(dy, dy_dot, part)
        return dy, dy_dot


class Join:
    """How arrays become one: ``"concatenate"`` along axis 1, or ``"add"``.

    Attributes:
        copies: whether :meth:`split` returns copies, which may be written over.
    """

    def __init__(self, kind: str) -> None:
        self.kind = one_of("join", kind, ("concatenate", "add"))

    def build(self, owner: str, shapes: Sequence[Shape]) -> Shape:
        """Return the shape of an example joined from some of these shapes."""
        first = 1 if self.kind == "concatenate" else 0  # axis from which they must agree
        if any(shape[first:] != shapes[0][first:] for shape in shapes):
            raise ValueError(
                f"{owner} cannot {self.kind} outputs of the shapes {', '.join(map(str, shapes))}: "
                f"make them agree" + (" but in the first number" if first else "")
            )
        ends = [sum(shape[0] for shape in shapes[: index + 1]) for index in range(len(shapes))]
        self._parts = [slice(end - shape[0], end) for end, shape in zip(ends, shapes, strict=True)]
        self.copies = bool(first) and len(shapes[0]) == 3
        return (ends[-1], *shapes[0][1:]) if first else shapes[0]

    def join(self, arrays: Sequence[Array], ctx: Context, name: str) -> Array:
        """Return the arrays as one, in a buffer of that name."""
        if self.kind == "add":
            return add(arrays, ctx, name)
        x = arrays[0]
        shape = (len(x), self._parts[-1].stop, *x.shape[2:])
        y = ctx.buffer(name, shape, by_feature=x.ndim == 2, channels_last=x.ndim == 4)
        return ctx.xp.concatenate(arrays, axis=1, out=y)

    def split(self, dy: Array, ctx: Context, name: str) -> list[Array]:
        """Return the part of dE/dy that belongs to each array; of images, copies without gaps."""
        if self.kind == "add":
            return [dy for _ in self._parts]
        parts = [dy[:, part] for part in self._parts]
        if not self.copies:
            return parts
        copies = []
        for index, part in enumerate(parts):
            copy = ctx.buffer(f"{name} of {index}", part.shape, channels_last=True)
            copy[...] = part
            copies.append(copy)
        return copies


def add(arrays: Sequence[Array | None], ctx: Context, name: str) -> Array | None:
    """Return the sum of the arrays, in a buffer of that name; ``None`` means zero."""
    found = [array for array in arrays if array is not None]
    if len(found) < 2:
        return found[0] if found else None
    total = ctx.xp.add(found[0], found[1], out=ctx.buffer_like(name, found[0]))
    for array in found[2:]:
        total += array
    return total


class Parallel(Container):
    """Layers side by side: each branch computes from the same x, and their outputs are joined.

    Inception modules and the "expand" of a Fire module (Iandola et al. 2016, section 3.2) are
    such. Where x is a tuple, each branch has its own of it.

    Shapes: x (N, ...), or a tuple of such. Joined by ``"concatenate"``, the branches' outputs
    follow each other along axis 1 of y and agree in all others; by ``"add"`` they agree in all.

    Args:
        branches: layers, in a row or by names.
        join: ``"concatenate"`` (the default) or ``"add"``.
        names: of the branches, if they are in a row. Default their numbers.
    """

    argument = "branches"

    def __init__(
        self, branches: Layers, join: str = "concatenate", names: Sequence[str] | None = None
    ) -> None:
        super().__init__(branches, names)
        if not self.children:
            raise ValueError("Parallel needs at least one branch, got none")
        self.join = Join(join)
        self.note = f", {join}"

    def build(self, input_shape: Any) -> Shape:
        """Build the branches for the same input, or each for its own; join their outputs."""
        count = len(self.children)
        self._own_inputs = isinstance(input_shape[0], Sequence)
        inputs = input_shape if self._own_inputs else [input_shape] * count
        if len(inputs) != count:
            raise ValueError(f"Parallel has {count} branches, got {len(inputs)} inputs")
        outputs = [self.build_child(index, tuple(shape)) for index, shape in enumerate(inputs)]
        return self.join.build("Parallel", outputs)

    def plan(self, ctx: Context) -> None:
        """As the base; the pass keeps who computes each branch."""
        for part in ctx.parts:
            part.may_overwrite_gradient = self.join.copies
        super().plan(ctx)
        ctx.pairs = tuple(zip(self.children, ctx.parts, strict=True))

    def compute(self, x: Any, ctx: Context) -> Array:
        """Return the joined outputs of the branches."""
        branches = zip(ctx.pairs, self._inputs(x), strict=True)
        return self.join.join([layer.compute(x, part) for (layer, part), x in branches], ctx, "y")

    def backprop(self, dy: Array, ctx: Context) -> Any:
        """Return the sum of the branches' dE/dx, or a tuple of them."""
        branches = zip(ctx.pairs, self.join.split(dy, ctx, "dy"), strict=True)
        return self._sum([layer.backprop(dy, part) for (layer, part), dy in branches], ctx, "dx")

    def compute_tangent(self, x_dot: Any, ctx: Context) -> Array:
        """Return the joined derivatives of the branches."""
        branches = zip(self.children, self._inputs(x_dot), ctx.parts, strict=True)
        y_dots = [layer.compute_tangent(x_dot, part) for layer, x_dot, part in branches]
        return self.join.join(y_dots, ctx, "y_dot")

    def backprop_tangent(self, dy: Array | None, dy_dot: Array, ctx: Context) -> tuple[Any, Any]:
        """Return the sums of the branches' dE/dx and dE/dx_dot, or tuples of them."""
        count, split = len(self.children), self.join.split
        dys = [None] * count if dy is None else split(dy, ctx, "dy")
        branches = zip(self.children, dys, split(dy_dot, ctx, "dy_dot"), ctx.parts, strict=True)
        found = [layer.backprop_tangent(dy, dy_dot, part) for layer, dy, dy_dot, part in branches]
        dx, dx_dot = zip(*found, strict=True)
        return self._sum(dx, ctx, "dx"), self._sum(dx_dot, ctx, "dx_dot")

    def _inputs(self, x: Any) -> Sequence[Array]:
        return x if self._own_inputs else [x] * len(self.children)

    def _sum(self, arrays: Sequence[Array | None], ctx: Context, name: str) -> Any:
        if not ctx.input_gradient:
            return None
        return tuple(arrays) if self._own_inputs else add(arrays, ctx, name)


class Skip(Sequential):
    """Layers and a way past them: y = [x, f(x)], or y = x + f(x).

    Added, it is a residual block (He et al. 2016, section 3.1); concatenated, a skip connection
    of a U-Net (Ronneberger, Fischer, Brox 2015).

    Shapes: x and f(x) are joined as by :class:`Parallel`.

    Args:
        layers: f, in a row or by names.
        join: ``"concatenate"`` (the default) or ``"add"``.
        names: of the layers, if they are in a row. Default their numbers.
    """

    def __init__(
        self, layers: Layers, join: str = "concatenate", names: Sequence[str] | None = None
    ) -> None:
        super().__init__(layers, names)
        self.join = Join(join)
        self.note = f", {join}"

    def build(self, input_shape: Shape) -> Shape:
        """Build the layers in a row; join the input and their output."""
        return self.join.build("Skip", [input_shape, super().build(input_shape)])

    def plan(self, ctx: Context) -> None:
        """Ask for all of dE/dx where a part of it is wanted."""
        ctx.input_gradient = bool(ctx.input_gradient)
        super().plan(ctx)

    @property
    def output_activation(self) -> Layer | None:
        """``None``: the last layer's output is not the last of all."""
        return None

    def compute(self, x: Array, ctx: Context) -> Array:
        """Return x joined with f(x)."""
        return self.join.join([x, super().compute(x, ctx)], ctx, "y")

    def backprop(self, dy: Array, ctx: Context) -> Array:
        """Return the sum of dE/dx past f and through it."""
        past, through = self.join.split(dy, ctx, "dy")
        dx = super().backprop(through, ctx)
        return add([past, dx], ctx, "dx") if ctx.input_gradient else None

    def compute_tangent(self, x_dot: Array, ctx: Context) -> Array:
        """Return x_dot joined with f's derivative along it."""
        return self.join.join([x_dot, super().compute_tangent(x_dot, ctx)], ctx, "y_dot")

    def backprop_tangent(
        self, dy: Array | None, dy_dot: Array, ctx: Context
    ) -> tuple[Array | None, Array]:
        """Return the sums of the gradients past f and through it."""
        past, through = (None, None) if dy is None else self.join.split(dy, ctx, "dy")
        past_dot, through_dot = self.join.split(dy_dot, ctx, "dy_dot")
        dx, dx_dot = super().backprop_tangent(through, through_dot, ctx)
        if not ctx.input_gradient:
            return None, None
        return add([past, dx], ctx, "dx"), add([past_dot, dx_dot], ctx, "dx_dot")
