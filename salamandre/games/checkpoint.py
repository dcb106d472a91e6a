"""All that a game is, written to one file and read back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from salamandre.backend import Array
from salamandre.backend.base import RandomStream
from salamandre.component import decode, difference, encode
from salamandre.games.history import GameHistory
from salamandre.network import Diverged, Network
from salamandre.optimizers import Optimizer
from salamandre.storage import read_file, write_file

if TYPE_CHECKING:
    from salamandre.games.game import GanGame


def save(game: GanGame, path: str | os.PathLike[str]) -> None:
    """See :meth:`GanGame.save`."""
    tensors = {
        name: np.array(game.backend.to_numpy(array)) for name, array in _arrays(game).items()
    }
    for name, array in tensors.items():
        if not np.isfinite(array).all():
            raise Diverged(
                f"{name} became NaN or infinite by round {game.rounds}: the checkpoint before "
                f"is kept; lower the learning rates or constrain the discriminator"
            )
    for name, values in game.history.arrays().items():
        tensors[f"history/{name}"] = values
    metrics = game.history.metrics  # as numbers, which may be infinite: JSON cannot hold such
    tensors["metrics"] = np.array([value for record in metrics for value in record.values()])
    description = {
        "identity": _identity(game),
        "optimizers": [[o.steps, encode(o.schedule)] for o in _optimizers(game)],
        "random": [stream.state for stream in _streams(game)],
        "rounds": game.rounds,
        "drawn": game.batches.drawn,
        "seconds": game.seconds,
        "metrics": [list(record) for record in metrics],
    }
    write_file(path, "game", description, tensors)


def resume(game: GanGame, path: str | os.PathLike[str]) -> None:
    """See :meth:`GanGame.resume`."""
    stored = read_file(path, "game")
    with stored.blame():
        description, tensors = stored.architecture, stored.tensors
        other = difference(description["identity"], _identity(game))
        if other:
            raise ValueError(f"it belongs to another game: its {other}")
        arrays = _arrays(game)
        for name, array in arrays.items():
            if name not in tensors or tensors[name].shape != array.shape:
                raise ValueError(f"it holds no fitting array {name!r}")
        history = GameHistory(game.figures)
        for name in history.rounds:
            history.rounds[name] = [float(value) for value in tensors[f"history/{name}"]]
        numbers = iter(tensors["metrics"].tolist())
        history.metrics = [
            {name: next(numbers) for name in record} for record in description["metrics"]
        ]
        for record in history.metrics:
            record["round"] = int(record["round"])
        optimizers = [(int(n), decode(schedule)) for n, schedule in description["optimizers"]]
        states = description["random"]
        rounds, drawn = int(description["rounds"]), int(description["drawn"])
        seconds = float(description["seconds"])
        for name, array in arrays.items():
            array[...] = game.backend.asarray(tensors[name])
        for optimizer, (steps, schedule) in zip(_optimizers(game), optimizers, strict=True):
            optimizer.steps, optimizer.schedule = steps, schedule
        for stream, state in zip(_streams(game), states, strict=True):
            stream.state = state
        game.history, game.rounds, game.seconds = history, rounds, seconds
        game.batches.drawn = drawn


def _identity(game: GanGame) -> dict[str, Any]:
    """Return what must be the same for a game to be continued."""
    names = (
        *("batch_size", "discriminator_steps", "generator_steps", "label_smoothing"),
        *("label_flipping", "instance_noise", "feature_matching", "seed"),
    )
    return {
        "game": type(game).__name__,
        "generator": encode(game.generator),
        "discriminator": encode(game.discriminator),
        "images": [game.batches.source.name, len(game.batches.source)],
        "classes": game.classes,
        "latent": encode(game.latent),
        "objective": encode(game.objective),
        "lipschitz": encode(game.lipschitz),
        "backend": game.backend.name,
        "average": game.average.decay,
        **{name: encode(getattr(game, name)) for name in names},
    }


def _arrays(game: GanGame) -> dict[str, Array]:
    """Return all arrays of a game's state by name, on its backend; they are set in place."""
    arrays = {}
    for who, network in _networks(game).items():
        assert network.optimizer is not None
        arrays[f"{who}/parameters"] = network.parameters
        for name, array in network.named_state().items():
            arrays[f"{who}/state/{name}"] = array
        for name, array in network.optimizer.memory.items():
            arrays[f"{who}/optimizer/{name}"] = array
    for name, array in game.average.values.items():
        arrays[f"average/{name}"] = array
    for name, array in game.lipschitz.state().items():
        arrays[f"lipschitz/{name}"] = array
    return arrays


def _networks(game: GanGame) -> dict[str, Network]:
    return {"generator": game.generator, "discriminator": game.discriminator}


def _optimizers(game: GanGame) -> list[Optimizer]:
    return [network.optimizer for network in _networks(game).values() if network.optimizer]


def _streams(game: GanGame) -> list[RandomStream]:
    return [game.random, game.generator.random, game.discriminator.random]
