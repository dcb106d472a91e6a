"""The command ``salamandre``: train conditional games, show and compare runs, draw words.

Commands import the library when they run, so that ``--help`` is fast.
"""

from __future__ import annotations

import warnings
from typing import Any

import click

from salamandre import __version__
from salamandre.cli import bench, datasets, generate, inspect, look, train
from salamandre.cli.options import INTERRUPTED

FAILURES = (ValueError, OSError, RuntimeError, ArithmeticError, MemoryError)


class _Salamandre(click.Group):
    """A group that reports a failure as one sentence, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: click.echo(f"Warning: {message}", err=True)
            try:
                return super().invoke(ctx)
            except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
                raise
            except (KeyboardInterrupt, click.Abort) as error:
                if isinstance(error, click.Abort) and isinstance(error.__context__, EOFError):
                    raise  # the end of input at a question
                click.echo("interrupted", err=True)
                ctx.exit(INTERRUPTED)
            except FAILURES as error:
                raise click.ClickException(_sentence(error)) from error


def _sentence(error: Exception) -> str:
    """Return the message of an error, without the numbers of system errors."""
    if isinstance(error, MemoryError):
        return "there is not enough memory: take smaller images or batches"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__


@click.group(
    cls=_Salamandre,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="salamandre %(version)s")
def main() -> None:
    """Train generative adversarial networks on labelled images, and draw words with them.

    A first try, which needs no download:

    \b
      salamandre train --dataset digits
      salamandre generate latest --word 135792468
    """  # noqa: D301 (click reads the \b)


main.add_command(train.train)
main.add_command(generate.generate)
main.add_command(look.runs)
main.add_command(look.show)
main.add_command(look.compare)
main.add_command(inspect.inspect)
main.add_command(datasets.datasets)
main.add_command(bench.bench)
