"""The Wasserstein game of Arjovsky, Chintala and Bottou 2017."""

from __future__ import annotations

from typing import Any

import numpy as np

from salamandre.backend import Array
from salamandre.checks import whole
from salamandre.data.images import Images
from salamandre.data.paired_images import Pairs
from salamandre.games.constraints import Lipschitz, WeightClipping
from salamandre.games.game import GanGame
from salamandre.games.latent import Latent
from salamandre.games.objectives import Wasserstein
from salamandre.games.remedies import Batch
from salamandre.network import Network
from salamandre.told import refuse_unknown


class WGanGame(GanGame):
    """A generator against a critic whose scores estimate the Wasserstein distance.

    Args:
        generator: see :class:`GanGame`.
        critic: a Network with an optimizer, from examples to scores, ending linearly.
        images: see :class:`GanGame`.
        latent: see :class:`GanGame`.
        critic_steps: steps of the critic a round (the paper's n_critic). Default 5.
        lipschitz: the constraint. Default ``WeightClipping(0.01)``, the paper's.
        initial_steps: steps of the critic before the first round, so that its estimate is good
            from the start. Default 0.
        options: the other arguments of :class:`GanGame`, except ``objective`` and
            ``discriminator_steps``.

    Attributes:
        history: its ``steps["distance"]`` are estimates of the Wasserstein distance times the
            critic's slope: the mean score of real examples minus that of fakes.
    """

    def __init__(
        self,
        generator: Network,
        critic: Network,
        images: Images | Pairs | np.ndarray,
        *,
        latent: Latent | None = None,
        critic_steps: int = 5,
        lipschitz: Lipschitz | None = None,
        initial_steps: int = 0,
        **options: Any,
    ) -> None:
        for name in ("objective", "discriminator_steps"):
            if name in options:
                raise TypeError(f"a WGanGame has no {name}: it is given by the game")
        known = {**WGanGame._parameters(), **GanGame._parameters()}
        refuse_unknown(
            WGanGame, {name: known[name] for name in known if name != "options"}, options
        )
        self.initial_steps = whole("initial_steps", initial_steps, least=0)
        super().__init__(
            generator,
            critic,
            images,
            latent=latent,
            objective=Wasserstein(),
            lipschitz=lipschitz or WeightClipping(),
            discriminator_steps=whole("critic_steps", critic_steps),
            **options,
        )

    @property
    def critic(self) -> Network:
        """The critic."""
        return self.discriminator

    def play_and_learn(self) -> None:
        """Play a round; before the first one, let the critic converge."""
        if self.rounds == 0:
            for _ in range(self.initial_steps):
                self.critic_learning()
        super().play_and_learn()

    def critic_learning(self, batch: Batch | None = None) -> dict[str, Array]:
        """Take one step of the critic (Arjovsky et al. 2017, algorithm 1)."""
        return self.discriminator_learning(batch)

    def discriminator_learning(self, batch: Batch | None = None) -> dict[str, Array]:
        """As :meth:`GanGame.discriminator_learning`, with ``distance`` in the result."""
        values = super().discriminator_learning(batch)
        values["distance"] = values["d_real"] - values["d_fake"]
        return values
