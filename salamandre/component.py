"""What every named part of a network has in common: a configuration that can be written down.

A component's constructor arguments are its configuration. They are noted when it is made, so that
:func:`encode` can write it down and :func:`decode` can build an equal one from plain JSON values.
Classes are looked up by name in a registry that only class definitions fill: nothing read from a
file is ever executed.
"""

from __future__ import annotations

import functools
import inspect
import textwrap
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from salamandre.checks import nearest
from salamandre.told import refuse_unknown

if TYPE_CHECKING:
    from typing_extensions import Self  # every type checker has it


class Component:
    """Base of layers, activations, losses, initializers, optimizers and schedules.

    Attributes:
        kind: the family that a class is looked up in, such as ``"layers"``.
        renamed: the present names of arguments that had other ones in earlier versions.
        required: the methods that a class derived from a base must define, each with the method
            of the base that calls it, without which it is not needed (``""``: others call it;
            ``None``: it may be missing, but not take other arguments).
        sets: the attribute by which one sees that the constructor of the base was called.
        changes: how often an attribute was changed, of any component that works on arrays.
    """

    kind: ClassVar[str] = "components"
    renamed: ClassVar[dict[str, str]] = {}
    required: ClassVar[dict[str, str | None]] = {}
    sets: ClassVar[str] = ""
    changes: ClassVar[int] = 0
    _classes: ClassVar[dict[str, type[Component]]] = {}
    _arguments: dict[str, Any]

    def __init_subclass__(cls, abstract: bool = False, **kwargs: Any) -> None:
        """Note the class by its name; an ``abstract`` one, a base of others, is in no file."""
        super().__init_subclass__(**kwargs)
        if abstract:
            return
        name = f"{cls.kind}.{cls.__name__}"
        known = Component._classes.get(name)
        if known is not None and known.__module__ != cls.__module__:
            raise TypeError(
                f"{known.__module__} has a {cls.__name__!r} among the {cls.kind} already; saved "
                f"networks refer to components by name, so choose another one"
            )
        Component._classes[name] = cls

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Note the constructor arguments; a wrong call is left to ``__init__`` to refuse."""
        component = super().__new__(cls)
        signature = cls._signature()
        try:
            bound = signature.bind_partial(*args, **kwargs)
        except TypeError:
            refuse_unknown(cls, signature.parameters, kwargs, len(args))
            return component
        bound.apply_defaults()
        component._arguments = bound.arguments
        for name, parameter in signature.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                component._arguments |= component._arguments.pop(name)
        return component

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute. Recorded steps hold the values of before: they are recorded anew."""
        if self.__dict__.get(name, self) is not value:
            Component.changes += 1
        object.__setattr__(self, name, value)

    @property
    def repeats(self) -> bool:
        """Whether it launches the same work each time, so that steps with it can be recorded.

        That is known of this package's classes. One of your own may say so: ``repeats = True``.
        """
        return is_ours(type(self))

    @classmethod
    @functools.cache
    def _signature(cls) -> inspect.Signature:
        """Return the signature of the constructor, without ``self``."""
        if cls.__init__ is object.__init__:
            return inspect.Signature()
        signature = inspect.signature(cls.__init__)
        return signature.replace(parameters=list(signature.parameters.values())[1:])

    def config(self) -> dict[str, Any]:
        """Return the constructor arguments by name, defaults included."""
        return dict(self._arguments)

    def checked_config(self) -> dict[str, Any]:
        """Return :meth:`config`, if an equal component can be made of it.

        Raises:
            TypeError: it lacks an argument, or has one that the constructor does not know.
        """
        config, name = self.config(), type(self).__name__
        try:
            self._signature().bind(**config)
        except TypeError as error:
            raise TypeError(
                f"{name}.config() must return the arguments that make an equal {name}, by their "
                f"names, got {config}: {error}"
            ) from None
        return config

    def __repr__(self) -> str:
        known = self._signature().parameters
        shown = [
            f"{name}={value!r}"
            for name, value in self._arguments.items()
            if name not in known or value != known[name].default
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


def is_ours(thing: Any) -> bool:
    """Return whether a class or a function is one of this package."""
    return bool(thing.__module__.partition(".")[0] == "salamandre")


def encode(value: Any) -> Any:
    """Return ``value`` (components, sequences, plain values) as values that JSON can hold."""
    if isinstance(value, Component):
        arguments = {name: encode(argument) for name, argument in value.checked_config().items()}
        return {"class": f"{value.kind}.{type(value).__name__}", **arguments}
    if isinstance(value, (list, tuple, range)):
        return [encode(item) for item in value]
    if isinstance(value, np.ndarray):
        return encode(value.tolist())
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(
        f"a component argument of type {type(value).__name__} cannot be saved; "
        f"use numbers, strings, lists or other components"
    )


def difference(found: Any, wanted: Any, path: str = "") -> str:
    """Return the first difference of two encoded values in words; "" if they are equal.

    What one of them lacks, as files of earlier versions do, has its default: the constructor's,
    otherwise whatever is false.

    Such as ``"generator.optimizer.learning_rate is 0.1, here it is 0.2"``.
    """
    pairs: list[tuple[str, Any, Any]] = []
    if isinstance(found, dict) and isinstance(wanted, dict):
        if found.get("class") != wanted.get("class"):
            return difference(found.get("class"), wanted.get("class"), path)
        known = Component._classes.get(wanted.get("class") or "")
        renamed = known.renamed if known else {}
        parameters = known._signature().parameters.values() if known else ()
        defaults = {p.name: encode(p.default) for p in parameters if p.default is not p.empty}
        found = {**defaults, **{renamed.get(name, name): value for name, value in found.items()}}
        wanted = {**defaults, **wanted}
        for name in {**wanted, **found}:
            pair = (found.get(name), wanted.get(name))
            if any(pair) or (name in found and name in wanted):
                pairs.append((f"{path}.{name}", *pair))
    elif isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        pairs = [(f"{path}[{i}]", a, b) for i, (a, b) in enumerate(zip(found, wanted, strict=True))]
    elif found != wanted:
        shown = [textwrap.shorten(str(value), 60, placeholder="...") for value in (found, wanted)]
        return f"{path.lstrip('.')} is {shown[0]}, here it is {shown[1]}"
    return next(filter(None, (difference(a, b, where) for where, a, b in pairs)), "")


def decode(value: Any) -> Any:
    """Build again what :func:`encode` wrote down; the inverse of it.

    Raises:
        ValueError: an unknown class name (the nearest known one is named) or wrong arguments.
    """
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    name = value.get("class")
    if not isinstance(name, str) or name not in Component._classes:
        raise ValueError(
            f"unknown component {name!r}{nearest(name, Component._classes)}; if it is your own "
            f"class, import the module that defines it first"
        )
    cls = Component._classes[name]
    arguments: dict[str, Any] = {
        cls.renamed.get(str(k), str(k)): decode(v) for k, v in value.items() if k != "class"
    }
    try:
        return cls(**arguments)
    except TypeError as error:
        raise ValueError(f"wrong arguments for {name}: {error}") from None
