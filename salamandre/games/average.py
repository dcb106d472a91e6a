"""The moving average of a generator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from salamandre.backend import Array
from salamandre.network import Network


class MovingAverage:
    """Of a network's parameters, and of the running statistics that belong to them.

    Source: Yazıcı et al. 2019, "The unusual effectiveness of averaging in GAN training", section 3.

    Args:
        network: with an optimizer.
        decay: how much of the average stays in a step; 0 for no average.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.decay = decay
        self._network = network
        #: The averages by name, set in place; empty without a decay.
        self.values = {name: array + 0 for name, array in self._arrays().items()}

    def _arrays(self) -> dict[str, Array]:
        """Return the network's arrays that have an average."""
        if not self.decay:
            return {}
        return {"parameters": self._network.parameters, **self._network.named_state()}

    def follow(self) -> None:
        """Move after a step; the first ones count more, so that the beginning is forgotten."""
        assert self._network.optimizer is not None
        steps = self._network.optimizer.steps
        share = 1 - min(self.decay, (1 + steps) / (10 + steps))
        for name, array in self._arrays().items():
            self.values[name] += share * (array - self.values[name])

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Let the network have its averages, if there are such, for a while."""
        arrays = self._arrays()
        kept = {name: array + 0 for name, array in arrays.items()}
        for name, array in arrays.items():
            array[...] = self.values[name]
        try:
            yield
        finally:
            for name, array in arrays.items():
                array[...] = kept[name]
