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


def test_a_cosine_warms_up_and_stays_at_its_end():
    rate = sal.schedules.CosineDecay(1, 20, warmup=4, final=0.1)
    corners = [rate(step) for step in (0, 1, 3, 4, 12, 20, 50)]
    assert corners == pytest.approx([0.25, 0.5, 1, 1, 0.55, 0.1, 0.1])


def test_a_triangle_has_three_corners():
    rate = sal.schedules.Triangle(0.5, 100, peak=0.2, first=0.1, final=0.04)
    corners = [rate(step) for step in (0, 10, 20, 60, 100, 130)]
    assert corners == pytest.approx([0.05, 0.275, 0.5, 0.26, 0.02, 0.02])


@pytest.mark.parametrize("shares", [{"first": 5}, {"final": 1.01}, {"peak": 1}])
def test_a_triangle_takes_shares(shares):
    (name,) = shares
    with pytest.raises(ValueError, match=f"Triangle {name} must be .*1"):
        sal.schedules.Triangle(0.5, 100, **shares)
