"""The CUDA kernels on a CPU: their text in a loop of C++, compiled by the machine's compiler.

What stands in for ``cupy.ElementwiseKernel`` follows its documentation: type placeholders, ``raw``
arrays, broadcasting, ``i`` and outputs that may be read. What CuPy's own compiler says, only a GPU
can tell.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from salamandre.backend.cuda import CupyBackend

COMPILER = shutil.which("g++") or shutil.which("clang++")
C_TYPES = {"float32": "float", "float64": "double", "uint8": "unsigned char", "int32": "int"}


@functools.cache
def folder():
    return tempfile.TemporaryDirectory()


@functools.cache
def library(text):
    name = hashlib.md5(text.encode()).hexdigest()
    source, built = (Path(folder().name) / f"{name}{ending}" for ending in (".cpp", ".so"))
    source.write_text(text)
    subprocess.run([COMPILER, "-O1", "-shared", "-fPIC", source, "-o", built], check=True)
    return ctypes.CDLL(str(built)).run


class ElementwiseKernel:
    def __init__(self, inputs, outputs, body, name):
        self.inputs, self.outputs = (
            [p.split() for p in text.split(",")] for text in (inputs, outputs)
        )
        self.body = body

    def __call__(self, *arguments):
        count = len(self.inputs)
        assert len(arguments) == count + len(self.outputs)
        outputs = arguments[count:]
        kinds = {}
        for (*_, kind, _), value in zip([*self.inputs, *self.outputs], arguments, strict=True):
            if isinstance(value, np.ndarray):
                assert (
                    kinds.setdefault(kind, C_TYPES[value.dtype.name]) == C_TYPES[value.dtype.name]
                )
        taken, names, declared, keep = [], [], [], []
        for (*raw, kind, name), value in zip(self.inputs, arguments, strict=False):
            if isinstance(value, np.ndarray):
                array = value if raw else np.broadcast_to(value, outputs[0].shape)
                array = np.array(array, order="C")
                keep.append(array)
                taken.append(f"const {kinds[kind]}* {name}{'' if raw else '_all'}")
                names.append(array.ctypes.data_as(ctypes.c_void_p))
                if not raw:
                    declared.append(f"const {kinds[kind]}& {name} = {name}_all[i];")
            else:
                kind = kinds.get(kind, "int")
                taken.append(f"{kind} {name}")
                names.append(
                    {"int": ctypes.c_int, "float": ctypes.c_float}.get(kind, ctypes.c_double)(value)
                )
        written = [np.array(out, order="C") for out in outputs]
        for (kind, name), array in zip(self.outputs, written, strict=True):
            taken.append(f"{kinds[kind]}* {name}_all")
            names.append(array.ctypes.data_as(ctypes.c_void_p))
            declared.append(f"{kinds[kind]}& {name} = {name}_all[i];")
        types = "".join(f"typedef {c} {kind};" for kind, c in kinds.items())
        library(
            "#include <cmath>\n#include <cstddef>\nusing namespace std;\n"
            + types
            + f'extern "C" void run(ptrdiff_t size, {", ".join(taken)}) {{'
            f"for (ptrdiff_t i = 0; i < size; ++i) {{ {' '.join(declared)} {{ {self.body} }} }} }}"
        )(ctypes.c_ssize_t(written[0].size), *names)
        for out, array in zip(outputs, written, strict=True):
            out[...] = array


class _Cupy:
    ElementwiseKernel = ElementwiseKernel

    def __getattr__(self, name):
        return getattr(np, name)


class CudaOnCpu(CupyBackend):
    """The CuPy backend with NumPy's arrays."""

    def __init__(self):
        self.xp, self._kernels = _Cupy(), {}

    def to_numpy(self, array):
        return array
