"""The plan of a study: which runs it has."""

from __future__ import annotations

import hashlib
import itertools
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct

from salamandre.checks import one_of
from salamandre.studies.axes import Axis, Count, axis_of, in_list, normalized
from salamandre.studies.bases import Base
from salamandre.texts import path_of

#: Columns of the table of a study beside axes and metrics.
COLUMNS = ("run", "seed", "state", "duration", "message")
Seed = Annotated[int, Meta(ge=0)]


class Plan(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What a study varies and repeats; also the content of its TOML file.

    Attributes:
        base: what a run is: see :func:`salamandre.studies.find_base`.
        options: of all runs, by name. The budget, such as ``epochs``, is one of them.
        axes: by the name of an option, its values: a list, or a :class:`Range`. Or, by a name of
            your own, options by the name of a variant: ``{"plain": {}, "noisy": {"noise": 32}}``.
        seeds: of each point: a number of them, or a list. Default 1, the seed 0.
        sampler: ``"grid"`` (default): all combinations of the axes; ``"random"``, ``"sobol"``
            (needs SciPy) or ``"optuna"`` (needs Optuna): so many points as ``points`` says.
        points: of a sampler other than the grid.
        metrics: shown and drawn; Optuna optimizes the first. Default: all that runs return.
        mode: ``"min"`` or ``"max"``: what is better in the first metric. Default: as known of it.
        pruner: ``"median"``: a run that Optuna has suggested ends early where the first metric is
            worse than the median of those before (see :class:`salamandre.studies.pruning.Reports`).
            Default ``"none"``.
    """

    base: str
    options: dict[str, Any] = {}
    axes: dict[str, Any] = {}
    seeds: Seed | list[Seed] = 1
    sampler: Literal["grid", "random", "sobol", "optuna"] = "grid"
    points: Count | None = None
    metrics: list[str] = []
    mode: Literal["min", "max"] | None = None
    pruner: Literal["none", "median"] = "none"

    def __post_init__(self) -> None:
        self.options = normalized(self.options)
        self.axes = {name.replace("-", "_"): in_list(given) for name, given in self.axes.items()}
        if (self.sampler == "grid") != (self.points is None):
            given = "needs a number of points" if self.points is None else "takes no points"
            raise ValueError(f"the sampler {self.sampler} {given}")
        if self.sampler == "optuna" and not self.metrics:
            raise ValueError("the sampler optuna needs metrics, the first of which it optimizes")
        if self.pruner != "none" and self.sampler != "optuna":
            raise ValueError(
                f"the pruner {self.pruner} is for the sampler optuna, which compares runs with "
                f"those of earlier points"
            )
        if not self.seed_list or len(set(self.seed_list)) < len(self.seed_list):
            raise ValueError(f"seeds must be one or more different numbers, got {self.seeds}")
        _ = self.ways  # checks the axes

    @property
    def seed_list(self) -> list[int]:
        """The seeds of each point."""
        return list(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds

    @property
    def ways(self) -> list[Axis]:
        """The axes."""
        return [axis_of(name, given, self.sampler == "grid") for name, given in self.axes.items()]

    def grid(self) -> Iterator[dict[str, Any]]:
        """Return all combinations of the values of the axes."""
        ways = self.ways
        for values in itertools.product(*(way.values for way in ways)):
            yield {way.name: value for way, value in zip(ways, values, strict=True)}

    def at(self, shares: Iterable[float]) -> dict[str, Any]:
        """Return the point with a share, in [0, 1), of the way along each axis."""
        return {way.name: way.at(share) for way, share in zip(self.ways, shares, strict=True)}

    def sample(self) -> list[dict[str, Any]]:
        """Return the points, the same each time; those of more points begin with them.

        Raises:
            RuntimeError: SciPy, which draws Sobol's points, is missing.
        """
        if self.sampler == "grid":
            return list(self.grid())
        assert self.points is not None
        shape = self.points, max(1, len(self.axes))
        if self.sampler == "sobol":
            shares = _sobol(*shape)
        else:
            shares = np.random.default_rng(0).random(shape)
        return [self.at(row[: len(self.axes)]) for row in shares.tolist()]

    def runs(self, points: Iterable[Mapping[str, Any]], base: Base) -> list[Planned]:
        """Return the runs of points, whose options are checked.

        Raises:
            ValueError: an option is unknown or has a wrong value, or two points of a grid are the
                same; the run is named.
        """
        self._check_names(base)
        ways = {way.name: way for way in self.ways}
        found: dict[str, Planned] = {}
        for point in points:
            options = dict(self.options)
            for name, value in point.items():
                options |= ways[name].options(value)
            for number, seed in enumerate(self.seed_list):
                given = {**options, "seed": seed} if base.seeded else options
                run = Planned(dict(point), seed, given)
                try:
                    run.options = base.converted(given)
                    if number == 0 and base.check is not None:
                        base.check(**run.options)
                except ValueError as error:
                    raise ValueError(f"run {len(found) + 1} ({run.label}): {error}") from None
                run.different = base.different(run.options)
                same = found.setdefault(run.key, run)
                if same is not run and self.sampler == "grid":
                    raise ValueError(
                        f"the run {run.label} would be the run {same.label}: they have the same "
                        f"options"
                    )
        return list(found.values())

    def _check_names(self, base: Base) -> None:
        known = [name for name in base.names if name != "seed"]
        for way in self.ways:
            if "seed" in (way.name, *way.choices.get("", ())) or "seed" in self.options:
                raise ValueError("the seed is no axis or option: give seeds = 5, or a list of them")
            if way.name in COLUMNS:
                raise ValueError(f"an axis cannot be called {way.name!r}, as a column of the table")
            if not way.choices:
                one_of("axis", way.name, known)
        for name in self.options:
            one_of(f"option of {base.name}", name, known)
        for way in self.ways:
            for name in set().union(*way.choices.values()):
                one_of(f"option of {base.name}", name, known)
        if self.pruner != "none" and not base.reports:
            raise ValueError(
                f"{base.name} reports nothing to be pruned by: give it a parameter report"
            )
        if not base.seeded and len(self.seed_list) > 1:
            raise ValueError(f"{base.name} takes no seed: give it a parameter seed, or seeds = 1")

    def changes(self, other: Plan) -> list[str]:
        """Return what differs in another plan of the same runs, as texts."""
        ours, theirs = (msgspec.to_builtins(plan) for plan in (self, other))
        found = []
        for name in dict.fromkeys((*ours, *theirs)):
            one, two = ours.get(name), theirs.get(name)
            if one == two or (
                name in ("metrics", "mode")
                and "optuna"
                not in (
                    self.sampler,
                    other.sampler,
                )
            ):
                continue
            if isinstance(one, dict) and isinstance(two, dict):
                parts = dict.fromkeys((*one, *two))
                found += [
                    f"{name}.{part} was {_shown(one.get(part))} and is {_shown(two.get(part))}"
                    for part in parts
                    if one.get(part) != two.get(part)
                ]
            else:
                found.append(f"{name} was {_shown(one)} and is {_shown(two)}")
        return found


@dataclass
class Planned:
    """A run of a study.

    Attributes:
        point: the values of the axes.
        seed: of its random numbers.
        options: all of them.
        different: those that differ from their defaults.
    """

    point: dict[str, Any]
    seed: int
    options: dict[str, Any]
    different: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """The name of its folder: a checksum of its options, whatever the other runs are."""
        text = msgspec.json.encode(self.different, enc_hook=str, order="deterministic")
        return hashlib.sha256(text).hexdigest()[:12]

    @property
    def label(self) -> str:
        """Its values of the axes, and its seed."""
        values = [f"{name} {_shown(value)}" for name, value in self.point.items()]
        return ", ".join([*values, f"seed {self.seed}"])


def _sobol(count: int, dimensions: int) -> np.ndarray:
    import warnings

    try:
        from scipy.stats import qmc
    except ImportError:
        raise missing("SciPy", "Sobol's points") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # only powers of 2 are balanced
        points: np.ndarray = qmc.Sobol(dimensions, rng=np.random.default_rng(0)).random(count)
    return points


def missing(library: str, what: str, extra: str = "studies") -> RuntimeError:
    """Return the error for a library that is not installed."""
    return RuntimeError(f"{what} need {library}: pip install 'salamandre[{extra}]'")


def read_plan(path: str | os.PathLike[str], full: bool = False) -> Plan:
    """Return the plan in a TOML file; ``-`` and ``_`` in the names of options are the same.

    Args:
        path: of the file. Its table ``full`` holds what differs in a larger study.
        full: whether the larger one is meant. Default False.

    Raises:
        ValueError: no TOML, or no plan; the file and the key are named.
        OSError: the file cannot be read.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    file = path_of(path, "the file of a study")
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # no UTF-8, or no TOML
        raise ValueError(f"{file} is no TOML file: {error}") from None
    larger = values.pop("full", {})
    if full:
        if not isinstance(larger, dict) or not larger:
            raise ValueError(f"{file} has no larger study: it needs a table [full]")
        for name, value in larger.items():
            parts = isinstance(value, dict) and isinstance(values.get(name), dict)
            values[name] = {**values[name], **value} if parts else value
    return plan_of(values, file)


def plan_of(values: Mapping[str, Any], file: Path) -> Plan:
    """Return the plan that a file holds.

    Raises:
        ValueError: it does not; the file and the key are named.
    """
    try:
        for name in values:
            one_of("key", name, Plan.__struct_fields__)
        return msgspec.convert(values, Plan)
    except ValueError as error:  # also those of msgspec
        text, _, place = str(error).partition(" - at `$")
        key = place.rstrip("`").lstrip(".")
        raise ValueError(f"{file}: {f'{key}: ' if key else ''}{text}") from None


def _shown(value: Any) -> str:
    return "absent" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
