"""Engines that are killed, stopped or fail, and go on bit for bit."""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from test_engine import LABELS, X, engine, perceptron
from test_loop import StopAt

import salamandre as sal
from salamandre.data import Images, Shift


def same_run(a: sal.Engine, b: sal.Engine) -> bool:
    """Whether two engines hold the same weights, states and histories, bit for bit."""
    tensors = a.network.tensors(), b.network.tensors()
    records = [
        [{k: v for k, v in record.items() if k != "seconds"} for record in run.history.records]
        for run in (a, b)
    ]
    return (
        all(np.array_equal(tensors[0][name], tensors[1][name]) for name in tensors[0])
        and a.history.steps == b.history.steps
        and records[0] == records[1]
    )


@pytest.mark.parametrize("stop", [1, 6, 9, 17])
@pytest.mark.parametrize("transformed", [False, True])
def test_a_resumed_run_ends_as_one_that_was_never_stopped(tmp_path, stop, transformed):
    pixels = np.random.default_rng(1).integers(0, 256, (50, 1, 2, 3), dtype=np.uint8)
    data = Images(pixels, LABELS.astype(np.uint8), ("0", "1"), "made", "train")
    options = {"batch_size": 8, "transform": Shift(1) if transformed else None}
    whole = sal.Engine(perceptron(), data, data, **options)
    whole.run(3)

    stopped = sal.Engine(perceptron(), data, data, callbacks=[StopAt(stop)], **options)
    stopped.run(3)
    assert stopped.step == stop
    stopped.save(tmp_path / "checkpoint")
    resumed = sal.Engine(perceptron(), data, data, **options)
    resumed.network.learn(X[:8], LABELS[:8])  # whatever it did before does not matter
    resumed.resume(tmp_path / "checkpoint")
    resumed.run(3)
    assert same_run(whole, resumed)


SCRIPT = textwrap.dedent(
    """
    import faulthandler, sys, time
    import salamandre as sal

    faulthandler.dump_traceback_later(60, exit=True)
    sys.path.insert(0, sys.argv[2])
    from test_engine import LABELS, X, perceptron

    class Slow(sal.Callback):
        def on_step(self, engine):
            time.sleep(0.002)
            print(engine.step, flush=True)
            while "wait" in sys.argv and not engine.interrupted:
                time.sleep(0.001)

    checkpoint = sal.Checkpoint(sys.argv[1] + "/checkpoint", every=sal.Steps(3))
    run = sal.Engine(perceptron(), (X, LABELS), (X, LABELS), batch_size=8,
                     callbacks=[checkpoint, Slow()])
    if checkpoint.path.exists():
        run.resume(checkpoint.path)
    run.run(30)
    print("interrupted" if run.interrupted else "done", flush=True)
    """
)


def start(folder, *arguments) -> subprocess.Popen:
    command = [sys.executable, "-c", SCRIPT, str(folder), os.path.dirname(__file__), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def whole() -> sal.Engine:
    run = sal.Engine(perceptron(), (X, LABELS), (X, LABELS), batch_size=8)
    run.run(30)
    return run


def assert_ends_as(whole, folder):
    resumed = sal.Engine(perceptron(), (X, LABELS), (X, LABELS), batch_size=8)
    resumed.resume(folder / "checkpoint")
    assert resumed.step == 180
    assert same_run(whole, resumed)


def test_a_run_killed_again_and_again_ends_as_one_that_was_not(tmp_path, whole):
    chance = random.Random(0)
    for _ in range(4):
        process = start(tmp_path)
        process.stdout.readline()  # it learns
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        process.wait()
        process.stdout.close()
    process = start(tmp_path)
    output, _ = process.communicate()
    assert output.endswith("done\n")
    assert_ends_as(whole, tmp_path)


def test_ctrl_c_saves_and_the_run_can_be_continued(tmp_path, whole):
    process = start(tmp_path, "wait")
    assert process.stdout.readline() == "1\n"
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate()
    assert output == "interrupted\n"
    assert process.returncode == 0
    output, _ = start(tmp_path).communicate()
    assert output.endswith("done\n")
    assert_ends_as(whole, tmp_path)


def test_resume_refuses_another_run_and_changes_nothing(tmp_path):
    run = engine()
    run.run(1)
    run.save(tmp_path / "checkpoint")
    others = {
        "network": sal.Engine(perceptron(seed=1), (X, LABELS), batch_size=8),
        "train": sal.Engine(perceptron(), (X[:40], LABELS[:40]), batch_size=8),
        "batch_size": sal.Engine(perceptron(), (X, LABELS), batch_size=9),
        "seed": engine(seed=3),
    }
    for what, other in others.items():
        before = other.network.tensors()
        with pytest.raises(ValueError, match=f"checkpoint .*another run: its {what}"):
            other.resume(tmp_path / "checkpoint")
        assert other.step == 0
        assert all(np.array_equal(before[k], v) for k, v in other.network.tensors().items())
    run.network.save(tmp_path / "model")
    with pytest.raises(ValueError, match="holds a network, not a checkpoint"):
        engine().resume(tmp_path / "model")
    with pytest.raises(FileNotFoundError):
        engine().resume(tmp_path / "nothing")


def test_a_run_with_other_weights_is_another_run(tmp_path):
    run = sal.Engine(perceptron(), (X, LABELS), class_weights=[1, 2])
    run.run(1)
    run.save(tmp_path / "c")
    sal.Engine(perceptron(), (X, LABELS), class_weights=[1, 2]).resume(tmp_path / "c")
    for other in ([1, 3], None):
        with pytest.raises(ValueError, match="another run: its weights"):
            sal.Engine(perceptron(), (X, LABELS), class_weights=other).resume(tmp_path / "c")


def test_a_transform_is_known_by_its_settings(tmp_path):
    network = perceptron()
    images = Images(
        np.zeros((16, 1, 2, 3), np.uint8), np.zeros(16, np.uint8), ("a", "b"), "i", "train"
    )
    sal.Engine(network, images, batch_size=8, transform=Shift(1)).save(tmp_path / "c")
    again = sal.Engine(perceptron(), images, batch_size=8, transform=Shift(1))
    again.resume(tmp_path / "c")
    other = sal.Engine(perceptron(), images, batch_size=8, transform=Shift(2))
    with pytest.raises(ValueError, match="another run: its transform"):
        other.resume(tmp_path / "c")


def some_images(pixels=0, labels=(0, 1), classes=("a", "b")):
    x = np.full((16, 1, 2, 3), 7, np.uint8)
    x[3, 0, 0, 0] = pixels
    return Images(x, np.tile(np.array(labels, np.uint8), 8), classes, "i", "train")


def test_a_changed_data_set_is_told_at_resume(tmp_path):
    def run(images, transform=None):
        return sal.Engine(perceptron(), images, batch_size=8, transform=transform)

    def first(x, random):
        return x

    second = lambda x, random: x[:, :, ::-1]  # noqa: E731
    second.__qualname__ = first.__qualname__
    run(some_images(), first).save(tmp_path / "c")
    run(some_images(), first).resume(tmp_path / "c")
    for images in (
        some_images(pixels=9),
        some_images(labels=(1, 0)),
        some_images(classes=("b", "a")),
    ):
        with pytest.raises(ValueError, match=r"examples of .* have changed"):
            run(images, first).resume(tmp_path / "c")
    with pytest.raises(ValueError, match="transform"):
        run(some_images(), second).resume(tmp_path / "c")


def test_a_diverged_run_stops_and_leaves_the_last_good_checkpoint(tmp_path):
    network = sal.Network([sal.NeuronLayer(1)], 6, sal.MeanSquaredError(), sal.SGD(1e3))
    checkpoint = sal.Checkpoint(tmp_path / "checkpoint", every=sal.Steps(1))
    run = sal.Engine(network, (X, X[:, :1]), batch_size=8, callbacks=[checkpoint])
    with np.errstate(all="ignore"), pytest.raises(sal.Diverged, match=r"step \d+"):
        run.run(100)
    assert isinstance(run.error, sal.Diverged)
    fresh = sal.Network([sal.NeuronLayer(1)], 6, sal.MeanSquaredError(), sal.SGD(1e3))
    resumed = sal.Engine(fresh, (X, X[:, :1]), batch_size=8)
    resumed.resume(tmp_path / "checkpoint")
    assert resumed.step == run.step
    assert all(math.isfinite(loss) for loss in resumed.history.steps["loss"])


def test_infinite_parameters_are_never_saved(tmp_path):
    run = engine()
    run.run(1)
    run.save(tmp_path / "checkpoint")
    before = (tmp_path / "checkpoint").read_bytes()
    run.network.parameters[0] = np.inf
    with pytest.raises(sal.Diverged, match=r"network/0\.weights became NaN or infinite by step 6"):
        run.save(tmp_path / "checkpoint")
    assert (tmp_path / "checkpoint").read_bytes() == before


def test_a_rate_that_was_set_by_hand_is_resumed(tmp_path):
    first = engine()
    first.run(1)
    first.network.optimizer.learning_rate = 0.0123
    first.save(tmp_path / "checkpoint")
    second = engine()
    second.resume(tmp_path / "checkpoint")
    assert second.network.optimizer.learning_rate == 0.0123
