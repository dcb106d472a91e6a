"""Values of options in ``settings.json``: written as JSON, and read back by their parser."""

from __future__ import annotations

import argparse
import copy
import math
from collections.abc import Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import defstruct

from salamandre.program import WrongUsage
from salamandre.runs.settings import FILE

if TYPE_CHECKING:
    from salamandre.runs.run import Run

PLAIN = (str, int, float, bool)


class AtLeast:
    """The type of an option whose values are whole numbers of at least ``least``."""

    def __init__(self, least: int) -> None:
        self.least = least

    def __call__(self, text: str) -> int:
        """Return the number of a text."""
        try:
            number = int(text)
        except ValueError:
            number = self.least - 1
        if number < self.least:
            wanted = f"must be a whole number of at least {self.least}, got {text!r}"
            raise argparse.ArgumentTypeError(wanted)
        return number


def renamed(parser: argparse.ArgumentParser, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of a run under the present names; see :func:`earlier_names`."""
    present = {
        name.lstrip(parser.prefix_chars).replace("-", "_"): action.dest
        for action in parser._actions
        if action.help == action.default == argparse.SUPPRESS
        for name in action.option_strings
    }
    kept = {name: value for name, value in options.items() if name not in present}
    for name, value in options.items():
        if name in present and (value is not None or present[name] not in kept):
            kept[present[name]] = value
    return kept


def checked_options(
    run: Run, parser: argparse.ArgumentParser, without: Collection[str]
) -> dict[str, Any]:
    """Return the options of a run as its parser would; missing ones get their default.

    Raises:
        ValueError: an option is unknown, or its value does not fit.
    """
    actions = {
        action.dest: action
        for action in parser._actions
        if action.default != argparse.SUPPRESS and action.dest not in without
    }
    fields: list[tuple[str, Any, Any]] = [
        (name, Any, value)
        for name, value in parser._defaults.items()
        if name not in (*without, *actions)
    ]
    for name, action in actions.items():
        usual = msgspec.field(default_factory=partial(copy.copy, action.default))
        fields.append((name, _kind(action) | None, usual))
    run.check_options(defstruct("Options", fields))
    options = run.options
    for name, action in actions.items():
        try:
            options[name] = _restored(action, options[name])
        except Exception as error:  # of the program's own type
            raise ValueError(f"{run.folder / FILE} is damaged at options.{name}: {error}") from None
    return options


def require_plain(parser: argparse.ArgumentParser) -> None:
    """Refuse a parser whose options cannot be kept, before it parses.

    Raises:
        ValueError: it has sub-commands, or opens files.
    """
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            raise ValueError("a program with run folders cannot have sub-commands: give it options")
        if isinstance(action.type, argparse.FileType):
            raise ValueError(f"{_named(action)} opens a file: let it take a path, with type=Path")
        if action.dest == "program":
            raise ValueError("an option of a program with run folders cannot be called program")


def require_keepable(parser: argparse.ArgumentParser, options: Mapping[str, Any]) -> None:
    """Refuse values that would not come back from ``settings.json``.

    Raises:
        WrongUsage: a number is infinite or NaN.
        ValueError: the type is at fault; the first such option is named.
    """
    for action in parser._actions:
        if action.dest not in options:
            continue
        value = options[action.dest]
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(one, float) and not math.isfinite(one):
                raise WrongUsage(f"{_named(action)} must be finite, got {one}")
        try:
            again = _restored(action, msgspec.json.decode(_json(value)))
            kept = _json(again) == _json(value) and _same(again, value)
        except Exception:  # of the program's own type
            kept = False
        if not kept:
            raise ValueError(
                f"{_named(action)} {value!r} cannot be kept in {FILE}: give it a type that makes "
                f"texts, numbers or paths, or the same value of its text"
            )


def _named(action: argparse.Action) -> str:
    return "/".join(action.option_strings) or action.dest


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value, enc_hook=str)


def _same(one: Any, other: Any) -> bool:
    """Return whether two values are equal and of one type; a tuple comes back as a list."""
    if isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)


def _kind(action: argparse.Action) -> Any:
    """Return the type of what ``settings.json`` holds of an option, for msgspec."""
    kind: Any = action.type or str
    if isinstance(kind, AtLeast):
        kind = Annotated[int, msgspec.Meta(ge=kind.least)]
    elif kind not in PLAIN:
        kind = Any  # _restored finds out
    elif action.choices is not None and kind in (str, int):
        kind = Literal[tuple(action.choices)]
    if action.nargs == 0:
        if isinstance(action, argparse.BooleanOptionalAction) or isinstance(action.const, bool):
            return bool
        return int if isinstance(action, argparse._CountAction) else Any
    if action.nargs == "?" and action.const is not None:
        return Any
    if _lists(action):
        kind = list[kind]
    return list[kind] if isinstance(action, argparse._AppendAction) else kind


def _lists(action: argparse.Action) -> bool:
    return isinstance(action.nargs, int) or action.nargs in ("+", "*", argparse.REMAINDER)


def _restored(action: argparse.Action, value: Any) -> Any:
    """Return what an option's type makes of a value from ``settings.json``.

    Numbers, lists and objects stay as they are. A text is that of a value, such as a path, if the
    type is the program's own.
    """
    if action.nargs == 0 or value == action.default:
        return value
    if isinstance(value, list) and (_lists(action) or isinstance(action, argparse._AppendAction)):
        return [_restored(action, one) for one in value]
    if isinstance(value, str) and action.type not in (None, *PLAIN):
        assert callable(action.type)
        value = action.type(value)
        if action.choices is not None and value not in action.choices:
            raise ValueError(f"{value!r} is none of {', '.join(map(str, action.choices))}")
    return value
