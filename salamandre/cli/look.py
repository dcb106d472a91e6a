"""``salamandre runs``, ``show`` and ``compare``."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from salamandre.cli import options as kinds
from salamandre.cli.train_options import read_options, the_run
from salamandre.texts import counted

if TYPE_CHECKING:
    from salamandre.runs import Run

SHOWN = 3  # losses, and metrics, of a run in a list


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of texts as lines with aligned columns.

    On a terminal that is too narrow for them, the second of two columns is wrapped, and of a table
    with more columns each row becomes a table of its own with the words of the first row.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    if sum(widths) + 2 * len(widths) - 2 > room:
        if len(widths) > 2:
            head, *others = rows
            return "\n\n".join(table([*zip(head, row, strict=True)]) for row in others)
        if len(widths) == 2:
            indent = widths[0] + 2 if widths[0] + 20 < room else 4
            return "\n".join(_wrapped(name, value, indent, room) for name, value in rows)
    lines = ("  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _wrapped(name: str, value: str, indent: int, room: int) -> str:
    """Return lines of a name and its value, which is indented and may begin on the next line."""
    options: Any = {"break_long_words": False, "break_on_hyphens": False}
    lines = textwrap.wrap(value, max(1, room - indent), **options) or [""]
    first = f"{name:<{indent}}" if len(name) < indent else f"{name}\n{' ' * indent}"
    return first + f"\n{' ' * indent}".join(lines)


@click.command()
@kinds.output_option
def runs(output: Path) -> None:
    """List the runs, the one started last first, with the epochs whose networks are kept."""
    from salamandre.runs import find_runs

    rows, found = [], find_runs(output)
    for run in found:
        try:
            read_options(run)
            rows.append(_row(run))
        except (OSError, ValueError, KeyError) as error:
            click.echo(f"Warning: {run.name} is left out: {error}", err=True)
    if rows:
        head = ("run", "state", "program", "played", "losses", "metrics", "networks of epochs")
        click.echo(table([head, *rows]))
    if not found:
        click.echo(f"no runs in {output}: begin one with salamandre train", err=True)


def _row(run: Run) -> tuple[str, ...]:
    start = (run.name, run.state(), _program(run), _played(run))
    return (*start, *_values(run), _ranges(run.checkpoints) or "-")


def _values(run: Run) -> tuple[str, str]:
    """Return the main losses and metrics of a run."""
    losses = _named(run.losses(), ("d_loss", "g_loss"))
    metrics = _named(run.metrics(), ("right", "frechet", "test_loss", "accuracy"))
    return ", ".join(losses[:SHOWN]) or "-", ", ".join(metrics[:SHOWN]) or "-"


def _program(run: Run) -> str:
    """Return the program of a run in short: ``"train cdcgan"``, ``"xor"``."""
    program = run.settings.program.removesuffix(".py").split()[-1:]
    return " ".join([*program, str(run.options.get("architecture", ""))]).strip() or "-"


def _played(run: Run) -> str:
    study = run.state() == "finished"  # the tables are those of its runs
    planned = "" if run.planned is None or study else f" of {run.planned:,}"
    return f"{run.played():,.4g}{planned} {run.unit}" if run.played() or planned else "-"


def _named(values: Mapping[str, float], first: Sequence[str]) -> list[str]:
    """Return values with their names; only those of ``first``, if there are any."""
    names = [name for name in first if name in values] or list(values)
    return [f"{name} {values[name]:.3g}" for name in names]


def _ranges(numbers: Sequence[int]) -> str:
    """Return sorted numbers with ranges: ``"10, 20, 28-30"``."""
    in_turn = groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])
    groups = [[number for _, number in group] for _, group in in_turn]
    return ", ".join(f"{g[0]}-{g[-1]}" if len(g) > 1 else str(g[0]) for g in groups)


@click.command()
@kinds.run_argument
@kinds.output_option
def show(run: str, output: Path) -> None:
    """Show the settings, losses, metrics and files of RUN."""
    found = the_run(run, output)
    settings, images = found.settings, found.images
    rows = [
        ("run", found.name),
        ("program", settings.program or "unknown"),
        ("state", f"{found.state()}, {_played(found)}"),
        ("started", settings.started),
    ]
    if images.count:
        shape = "×".join(map(str, images.shape))
        rows.append(("images", f"{images.count:,} of {images.name}, {shape}"))
    if images.classes:
        names = (" " if all(len(n) == 1 for n in images.classes) else ", ").join(images.classes)
        rows.append(("classes", f"{len(images.classes)}: {names}"))
    if found.unit == "epochs" and images.rounds_per_epoch > 1:
        rows.append(("epoch", f"{images.rounds_per_epoch:,} rounds"))
    rows += [
        *((name.replace("_", " "), _shown(value)) for name, value in found.options.items()),
        *((f"version of {name}", value) for name, value in settings.versions.items()),
        ("git revision", settings.git or "none"),
        *((f"curve {name}", f"{value:.4g}") for name, value in found.losses().items()),
        *((f"metric {name}", f"{value:.4g}") for name, value in found.metrics().items()),
        ("networks of epochs", _ranges(found.checkpoints) or "none yet"),
    ]
    click.echo(table(rows))
    click.echo("files:")
    sizes = []
    for path in sorted(found.files, key=Path.is_dir):
        with suppress(OSError):  # while the run is played, unfinished files come and go
            inside = [file.stat().st_size for file in path.rglob("*") if file.is_file()]
            if path.is_dir():
                size = f"{counted(len(inside), 'file')}, {_size(sum(inside))}"
                sizes.append((f"  {path}/", size))
            else:
                sizes.append((f"  {path}", _size(path.stat().st_size)))
    click.echo(table(sizes))


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "default" if value is None else str(value)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


@click.command()
@click.argument("runs", metavar="RUN RUN...", nargs=-1, required=True, type=kinds.RunName())
@click.option(
    "--to",
    type=kinds.PATH,
    metavar="FILE",
    help="The picture. Default: comparison.png in the folder of all runs.",
)
@kinds.output_option
def compare(runs: tuple[str, ...], to: Path | None, output: Path) -> None:
    """Draw losses and samples of runs in one picture, and list the options that differ."""
    from salamandre.runs.comparison import compare_runs

    if len(runs) < 2:
        raise click.UsageError("compare needs two runs or more")
    path = to or output / "comparison.png"
    if path.suffix.lower() != ".png":
        raise click.BadParameter(f"{path} must end in .png", param_hint="'--to'")
    found = [the_run(run, output) for run in runs]
    first, *others = (run.options for run in found)
    names = [name for name in first if all(name in other for other in others)]
    differing = [name for name in names if any(o[name] != first[name] for o in others)]
    rows = [("run", "program", "played", "losses", "metrics", *differing)]
    for run in found:
        if not run.played():
            raise click.ClickException(f"{run.name} has not played a round: nothing to compare")
        values = _values(run)
        options = (_shown(run.options[name]) for name in differing)
        rows.append((run.name, _program(run), _played(run), *values, *options))
    compare_runs(found, path)
    click.echo(table(rows))
    click.echo(path)
