"""Array backends by name: ``numpy`` (the default), ``cupy``, and those that users register."""

from __future__ import annotations

import os
from collections.abc import Callable

from salamandre.backend.base import Array, Backend, RandomStream
from salamandre.backend.cpu import NumpyBackend
from salamandre.backend.cuda import CupyBackend
from salamandre.checks import one_of

__all__ = ["Array", "Backend", "RandomStream", "get_backend", "register_backend"]

_makers: dict[str, Callable[[], Backend]] = {"numpy": NumpyBackend, "cupy": CupyBackend}
_made: dict[str, Backend] = {}


def register_backend(name: str, make: Callable[[], Backend]) -> None:
    """Make a backend known by ``name``; ``make()`` is called when it is first asked for."""
    _makers[name] = make
    _made.pop(name, None)


def get_backend(backend: str | Backend | None = None) -> Backend:
    """Return a backend by name.

    Args:
        backend: a name, a :class:`Backend` (returned as it is), or ``None`` for the one that the
            environment variable ``SALAMANDRE_BACKEND`` names, ``numpy`` if it is not set.

    Raises:
        ValueError: an unknown name.
        RuntimeError: ``cupy`` where CuPy or a GPU is missing; the message says how to install it.
    """
    if isinstance(backend, Backend):
        return backend
    name = backend or os.environ.get("SALAMANDRE_BACKEND") or "numpy"
    one_of("backend", name, _makers)
    if name not in _made:
        _made[name] = _makers[name]()
    return _made[name]
