"""The command ``salamandre``: train games, show and compare runs, draw words, translate pictures.

Commands import the library when they run, so that ``--help`` is fast.
"""

from __future__ import annotations

import re
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

# What other programs call commands and options, and what an argument too many is likely to be.
COMMANDS = {
    "version": "salamandre --version",
    "help": "salamandre --help",
    **dict.fromkeys(("list", "ls"), "salamandre runs, or salamandre datasets"),
    **dict.fromkeys(("sample", "draw", "predict"), "salamandre generate RUN"),
    **dict.fromkeys(("fit", "gan"), "salamandre train"),
    "resume": "salamandre train --resume RUN",
    **dict.fromkeys(("test", "evaluate"), "salamandre train --evaluate N, while it learns"),
    **dict.fromkeys(("plot", "history"), "salamandre show RUN"),
}
OPTIONS = {  # the first way that the command has
    **dict.fromkeys(("--gpu", "--cuda", "--device"), ("a GPU is used by --backend cupy",)),
    **dict.fromkeys(("--model", "--network", "--arch"), ("it is --architecture",)),
    **dict.fromkeys(("--lr", "--learning-rate"), ("each --architecture has rates of its own",)),
    **dict.fromkeys(
        ("--workers", "--num-workers", "--jobs"), ("it is --threads", "it is --processes")
    ),
    **dict.fromkeys(
        ("--out", "--save", "--name"), ("it is --to", "--output DIR is the folder of all runs")
    ),
    **dict.fromkeys(("--count", "--number"), ("--word or --classes say what is drawn",)),
    "--verbose": ("all is told already; --quiet tells less",),
}
EXTRA = {"train": "--dataset NAME", "generate": "--word WORD", "page": "--to FOLDER"}


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

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Return a command; say what one that there is not is called here."""
        if args[0] in COMMANDS and not ctx.resilient_parsing:  # as when a shell completes a line
            ctx.fail(f"No such command {args[0]!r}: it is {COMMANDS[args[0]]}")
        return super().resolve_command(ctx, args)

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
            except click.UsageError as error:
                raise _told(error) from None
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


def _told(error: click.UsageError) -> click.UsageError:
    """Return an error of a wrong call that says what to write instead, where that is known."""
    if error.ctx is None:
        return error
    command = error.ctx.command
    known = {option for parameter in command.params for option in parameter.opts}
    if isinstance(error, click.NoSuchOption):
        for way in OPTIONS.get(error.option_name, ()):
            if known.issuperset(re.findall("--[a-z]+", way)):
                return click.UsageError(f"No such option {error.option_name}: {way}", error.ctx)
    elif command.name in EXTRA and "unexpected extra argument" in error.message:
        return click.UsageError(f"{error.message}: it may be {EXTRA[command.name]}", error.ctx)
    return error


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
