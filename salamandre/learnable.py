"""What a network learns for, and by what: its loss and its optimizer, at any time others."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from salamandre.component import Component
from salamandre.losses import Loss
from salamandre.optimizer import Optimizer
from salamandre.parts import checked_part
from salamandre.shared_batches import SharedBatches


class Diverged(FloatingPointError):
    """The loss, or what is to be saved, became NaN or infinite.

    After a loss the parameters are those before that step; the file stays as it was.
    """


class Learnable(SharedBatches, abstract=True):
    """A chain of layers with a loss and an optimizer."""

    _loss: Loss | None = None
    _optimizer: Optimizer | None = None

    @property
    def loss(self) -> Loss | None:
        """What :meth:`Network.learn` minimises; set it to another one, or its name."""
        return self._loss

    @loss.setter
    def loss(self, loss: Loss | str | None) -> None:
        self._keep("loss", loss, self._checked_part("loss", loss, Loss))
        if self.owns_vectors:
            self._advise(stacklevel=5)

    @property
    def optimizer(self) -> Optimizer | None:
        """What changes the parameters; set it to a new one, or a name, which remembers nothing."""
        return self._optimizer

    @optimizer.setter
    def optimizer(self, optimizer: Optimizer | str | None) -> None:
        if optimizer is not None and optimizer is self._optimizer:
            return
        new = self._checked_part("optimizer", optimizer, Optimizer)
        if new is not None:
            new.require_free()
            new.check_rule()
            if self.owns_vectors:
                self._attach(new)
        self._keep("optimizer", optimizer, new)

    def _checked_part(self, name: str, part: Any, base: type[Component]) -> Any:
        if part is None:
            return None
        return checked_part(f"{type(self).__name__} {name}", part, base)

    def _keep(self, name: str, given: Any, part: Any) -> None:
        """Keep a part, which is what is saved, unless a class makes it of other arguments."""
        before = getattr(self, f"_{name}") if self.owns_vectors else given
        if self._arguments.get(name, self) is before:
            vars(self)["_arguments"] = {**self._arguments, name: part}
        setattr(self, f"_{name}", part)

    def _advise(self, stacklevel: int) -> None:
        """Warn of a loss that does not suit the last activation."""
        advice = self.loss and self.loss.advice(self.output_activation, self.output_shape)
        if advice:
            warnings.warn(advice, stacklevel=stacklevel)

    def _attach(self, optimizer: Optimizer) -> None:
        """Let an optimizer remember what it needs of these parameters."""
        optimizer.attach(self.backend, self.parameters, self.declarations())

    def load_tensors(self, tensors: Mapping[str, Any]) -> None:
        """Set all parameters and state by name; all names and shapes are checked first."""
        super().load_tensors(tensors)
        for network in self.owners:
            if isinstance(network, Learnable) and network.optimizer is not None:
                network.optimizer.follow(network.parameters)
