"""Types and options that several commands share: names, backends, runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem

INTERRUPTED = 130  # the exit code that shells give a command ended by Ctrl-C
BACKEND_HELP = "numpy or cupy. Default: SALAMANDRE_BACKEND, else numpy."


class Name(click.ParamType):
    """One of several names, which are looked up when they are needed.

    Args:
        what: the kind of name, such as ``"architecture"``.
        names: returns all names.
        other: returns whether another text is accepted. Default: none is.
        others: the end of an error message, which says what ``other`` accepts. Default empty.
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
        """Return the names that begin with the text."""
        return [CompletionItem(name) for name in self._names() if name.startswith(incomplete)]


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
    """A run by its folder or a part of its name; the shell completes its name."""

    name = "run"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names of runs that contain the text."""
        from salamandre.runs import find_runs

        root = ctx.params.get("root") or ctx.params.get("output") or "runs"
        names = [run.name for run in find_runs(root)]
        return [CompletionItem(name) for name in names if incomplete in name]


def datasets() -> list[str]:
    """Return the names of the catalogue."""
    from salamandre.data import CATALOGUE

    return list(CATALOGUE)


def labelled_datasets() -> list[str]:
    """Return the names of the data sets with several classes."""
    from salamandre.data import CATALOGUE

    return [name for name, entry in CATALOGUE.items() if len(entry.classes) > 1]


def architectures() -> list[str]:
    """Return the names of the architectures."""
    from salamandre.games import ARCHITECTURES

    return list(ARCHITECTURES)


def on_terminal() -> bool:
    """Return whether a user can be asked."""
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
