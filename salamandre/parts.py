"""What a part of a user's own must be like; each check raises one sentence that says the cure."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from salamandre.checks import nearest, shortened
from salamandre.component import Component
from salamandre.other_names import ALIASES
from salamandre.told import instead, plain

MOST = 15  # names in a message


def checked_part(what: str, value: Any, base: type[Component]) -> Any:
    """Return ``value`` if it is a component of that base whose class is complete.

    A name, such as ``"relu"`` or ``"mse"``, becomes an object with the defaults of its class.

    Raises:
        TypeError: something else, such as a class, an unknown name or a function; or a class that
            lacks a method, takes other arguments, or does not call ``super().__init__()``.
    """
    if isinstance(value, str):
        cls = _named(value, base)
        if cls is not None and not _needed(cls):
            value = cls()
    if not isinstance(value, base):
        got = f"{shortened(repr(value))}{_cure(value, base)}"
        raise TypeError(f"{what} must be a {_public(base)}, got {got}")
    cls = type(value)
    check_methods(cls)  # type: ignore[arg-type]  # the hash of its objects is not meant
    if cls.sets and not hasattr(value, cls.sets):
        raise TypeError(
            f"{cls.__name__}.__init__ must begin with super().__init__(...): the base has "
            f"attributes to set"
        )
    return value


def given_part(owner: Component, argument: str, given: Any, base: type[Component]) -> Any:
    """Return :func:`checked_part` of a constructor's argument; it is noted as that object.

    So a network of ``"relu"`` is one of ``ReLU()`` in files and comparisons.
    """
    part = checked_part(f"{type(owner).__name__} {argument}", given, base)
    if owner._arguments.get(argument, owner) is given:
        owner._arguments[argument] = part
    return part


def _public(base: type[Component]) -> str:
    """Return the name that users know a base by."""
    room = f"{base.kind}." if base.kind in ("initializers", "schedules") else ""
    return f"salamandre.{room}{base.__name__}"


def _cure(value: Any, base: type[Component]) -> str:
    """Return what to write instead of a wrong value, if that is known."""
    if isinstance(value, type) and issubclass(value, base):
        return f", a class: make an object of it, {call(value)}"
    if isinstance(value, str):
        if named := _named(value, base):
            return f": give an object, {call(named)}"
        known = [name for name, cls in _classes(base).items() if not _needed(cls)]
        names = f", or one of {', '.join(known)}" if len(known) <= MOST else ""
        return nearest(plain(value), known) or f": give an object{names}"
    if base.__name__ == "Activation" and isinstance(value, int):
        return ": a layer is given its outputs alone, its inputs follow from the input_shape"
    if base.__name__ == "Latent" and isinstance(value, int):
        return f": give an object, Gaussian({value})"
    other = getattr(value, "__name__", type(value).__name__)  # such as that of torch.relu
    if not isinstance(value, Component) and (named := _named(other, base)):
        return f": give one of this package, {call(named)}"
    if callable(value) and not isinstance(value, (type, Component)):
        methods = [_asked(owner, name) for owner, name in _missing(base)]
        return f": write a class derived from {base.__name__} with {' and '.join(methods)}"
    return ""


def _classes(base: type[Component]) -> dict[str, type[Component]]:
    """Return the classes of a base by their names."""
    return {cls.__name__: cls for cls in Component._classes.values() if issubclass(cls, base)}


def _named(name: str, base: type[Component]) -> type[Component] | None:
    """Return the class that a name of ours or of other libraries means, ``None`` if none."""
    classes = {plain(cls): found for cls, found in _classes(base).items()}
    wanted = ALIASES.get(base.__name__, {}).get(plain(name), name)
    return classes.get(plain(wanted))


def _needed(cls: type[Component]) -> list[str]:
    """Return the constructor's arguments that have no default."""
    parameters = cls._signature().parameters.values()
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in variable]


def call(cls: type[Component]) -> str:
    """Return how an object of a class is made, with the arguments that have no default."""
    return f"{cls.__name__}({', '.join(_needed(cls))})"


def missing(module: str, name: str, names: Collection[str]) -> AttributeError:
    """Return the error of a name that a module has not; it says what that is called here.

    Args:
        module: its name.
        name: that it has not.
        names: that it has, of which the nearest one may be meant.
    """
    told = ""
    if not name.startswith("_"):
        calls = {cls.__name__: call(cls) for cls in Component._classes.values()}
        told = instead(name, calls, [known for known in names if not known.startswith("_")])
    return AttributeError(f"module {module!r} has no attribute {name!r}{told}")


def _required(cls: type) -> Iterator[tuple[Any, str]]:
    """Yield the methods that are called of a class, each after the base that asks for it."""
    for owner in cls.__mro__:
        for name, caller in vars(owner).get("required", {}).items():
            if not caller or getattr(cls, caller) is getattr(owner, caller):
                yield owner, name


def _missing(cls: type) -> Iterator[tuple[Any, str]]:
    """Yield those that it must have and has not defined."""
    for owner, name in _required(cls):
        own = inspect.getattr_static(cls, name) is not vars(owner)[name]
        if not own and owner.required[name] is not None:
            yield owner, name


def _asked(owner: type, name: str) -> str:
    """Return a method with the arguments that it must take, without ``self``."""
    return f"{name}({', '.join(p.name for p in _given(owner, name) if p.name != 'self')})"


def _given(owner: type, name: str) -> list[inspect.Parameter]:
    """Return the arguments that a method is always given; it may take others with a default."""
    parameters = inspect.signature(getattr(owner, name)).parameters.values()
    return [p for p in parameters if p.default is p.empty]


@functools.cache
def check_methods(cls: type) -> None:
    """Check that a class has the methods that its bases call, and that they take the arguments.

    Raises:
        TypeError: one is not there, or takes others.
    """
    for owner, name in _missing(cls):
        raise TypeError(
            f"{cls.__name__} must have a method {_asked(owner, name)}, as every {owner.__name__}"
        )
    for owner, name in _required(cls):
        static = isinstance(inspect.getattr_static(owner, name), staticmethod)
        if static and not isinstance(inspect.getattr_static(cls, name), staticmethod):
            raise TypeError(f"{cls.__name__}.{name} must be a @staticmethod")
        given = _given(owner, name)
        fixed = all(p.kind is p.POSITIONAL_OR_KEYWORD for p in given)
        if fixed and not takes(getattr(cls, name), len(given)):
            taken = inspect.signature(getattr(cls, name)).parameters.values()
            arguments = ", ".join(str(p.replace(annotation=p.empty)) for p in taken)
            raise TypeError(
                f"{cls.__name__} must have the method {_asked(owner, name)}, got "
                f"{name}({arguments.removeprefix('self').removeprefix(', ')})"
            )


def takes(method: Any, count: int) -> bool:
    """Return whether a function can be called with so many arguments, as far as it tells."""
    try:
        inspect.signature(method).bind(*range(count))
    except ValueError:  # a compiled function may not tell
        return True
    except TypeError:
        return False
    return True


def held(component: Component, base: type) -> Iterator[tuple[str, Any]]:
    """Yield the objects of a base that a component holds in attributes, by their names."""
    for name, value in vars(component).items():
        if name == "_arguments":
            continue
        inside = value.values() if isinstance(value, Mapping) else value
        for item in inside if isinstance(value, (list, tuple, Mapping)) else [value]:
            if isinstance(item, base):
                yield name, item
