"""What a run remembers, and which record is the best one."""

from __future__ import annotations

import copy
import csv
import io
import math
import pickle

import numpy as np
import pytest

import salamandre as sal
from salamandre.training.metrics import DIRECTIONS


class OnDevice:
    """A number on a device, which counts how often it is read."""

    def __init__(self, value):
        self.value, self.reads = value, 0

    def __float__(self):
        self.reads += 1
        return float(self.value)


def filled(numbers=range(1, 6)):
    history = sal.History("round")
    for number in numbers:
        history.append(d_loss=float(number), g_loss=number / 4)
    return history


def test_values_of_steps_by_name():
    history = filled()
    assert len(history) == 5
    assert history.steps == {"d_loss": [1, 2, 3, 4, 5], "g_loss": [0.25, 0.5, 0.75, 1, 1.25]}
    assert history.mean("d_loss", 2) == 4.5 and history.mean("d_loss") == 3
    assert math.isnan(history.mean("distance")) and math.isnan(sal.History().mean("loss"))
    assert history.arrays()["g_loss"].dtype == np.float64


def test_a_value_on_a_device_is_read_once_and_only_when_it_is_asked_for():
    history, values = sal.History(), [OnDevice(number) for number in range(4)]
    for value in values:
        history.append(loss=value)
    assert len(history) == 4 and not any(value.reads for value in values)
    assert history.mean("loss") == 1.5
    assert history.steps["loss"] == [0, 1, 2, 3]
    history.append(loss=OnDevice(4))
    assert history.to_csv(3) == "4,3\n5,4\n"
    assert [value.reads for value in values] == [1, 1, 1, 1]


def test_what_is_not_finite_is_refused_and_on_a_device_told_when_it_is_read():
    history = filled()
    with pytest.raises(sal.Diverged, match="g_loss became nan in round 6"):
        history.append(d_loss=1.0, g_loss=math.nan)
    assert len(history) == 5
    for number in (1, math.inf, 3):
        history.append(d_loss=OnDevice(number), g_loss=OnDevice(0))
    with pytest.raises(sal.Diverged, match="d_loss became inf in round 7"):
        history.read()
    assert history.steps["d_loss"][-3:] == [1, math.inf, 3]  # it can be looked at


def test_a_value_that_came_later_is_nan_before():
    history = filled([1, 2])
    history.append(d_loss=3.0, g_loss=0.0, distance=4.0)
    assert repr(history.steps["distance"]) == "[nan, nan, 4.0]"


def test_tables_can_be_read_again():
    history = filled()
    head, tail = filled([1, 2]).to_csv(), history.to_csv(2)
    assert head + tail == history.to_csv()
    rows = list(csv.DictReader(io.StringIO(history.to_csv())))
    assert [int(row["round"]) for row in rows] == [1, 2, 3, 4, 5]
    assert [float(row["g_loss"]) for row in rows] == history.steps["g_loss"]
    history.records += [{"round": 2, "frechet": 0.1 + 0.2}, {"round": 5, "right": 1.0}]
    first, second = csv.DictReader(io.StringIO(history.records_csv()))
    assert float(first["frechet"]) == 0.1 + 0.2 and second["frechet"] == "nan"
    assert history.column("frechet") == [0.1 + 0.2] and history.metrics() == {"right": 1}


def test_the_best_record_has_a_direction_and_nan_is_never_the_best():
    history = sal.History()
    history.records += [
        {"step": step, "accuracy": accuracy, "frechet": frechet, "mine": mine}
        for step, (accuracy, frechet, mine) in enumerate(
            [(math.nan, math.nan, math.nan), (0.5, 9, 3), (0.7, 2, 1), (0.7, math.nan, 2)]
        )
    ]
    assert history.best("accuracy")["step"] == 2  # the first of equal ones
    assert history.best("frechet")["step"] == 2
    assert history.best("mine", "min")["step"] == 2 and history.best("mine", "max")["step"] == 1
    assert history.best("accuracy", "min")["step"] == 1
    with pytest.raises(ValueError, match=r"larger 'mine' is better .* give mode='min' or mode="):
        history.best("mine")
    with pytest.raises(ValueError, match="unknown mode 'most'"):
        history.best("mine", "most")
    with pytest.raises(ValueError, match="no record has a value of 'recall' yet"):
        history.best("recall")


def test_directions_of_known_metrics():
    assert {name for name, mode in DIRECTIONS.items() if mode == "min"} >= {
        *("loss", "test_loss", "error_rate", "mse", "mae", "frechet"),
    }
    for metric in ("accuracy", "precision", "recall", "coverage"):
        assert DIRECTIONS[metric] == "max"


def test_a_history_can_be_read_and_holds_no_step_back():
    history = filled()
    assert repr(history) == "<History of 5 rounds: d_loss 5, g_loss 1.25; no records>"
    history.records += [{"round": 3, "frechet": 9.0, "seconds": 1.0}]
    assert str(history).endswith("; 1 record, the latest: round 3, frechet 9")
    history.append(d_loss=OnDevice(math.nan), g_loss=OnDevice(2))
    assert str(history).startswith("6 rounds: d_loss nan, g_loss 2;")  # does not raise
    assert repr(sal.History()) == "<History of 0 steps; no records>"


def test_a_record_that_is_not_there_has_a_reason():
    history = sal.History()
    for copied in (history, copy.deepcopy(history), pickle.loads(pickle.dumps(history))):
        for index in (-1, 0):
            with pytest.raises(
                IndexError, match=r"no record: an Engine makes them by tests .* test"
            ):
                copied.records[index]
    assert history.records[-1:] == [] == history.records
    history.records.append({"step": 1})
    with pytest.raises(IndexError, match="out of range"):
        history.records[1]


def test_copies_are_true_copies():
    history = filled()
    history.records.append({"round": 5, "a": math.inf})
    for other in (copy.deepcopy(history), pickle.loads(pickle.dumps(history))):
        assert other.steps == history.steps and other.records == history.records
        other.append(d_loss=0.0, g_loss=0.0)
        assert len(history) == 5


def test_metrics_of_records_that_take_turns_are_all_drawn():
    history = filled()
    history.records += [{"round": n, "ab"[n % 2]: n / 10} for n in range(1, 5)]
    assert history.metric_curves() == {"b": [(1, 0.1), (3, 0.3)], "a": [(2, 0.2), (4, 0.4)]}
