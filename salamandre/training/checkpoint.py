"""Checkpoints: the whole state of a run in one file."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from msgspec import Meta, Struct

from salamandre.backend import Array, RandomStream
from salamandre.checks import real
from salamandre.component import decode, encode
from salamandre.learnable import Diverged
from salamandre.network import Network
from salamandre.optimizer import Optimizer, advice
from salamandre.schedules import Schedule
from salamandre.storage import checked, read_file, write_file
from salamandre.training.history import History
from salamandre.training.identity import require_same_run
from salamandre.training.version_01 import in_present_format

Count = Annotated[int, Meta(ge=0, le=2**53)]


@dataclass(frozen=True)
class State:
    """The state of a run, except for its history.

    Attributes:
        identity: the settings that must be equal to continue a run, in values of JSON.
        networks: by name; each has an optimizer.
        arrays: other arrays by name, such as averages, on the networks' backend.
        streams: random streams by name, without those of the networks.
        followers: networks that the other arrays belong to.
    """

    identity: dict[str, Any]
    networks: Mapping[str, Network]
    arrays: Mapping[str, Array] = field(default_factory=dict)
    streams: Mapping[str, RandomStream] = field(default_factory=dict)
    followers: Sequence[Network] = ()

    def all_arrays(self, flat: bool = False) -> dict[str, Array]:
        """Return all arrays by name; they can be set in place.

        Args:
            flat: return each network's parameters as one vector, as in games of version 0.1.
        """
        arrays = {}
        for who, network in self.networks.items():
            assert network.optimizer is not None
            learned = {"parameters": network.parameters} if flat else network.named_parameters()
            memory = {f"optimizer/{name}": a for name, a in network.optimizer.memory.items()}
            for name, array in {**learned, **network.named_state(), **memory}.items():
                arrays[f"{who}/{name}"] = array
        return {**arrays, **self.arrays}

    def optimizers(self) -> dict[str, Optimizer]:
        """Return all optimizers by name: the networks', and those inside of these."""
        return {
            name: found
            for who, network in self.networks.items()
            if network.optimizer is not None
            for name, found in network.optimizer.walk(who)
        }

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Keep other threads, which may predict, from seeing half of a change."""
        networks = (*self.networks.values(), *self.followers)
        owners = {owner for network in networks for owner in network.owners}
        with ExitStack() as gates:
            for owner in sorted(owners, key=id):  # in the order of all others who take several
                gates.enter_context(owner.gate)
            yield

    def all_streams(self) -> dict[str, RandomStream]:
        """Return all random streams by name."""
        return {**{who: network.random for who, network in self.networks.items()}, **self.streams}


class Snapshot:
    """A copy of a state in memory, without its history.

    Args:
        state: of a run.
    """

    def __init__(self, state: State) -> None:
        self._arrays = {name: array.copy() for name, array in state.all_arrays().items()}
        self._streams = {name: stream.state for name, stream in state.all_streams().items()}
        self._learned = {
            who: (optimizer, optimizer.steps, optimizer.schedule)
            for who, optimizer in state.optimizers().items()
        }

    def restore(self, state: State) -> None:
        """Put a state of the same run back as it was; optimizers that came later stay."""
        later = tuple(
            f"{who}/optimizer/"
            for who, network in state.networks.items()
            if network.optimizer is not self._learned[who][0]
        )
        with state.changing():
            for name, array in state.all_arrays().items():
                if not name.startswith(later):
                    array[...] = self._arrays[name]
        for name, stream in state.all_streams().items():
            stream.state = self._streams[name]
        for optimizer, steps, schedule in self._learned.values():
            optimizer.steps, optimizer.schedule = steps, schedule


class _Description(Struct):
    """What a checkpoint holds beside its arrays; see :func:`write_checkpoint`."""

    identity: dict[str, Any]
    optimizers: dict[str, tuple[Count, Any]]
    random: dict[str, dict[str, Any]]
    drawn: Count
    seconds: Annotated[float, Meta(ge=0)]
    steps: list[str]
    records: list[list[str]]


def write_checkpoint(
    path: str | os.PathLike[str], state: State, history: History, drawn: int, seconds: float
) -> None:
    """Write a run to a safetensors file, wholly or not at all.

    Args:
        path: the file, which is replaced.
        state: networks, other arrays and random streams.
        history: of the run.
        drawn: the number of batches drawn.
        seconds: the duration of the run.

    Raises:
        Diverged: a value is NaN or infinite; the file stays as it was.
    """
    tensors = {f"history/{name}": values for name, values in history.arrays().items()}
    optimizers = {who: network.optimizer for who, network in state.networks.items()}
    to_numpy = next(iter(state.networks.values())).backend.to_numpy
    for name, array in state.all_arrays().items():
        tensors[name] = np.array(to_numpy(array), order="C")
        if not np.isfinite(tensors[name]).all():
            raise Diverged(
                f"{name} became NaN or infinite by {history.unit} {len(history)}: the checkpoint "
                f"before is kept; {advice(optimizers)}"
            )
    # Metrics may be infinite, which JSON cannot hold.
    records = [value for record in history.records for value in record.values()]
    tensors["records"] = np.array(records, dtype=np.float64)
    description = {
        "identity": state.identity,
        "optimizers": {
            who: [optimizer.steps, encode(optimizer.schedule)]
            for who, optimizer in state.optimizers().items()
        },
        "random": {name: stream.state for name, stream in state.all_streams().items()},
        "drawn": drawn,
        "seconds": seconds,
        "steps": list(history.steps),
        "records": [list(record) for record in history.records],
    }
    write_file(path, "checkpoint", description, tensors)


def read_checkpoint(
    path: str | os.PathLike[str], state: State, unit: str
) -> tuple[History, int, float]:
    """Restore the state that :func:`write_checkpoint`, or version 0.1, wrote.

    Args:
        path: the file.
        state: of a run with the same settings; its arrays, optimizers and streams are set.
        unit: what a step is called.

    Returns:
        history, drawn batches and seconds.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a damaged file, or one of another run; nothing has changed.
    """
    stored = read_file(path, "checkpoint", "game")
    with stored.blame():
        description, tensors = in_present_format(stored)
    noted = checked(description, _Description, stored.path)
    with stored.blame():
        require_same_run(noted.identity, state.identity)
        history = _history(noted, tensors, unit)
        optimizers = [
            (optimizer, _learned(who, *noted.optimizers[who]))
            for who, optimizer in state.optimizers().items()
            if who in state.networks or who in noted.optimizers  # older files lack inner ones
        ]
        streams = [
            (stream, _random(name, stream, noted.random[name]))
            for name, stream in state.all_streams().items()
        ]
        arrays = _arrays(state, tensors)
    # Nothing has changed so far, and nothing can fail from here on.
    with state.changing():
        for array, values in arrays:
            array[...] = values
    for optimizer, learned in optimizers:
        optimizer.steps, optimizer.schedule = learned
    for stream, random in streams:
        stream.state = random
    return history, noted.drawn, noted.seconds


def _learned(who: str, steps: int, description: Any) -> tuple[int, Schedule]:
    """Return the steps that an optimizer has taken, and its schedule."""
    schedule = decode(description)
    if not isinstance(schedule, Schedule):
        raise ValueError(f"the learning rate of its {who} must be a schedule, got {schedule!r}")
    real(f"the learning rate of its {who}", schedule(steps), 0)
    return steps, schedule


def _random(name: str, stream: RandomStream, state: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a stream after trying it on a copy."""
    trial = copy.deepcopy(stream)
    trial.state = state
    if trial.state != state:
        raise ValueError(f"the state of its random stream {name!r} is not one")
    return state


def _arrays(state: State, tensors: Mapping[str, np.ndarray]) -> list[tuple[Array, Array]]:
    """Return all arrays of a run with their new values, on its backend."""
    flat = all(f"{who}/parameters" in tensors for who in state.networks)
    asarray, pairs = next(iter(state.networks.values())).backend.asarray, []
    for name, array in state.all_arrays(flat).items():
        if name not in tensors or tensors[name].shape != array.shape:
            raise ValueError(f"it holds no array {name!r} of shape {array.shape}")
        if tensors[name].dtype != array.dtype:
            raise ValueError(f"its array {name!r} is of {tensors[name].dtype}, not {array.dtype}")
        if not np.isfinite(tensors[name]).all():
            raise ValueError(f"its array {name!r} holds NaN or infinity")
        pairs.append((array, asarray(tensors[name])))
    return pairs


def _history(noted: _Description, tensors: Mapping[str, np.ndarray], unit: str) -> History:
    """Return the history that a file holds."""
    prefix = "history/"
    if sorted(prefix + name for name in noted.steps) != sorted(
        name for name in tensors if name.startswith(prefix)
    ):
        raise ValueError(f"it must hold the values of the steps {noted.steps}, and no others")
    columns = {name: tensors[prefix + name] for name in noted.steps}
    shapes = {(values.shape, values.dtype.kind) for values in columns.values()}
    if len(shapes) > 1 or any(len(shape) != 1 or kind != "f" for shape, kind in shapes):
        raise ValueError("its history must hold a number of each name for each step")
    for column in columns.values():  # NaN stands for steps before the first value of a name
        if not np.isfinite(column[np.isnan(column).sum() :]).all():
            raise ValueError("its history holds NaN or infinity")
    numbers = tensors["records"].astype(np.float64).ravel().tolist()
    names = [name for record in noted.records for name in record]
    if len(names) != len(numbers) or any(len({*r}) < len(r) for r in noted.records):
        raise ValueError(f"its records name {len(names)} entries and hold {len(numbers)}")
    history, rest = History(unit, {n: v.tolist() for n, v in columns.items()}), iter(numbers)
    for record in noted.records:
        values = dict(zip(record, rest, strict=False))
        if values[unit] not in range(len(history) + 1):
            raise ValueError(
                f"its records must be of the {len(history)} {unit}s of its history, "
                f"got {values[unit]}"
            )
        history.records.append({**values, unit: int(values[unit])})
    return history
