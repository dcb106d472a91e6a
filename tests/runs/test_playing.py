"""A game in a run folder, as often as triggers say."""

from __future__ import annotations

import numpy as np
from command import table
from players import game

import salamandre as sal
from salamandre import runs


def test_a_game_is_drawn_and_evaluated_by_triggers_and_continued(tmp_path):
    drawn = []
    options = {
        "every": sal.Steps(2),
        "metrics": {"rounds": lambda play: play.rounds},
        "evaluate_every": sal.Seconds(0),
        "draw": lambda samples, path: drawn.append(path.stem),
        "quiet": True,
    }
    whole, first, second = game(), game(), game()
    runs.play(whole, 6, tmp_path / "whole", **options)
    runs.play(first, 4, tmp_path / "parts", **options)
    runs.play(second, 6, tmp_path / "parts", **options)
    assert np.array_equal(second.generator.parameters, whole.generator.parameters)
    for folder in ("whole", "parts"):
        rows = table(tmp_path / folder / "metrics.csv")
        assert [float(row["rounds"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert drawn == 2 * [f"{number:08d}" for number in (0, 2, 4, 6)]
