"""The command ``salamandre``: train games, show and compare runs, draw words, translate pictures.

Commands import the library when they run, so that ``--help`` is fast.
"""

from __future__ import annotations

import shutil
from functools import partial
from typing import Any

import click

from salamandre import __version__
from salamandre.cli import (
    bench,
    datasets,
    doctor,
    generate,
    inspect,
    look,
    page,
    study,
    train,
    translate,
)
from salamandre.cli.options import RunName
from salamandre.program import (
    FAILURES,
    INTERRUPTED,
    WrongUsage,
    open_streams,
    plain_warnings,
    sentence,
)

WIDEST, NARROWEST = 100, 30  # columns of help


class _Help(click.HelpFormatter):
    """Help that fits narrow terminals too."""

    def __init__(self, *_: Any, **__: Any) -> None:
        columns = shutil.get_terminal_size().columns
        super().__init__(width=max(min(columns, WIDEST) - 2, NARROWEST))

    def write_dl(self, rows: Any, col_max: int = 30, col_spacing: int = 2) -> None:
        """Write names beside their texts; longer names stand on a line of their own."""
        super().write_dl(rows, min(col_max, self.width * 2 // 5), col_spacing)


class _Context(click.Context):
    formatter_class = _Help


class _Salamandre(click.Group):
    """A group that reports a failure as one sentence, without a traceback."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line."""
        open_streams()
        return super().main(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        with plain_warnings(partial(click.echo, err=True, nl=False)):
            try:
                return super().invoke(ctx)
            except click.MissingParameter as error:
                if error.param is None or not isinstance(error.param.type, RunName):
                    raise
                wanted = "name a run: its folder, a part of its name, or latest"
                raise click.UsageError(wanted, error.ctx) from None
            except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
                raise
            except (KeyboardInterrupt, click.Abort) as error:
                if isinstance(error, click.Abort) and isinstance(error.__context__, EOFError):
                    raise  # the end of input at a question
                click.echo("interrupted", err=True)
                ctx.exit(INTERRUPTED)
            except WrongUsage as error:
                raise click.UsageError(str(error)) from error
            except FAILURES as error:
                raise click.ClickException(sentence(error)) from error


@click.group(
    cls=_Salamandre,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="salamandre %(version)s")
def main() -> None:
    """Train generative adversarial networks on labelled images or pairs, and draw with them.

    A first try, which needs no download:

    \b
      salamandre train --dataset digits
      salamandre generate latest --word 135792468
    """  # noqa: D301 (click reads the \b)


for command in (
    train.train,
    generate.generate,
    translate.translate,
    page.page,
    look.runs,
    look.show,
    look.compare,
    inspect.inspect,
    study.study,
    datasets.datasets,
    bench.bench,
    doctor.doctor,
):
    main.add_command(command)
for command in (
    *(main, *main.commands.values()),
    *(*datasets.datasets.commands.values(), *study.study.commands.values()),
):
    command.context_class = _Context
