"""Array backends by name: ``numpy`` (the default), ``cupy``, and those that users register."""

from salamandre.backend.base import Array, Backend, RandomStream, get_backend, register_backend
from salamandre.backend.cpu import NumpyBackend
from salamandre.backend.cuda import CupyBackend

__all__ = ["Array", "Backend", "RandomStream", "get_backend", "register_backend"]

register_backend("numpy", NumpyBackend)
register_backend("cupy", CupyBackend)
