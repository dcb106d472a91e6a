"""What recorded values are called, and which of them share a panel."""

from __future__ import annotations

import pytest

import salamandre as sal
from salamandre import data, evaluation, games
from salamandre.recorded import LARGER, RECORDED, SMALLER, alone, arrow, panel, words


def test_a_value_of_ones_own_is_its_name_in_words():
    assert words("robust_accuracy") == panel("robust_accuracy") == "robust accuracy"


def test_what_training_and_games_record_has_words():
    digits, _ = data.load("digits")
    few = digits[:64]
    network = sal.Network([sal.NeuronLayer(10, "softmax")], 64, "cross_entropy", "adam")
    classified = network.fit(few, epochs=1, validation_data=few, verbose=False)
    game = games.new_game("cwgan", few, latent=4, batch_size=16)
    game.play(rounds=1)
    judged = evaluation.Judge(network, few).metrics(game.generate(20, seed=0), game.value_range)
    recorded = {*classified.steps, *classified.metrics(), *game.history.steps, *judged}
    assert recorded - {"step", "epoch", "round", "seconds"} <= RECORDED.keys()


def test_values_of_one_panel_are_better_in_one_direction():
    """So that one arrow at the panel's title is true of all of them."""
    panels = {}
    for name, value in RECORDED.items():
        assert value.better in ("", SMALLER, LARGER), name
        panels.setdefault(panel(name), set()).add(value.better)
    assert all(len(directions) == 1 for directions in panels.values())


@pytest.mark.parametrize(("name", "better"), [("accuracy", LARGER), ("test_loss", SMALLER)])
def test_which_way_is_better(name, better):
    assert RECORDED[name].better == better


def test_words_of_one_panel_differ():
    shown = [(panel(name), words(name)) for name in RECORDED]
    assert len(shown) == len(set(shown))


def test_values_that_stand_alone_have_names_of_their_own():
    names = [alone(name) for name in RECORDED]
    assert len(names) == len(set(names))
    assert alone("d_real") == "score of real examples" and alone("my_score") == "my score"


def test_an_arrow_is_drawn_where_one_way_is_better():
    assert "↓" in arrow("loss", "test_loss") and "↑" in arrow("recall")
    assert arrow("d_loss") == arrow("loss", "accuracy") == arrow("my_score") == ""
