"""Array backends by name: ``numpy`` (the default), ``cupy``, and those that users register."""

from salamandre.backend.base import Array, Backend, RandomStream, get_backend, register_backend
from salamandre.backend.cpu import NumpyBackend

__all__ = ["Array", "Backend", "RandomStream", "get_backend", "register_backend"]


def _cupy() -> Backend:
    from salamandre.backend.cuda import CupyBackend  # not imported with the library

    return CupyBackend()


register_backend("numpy", NumpyBackend)
register_backend("cupy", _cupy)
