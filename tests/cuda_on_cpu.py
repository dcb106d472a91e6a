"""CUDA code on a CPU: in a loop of C++, compiled by the machine's compiler.

What stands in for ``cupy.ElementwiseKernel`` follows its documentation: type placeholders, ``raw``
arrays, broadcasting, ``i`` and outputs that may be read. What CuPy's own compiler says, only a GPU
can tell; what NVIDIA's says, :func:`translate` asks it where it is installed.
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
NVCC = shutil.which("nvcc")
C_TYPES = {"float32": "float", "float64": "double", "uint8": "unsigned char", "int32": "int"}
C_TYPES |= {"uint64": "unsigned long long", "int64": "long long"}
NUMBERS = {"float": ctypes.c_float, "double": ctypes.c_double, "int": ctypes.c_int}


@functools.cache
def folder():
    return tempfile.TemporaryDirectory()


@functools.cache
def library(text):
    name = hashlib.md5(text.encode()).hexdigest()
    source, built = (Path(folder().name) / f"{name}{ending}" for ending in (".cpp", ".so"))
    source.write_text("#include <cmath>\n#include <cstddef>\nusing namespace std;\n" + text)
    subprocess.run([COMPILER, "-O1", "-shared", "-fPIC", source, "-o", built], check=True)
    return ctypes.CDLL(str(built)).run


def translate(kernels):
    """Compile kernels, each with the types that it was last called with, for a GPU."""
    thread = "const ptrdiff_t i = blockIdx.x * ptrdiff_t(blockDim.x) + threadIdx.x; if (i < size)"
    texts = [kernel.text("__global__", thread) for kernel in kernels]
    source = Path(folder().name) / "kernels.cu"
    source.write_text("\n".join(f"namespace k{n} {{ {text} }}" for n, text in enumerate(texts)))
    command = [NVCC, "-arch=sm_75", "-cubin", "-Werror=all-warnings", "-diag-suppress=177"]
    subprocess.run([*command, source, "-o", source.with_suffix(".cubin")], check=True)


class ElementwiseKernel:
    def __init__(self, inputs, outputs, body, name):
        assert name.isidentifier()
        given, written = ([p.split() for p in text.split(",")] for text in (inputs, outputs))
        self.parameters, self.outputs, self.body = [*given, *written], len(written), body

    def text(self, head, loop):
        """Return the function ``run`` with the types of the latest call."""
        taken, elements = ["ptrdiff_t size"], []
        for k, (*raw, kind, name) in enumerate(self.parameters):
            kind = self.types.get(kind, "int")
            if k < len(self.parameters) - self.outputs:
                kind = f"const {kind}"
            if name in self.arrays and not raw:
                elements.append(f"{kind}& {name} = {name}_all[i];")
                name += "_all"
            taken.append(f"{kind}{'*' if name.removesuffix('_all') in self.arrays else ''} {name}")
        typedefs = "".join(f"typedef {c_type} {kind};" for kind, c_type in self.types.items())
        body = f"{loop} {{ {' '.join(elements)} {{ {self.body} }} }}"
        return f"{typedefs} {head} void run({', '.join(taken)}) {{ {body} }}"

    def __call__(self, *arguments):
        shape, given, self.types, self.arrays = arguments[-1].shape, [], {}, set()
        for (*raw, kind, name), value in zip(self.parameters, arguments, strict=True):
            if isinstance(value, np.ndarray):
                c_type = C_TYPES[value.dtype.name]
                assert self.types.setdefault(kind, c_type) == c_type
                self.arrays.add(name)
                given.append(np.array(value if raw else np.broadcast_to(value, shape), order="C"))
            else:
                given.append(NUMBERS[self.types.get(kind, "int")](value))
        run = library(self.text('extern "C"', "for (ptrdiff_t i = 0; i < size; ++i)"))
        pointers = (
            v.ctypes.data_as(ctypes.c_void_p) if isinstance(v, np.ndarray) else v for v in given
        )
        run(ctypes.c_ssize_t(arguments[-1].size), *pointers)
        for out, value in zip(arguments[-self.outputs :], given[-self.outputs :], strict=True):
            out[...] = value


class _Cupy:
    ElementwiseKernel = ElementwiseKernel

    def __getattr__(self, name):
        return getattr(np, name)


class CudaOnCpu(CupyBackend):
    """The CuPy backend with NumPy's arrays."""

    def __init__(self):
        self.xp, self._kernels = _Cupy(), {}
        self.graphs = False

    def to_numpy(self, array):
        return array
