"""The command ``salamandre``: train games, show and compare runs, draw words, translate pictures.

Commands import the library when they run, so that ``--help`` is fast.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from salamandre import __version__
from salamandre.cli import bench, datasets, generate, inspect, look, train, translate
from salamandre.program import FAILURES, INTERRUPTED, open_streams, plain_warnings, sentence


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
                wanted = "name a run: its folder, a part of its name, or latest"
                raise click.UsageError(wanted, error.ctx) from None
            except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
                raise
            except (KeyboardInterrupt, click.Abort) as error:
                if isinstance(error, click.Abort) and isinstance(error.__context__, EOFError):
                    raise  # the end of input at a question
                click.echo("interrupted", err=True)
                ctx.exit(INTERRUPTED)
            except FAILURES as error:
                raise click.ClickException(sentence(error)) from error


@click.group(
    cls=_Salamandre,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="salamandre %(version)s")
def main() -> None:
    """Train generative adversarial networks on labelled images or pairs, and draw with them.

    A first try, which needs no download:

    \b
      salamandre train --dataset digits
      salamandre generate latest --word 135792468
    """  # noqa: D301 (click reads the \b)


main.add_command(train.train)
main.add_command(generate.generate)
main.add_command(translate.translate)
main.add_command(look.runs)
main.add_command(look.show)
main.add_command(look.compare)
main.add_command(inspect.inspect)
main.add_command(datasets.datasets)
main.add_command(bench.bench)
