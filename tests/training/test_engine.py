"""The engine: order, records, stops, and runs that are resumed bit for bit."""

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
from test_loop import StopAt

import salamandre as sal
from salamandre.data import Images, Shift

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(50, 6)).astype(np.float32)
LABELS = (X[:, 0] * X[:, 1] > 0).astype(int)


def perceptron(optimizer=None, seed=0, **options) -> sal.Network:
    """A network with everything that has a state: noise, dropout, running statistics, memory."""
    layers = [
        sal.NeuronLayer(8, sal.ReLU(), noise=2),
        sal.BatchNorm(),
        sal.Dropout(0.2),
        sal.NeuronLayer(2, sal.Softmax()),
    ]
    optimizer = optimizer or sal.Adam(sal.schedules.CosineDecay(0.01, 100))
    return sal.Network(layers, 6, sal.CrossEntropy(), optimizer, seed=seed, **options)


def engine(**options) -> sal.Engine:
    return sal.Engine(perceptron(), (X, LABELS), (X, LABELS), batch_size=8, **options)


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


def test_an_epoch_visits_every_example_once_in_an_order_of_its_own():
    x = np.arange(48, dtype=np.float32).reshape(48, 1)
    network = sal.Network(
        [sal.NeuronLayer(1)], 1, sal.MeanSquaredError(), sal.SGD(0.0), dtype="float32"
    )
    seen = []
    learn = network.learn
    network.learn = lambda x, t: seen.append(x[:, 0].copy()) or learn(x, t)
    sal.Engine(network, (x, x), batch_size=8, seed=5).run(2)
    first, second = np.concatenate(seen[:6]), np.concatenate(seen[6:])
    assert sorted(first) == sorted(second) == list(range(48))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, np.arange(48))
    again = sal.data.batches.Source((x, x), network).batches(8, 5, 1)
    assert np.array_equal(np.concatenate([x[:, 0] for x, _ in again]), second)


def test_records_agree_with_a_computation_by_hand():
    run = engine(test_every=sal.Steps(4))
    history = run.run(2)
    assert history.column("step") == [4, 8, 12]
    assert history.column("epoch") == pytest.approx([4 / 6, 8 / 6, 2])
    assert history.records[1]["loss"] == pytest.approx(np.mean(history.steps["loss"][4:8]))
    # The network has noise inputs: a second evaluation draws others, so compare without them.
    quiet = sal.Network([sal.NeuronLayer(2, sal.Softmax())], 6, sal.CrossEntropy(), sal.SGD())
    record = sal.Engine(quiet, (X, LABELS), (X, LABELS)).evaluate(batch_size=7)
    y = quiet.compute(X, training=False)
    assert record["accuracy"] == pytest.approx(np.mean(y.argmax(1) == LABELS))
    chosen = y[np.arange(50), LABELS]
    assert record["test_loss"] == pytest.approx(-np.log(chosen).mean(), rel=1e-5)


def test_a_second_test_of_a_step_has_no_training_loss(tmp_path):
    run = engine(callbacks=[sal.Checkpoint(tmp_path / "checkpoint")])
    run.run(1)
    run.test()
    first, second = run.history.records
    assert first["step"] == second["step"] and "loss" in first and "loss" not in second


def test_it_learns():
    network = sal.Network(
        [sal.NeuronLayer(16, sal.Tanh()), sal.NeuronLayer(2, sal.Softmax())],
        6,
        sal.CrossEntropy(),
        sal.Adam(0.02),
    )
    history = sal.Engine(network, (X, LABELS), (X, LABELS), batch_size=10).run(60)
    assert history.records[-1]["accuracy"] > 0.95 > history.records[0]["accuracy"]


@pytest.mark.parametrize("stop", [1, 6, 9, 17])
@pytest.mark.parametrize("transformed", [False, True])
def test_a_resumed_run_ends_as_one_that_was_never_stopped(tmp_path, stop, transformed):
    pixels = RANDOM.integers(0, 256, (50, 1, 2, 3), dtype=np.uint8)
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
    import sys, time
    import numpy as np
    import salamandre as sal
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
    for _ in range(8):
        process = start(tmp_path)
        process.stdout.readline()  # it learns
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        process.wait()
        process.stdout.close()
    process = start(tmp_path)
    output, _ = process.communicate(timeout=60)
    assert output.endswith("done\n")
    assert_ends_as(whole, tmp_path)


def test_ctrl_c_saves_and_the_run_can_be_continued(tmp_path, whole):
    process = start(tmp_path, "wait")
    assert process.stdout.readline() == "1\n"
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert output == "interrupted\n"
    assert process.returncode == 0
    output, _ = start(tmp_path).communicate(timeout=60)
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


def test_epochs_are_a_total_and_a_second_call_says_so(tmp_path):
    run = engine()
    run.run(3)
    run.save(tmp_path / "run")
    again = engine()
    again.resume(tmp_path / "run")
    again.run(3)  # a program that is started again is complete
    again.resume(tmp_path / "run")
    with pytest.warns(UserWarning, match="3 are done: .* for 2 more give epochs=5"):
        again.run(2)
    with pytest.warns(UserWarning, match=r"epochs=3 counts all .* 3 are done: .* give epochs=6"):
        run.run(epochs=3)
    assert run.step == 18
    run.run(epochs=6)
    assert run.step == 36


def test_a_metric_sees_the_whole_test_set_and_changes_nothing():
    seen = []

    def largest(y, targets):
        seen.append((len(y), targets.sum()))
        error = float(abs(y.argmax(axis=1) - targets).max())
        y *= 0
        targets *= 0
        return error

    run = engine(metrics={"a": largest, "b": largest})
    expected = (run.network.predict(X).argmax(axis=1) != LABELS).max()
    assert run.evaluate(batch_size=7)["b"] == expected
    run.evaluate(batch_size=7)
    assert seen == [(50, LABELS.sum())] * 4


def test_callbacks_are_checked_when_an_engine_is_made():
    with pytest.raises(TypeError, match=r"make one, ProgressBar\(\)"):
        engine(callbacks=[sal.ProgressBar])
    with pytest.raises(TypeError, match="callbacks must be a list"):
        engine(callbacks=sal.ProgressBar())


def test_images_are_scaled_and_flattened_for_the_network():
    pixels = np.array([[[[0, 51], [102, 255]]]] * 4, dtype=np.uint8)
    data = Images(pixels, np.zeros(4, np.uint8), ("0", "1"), "made", "train")
    network = sal.Network([sal.NeuronLayer(2)], 4, sal.CrossEntropy(from_logits=True), sal.SGD())
    (x, labels), *_ = sal.data.batches.Source(data, network).batches(2, 0, 0)
    assert x.dtype == np.float32
    assert np.allclose(x, [[0, 0.2, 0.4, 1]] * 2)
    assert labels.tolist() == [0, 0]


def test_shift_moves_each_image_by_whole_pixels():
    image = np.zeros((1, 1, 9, 9), np.uint8)
    image[0, 0, 4, 4] = 7
    many = np.repeat(image, 500, axis=0)
    moved = Shift(2)(many, np.random.default_rng(0))
    places = np.argwhere(moved[:, 0] == 7)
    assert len(places) == 500  # no pixel is lost or doubled here
    offsets = {tuple(place[1:] - 4) for place in places}
    assert offsets == {(a, b) for a in range(-2, 3) for b in range(-2, 3)}
    assert moved.sum() == 7 * 500
    corner = np.zeros((1, 1, 3, 3), np.uint8)
    corner[0, 0, 0, 0] = 1
    assert {int(Shift(1)(corner, np.random.default_rng(s)).sum()) for s in range(50)} == {0, 1}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: engine().run(0), "epochs must be a whole number of at least 1"),
        (lambda: sal.Engine(perceptron(), (X, LABELS), batch_size=0), "batch_size must be"),
        (lambda: sal.Engine(perceptron(), (X[:0], LABELS[:0])), "at least one"),
        (lambda: sal.Engine(perceptron(), (X, LABELS[:9])), "50 inputs and 9 targets"),
        (lambda: sal.Engine(perceptron(), (X[:, :5], LABELS)), r"shape \(6,\).*\(5,\)"),
        (lambda: sal.Engine(perceptron(), (X * np.nan, LABELS)), "NaN"),
        (lambda: sal.Engine(perceptron(), (X, LABELS + 1)), r"labels must lie in 0\.\.1"),
        (lambda: sal.Engine(perceptron(), (X, LABELS + 0.5)), "whole-number labels"),
        (lambda: sal.Engine(sal.Network([sal.NeuronLayer(1)], 6), (X, LABELS)), "a loss and an"),
    ],
)
def test_bad_input_is_refused_before_anything_happens(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_rate_that_was_set_by_hand_is_resumed(tmp_path):
    first = engine()
    first.run(1)
    first.network.optimizer.learning_rate = 0.0123
    first.save(tmp_path / "checkpoint")
    second = engine()
    second.resume(tmp_path / "checkpoint")
    assert second.network.optimizer.learning_rate == 0.0123


def test_a_network_with_one_output_has_no_accuracy_by_argmax():
    network = sal.Network(
        [sal.NeuronLayer(1, sal.Sigmoid())], 6, sal.BinaryCrossEntropy(), sal.SGD(0.1)
    )
    history = sal.Engine(network, (X, LABELS), (X, LABELS), batch_size=8).run(1)
    assert "accuracy" not in history.records[0]


def test_infinite_parameters_are_never_saved(tmp_path):
    run = engine()
    run.run(1)
    run.save(tmp_path / "checkpoint")
    before = (tmp_path / "checkpoint").read_bytes()
    run.network.parameters[0] = np.inf
    with pytest.raises(sal.Diverged, match=r"network/0\.weights became NaN or infinite by step 6"):
        run.save(tmp_path / "checkpoint")
    assert (tmp_path / "checkpoint").read_bytes() == before


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


def plain():
    layers = [sal.NeuronLayer(8, sal.Tanh()), sal.NeuronLayer(2, sal.Softmax())]
    return sal.Network(layers, 6, sal.CrossEntropy(), sal.Adam(0.01))


def test_metrics_are_of_the_whole_test_set_and_get_copies():
    x = np.random.default_rng(1).normal(size=(2500, 6)).astype(np.float32)
    labels = (x[:, 0] > 1).astype(int)
    kept = labels.copy()

    def spread(y, targets):
        found = float(y[:, 0].std()), len(y)
        y[...] = 0  # users write where they please
        targets[...] = 7
        return found[0] if found[1] == 2500 else -1.0

    def precision(y, targets):
        chosen = y.argmax(axis=1) == 1
        return float(targets[chosen].mean()) if chosen.any() else 0.0

    run = sal.Engine(
        plain(), (X, LABELS), (x, labels), metrics={"spread": spread, "hits": precision}
    )
    found, y = run.evaluate(), run.network.predict(x)
    assert found["spread"] == pytest.approx(y[:, 0].std(), rel=1e-5)
    assert found["hits"] == pytest.approx(precision(y, labels))
    np.testing.assert_array_equal(labels, kept)
    assert run.evaluate() == found


def test_weights_of_classes_and_examples():
    """The weights of a batch of all examples are the product of both kinds."""
    own = np.random.default_rng(2).uniform(0.1, 2, len(X))
    counts = np.bincount(LABELS)
    balanced = len(X) / (2 * counts)
    named = np.where(LABELS, "late", "early")
    for given, of_class, targets in (
        ({1: 3.0}, [1, 3], LABELS),
        ([0.5, 2], [0.5, 2], LABELS),
        ("balanced", balanced, LABELS),
        ({"late": 3}, [1, 3], named),
        ("balanced", balanced, np.eye(2)[LABELS]),
    ):
        run = sal.Engine(
            plain(),
            (X, targets),
            batch_size=len(X),
            class_weights=given,
            sample_weights=own,
        )
        wanted = plain().learn(X, LABELS, weights=own * np.array(of_class)[LABELS])
        assert run.run(1).steps["loss"][0] == pytest.approx(float(wanted), rel=1e-5)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"class_weights": {"cat": 2}}, r"name 'cat': the classes are 0\.\.1"),
        ({"class_weights": {2: 2}}, r"name 2: the classes are 0\.\.1"),
        ({"class_weights": [1, 2, 3]}, "one number for each of the 2 classes, got 3"),
        ({"class_weights": {1: -1}}, "at least 0"),
        ({"class_weights": "balance"}, "did you mean 'balanced'"),
        ({"sample_weights": [1, 2]}, "one number for each of the 50 examples"),
        ({"sample_weights": -np.ones(50)}, "at least 0"),
        ({"sample_weights": np.zeros(50)}, "not all of them 0"),
    ],
)
def test_weights_that_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        sal.Engine(perceptron(), (X, LABELS), **options)


def test_a_run_with_other_weights_is_another_run(tmp_path):
    run = sal.Engine(perceptron(), (X, LABELS), class_weights=[1, 2])
    run.run(1)
    run.save(tmp_path / "c")
    sal.Engine(perceptron(), (X, LABELS), class_weights=[1, 2]).resume(tmp_path / "c")
    for other in ([1, 3], None):
        with pytest.raises(ValueError, match="another run: its weights"):
            sal.Engine(perceptron(), (X, LABELS), class_weights=other).resume(tmp_path / "c")


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
