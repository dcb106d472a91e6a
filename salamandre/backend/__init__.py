"""Array backends by name: ``numpy`` (the default), ``cupy``, and those that users register."""

from salamandre.backend.base import (
    Array as Array,
    Backend as Backend,
    RandomStream as RandomStream,
    get_backend as get_backend,
    register_backend as register_backend,
)
from salamandre.backend.cpu import NumpyBackend


def _cupy() -> Backend:
    from salamandre.backend.cuda import CupyBackend  # not imported with the library

    return CupyBackend()


register_backend("numpy", NumpyBackend)
register_backend("cupy", _cupy)
