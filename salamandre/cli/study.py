"""``salamandre study``: plays studies, and shows and draws them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from salamandre.cli import options as kinds
from salamandre.cli.look import table
from salamandre.cli.train_options import the_run
from salamandre.program import INTERRUPTED
from salamandre.texts import counted, pasteable

if TYPE_CHECKING:
    from salamandre.studies import Comparison, Plan, Row, Summary

STUDY = "study"  # the folder of one, beside those of other runs of its name
SAMPLERS = ("grid", "random", "sobol", "optuna")


class _Study(click.Group):
    """A group whose command ``run`` need not be named: ``salamandre study FILE.toml``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``run`` before the arguments of no other command."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Study, options_metavar="", subcommand_metavar="FILE.toml | COMMAND ...")
def study() -> None:
    """Play the runs of a study, or show or draw it.

    \b
      salamandre study FILE.toml      the same as salamandre study run FILE.toml
      salamandre study show STUDY
      salamandre study plot STUDY
    """  # noqa: D301 (click reads the \b)


@study.command()
@click.argument("file", metavar="FILE.toml", type=kinds.PATH)
@kinds.output_option
@click.option(
    "--folder",
    type=kinds.PATH,
    metavar="DIR",
    help="Of the study. Default: NAME/study, of NAME.toml, in the folder of all runs.",
)
@click.option(
    "--processes",
    type=kinds.click_type(kinds.Count),
    metavar="N",
    help="Runs at a time. Default: the number of cores.",
)
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Play on a cluster that shares the folder: dask://HOST:PORT, ray or ray://HOST:PORT.",
)
@click.option(
    "--sampler",
    type=kinds.one_of("sampler", lambda: SAMPLERS),
    metavar="NAME",
    help="grid, random, sobol or optuna, instead of the file's.",
)
@click.option(
    "--points",
    type=kinds.click_type(kinds.Count),
    metavar="N",
    help="Of a sampler other than grid, instead of the file's.",
)
@click.option("--full", is_flag=True, help="Play the larger study that the file holds.")
@click.option("--extend", is_flag=True, help="Add the runs that the file has more than the folder.")
@click.option("--retry", is_flag=True, help="Play runs again that have failed or diverged.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.pass_context
def run(
    ctx: click.Context,
    file: Path,
    output: Path,
    folder: Path | None,
    processes: int | None,
    cluster: str | None,
    sampler: str | None,
    points: int | None,
    full: bool,
    extend: bool,
    retry: bool,
    quiet: bool,
) -> None:
    """Play the runs of the plan in FILE that have no result yet.

    After Ctrl-C, or if it was killed, the same line goes on with what is missing. Started twice, on
    machines that share the folder too, both play the same study.
    """
    from salamandre.checks import nearest
    from salamandre.studies import Study, read_plan
    from salamandre.studies.results import DURATION

    if quiet:
        from salamandre.progress import silent

        ctx.with_resource(silent())
    with kinds.usage():
        plan = _changed(read_plan(file, full), sampler, points)
        place = str(file.resolve().parent)
        default = output / file.stem / ("full" if full else STUDY)
        one = Study(plan, folder or default, place=place, extend=extend)
    try:
        rows = one.run(processes, cluster=cluster, retry=retry)
    except KeyboardInterrupt:
        click.echo("interrupted; what has ended is saved: the same line plays the rest", err=True)
        ctx.exit(INTERRUPTED)
    states = [row.state for row in rows]
    others = [f"{states.count(s)} {s}" for s in ("pruned", "diverged", "failed") if s in states]
    lost = f" ({', '.join(others)})" if others else ""
    click.echo(f"{counted(len(rows), 'run')}{lost}: {one.folder}")
    for row in [row for row in rows if row.state == "failed"][:3]:
        assert row.result is not None
        click.echo(f"  {one.folder / row.run}: {row.result.message}")
    known = {name for row in rows if row.result for name in row.result.metrics}
    for name in plan.metrics:
        if known and name not in (*known, DURATION):
            near = f"{nearest(name, known)} (they have: {', '.join(sorted(known))})"
            click.echo(f"Warning: no run has the metric {name!r}{near}", err=True)
    click.echo(f"show it:\n  {pasteable('salamandre', 'study', 'show', one.folder)}")


def _changed(plan: Plan, sampler: str | None, points: int | None) -> Plan:
    """Return a plan with another sampler or number of points."""
    from msgspec import convert, to_builtins

    from salamandre.studies import Plan

    values = to_builtins(plan)
    if sampler is not None:
        values["sampler"] = sampler
        if sampler == "grid":
            values.pop("points", None)
    if points is not None:
        values["points"] = points
    changed: Plan = convert(values, Plan)
    return changed


def _opened(name: str, output: Path, given: tuple[str, ...]) -> tuple[Path, Plan, list[Row], Any]:
    """Return the folder, the plan and the rows of a study, and the names of metrics to show."""
    from salamandre.studies.results import DURATION
    from salamandre.studies.study import plan_in, read_rows

    own = output / name / STUDY  # the name of its file is enough
    found = own if own.is_dir() else the_run(name, output, "'STUDY'").folder
    plan = plan_in(found)
    rows = read_rows(found, plan)
    known = list(dict.fromkeys(m for row in rows if row.result for m in row.result.metrics))
    if not known:
        told = next((row.result.message for row in rows if row.result), None)
        if told is None:
            raise click.ClickException(f"{found} has no run with a metric yet: play it first")
        raise click.ClickException(
            f"{found} has no run with a metric, but {_states(rows)} ({told}): mend that, then play "
            f"it with --retry"
        )
    planned = [name for name in plan.metrics if name in (*known, DURATION)]
    wanted = list(given) or planned or known
    with kinds.usage():
        from salamandre.checks import one_of

        for metric in wanted:
            one_of("metric", metric, [*known, DURATION])
    return found, plan, rows, wanted


def _states(rows: list[Row]) -> str:
    """Return how many runs are in each state."""
    states = [row.state for row in rows]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))


study_argument = click.argument("study", metavar="STUDY", type=kinds.RunName())
metric_option = click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="One of the metrics, or duration; may be repeated. Default: those of the plan, else all.",
)


@study.command()
@study_argument
@kinds.output_option
@metric_option
@click.option(
    "--baseline",
    metavar="AXIS=VALUE,...",
    help="The point with which all others are compared, seed by seed. Default: none.",
)
def show(study: str, output: Path, metrics: tuple[str, ...], baseline: str | None) -> None:
    """Show mean, standard deviation and the 95% band of the mean of each point of STUDY.

    With --baseline also the differences to it, each with its band, the p of a permutation test and
    the same with Holm's correction for the number of points.
    """
    from salamandre.studies import summarize

    folder, _, rows, wanted = _opened(study, output, metrics)
    click.echo(f"{folder}: {counted(len(rows), 'run')}, {_states(rows)}")
    point = None
    if baseline is not None:
        pairs = [part.partition("=") for part in baseline.split(",")]
        point = {name.strip().replace("-", "_"): value.strip() for name, _, value in pairs}
    for metric in wanted:
        with kinds.usage():
            found = summarize(rows, metric, point)
        click.echo(f"\n{metric}")
        click.echo(table(_lines(found, point is not None)))


def _lines(found: list[Summary], compared: bool) -> list[list[str]]:
    axes = list(found[0].point)
    head = [*axes, "runs", "mean", "std", "95% band"]
    head += ["difference", "95% band", "p", "p (Holm)"] if compared else []
    lines = [head]
    for one in found:
        runs = f"{one.runs}" + (f" ({one.lost} lost)" if one.lost else "")
        values = [_number(one.mean), _number(one.deviation), _band(one.low, one.high)]
        point = (f"{v:g}" if isinstance(v, float) else str(v) for v in one.point.values())
        cells = [*point, runs, *values]
        lines.append(cells + (_compared(one.comparison) if compared else []))
    return lines


def _compared(one: Comparison | None) -> list[str]:
    if one is None:
        return ["-"] * 4
    return [f"{one.mean:+.4g}", _band(one.low, one.high), f"{one.p:.2g}", f"{one.p_holm:.2g}"]


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4g}"


def _band(low: float, high: float) -> str:
    return "-" if math.isnan(low) else f"{low:.4g} to {high:.4g}"


@study.command()
@study_argument
@kinds.output_option
@metric_option
@click.option(
    "--to",
    type=kinds.PATH,
    metavar="DIR",
    help="The folder of the pictures. Default: pictures in that of the study.",
)
def plot(study: str, output: Path, metrics: tuple[str, ...], to: Path | None) -> None:
    """Draw STUDY: curves by axis, heat maps of two axes, parallel coordinates, samples."""
    from salamandre.studies.pictures import plot_study

    folder, plan, rows, wanted = _opened(study, output, metrics)
    drawn = plot_study(folder, rows, list(plan.axes), wanted, to or folder / "pictures")
    for path in drawn:
        click.echo(path)
    if not drawn:
        raise click.ClickException(f"nothing to draw: no axis of {folder} has two values")
