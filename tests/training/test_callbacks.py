"""Progress, curves, checkpoints and early stopping, of an engine and of runs that only count."""

from __future__ import annotations

import copy
import csv
import io
import math
import os
import pickle
import shutil
import signal
import sys

import numpy as np
import pytest
from matplotlib.image import imread
from test_engine import LABELS, X, engine, perceptron
from test_loop import At, Counting, StopAt, Taken

import salamandre as sal


def table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("metric", "mode", "values", "expected"),
    [
        ("test_loss", None, [3, 2, 2.5, 2.6, 1.9, 2, 2, 2], 7),
        ("accuracy", None, [0.1, 0.3, 0.2, 0.3, 0.3], 4),
        ("mine", "min", [1, 2, 3, 4], 3),
        ("mine", "max", [math.nan, 2, math.nan, 1, math.nan], 4),
        ("accuracy", None, [math.nan] * 3, 2),
        ("mae", None, [5, 4, 3, 2, 3, 2, 2], 6),
        ("mine", "min", [math.inf, math.inf, 3, math.inf, 4, 3], 5),
        ("mine", "max", [-math.inf, math.inf, 3, math.inf, 4], 4),
    ],
)
def test_early_stopping_waits_for_its_patience(metric, mode, values, expected):
    loop = Counting()
    record = Every(lambda run: run.record({metric: values[run.step - 1]}))
    loop.run(100, record, sal.EarlyStopping(metric, patience=3, mode=mode, best=False))
    assert loop.step == expected + 1


class Every(sal.Callback):
    """Does something after every step."""

    def __init__(self, do):
        self.do = do

    def on_step(self, run):
        self.do(run)


def test_early_stopping_must_know_what_is_better():
    with pytest.raises(ValueError, match=r"smaller or a larger 'mine' is better .* mode='min' or"):
        sal.EarlyStopping("mine")
    with pytest.raises(ValueError, match="unknown mode 'up'"):
        sal.EarlyStopping("accuracy", mode="up")
    stopping = sal.EarlyStopping("accuracy")
    with pytest.warns(UserWarning, match=r"watches 'accuracy', which the records lack .*hold a\)"):
        Counting().run(3, At(1, lambda run: run.record({"a": 1})), stopping)


def test_early_stopping_ends_a_run():
    run = engine(callbacks=[sal.EarlyStopping("test_loss", patience=1)])
    run.run(1000)
    losses = run.history.column("test_loss")
    assert len(losses) < 1000
    assert losses[-1] >= min(losses[:-1])


def test_a_metric_that_is_never_recorded_is_told_before_the_first_step():
    for test, metric, held in (
        (None, "test_loss", "loss"),
        ((X, LABELS), "recall", "loss, test_loss, accuracy"),
    ):
        run = sal.Engine(perceptron(), (X, LABELS), test, callbacks=[sal.EarlyStopping(metric)])
        with pytest.raises(
            ValueError, match=f"{metric}', which the records lack .they hold {held}"
        ):
            run.run(3)
        assert run.step == 0
    run = sal.Engine(perceptron(), (X, LABELS), callbacks=[sal.EarlyStopping("loss", 1)])
    run.run(3)  # of the training
    own = Every(lambda run: run.step % 6 or run.record({"recall": 1}))
    with pytest.warns(UserWarning, match=r"hold epoch, .* own that records it .* = \('recall',\)"):
        engine(callbacks=[own, sal.EarlyStopping("recall")]).run(2)
    own.recorded = ("recall",)
    run = engine(callbacks=[own, sal.EarlyStopping("recall", patience=2)])
    run.run(9)
    assert run.step == 18


def test_what_is_derived_from_a_callback_may_record_more():
    class Own(sal.EarlyStopping):
        every = sal.Steps(6)

        def on_step(self, run):
            run.record({"recall": 1})

    run = engine(callbacks=[Own("recall", patience=2)])
    with pytest.warns(UserWarning, match="a callback of your own that records it says so"):
        run.run(9)
    assert run.step == 18
    Own.recorded = ("recall",)
    engine(callbacks=[Own("recall", patience=2)]).run(9)


def test_the_best_networks_are_put_back_at_the_end(tmp_path):
    def made(kept):
        noting = Every(lambda run: kept.append(run.network.parameters.copy()))
        stopping = sal.EarlyStopping("test_loss", 2, best=tmp_path / "best")
        return engine(callbacks=[noting, stopping, sal.Checkpoint(tmp_path / "end")])

    kept = []
    run = made(kept)
    run.run(60)
    step = run.history.best("test_loss")["step"]
    assert step < run.step < 60 * 6
    assert np.array_equal(run.network.parameters, kept[step - 1])
    assert not np.array_equal(kept[step - 1], kept[-1])
    assert run.evaluate()["test_loss"] == run.history.best("test_loss")["test_loss"]
    assert len(run.history) == len(kept)
    again = made([])
    again.resume(tmp_path / "end")  # a Checkpoint after it holds them too
    assert np.array_equal(again.network.parameters, kept[step - 1]) and again.step == run.step
    again.resume(tmp_path / "best")
    assert again.step == step


def test_the_best_networks_of_a_run_that_was_interrupted_and_resumed(tmp_path):
    def made(folder, *more):
        stopping = sal.EarlyStopping("test_loss", 2, best=tmp_path / folder / "best")
        return engine(callbacks=[*more, stopping, sal.Checkpoint(tmp_path / folder / "end")])

    whole = made("whole")
    whole.run(60)
    best = whole.history.best("test_loss")["step"]
    press = At(best + 1, lambda run: os.kill(os.getpid(), signal.SIGINT))
    first = made("parts", press)
    first.run(60)
    assert first.interrupted and first.step == best + 1
    late = engine(callbacks=[sal.EarlyStopping("test_loss", 1, best=tmp_path / "late")])
    late.resume(tmp_path / "parts" / "end")
    with pytest.warns(UserWarning, match="no better record since it was given that file"):
        late.run(60)
    second = made("parts")
    second.resume(tmp_path / "parts" / "end")
    assert np.array_equal(second.network.parameters, first.network.parameters)  # not put back
    second.run(60)
    assert second.step == whole.step
    assert np.array_equal(second.network.parameters, whole.network.parameters)


def test_the_best_networks_of_one_run_are_not_put_into_another(tmp_path):
    worse = Every(lambda run: run.record({"mine": run.step}))
    stopping = sal.EarlyStopping("mine", 3, mode="min")
    first = engine(callbacks=[worse, sal.Checkpoint(tmp_path / "end"), stopping])
    first.run(60)
    best = first.network.parameters.copy()
    same = copy.deepcopy(stopping), pickle.loads(pickle.dumps(stopping))
    for given in (stopping, *same):
        other = engine(callbacks=[worse, given])
        other.resume(tmp_path / "end")
        with pytest.warns(UserWarning, match=r"of another run .*; the last networks stay"):
            other.run(60)
        assert not np.array_equal(other.network.parameters, best)


def test_a_run_that_goes_on_keeps_its_best_networks():
    worse = Every(lambda run: run.record({"mine": run.step}))
    run = engine(callbacks=[worse, sal.EarlyStopping("mine", 3, mode="min")])
    run.run(60)
    best = run.network.parameters.copy()
    run.run(90)
    assert run.step == 5 and np.array_equal(run.network.parameters, best)


def test_curves_and_progress(tmp_path, capsys):
    bar = sal.ProgressBar(every=sal.Seconds(0))
    run = engine(callbacks=[sal.Curves(tmp_path / "new"), bar])
    run.run(2)
    rows = table(tmp_path / "new" / "metrics.csv")
    assert [float(row["accuracy"]) for row in rows] == run.history.column("accuracy")
    assert [float(row["epoch"]) for row in rows] == [1, 2]
    rows = table(tmp_path / "new" / "curves.csv")
    assert [float(row["loss"]) for row in rows] == pytest.approx(run.history.steps["loss"], 1e-5)
    assert imread(tmp_path / "new" / "curves.png").std() > 0
    shown = capsys.readouterr().err
    assert f"loss {run.history.mean('loss'):.4g}" in shown
    assert f"accuracy {run.history.records[-1]['accuracy']:.4g}" in shown
    assert "12/12" in shown


def test_a_table_that_was_lost_or_cut_is_written_anew(tmp_path, monkeypatch):
    """The folder may vanish in mid-run, and a full disk may take half a row."""
    file = tmp_path / "run" / "curves.csv"
    curves = sal.Curves(file.parent, every=sal.Steps(1))
    Counting().run(9, curves, At(4, lambda run: shutil.rmtree(file.parent)))
    assert [row["step"] for row in table(file)] == [str(n) for n in range(1, 10)]

    def fail(run):
        with monkeypatch.context() as context:
            context.setattr(run.history, "to_csv", lambda start: "7,0.")
            curves.on_step(run)
            context.setattr(run.history, "to_csv", lambda start: 1 / 0)
            curves.on_step(run)

    with pytest.raises(ZeroDivisionError):
        Counting().run(9, curves, At(4, fail))
    assert [row["step"] for row in table(file)] == [str(n) for n in range(1, 5)]


def test_a_bar_that_is_drawn_rarely_ends_where_the_run_does(capsys):
    loop = Counting()
    loop.run(7, sal.ProgressBar(every=sal.Seconds(3600)))
    assert "7/7" in capsys.readouterr().err


def test_lines_of_epochs(capsys):
    Counting().run(7, At(4, lambda run: run.record({"a": 0.5})), sal.training.EpochLines())
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("epoch 1 of 3, 0 s, 0 s left: number 2")
    assert second.startswith("epoch 2 of 3") and second.endswith("left: number 5, a 0.5")


@pytest.mark.parametrize("stream", [None, "closed"])
def test_bars_and_lines_need_no_output(monkeypatch, stream):
    if stream:
        stream = io.StringIO()
        stream.close()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    loop = Counting()
    loop.run(7, sal.ProgressBar(every=sal.Seconds(0)), sal.training.EpochLines())
    assert loop.step == 7


def test_the_table_is_appended_to_and_what_was_played_for_nothing_is_replaced(tmp_path):
    loop, twins = Counting(), []

    def read(run):
        held.append((tmp_path / "curves.csv").read_text())

    held = []
    curves = sal.Curves(tmp_path, every=sal.Steps(2))
    taken = Taken(twins, 5, lambda run: run.history.to_csv())
    loop.run(5, curves, Every(read), taken)
    assert held[0] == "step\n" and held[1] == held[2] == "step,number\n1,1\n2,2\n"
    assert held[1] < held[3] and (tmp_path / "curves.csv").read_text() == twins[0]
    with (tmp_path / "curves.csv").open("a") as file:
        file.write("6,99\n7,9")  # of a process that was killed
    loop.run(6, curves)
    assert [row["number"] for row in table(tmp_path / "curves.csv")] == list("123456")
    assert not (tmp_path / "metrics.csv").exists()


def test_the_curves_of_a_diverged_run_are_drawn(tmp_path):
    loop = Counting()
    with pytest.raises(sal.Diverged, match="number became nan in step 5"):
        loop.run(9, sal.Curves(tmp_path), At(4, lambda run: run.history.append(number=math.nan)))
    assert len(table(tmp_path / "curves.csv")) == 4 and (tmp_path / "curves.png").exists()


def test_a_checkpoint_is_saved_as_often_as_asked_and_at_the_end(tmp_path):
    class Saved(Counting):
        def save(self, path):
            saves.append(self.step)

    saves = []
    Saved().run(7, sal.Checkpoint(tmp_path / "c", every=sal.Epochs(1)))
    assert saves == [3, 6, 7]
    saves.clear()
    Saved().run(7, sal.Checkpoint(tmp_path / "c"), StopAt(4))
    assert saves == [4]
    saves.clear()
    with pytest.raises(ZeroDivisionError):
        Saved().run(7, sal.Checkpoint("c", every=sal.Steps(2)), At(3, lambda run: 1 / 0))
    assert saves == [2]


def test_curves_are_drawn_with_panels(tmp_path):
    steps = {"a": np.arange(300.0), "b": np.ones(300)}
    metrics = {"c": [(100, 0.5), (300, 0.25)], "d": [(300, math.nan)]}
    panels = [("a", "c"), ("unknown",)]
    sal.plots.plot_curves(steps, metrics, tmp_path / "p.png", unit="round", panels=panels)
    assert imread(tmp_path / "p.png").std() > 0


@pytest.mark.parametrize("mode", [None, "max"])
def test_a_checkpoint_of_the_best_record(mode, tmp_path):
    metric = "mine" if mode else "test_loss"
    run = engine()
    values = iter([3.0, 1.0, float("nan"), 4.0, 2.0, 4.0, 0.5])

    class Mine(sal.Callback):
        every = sal.Epochs(1)
        recorded = ("mine",)

        def on_step(self, run):
            run.record({"mine": next(values)})

    best = sal.Checkpoint(tmp_path / "best", best=metric, mode=mode)
    run.callbacks = (Mine(), best)
    run.run(7)
    again = engine()
    again.resume(tmp_path / "best")
    assert again.step == run.history.best(metric, mode)["step"]
    if mode:
        assert again.step == 4 * run.steps_per_epoch  # the first of two equal ones


def test_a_checkpoint_of_a_metric_that_nothing_records(tmp_path):
    with pytest.raises(ValueError, match="not known: give mode='min' or mode='max'"):
        sal.Checkpoint(tmp_path / "best", best="beauty")
    with pytest.raises(ValueError, match="Checkpoint watches 'frechet', which the records lack"):
        engine(callbacks=[sal.Checkpoint(tmp_path / "best", best="frechet")]).run(1)


def test_a_best_record_from_before_the_file_was_asked_for_is_not_in_it(tmp_path):
    def made(*more):
        return engine(callbacks=[Every(lambda run: run.record({"mine": run.step})), *more])

    made(sal.Checkpoint(tmp_path / "end")).run(2)
    late = made(sal.Checkpoint(tmp_path / "best", best="mine", mode="min"))
    late.resume(tmp_path / "end")
    with pytest.warns(UserWarning, match="best was not written: no record .* had a better mine"):
        late.run(4)
    assert not (tmp_path / "best").exists()


def test_a_run_that_ends_before_its_first_test_has_no_best(tmp_path):
    best = sal.Checkpoint(tmp_path / "best", best="test_loss")
    run = engine(test_every=sal.Epochs(10), callbacks=[best])
    with pytest.warns(UserWarning, match="Checkpoint watches .*the run to last until its first"):
        run.run(2)
    assert not (tmp_path / "best").exists()


def test_metrics_of_a_run_before_this_one_are_not_left_in_its_folder(tmp_path):
    seen = []

    class Look(sal.Callback):
        every = sal.Steps(1)

        def on_step(self, run):
            seen.append((tmp_path / "metrics.csv").exists())

    for _ in range(2):
        engine(callbacks=[sal.Curves(tmp_path), Look()]).run(1)
        assert (tmp_path / "metrics.csv").exists() and not any(seen)
