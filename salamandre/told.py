"""Messages that say what a name of another library is called here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, ClassVar

from salamandre.checks import nearest
from salamandre.other_names import ABSENT, ALIASES, ARGUMENTS, INSTEAD, WITHOUT


def plain(name: str) -> str:
    """Return a name in small letters and digits alone: ``LeakyReLU`` is ``leaky_relu``."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def argument(name: str, known: Iterable[str]) -> str:
    """Return what an argument that is not known is called here, or what to do instead, or ""."""
    known = list(known)
    for ours in ARGUMENTS.get(name, ()):
        if ours in known:
            return f", which is called {ours!r} here"
    if name in WITHOUT:
        return f": {WITHOUT[name]}"
    return nearest(name, known)


def instead(name: str, classes: Mapping[str, str], names: Iterable[str]) -> str:
    """Return what to write for a name of other libraries, the end of a sentence; or "".

    Args:
        name: that this library has not.
        classes: how an object of each of our classes is made, by the classes' names.
        names: all that it has, of which the nearest one may be meant.
    """
    wanted = plain(name)
    if wanted in ABSENT:
        return ": there is no such part; one of your own is a short class, see docs/own-layers.md"
    for ours, call in classes.items():
        if plain(ours) == wanted:
            return f": here it is {call}"
    for aliases in ALIASES.values():
        if aliases.get(wanted) in classes and wanted not in INSTEAD:
            return f": here it is {classes[aliases[wanted]]}"
    if wanted in INSTEAD:
        return f": here it is {INSTEAD[wanted]}"
    return nearest(name, names)


def refuse_unknown(
    cls: type, parameters: Mapping[str, Parameter], given: Iterable[str], count: int = 0
) -> None:
    """Raise TypeError for arguments that a class's constructor does not take.

    Args:
        cls: the class.
        parameters: of its constructor, without ``self``.
        given: the arguments' names.
        count: how many are given without a name. Default none.
    """
    kinds = [parameter.kind for parameter in parameters.values()]
    names = [n for n, p in parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    known = f"(arguments: {', '.join(names) or 'none'})"
    for name in () if Parameter.VAR_KEYWORD in kinds else given:
        if name not in parameters:
            raise TypeError(
                f"{cls.__name__} has no argument {name!r}{argument(name, parameters)} {known}"
            )
    in_order = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    most = sum(kind in in_order for kind in kinds)
    if count > most and Parameter.VAR_POSITIONAL not in kinds:
        named = " without its name" if most < len(kinds) else ""
        taken = f"{most or 'no'} argument{'s' * (most != 1)}{named}"
        raise TypeError(f"{cls.__name__} takes {taken}, got {count} {known}")


class Told:
    """Base of objects that say what arguments and methods of other libraries are called here.

    Attributes:
        ways: what to do instead, by the names of methods and attributes that there are not.
    """

    ways: ClassVar[Mapping[str, str]] = {}

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Refuse arguments that the constructor does not take."""
        if args or kwargs:
            refuse_unknown(cls, cls._parameters(), kwargs, len(args))
        return super().__new__(cls)

    @classmethod
    @cache
    def _parameters(cls) -> dict[str, Parameter]:
        return dict(list(signature(cls.__init__).parameters.items())[1:])

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Refuse a missing attribute; this is only called for such."""
            way = type(self).ways.get(name)
            if way is None:
                return object.__getattribute__(self, name)  # raises what it raised
            raise AttributeError(f"{type(self).__name__} has no {name}: {way}", name=name, obj=self)
