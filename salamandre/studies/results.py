"""What a run of a study has come to, in its folder and in the table of the study."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from salamandre.storage import checked
from salamandre.studies.plan import COLUMNS

RESULT = "result.json"
PLANNED = "planned"
LOST = ("diverged", "failed")  # states of runs that are played again if that is asked for
DURATION = "duration"  # of a run, which is shown and drawn as a metric is


class Result(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The end of a run.

    Attributes:
        state: ``"finished"``; ``"pruned"``: ended early; ``"diverged"``: NaN or infinity;
            ``"failed"``: an error.
        metrics: numbers by name; those that are not finite are left out. Of a run that was pruned,
            those at its end.
        duration: in seconds.
        message: why it was pruned, diverged or failed.
        reported: in a study that prunes, the metric that it compares, over the run; ``None`` for
            NaN or infinity.
    """

    state: Literal["finished", "pruned", "diverged", "failed"]
    metrics: dict[str, float] = {}
    duration: float = 0.0
    message: str = ""
    reported: list[float | None] = []

    @property
    def numbers(self) -> dict[str, float]:
        """The metrics of a whole run, and its duration under this name."""
        time = {DURATION: self.duration} if self.state == "finished" else {}
        return {} if self.state == "pruned" else {**time, **self.metrics}


class Row(Struct):
    """A row of the table of a study.

    Attributes:
        run: the name of its folder.
        point: the values of the axes, as the table shows them: numbers or texts.
        seed: of the run.
        result: ``None`` of a run that has not ended.
    """

    run: str
    point: dict[str, Any]
    seed: int
    result: Result | None = None

    @property
    def state(self) -> str:
        """That of the result; ``"planned"`` without one."""
        return self.result.state if self.result else PLANNED


def read_result(folder: Path) -> Result | None:
    """Return the result in the folder of a run; ``None`` if there is none.

    Raises:
        ValueError: the file is damaged.
    """
    file = folder / RESULT
    try:
        held = msgspec.json.decode(file.read_bytes())
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError(f"{file} is damaged: it must hold a JSON object") from None
    return checked(held, Result, file)


def table_of(rows: Sequence[Row], axes: Sequence[str]) -> str:
    """Return the table of rows as CSV; what a run has not is empty."""
    metrics = list(dict.fromkeys(m for row in rows if row.result for m in row.result.metrics))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    run, seed, *others = COLUMNS
    writer.writerow([run, *axes, seed, *others, *metrics])
    for row in rows:
        result = row.result or Result("finished")
        values = [result.metrics.get(name) for name in metrics]
        told = [row.state, f"{result.duration:.3f}" if row.result else "", result.message]
        cells = [_cell(row.point.get(name)) for name in axes]
        numbers = ["" if value is None else f"{value:.10g}" for value in values]
        writer.writerow([row.run, *cells, row.seed, *told, *numbers])
    return text.getvalue()


def read_table(file: Path, axes: int) -> list[Row]:
    """Return the rows of the table of a study.

    Args:
        file: that :func:`table_of` has filled.
        axes: the number of axes.

    Raises:
        ValueError: it is damaged.
    """
    try:
        header, *lines = csv.reader(io.StringIO(file.read_text(encoding="utf-8")))
        names, metrics = header[1 : 1 + axes], header[1 + axes + len(COLUMNS) - 1 :]
        rows = []
        for line in lines:
            run, rest = line[0], line[1 + axes :]
            seed, state, duration, message, *values = rest
            point = {n: parsed(cell) for n, cell in zip(names, line[1 : 1 + axes], strict=True)}
            row = Row(run, point, int(seed))
            if state != PLANNED:
                found = zip(metrics, values, strict=True)
                numbers = {name: float(value) for name, value in found if value}
                row.result = Result(state, numbers, float(duration), message)  # type: ignore[arg-type]
            rows.append(row)
    except (ValueError, IndexError, csv.Error):
        raise ValueError(
            f"{file} is damaged: it must be the table of a study, which writes it anew when it is "
            f"started again"
        ) from None
    return rows


def parsed(cell: str) -> Any:
    """Return the number that a cell shows, else its text: 01 is no number."""
    number: int | float
    try:
        number = float(cell)
    except ValueError:
        return cell
    if cell.lstrip("-").isdecimal():
        number = int(cell)
    return number if str(number) == cell and math.isfinite(number) else cell


def shown(value: Any) -> Any:
    """Return the value of an axis as the table shows it: a number or a text."""
    return parsed(_cell(value))


def _cell(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def metrics_of(returned: Any) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Return the metrics that a run has returned, and those that it has over its steps.

    A list called ``step``, which is no metric, has the steps of the others.

    Raises:
        TypeError: it is no mapping of numbers, or lists of numbers, by name.
    """
    if not isinstance(returned, Mapping):
        kind = type(returned).__name__
        raise TypeError(f"a run must return a dictionary of numbers by name, got a {kind}")
    metrics, curves = {}, {}
    for name, value in returned.items():
        try:
            # A scalar of an array library has a length by name alone.
            many = hasattr(value, "__len__") and not isinstance(value, (str, bytes))
            if many and getattr(value, "ndim", 1) != 0:
                curves[str(name)] = [float(number) for number in value]
                value = curves[str(name)][-1]
            metrics[str(name)] = float(value)
        except (TypeError, ValueError, IndexError):
            raise TypeError(
                f"a run must return numbers by name, got {value!r} as {name!r}"
            ) from None
    if "step" in curves:
        del metrics["step"]
    return metrics, curves
