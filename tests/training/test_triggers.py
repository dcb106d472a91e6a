"""How often something happens."""

from __future__ import annotations

import pytest

import salamandre as sal
from salamandre.training.triggers import trigger


def picked(every, steps=12, per_epoch=3, pace=0.5):
    """Return the steps that a trigger picks in a run of so many seconds a step."""
    found, latest = [], 0
    for step in range(1, steps + 1):
        if every.due(step, per_epoch, (step - latest) * pace):
            found.append(step)
            latest = step
    return found


def test_triggers_pick_steps():
    assert picked(sal.Steps(1)) == list(range(1, 13))
    assert picked(sal.Steps(5)) == [5, 10]
    assert picked(sal.Epochs(1)) == [3, 6, 9, 12]
    assert picked(sal.Epochs(2)) == [6, 12]
    assert picked(sal.Seconds(2)) == [4, 8, 12]
    assert picked(sal.Seconds(0)) == list(range(1, 13))


@pytest.mark.parametrize(
    "make",
    [
        lambda every: sal.Checkpoint("c", every=every),
        lambda every: sal.Curves("c", every=every),
        lambda every: sal.ProgressBar(every=every),
        lambda every: sal.games.SampleGrids("c", every=every),
        lambda every: sal.games.Evaluation({}, every=every),
        lambda every: trigger("test_every", every),
    ],
)
def test_a_plain_number_does_not_say_of_what(make):
    with pytest.raises(TypeError, match=r"every must be Steps.* got 500: write Steps\(500\)$"):
        make(500)
    with pytest.raises(TypeError, match=r"got 'often'$"):
        make("often")


@pytest.mark.parametrize(
    "make", [lambda: sal.Steps(0), lambda: sal.Epochs(1.5), lambda: sal.Seconds(-1)]
)
def test_numbers_that_cannot_be_are_refused(make):
    with pytest.raises(ValueError, match=r"(Steps|Epochs|Seconds) must be .* got"):
        make()
