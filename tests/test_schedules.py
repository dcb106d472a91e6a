"""Schedules against PyTorch's."""

from __future__ import annotations

import pytest

import salamandre as sal

torch = pytest.importorskip("torch")

SCHEDULES = {
    "steps": (
        sal.schedules.StepDecay(0.1, 7, 0.5),
        lambda o: torch.optim.lr_scheduler.StepLR(o, 7, 0.5),
    ),
    "exponential": (
        sal.schedules.ExponentialDecay(0.1, 0.9),
        lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.9),
    ),
    "cosine": (
        sal.schedules.CosineDecay(0.1, 40, final=0.01),
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 40, 0.01),
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name):
    schedule, theirs = SCHEDULES[name]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
    scheduler = theirs(optimizer)
    for step in range(40):
        assert schedule(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        scheduler.step()
    assert sal.SGD(schedule).learning_rate == 0.1
