"""Objectives: gradients and formulas."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal

OBJECTIVES = [
    sal.Minimax(),
    sal.NonSaturating(),
    sal.LeastSquares(),
    sal.Hinge(),
    sal.Wasserstein(),
]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
@pytest.mark.parametrize("target", [1, 0, 0.8])
def test_gradients_of_objectives(objective, target, backend, host):
    side = sal.get_backend(backend)
    scores = np.array([[-2.0], [0.3], [1.7], [-0.4]])
    other = side.asarray(scores[::-1] + 0.1)

    def real(s):
        loss, d_real, _ = objective.discriminator(s, other, target, 0, side.xp)
        return loss, d_real

    def fake(s):
        loss, _, d_fake = objective.discriminator(other, s, 1, target, side.xp)
        return loss, d_fake

    for player in (real, fake, lambda s: objective.generator(s, side.xp)):
        _, gradient = player(side.asarray(scores))
        for i in range(4):
            h = np.zeros((4, 1))
            h[i] = 1e-6
            high, low = (float(player(side.asarray(scores + s * h))[0]) for s in (1, -1))
            assert float(host(gradient)[i, 0]) == pytest.approx((high - low) / 2e-6, abs=1e-8)


def test_objectives_against_their_formulas():
    scores = np.array([[-1.3], [0.4]])
    p = 1 / (1 + np.exp(-scores))
    minimax, saturating = sal.Minimax(), sal.NonSaturating()
    q = 1 / (1 + np.exp(3 - scores))
    value = float(minimax.discriminator(scores, scores - 3, 1, 0, np)[0])
    assert value == pytest.approx(-np.log(p).mean() - np.log(1 - q).mean())
    assert float(minimax.generator(scores, np)[0]) == pytest.approx(np.log(1 - p).mean())
    assert float(saturating.generator(scores, np)[0]) == pytest.approx(-np.log(p).mean())
    assert float(minimax.shown(scores, np)) == pytest.approx(p.mean())
    distance = -sal.Wasserstein().discriminator(scores, scores - 3, 1, 0, np)[0]
    assert float(distance) == pytest.approx(3)
    hinge = sal.Hinge().loss(np.array([[-3.0], [3.0]]), 1, np)[0]
    assert float(hinge) == 2
