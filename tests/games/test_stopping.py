"""Games that stop, fail and go on."""

from __future__ import annotations

import numpy as np
import pytest
from players import REMEDIES, game

import salamandre as sal


class StopAt(sal.Callback):
    def __init__(self, rounds):
        self.rounds = rounds

    def on_step(self, game):
        if game.rounds == self.rounds:
            game.stop()


@pytest.mark.parametrize("kind", ["remedies", "penalty", "spectral", "clipping"])
def test_a_resumed_game_is_the_same_bit_for_bit(kind, backend, tmp_path):
    def make():
        if kind == "remedies":
            return game(backend=backend, normalised=True, **REMEDIES)
        if kind == "spectral":
            return game(backend=backend, lipschitz=sal.SpectralNorm(), objective=sal.Hinge())
        lipschitz = sal.GradientPenalty() if kind == "penalty" else sal.WeightClipping(0.1)
        return game(sal.WGanGame, backend, lipschitz=lipschitz, critic_steps=2, initial_steps=3)

    whole, first, second = make(), make(), make()
    whole.play(30)
    first.play(30, [StopAt(17)])
    first.save(tmp_path / "game")
    second.play(3)  # whatever it was before
    second.resume(tmp_path / "game")
    assert second.rounds == 17
    second.play(30)
    for a, b in ((whole.generator, second.generator), (whole.discriminator, second.discriminator)):
        ours, theirs = a.tensors(), b.tensors()
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    ours, theirs = whole.history.arrays(), second.history.arrays()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize(
    "other",
    [
        {"batch_size": 8},
        {"latent": sal.Uniform(5)},
        {"objective": sal.Hinge()},
        {"remedies": [sal.LabelFlipping(0.1)]},
        {"lipschitz": sal.SpectralNorm()},
        {"kind": sal.WGanGame},
        {"normalised": True},
    ],
    ids=str,
)
def test_another_game_is_not_resumed(other, tmp_path):
    first = game()
    first.play(2)
    first.save(tmp_path / "game")
    second = game(**other)
    before = second.generator.tensors()
    with pytest.raises(ValueError, match="belongs to another run: its "):
        second.resume(tmp_path / "game")
    after = second.generator.tensors()
    assert second.rounds == 0 and all(np.array_equal(before[n], after[n]) for n in before)


def test_a_diverged_game_names_its_round_and_keeps_the_checkpoint(tmp_path):
    play, checkpoint = game(), sal.Checkpoint(tmp_path / "game", every=sal.Steps(1))
    play.play(3, [checkpoint])
    play.discriminator.optimizer.learning_rate = 1e30
    with np.errstate(all="ignore"), pytest.raises(sal.Diverged, match=r"became .* in round 4"):
        play.play(50, [checkpoint])
    again = game()
    again.resume(tmp_path / "game")
    assert again.rounds == play.rounds == len(play.history) == 3
    assert all(np.isfinite(values).all() for values in again.history.arrays().values())


def test_parameters_that_became_infinite_do_not_reach_the_checkpoint(tmp_path):
    play, checkpoint = game(), sal.Checkpoint(tmp_path / "game", every=sal.Steps(1))
    play.play(3, [checkpoint])
    play.generator.optimizer.learning_rate = 1e39  # the loss of that round is still finite
    with np.errstate(all="ignore"), pytest.raises(sal.Diverged, match=r"generator/.* by round 4"):
        play.play(50, [checkpoint])
    again = game()
    again.resume(tmp_path / "game")
    assert again.rounds == 3
    assert all(np.isfinite(array).all() for array in again.generator.tensors().values())


def test_rounds_are_a_total_and_a_second_call_says_so():
    play = game()
    play.play(3)
    with pytest.warns(UserWarning, match=r"rounds=3 counts all .* 3 are done: .* give rounds=6"):
        play.play(rounds=3)
    play.play(rounds=6)
    assert play.rounds == 6


def test_a_learning_rate_set_by_hand_is_resumed(tmp_path):
    whole = game()
    whole.play(3)
    whole.generator.optimizer.learning_rate = 1e-5
    whole.save(tmp_path / "game")
    whole.play(6)
    again = game()
    again.resume(tmp_path / "game")
    again.play(6)
    assert np.array_equal(again.generator.parameters, whole.generator.parameters)


def test_one_callback_that_fails_does_not_keep_others_from_the_end(tmp_path):
    class Fails(sal.Callback):
        def on_end(self, game):
            raise OSError("no space")

    play = game()
    with pytest.raises(OSError, match="no space"):
        play.play(3, [Fails(), sal.Checkpoint(tmp_path / "game")])
    assert (tmp_path / "game").exists()
