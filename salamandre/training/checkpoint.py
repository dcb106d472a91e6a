"""Checkpoints: the whole state of a run in one file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from salamandre.backend import Array, RandomStream
from salamandre.component import decode, difference, encode
from salamandre.network import Diverged, Network
from salamandre.storage import StoredFile, read_file, write_file
from salamandre.training.history import History


@dataclass(frozen=True)
class State:
    """The state of a run, except for its history.

    Attributes:
        identity: the settings that must be equal to continue a run, in values of JSON.
        networks: by name; each has an optimizer.
        arrays: other arrays by name, such as averages, on the networks' backend.
        streams: random streams by name, without those of the networks.
    """

    identity: dict[str, Any]
    networks: Mapping[str, Network]
    arrays: Mapping[str, Array] = field(default_factory=dict)
    streams: Mapping[str, RandomStream] = field(default_factory=dict)

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

    def all_streams(self) -> dict[str, RandomStream]:
        """Return all random streams by name."""
        return {**{who: network.random for who, network in self.networks.items()}, **self.streams}


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
    to_numpy = next(iter(state.networks.values())).backend.to_numpy
    for name, array in state.all_arrays().items():
        tensors[name] = np.array(to_numpy(array), order="C")
        if not np.isfinite(tensors[name]).all():
            raise Diverged(
                f"{name} became NaN or infinite by {history.unit} {len(history)}: the checkpoint "
                f"before is kept; lower the learning rate or bound the gradient (clip_norm=1)"
            )
    # Metrics may be infinite, which JSON cannot hold.
    records = [value for record in history.records for value in record.values()]
    tensors["records"] = np.array(records, dtype=np.float64)
    optimizers = {who: network.optimizer for who, network in state.networks.items()}
    description = {
        "identity": state.identity,
        "optimizers": {who: [o.steps, encode(o.schedule)] for who, o in optimizers.items() if o},
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
        description, tensors = _translated(stored)
        other = difference(description["identity"], state.identity)
        if other:
            raise ValueError(f"it belongs to another run: its {other}")
        flat = all(f"{who}/parameters" in tensors for who in state.networks)
        arrays = state.all_arrays(flat)
        for name, array in arrays.items():
            if name not in tensors or tensors[name].shape != array.shape:
                raise ValueError(f"it holds no array {name!r} of shape {array.shape}")
            if not np.isfinite(tensors[name]).all():
                raise ValueError(f"its array {name!r} holds NaN or infinity")
        steps = {name: tensors[f"history/{name}"].tolist() for name in description["steps"]}
        numbers = iter(tensors["records"].tolist())
        records = [{name: next(numbers) for name in names} for names in description["records"]]
        for record in records:
            record[unit] = int(record[unit])
        changed = []
        for who, network in state.networks.items():
            count, schedule = description["optimizers"][who]
            changed.append((network.optimizer, int(count), decode(schedule)))
        streams = [(s, description["random"][name]) for name, s in state.all_streams().items()]
        drawn, seconds = int(description["drawn"]), float(description["seconds"])
        # Nothing has changed so far, and nothing can fail from here on.
        asarray = next(iter(state.networks.values())).backend.asarray
        for name, array in arrays.items():
            array[...] = asarray(tensors[name])
        for optimizer, count, schedule in changed:
            assert optimizer is not None
            optimizer.steps, optimizer.schedule = count, schedule
        for stream, random in streams:
            stream.state = random
        return History(unit, steps, records), drawn, seconds


def _translated(stored: StoredFile) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return description and tensors; those of version 0.1 in the present format."""
    description, tensors = stored.architecture, stored.tensors
    if "metrics" in description:  # a game
        players = ("generator", "discriminator")
        description = {
            **description,
            "identity": _with_remedies(description["identity"]),
            "optimizers": dict(zip(players, description["optimizers"], strict=True)),
            "random": dict(zip(("game", *players), description["random"], strict=True)),
            "steps": [n.partition("/")[2] for n in tensors if n.startswith("history/")],
            "records": description["metrics"],
        }
        tensors = {name.replace("/state/", "/"): array for name, array in tensors.items()}
        tensors["records"] = tensors["metrics"]
    elif "tests" in description:  # an engine
        records, losses = description["tests"], tensors["losses"]
        description = {
            **description,
            "identity": {**description["identity"], "backend": description["backend"]},
            "optimizers": {"network": [description["optimizer_steps"], description["schedule"]]},
            "random": {"network": description["random"]},
            "drawn": len(losses),
            "steps": ["loss"],
            "records": [list(record) for record in records],
        }
        tensors = {
            f"network/{name}" if name.startswith("optimizer/") else name: array
            for name, array in tensors.items()
        }
        tensors["history/loss"] = losses
        tensors["records"] = np.array([value for record in records for value in record.values()])
    return description, tensors


# The options of games of version 0.1 that are arguments of remedies now.
_REMEDIES = {
    "label_smoothing": ("LabelSmoothing", ("low", "high")),
    "label_flipping": ("LabelFlipping", ("probability",)),
    "instance_noise": ("InstanceNoise", ("std",)),
    "feature_matching": ("FeatureMatching", ("weight",)),
    "average": ("MovingAverage", ("decay",)),
}


def _with_remedies(identity: dict[str, Any]) -> dict[str, Any]:
    """Return the identity of a game of version 0.1 with its options as remedies."""
    remedies = []
    for option, (name, arguments) in _REMEDIES.items():
        value = identity.get(option)
        if value:
            values = value if isinstance(value, list) else [value]
            named = dict(zip(arguments, values, strict=True))
            remedies.append({"class": f"remedies.{name}", **named})
    kept = {name: value for name, value in identity.items() if name not in _REMEDIES}
    return {**kept, "remedies": remedies}
