"""Types and options that several commands share: names, backends, runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any

import click
from click.shell_completion import CompletionItem
from msgspec import Meta, ValidationError, convert

from salamandre import checks
from salamandre.texts import folder_of, path_of

Count = Annotated[int, Meta(ge=1)]
Amount = Annotated[int, Meta(ge=0)]
Seconds = Weight = Annotated[float, Meta(ge=0, le=1e9)]
Share = Annotated[float, Meta(ge=0, lt=1)]
Keep = Count | Annotated[str, Meta(pattern="^(all|0*[1-9][0-9]*)$")]
WORDS = {
    Count: "a whole number of at least 1",
    Amount: "a whole number of at least 0",
    Seconds: "a number of at least 0",
    Share: "a number of at least 0 and below 1",
    Keep: "a whole number of at least 1 or 'all'",
    str: "a text in quotes",
    bool: "true or false",
}
BACKEND_HELP = "numpy or cupy. Default: SALAMANDRE_BACKEND, else numpy."


class Checked(click.ParamType):
    """Values that a function returns, whose ValueError is the message for others.

    Args:
        name: the kind of values, such as ``"architecture"``.
        check: returns the value of a text.
        names: returns the names that the shell completes. Default none.
    """

    def __init__(
        self, name: str, check: Callable[[Any], Any], names: Callable[[], Iterable[str]] = tuple
    ) -> None:
        self.name, self._check, self._names = name, check, names

    def convert(self, value: Any, param: Any, ctx: click.Context | None) -> Any:
        """Return the value."""
        try:
            return self._check(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that begin with the text."""
        return [CompletionItem(name) for name in self._names() if name.startswith(incomplete)]


def one_of(what: str, names: Callable[[], Iterable[str]]) -> Checked:
    """Return the type of one of several names, which are looked up when they are needed."""
    return Checked(what, lambda value: checks.one_of(what, value, names()), names)


@contextmanager
def usage(kind: type[ValueError] = ValueError) -> Iterator[None]:
    """Make each ValueError of a block, or one of a kind, one of wrong usage; a prompt asks again.

    Raises:
        UsageError: with the error's message.
    """
    try:
        yield
    except kind as error:
        raise click.UsageError(str(error)) from None


def _usable(backend: str) -> str:
    """Return the name of a backend if what it needs is there."""
    from salamandre.backend import get_backend

    get_backend(backend)
    return backend


def click_type(of: Any) -> Checked:
    """Return the click type of a type that :data:`WORDS` has."""

    def check(value: Any) -> Any:
        try:
            return convert(value, of, strict=False)
        except ValidationError:
            raise ValueError(f"must be {WORDS[of]}, got {value!r}") from None

    return Checked(WORDS[of], check)


def number_option(name: str, of: Any, default: float, text: str) -> Callable[..., Any]:
    """Return an option whose value is a number of a type that :data:`WORDS` has.

    Args:
        name: ``"--seed"``.
        of: the type.
        default: value; the help ends with it.
        text: the help before that.
    """
    told = f"{text} Default: {default:g}."
    return click.option(name, type=click_type(of), metavar="N", default=default, help=told)


class Renamed(click.Option):
    """An option that also has earlier names, which help and messages do not show.

    Args:
        earlier: those names.
    """

    def __init__(self, *args: Any, earlier: Sequence[str], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._earlier = earlier

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Let the parser know all names."""
        shown = self.opts
        try:
            self.opts = [*shown, *self._earlier]
            super().add_to_parser(parser, ctx)
        finally:
            self.opts = shown


class RunName(click.ParamType):
    """A run by its folder or a part of its name; the shell completes its name."""

    name = "run"

    def convert(self, value: Any, param: Any, ctx: click.Context | None) -> Any:
        """Return the value, which is not empty."""
        try:
            path_of(value, "a run")
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names of runs that contain the text."""
        from salamandre.runs import find_runs

        names = [run.name for run in find_runs(ctx.params.get("output") or "runs")]
        return [CompletionItem(name) for name in names if incomplete in name]


def datasets(classes: int = 1) -> list[str]:
    """Return the names of the data sets with at least so many classes."""
    from salamandre.data import CATALOGUE

    return [name for name, entry in CATALOGUE.items() if len(entry.classes) >= classes]


def architectures(pairs: bool | None = None) -> list[str]:
    """Return the names of the architectures: those that learn pairs, the others, or all."""
    from salamandre.games import ARCHITECTURES

    return [name for name, a in ARCHITECTURES.items() if pairs in (None, a.pairs)]


def objectives() -> list[str]:
    """Return the names of the objectives."""
    from salamandre.games import OBJECTIVES

    return list(OBJECTIVES)


def on_terminal() -> bool:
    """Return whether a user can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


BACKEND = Checked("name", _usable)
PATH = Checked("path", path_of)
FILE = Checked("file", lambda path: str(path_of(path).absolute()))  # as settings hold it
output_option = click.option(
    "--output",
    cls=Renamed,
    earlier=("--runs",),
    type=Checked("folder", partial(folder_of, what="the folder of runs")),
    default="runs",
    metavar="DIR",
    help="The folder of all runs. Default: runs.",
    is_eager=True,
)
backend_option = click.option(
    "--backend",
    type=BACKEND,
    metavar="NAME",
    help=BACKEND_HELP,
)
checkpoint_option = click.option(
    "--checkpoint",
    type=click_type(Count),
    metavar="EPOCH",
    help="With the generator of this epoch. Default: the latest.",
)
run_argument = click.argument("run", metavar="RUN", type=RunName())
