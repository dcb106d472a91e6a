"""Methods of a class that stand in a room after its own, which is imported when they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Later:
    """A method that is a function of a later room; its first argument is the object.

    The face of the package gives it to a class: the class's own room knows no later ones.

    Args:
        room: such as ``"salamandre.training"``.
        name: of the function.
    """

    def __init__(self, room: str, name: str) -> None:
        self._room, self._name = room, name

    def __get__(self, owner: Any, cls: type | None = None) -> Any:
        """Return the function, bound to an object."""
        function = getattr(import_module(self._room), self._name)
        return function if owner is None else function.__get__(owner, cls)
