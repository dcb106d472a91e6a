"""Runs as TensorBoard shows them, and their settings as plain values for such tools."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from salamandre.checks import shortened, whole
from salamandre.texts import path_of
from salamandre.training.callback import Callback
from salamandre.training.loop import Loop
from salamandre.training.triggers import Epochs, Steps, Trigger, trigger

Plain = bool | int | float | str


def require_tensorboard() -> None:
    """Raise ImportError, which says how to install it, if tensorboardX is missing."""
    try:
        import tensorboardX  # noqa: F401
    except ImportError:
        raise ImportError(
            "TensorBoard needs tensorboardX: pip install 'salamandre[tensorboard]'"
        ) from None


class TensorBoard(Callback):
    """Writes a run for TensorBoard: values, metrics, samples, histograms and settings.

    ``tensorboard --logdir runs`` then shows all runs in folders below ``runs``. It needs
    tensorboardX, the extra ``tensorboard``. A run that is resumed goes on in the same curves.

    Args:
        folder: of this run alone; made if it does not exist.
        every: how often the values of steps are written, as means since the last time, and the
            learning rates. Default ``Steps(20)``.
        details: how often histograms of parameters and gradients are written, and samples of a
            game that makes images. Default ``Epochs(1)``.
        count: of samples. Default 64.

    Raises:
        ImportError: tensorboardX is missing; the message says how to install it.
    """

    recorded = ()

    def __init__(
        self,
        folder: str | os.PathLike[str],
        every: Trigger = Steps(20),
        details: Trigger = Epochs(1),
        count: int = 64,
    ) -> None:
        require_tensorboard()
        self.folder = path_of(folder)
        self.values = trigger("TensorBoard every", every)  # ``every`` itself is each step
        self.details = trigger("TensorBoard details", details)
        self.count = whole("TensorBoard count", count)
        self._writer: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_writer": None}  # a copy writes files of its own

    def on_start(self, run: Loop) -> None:
        """Open a file; write the settings."""
        from tensorboardX import SummaryWriter
        from tensorboardX.summary import hparams

        # What a killed process wrote after its last checkpoint is not shown.
        purge = run.step + 1 if run.step else None
        apart = f".{time.time_ns()}"  # from the file of a run that began in the same second
        self._writer = SummaryWriter(
            str(self.folder), purge_step=purge, flush_secs=10, filename_suffix=apart
        )
        self._written, self._valued, self._detailed = run.step, run.seconds, run.seconds
        metrics = {f"metrics/{name}": 0.0 for name in run.recorded or () if name != "loss"}
        *start, self._end = hparams(run_settings(run), metrics)
        for summary in start:
            self._writer.file_writer.add_summary(summary)

    def on_step(self, run: Loop) -> None:
        """Write what is due."""
        if self.values.due(run.step, run.steps_per_epoch, run.seconds - self._valued):
            self._valued = run.seconds
            self._write_values(run)
        if self.details.due(run.step, run.steps_per_epoch, run.seconds - self._detailed):
            self._detailed = run.seconds
            self._write_details(run)

    def _write_values(self, run: Loop) -> None:
        """Write means of the values since the last time, and the learning rates."""
        last, self._written = run.step - self._written, run.step
        for name in run.history.steps:
            self._scalar(f"steps/{name}", run.history.mean(name, last), run.step)
        for who, network in run.networks.items():
            assert network.optimizer is not None
            self._scalar(f"learning_rate/{who}", network.optimizer.learning_rate, run.step)

    def on_record(self, run: Loop) -> None:
        """Write the metrics of a test or an evaluation."""
        for name, value in run.history.metrics().items():
            self._scalar(f"metrics/{name}", value, run.step)

    def on_end(self, run: Loop) -> None:
        """Write the rest, and close the file."""
        if run.step > self._written:
            self._write_values(run)
        self._writer.file_writer.add_summary(self._end)
        self._writer.close()
        self._writer = None

    def _scalar(self, tag: str, value: float, step: int) -> None:
        self._writer.add_scalar(tag, value, step)

    def _write_details(self, run: Loop) -> None:
        """Write histograms of parameters and gradients, and samples."""
        for who, network in run.networks.items():
            arrays = {
                "parameters": network.named_parameters(),
                "gradients": network.named_gradients(),
            }
            for kind, named in arrays.items():
                for name, array in named.items():
                    values = network.backend.to_numpy(array)
                    if np.isfinite(values).all():
                        self._writer.add_histogram(f"{who}_{kind}/{name}", values, run.step)
        samples = run.samples(self.count)
        if samples is not None:
            self._writer.add_images("samples", samples, run.step)


def run_settings(run: Loop) -> dict[str, Plain]:
    """Return the settings of a run as numbers and texts by name, such as ``"batch_size"``.

    Those of networks and other parts have names like ``"network.optimizer.learning_rate"``; their
    layers are a text.
    """
    found: dict[str, Plain] = {}
    for name, value in run.identity.items():
        found |= _plain(name, value)
    for who, network in run.networks.items():
        found[f"{who}.layers"] = shortened(network.layers)
        found[f"{who}.parameters"] = len(network.parameters)
    return found


def _plain(name: str, value: Any) -> dict[str, Plain]:
    """Return an encoded value as plain values by name, without what is ``None``."""
    if isinstance(value, (bool, int, float, str)):
        return {name: value}
    if isinstance(value, dict):
        found: dict[str, Plain] = {}
        for inner, part in value.items():
            text = part.rpartition(".")[2] if inner == "class" else part
            found |= _plain(name if inner == "class" else f"{name}.{inner}", text)
        return found
    return {name: shortened(value)} if value else {}
