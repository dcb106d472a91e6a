"""The strict backend with recorded steps: as CUDA graphs do, a tape holds pointers and numbers.

What is recorded runs on the arrays of a NumPy array each, and what it has written is put back:
nothing is done while a step is recorded. A replay makes the same calls with the same arguments.
"""

from __future__ import annotations

import operator
from contextlib import contextmanager

import numpy as np
from strict_backend import Device, StrictArray, StrictBackend, execute

from salamandre.backend.repetition import Recording, RecordingBackend


def arrays_in(value):
    if isinstance(value, np.ndarray):
        return [value]
    return [a for v in value for a in arrays_in(v)] if isinstance(value, (list, tuple)) else []


def root(array):
    return array if array.base is None else root(array.base)


class TapeRecorder:
    @contextmanager
    def active(self):
        self.made, self.before, self.calls = {}, {}, []
        Device.execute, Device.may_be_read = self.execute, False
        try:
            yield
        finally:
            Device.execute, Device.may_be_read = staticmethod(execute), True
            for array, values in self.before.values():
                array[...] = values

    def begin(self):
        self.calls.clear()
        self.made.clear()

    def end(self):
        calls, made = tuple(self.calls), tuple(self.made.values())

        def work():
            for array in made:  # others had its memory before
                array.fill(-7 if array.dtype.kind in "fi" else 0)
            for function, args, kwargs in calls:
                function(*args, **kwargs)

        return work

    def copy(self, own, given):
        own.hidden[...] = getattr(given, "hidden", given)

    def execute(self, function, args, kwargs):
        written = args[0] if function is operator.setitem else kwargs.get("out")
        if written is not None:
            memory = root(written)
            if id(memory) not in self.made:  # which nobody looks at before a replay
                self.before.setdefault(id(memory), (memory, memory.copy()))
        result = function(*args, **kwargs)
        if written is not None:
            self.calls.append((function, args, kwargs))
        elif isinstance(result, (np.ndarray, np.generic)):
            given = arrays_in([*args, *kwargs.values()])
            if not any(np.may_share_memory(result, array) for array in given):
                result = np.asarray(result)
                self.made[id(result)] = result
                if "empty" in getattr(function, "__name__", ""):
                    result.fill(result.dtype.kind == "f")  # numbers that nothing objects to
                else:
                    self.calls.append((self.again, [result, function, args, kwargs], {}))
        return result

    @staticmethod
    def again(result, function, args, kwargs):
        result[...] = function(*args, **kwargs)


class TapeBackend(StrictBackend, RecordingBackend):
    name = "tape"

    def asarray(self, array, dtype=None):
        if self.recording is not None and not isinstance(array, StrictArray):
            raise RuntimeError("an array of the host cannot be part of a recorded step")
        return super().asarray(array, dtype)

    def recorder(self):
        return TapeRecorder()


def recordings(backend):
    """Return all recordings that a backend has."""
    steps = [step for named in backend._steps.values() for step in named.values()]
    return [r for step in steps for r in step._known.values() if isinstance(r, Recording)]
