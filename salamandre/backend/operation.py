"""What an operation is: one step of the mathematics, with all that runs it on the devices."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Protocol

Array = Any  # an array of the backend: numpy.ndarray, cupy.ndarray or one of your own
Pair = tuple[int, int]  # (vertical, horizontal)


class Runner(Protocol):
    """What runs operations: a backend."""

    def run(self, operation: Operation, arguments: tuple[Any, ...]) -> None:
        """Run the operation on arrays of this backend."""

    def in_slices(self, count: int, work: Callable[[slice], None]) -> None:
        """Call ``work`` on all of ``count`` numbers, or on slices of them at the same time."""


class Operation:
    """A function ``operation(backend, *arguments)`` that writes into arrays it is given.

    It is made by decorating its reference: a function ``reference(xp, *arguments)`` in plain array
    code, which every backend can run. :meth:`compiled` and :meth:`cuda` add what may replace it.
    The first argument is an array, numbers are Python floats, and sizes are tuples of ints.

    Attributes:
        name: that of the reference.
        reference: the plain array code.
        loop: the same as a loop over the elements for Numba, or ``None``.
        loop_in_place: see :meth:`Elementwise.in_place`, or ``None``.
        kernel: the same as CUDA code, the arguments of :meth:`cuda`, or ``None``.
        steps: the same by other operations, for a GPU, or ``None``.
        elementwise: whether all arrays have one shape, and their order does not matter.
        least: elements of the first array below which the reference is done before a loop is
            called.
    """

    elementwise = False
    least = 0

    def __init__(self, reference: Callable[..., None]) -> None:
        functools.update_wrapper(self, reference)
        self.name = reference.__name__
        self.reference = reference
        self.loop: Callable[..., None] | None = None
        self.loop_in_place: Callable[..., None] | None = None
        self.kernel: tuple[str, str, str, Callable[..., tuple[Any, ...]]] | None = None
        self.steps: Callable[..., None] | None = None

    def __call__(self, backend: Runner, *arguments: Any) -> None:
        """Run the operation."""
        backend.run(self, arguments)

    def compiled(self, loop: Callable[..., None]) -> Callable[..., None]:
        """Add a loop (a decorator); Numba compiles it when it is first used.

        It takes the arguments of the reference but ``xp``; its arrays are C-contiguous, or flat if
        the operation is elementwise. Plain functions that it calls are compiled into it.
        """
        self.loop = loop
        return loop

    def cuda(
        self,
        inputs: str,
        outputs: str,
        body: str,
        bind: Callable[..., tuple[Any, ...]] = lambda *arguments: arguments,
    ) -> None:
        """Add CUDA code that writes one element of the outputs.

        Every element gathers what belongs to it: nothing is added from two threads, so results do
        not depend on their order.

        Args:
            inputs: as of ``cupy.ElementwiseKernel``; ``raw`` arrays are read anywhere.
            outputs: as of ``cupy.ElementwiseKernel``; they may be read before they are written.
            body: the code; ``i`` is the index of the element.
            bind: turns the arguments of the operation into inputs and outputs.
        """
        self.kernel = inputs, outputs, body, bind

    def in_steps(self, steps: Callable[..., None]) -> Callable[..., None]:
        """Add what a GPU does by other operations (a decorator): ``steps(backend, *arguments)``."""
        self.steps = steps
        return steps

    @functools.cached_property
    def machine_code(self) -> Callable[..., None]:
        """The compiled loop; Numba is imported here."""
        from salamandre.backend.compilation import compiled

        assert self.loop is not None
        return compiled(self.loop)

    @functools.cached_property
    def code_in_place(self) -> Callable[..., None]:
        """The same of the loop in place."""
        from salamandre.backend.compilation import compiled

        assert self.loop_in_place is not None
        return compiled(self.loop_in_place)


class Elementwise(Operation):
    """An operation on arrays of one shape, element by element; the last argument is written."""

    elementwise = True
    least = 2**12

    def in_place(self, loop: Callable[..., None]) -> Callable[..., None]:
        """Add a loop for results that overwrite the first array, which it takes as the only one.

        Of two names of one memory the compiler cannot know that they are safe to vectorize.
        """
        self.loop_in_place = loop
        return loop


def in_order(arguments: Sequence[Any], is_array: Any, elementwise: bool) -> list[Any] | None:
    """Return the arguments with arrays as their elements follow each other in memory.

    Arrays of an elementwise operation become flat views, if they have one layout; numbers become
    those of the arrays' precision. ``None`` if the memory of an array has gaps, or another order.
    """
    first, axes = arguments[0], None
    number = first.dtype.type  # a Python float would make the loop's numbers float64
    if elementwise and not first.flags.c_contiguous:
        axes = sorted(range(first.ndim), key=first.strides.__getitem__, reverse=True)
    given = []
    for argument in arguments:
        if isinstance(argument, float):
            argument = number(argument)
        elif isinstance(argument, is_array):
            if axes:
                argument = argument.transpose(axes)
            if not argument.flags.c_contiguous:
                return None
            if elementwise:
                argument = argument.reshape(-1)
        given.append(argument)
    return given
