"""What a run of a study is: a function of options that returns numbers."""

from __future__ import annotations

import copy
import hashlib
import importlib
import inspect
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
from msgspec import Struct, defstruct
from msgspec.structs import asdict

from salamandre.checks import nearest

#: The bases with a name. They are found as a user's own are: this room knows none of them.
NAMED = {
    "train": "salamandre.cli.train_base:BASE",
    "classifier": "salamandre.studies.classifier:BASE",
    "game": "salamandre.studies.game:BASE",
    "autoencoder": "salamandre.studies.autoencoder:BASE",
}
#: Parameters of a function that are no options.
GIVEN = (FOLDER, REPORT) = ("folder", "report")
IMPORTING = threading.RLock()  # a worker may have several threads


@dataclass(frozen=True)
class Base:
    """A function of options that plays a run and returns its metrics.

    Args:
        function: keyword arguments in, a mapping of metrics out: numbers by name, or lists of
            them, the metric over the run, whose last one counts. A parameter ``folder`` gets the
            folder of the run, which may hold what a run that was killed has left. A parameter
            ``seed`` gets the seed. A parameter ``report`` gets a function that takes metrics while
            the run lasts, and ends it by an exception if the study prunes it.
        options: a struct with the types and defaults of its options.
        name: for messages.
        check: a function of the same options that raises ValueError for those that do not fit.
            Default: their types alone are checked.
    """

    function: Callable[..., Mapping[str, Any]]
    options: type[Struct]
    name: str
    check: Callable[..., object] | None = None

    @classmethod
    def of(
        cls,
        function: Callable[..., Any],
        check: Callable[..., object] | None = None,
        name: str | None = None,
    ) -> Base:
        """Return the base of a function; its parameters are the options.

        Args:
            function: see above.
            check: see above.
            name: default that of the function.

        Raises:
            ValueError: a parameter has no name.
        """
        whole = function
        while isinstance(whole, partial):
            whole = whole.func
        name = str(name or getattr(whole, "__name__", type(whole).__name__))
        try:
            signature = inspect.signature(function, eval_str=True)
        except NameError:  # a name that only a type checker imports
            signature = inspect.signature(function)
        fields: list[Any] = []
        for parameter in signature.parameters.values():
            if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                raise ValueError(
                    f"{name} has the parameter {parameter}: that of a study needs parameters with "
                    f"names, which are its options"
                )
            if parameter.name in GIVEN:
                continue
            kind = parameter.annotation
            if kind is parameter.empty or isinstance(kind, str):
                kind = Any
            usual = parameter.default
            if usual is parameter.empty:
                fields.append((parameter.name, kind))
            else:
                kind = kind | None if usual is None and kind is not Any else kind
                again = partial(copy.copy, usual)
                fields.append((parameter.name, kind, msgspec.field(default_factory=again)))
        return cls(function, defstruct("Options", fields, kw_only=True), name, check)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the options."""
        return self.options.__struct_fields__

    @property
    def seeded(self) -> bool:
        """Whether there is an option ``seed``."""
        return "seed" in self.names

    def converted(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return all options with values of their types; those not given have their default.

        Raises:
            ValueError: a value has the wrong type, or one is missing.
        """
        try:
            return asdict(msgspec.convert(options, self.options))
        except msgspec.ValidationError as error:
            text, _, place = str(error).partition(" - at `$")
            option = place.rstrip("`").lstrip(".")
            given = f" {options[option]!r}" if option in options else ""
            raise ValueError(
                f"{option}{given}{': ' if option else ''}{text[0].lower()}{text[1:]}"
            ) from None

    def different(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options that differ from their defaults."""
        defaults = {
            one.name: one.default_factory() if callable(one.default_factory) else one.default
            for one in msgspec.structs.fields(self.options)
        }
        return {name: value for name, value in options.items() if value != defaults[name]}

    @property
    def reports(self) -> bool:
        """Whether its runs report metrics while they last."""
        return REPORT in inspect.signature(self.function).parameters

    def __call__(
        self,
        folder: Path,
        options: Mapping[str, Any],
        report: Callable[[Mapping[str, float]], None],
    ) -> Mapping[str, Any]:
        """Play a run."""
        given = {FOLDER: folder, REPORT: report}
        taken = inspect.signature(self.function).parameters
        return self.function(**options, **{n: v for n, v in given.items() if n in taken})


def find_base(what: str | Base | Callable[..., Any], place: str = "") -> Base:
    """Return the base of a name or a function.

    Args:
        what: ``"train"``: what ``salamandre train`` does, games with conditions; ``"game"``,
            ``"classifier"``, ``"autoencoder"``: see the modules of these names in
            ``salamandre.studies``; ``"package.module:function"`` or ``"file.py:function"``, a
            function (or a :class:`Base`) of your own; or that itself.
        place: the folder where modules are looked for first, and that paths start from. Default:
            the current one.

    Raises:
        ValueError: there is no such module or function.
    """
    if isinstance(what, Base):
        return what
    if not isinstance(what, str):
        return Base.of(what)
    module, colon, name = NAMED.get(what, what).rpartition(":")
    if not colon:
        raise ValueError(
            f"unknown base {what!r}{nearest(what, NAMED)} (known: {', '.join(NAMED)}, or "
            f"package.module:function or file.py:function)"
        )
    folder = Path(place or ".").resolve()
    if module.endswith(".py"):
        file = folder / module
        if not file.is_file():
            raise ValueError(f"the base {what} is not there: there is no file {file}")
        folder = file.resolve().parent
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        held = (
            _held_by(file.resolve()) if module.endswith(".py") else importlib.import_module(module)
        )
    except ModuleNotFoundError as error:
        raise ValueError(f"the base {what} cannot be imported: {error}") from None
    if not hasattr(held, name):
        raise ValueError(f"the base {what} is not there: {module} has no {name}")
    found = getattr(held, name)
    if not isinstance(found, Base) and not inspect.isroutine(found):
        raise ValueError(f"the base {what} must be a function, got {found!r}")
    return found if isinstance(found, Base) else Base.of(found)


def _held_by(file: Path) -> ModuleType:
    """Import a file: by its name, or by one of its own where another module has that name."""
    importlib.invalidate_caches()  # the file may be new
    with IMPORTING:
        if file.stem.isidentifier() and _found_as(file.stem) == file:
            return importlib.import_module(file.stem)
        name = f"{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
        if name not in sys.modules:
            spec = spec_from_file_location(name, file)
            assert spec is not None and spec.loader is not None  # as of any file that ends in .py
            sys.modules[name] = module_from_spec(spec)
            try:
                spec.loader.exec_module(sys.modules[name])
            except BaseException:
                del sys.modules[name]
                raise
        return sys.modules[name]


def _found_as(name: str) -> Path | None:
    """Return the file of the module that is imported by a name."""
    known = sys.modules.get(name)
    spec = find_spec(name) if known is None else None
    path = getattr(known, "__file__", None) or (spec and spec.origin)
    return Path(path).resolve() if path else None
