"""Steps on batches that do not fit into memory at once: gradients of parts, added up."""

from __future__ import annotations

import math
from typing import Any

from salamandre.inputs import checked_weights, example_count
from salamandre.learnable import Diverged
from salamandre.network import Network
from salamandre.optimizer import advice


class Accumulation:
    """As ``network.learn``, in parts of the batch whose gradients are added before the step.

    Memory is that of a part. The step is the same, but for layers that couple the examples of a
    batch: batch-norm normalises, and updates its running statistics, by each part, also of a step
    whose loss diverged.

    Args:
        network: has a loss and an optimizer.
        parts: of each batch, of equal size or one more.
    """

    def __init__(self, network: Network, parts: int) -> None:
        self.network, self.parts = network, parts
        self._run = network.new_pass(shared=True)

    def learn(self, x: Any, target: Any, weights: Any = None) -> Any:
        """Take a step; see :meth:`salamandre.Network.learn`."""
        network, run = self.network, self._run
        loss, optimizer, backend = network.loss, network.optimizer, network.backend
        assert loss is not None and optimizer is not None
        x = network.as_inputs(x)
        count = example_count(x)
        if count < self.parts:
            raise ValueError(
                f"{self.parts} parts need as many examples, the batch has {count}: make "
                f"accumulate smaller, or the batches larger"
            )
        target = loss.check(target, (count, *network.output_shape), network.dtype, backend)
        if weights is not None:
            weights = checked_weights(weights, count, network.dtype, backend, network.group)
        run.draw_from(network.random)
        of_logits = loss.on_logits(network.output_activation)
        run.want(input_gradient=False, logits=of_logits is not None)
        total: Any = 0.0
        with network.sharing(count // self.parts):
            for number in range(self.parts):
                part = slice(count * number // self.parts, count * (number + 1) // self.parts)
                run.accumulate = number > 0
                y = network.compute(
                    tuple(a[part] for a in x) if isinstance(x, tuple) else x[part], run
                )
                share, own = (part.stop - part.start) / count, None
                if weights is not None:  # of mean 1 in the whole batch
                    mean = weights[part].mean()
                    share, own = share * mean, weights[part] / (mean + 1e-30)
                value, dy = (of_logits or loss).evaluate(y, target[part], backend, own)
                total = total + share * value
                network.backprop((share * dy).astype(network.dtype), run)
        if network.group.size > 1:
            total = network.group.all_reduce(total) / network.group.size
        total = backend.scalar(total)
        if isinstance(total, float) and not math.isfinite(total):
            raise Diverged(
                f"the loss became {total} at step {optimizer.steps + 1}: "
                f"{advice({'network': optimizer})}"
            )
        network.step()
        return total
