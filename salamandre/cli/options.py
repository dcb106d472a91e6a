"""What the commands take: names with their nearest ones, runs, options from a file."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

INTERRUPTED = 130  # the exit code that shells give a command ended by Ctrl-C
BACKEND_HELP = "numpy or cupy. Default: SALAMANDRE_BACKEND, else numpy."


class Name(click.ParamType):
    """One of several names, which are looked up when they are needed.

    Args:
        what: it names, such as ``"architecture"``.
        names: returns all names.
        other: accepts a text that is none of them. Default: nothing is.
        others: what ``other`` accepts, in words.
    """

    def __init__(
        self,
        what: str,
        names: Callable[[], Iterable[str]],
        other: Callable[[str], bool] = lambda text: False,
        others: str = "",
    ) -> None:
        self.name = what
        self._names, self._other, self._others = names, other, others

    def convert(self, value: Any, param: Any, ctx: click.Context | None) -> str:
        """Return the name."""
        from salamandre.checks import one_of

        text = str(value)
        if self._other(text):
            return text
        try:
            return str(one_of(self.name, text, self._names()))
        except ValueError as error:
            self.fail(str(error) + self._others, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that begin so."""
        return [CompletionItem(name) for name in self._names() if name.startswith(incomplete)]


class Keep(click.ParamType):
    """How many of the last epochs are kept: a number, or all."""

    name = "N|all"

    def convert(self, value: Any, param: Any, ctx: click.Context | None) -> str:
        """Return ``"all"`` or the number as a text."""
        text = str(value)
        if text != "all" and not (text.isascii() and text.isdigit() and int(text)):
            self.fail(f"{text!r} is neither a whole number of at least 1 nor 'all'", param, ctx)
        return text


class Seconds(click.FloatRange):
    """A time that is a number."""

    def convert(self, value: Any, param: Any, ctx: click.Context | None) -> Any:
        """Return the number, which is no NaN and not infinite."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no time.", param, ctx)
        return number


class Checked(click.ParamType):
    """A kind whose values are also held against what is known already.

    Args:
        kind: of the value.
        check: raises ValueError for one that cannot be.
    """

    def __init__(self, kind: click.ParamType, check: Callable[[Any], None]) -> None:
        self.name = kind.name
        self._kind, self._check = kind, check

    def convert(self, value: Any, param: Any, ctx: click.Context | None) -> Any:
        """Return the value."""
        value = self._kind.convert(value, param, ctx)
        try:
            self._check(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return value


class BackendName(click.ParamType):
    """A backend that can be used here."""

    name = "name"

    def convert(self, value: Any, param: Any, ctx: click.Context | None) -> str:
        """Return the name.

        Raises:
            RuntimeError: what it needs is missing.
        """
        from salamandre.backend import get_backend

        try:
            get_backend(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return str(value)


class RunName(click.ParamType):
    """A run by its folder or a part of its name; completed from the folder of runs."""

    name = "run"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names of runs that have the text in them."""
        from salamandre.runs import find_runs

        root = ctx.params.get("root") or ctx.params.get("output") or "runs"
        names = [run.name for run in find_runs(root)]
        return [CompletionItem(name) for name in names if incomplete in name]


def datasets() -> list[str]:
    """Return the names of the catalogue."""
    from salamandre.data import CATALOGUE

    return list(CATALOGUE)


def labelled_datasets() -> list[str]:
    """Return the names of the data sets whose images have a class."""
    from salamandre.data import CATALOGUE

    return [name for name, entry in CATALOGUE.items() if len(entry.classes) > 1]


def architectures() -> list[str]:
    """Return the names of the architectures."""
    from salamandre.games import ARCHITECTURES

    return list(ARCHITECTURES)


def on_terminal() -> bool:
    """Return whether there is someone to ask."""
    return sys.stdin.isatty()


root_option = click.option(
    "--runs",
    "root",
    default="runs",
    show_default=True,
    metavar="DIR",
    help="The folder of all runs.",
    is_eager=True,
)
backend_option = click.option(
    "--backend",
    type=BackendName(),
    metavar="NAME",
    help=BACKEND_HELP,
)
run_argument = click.argument("run", metavar="RUN", type=RunName())


def read_config(ctx: click.Context, param: click.Parameter, path: str | None) -> None:
    """Make what a TOML file says the defaults of the command's options."""
    if path is None:
        return
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:  # no UTF-8, or no TOML
        raise click.BadParameter(f"{path} is no TOML file: {error}") from None
    options = {
        str(option.name): option
        for option in ctx.command.params
        if isinstance(option, click.Option) and option.name not in ("config", "resume")
    }
    ctx.default_map = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        if name in ctx.default_map:
            raise click.BadParameter(f"{path} gives {key!r} twice")
        ctx.default_map[name] = _setting(path, key, value, options)


def _setting(path: str, name: str, value: Any, options: dict[str, click.Option]) -> Any:
    """Return a value of a configuration file if the option is known and of its kind."""
    from salamandre.checks import nearest

    option = options.get(name.replace("-", "_"))
    known = [option.replace("_", "-") for option in options]
    if option is None:
        raise click.BadParameter(
            f"{path} has an unknown key {name!r}{nearest(name, known)} (known: {', '.join(known)})"
        )
    if option.is_flag:
        fits, wanted = isinstance(value, bool), "true or false"
    elif isinstance(option.type, click.types.IntParamType):
        fits, wanted = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    elif isinstance(option.type, click.types.FloatParamType):
        fits, wanted = isinstance(value, (int, float)) and not isinstance(value, bool), "a number"
    elif isinstance(option.type, Keep):
        fits, wanted = isinstance(value, (int, str)) and value is not True, "a number or 'all'"
    else:
        fits, wanted = isinstance(value, str), "a text in quotes"
    if not fits:
        raise click.BadParameter(f"{path}: {name} must be {wanted}, got {value!r}")
    return value
