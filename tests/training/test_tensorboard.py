"""Runs as TensorBoard and other loggers see them."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import types
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

import salamandre as sal

X = np.random.default_rng(0).normal(size=(48, 4)).astype(np.float32)
LABELS = (X[:, 0] > 0).astype(int)
DOCS = Path(__file__).parents[2] / "docs" / "training.md"


def engine(**options):
    layers = [sal.NeuronLayer(6, "relu"), sal.NeuronLayer(2, "softmax")]
    network = sal.Network(layers, 4, "cross_entropy", sal.Adam(0.02), seed=1)
    return sal.Engine(network, (X, LABELS), (X, LABELS), batch_size=8, **options)


def events(folder):
    """Yield what event files hold: records of a length, its checksum, an event, its checksum."""
    for path in sorted(Path(folder).glob("events.*")):
        data, place = path.read_bytes(), 0
        while place < len(data):
            (length,) = struct.unpack("<Q", data[place : place + 8])
            yield Event.FromString(data[place + 12 : place + 12 + length])
            place += 16 + length


def values(folder):
    """Return {tag: {step: value}} of what is in a folder."""
    found = defaultdict(dict)
    for event in events(folder):
        for value in event.summary.value:
            found[value.tag][event.step] = value
    return found


def numbers(found, tag):
    return {step: value.simple_value for step, value in found[tag].items()}


def test_the_values_of_a_run(tmp_path):
    run = engine(callbacks=sal.TensorBoard(tmp_path, every=sal.Steps(4)))
    run.run(epochs=3)
    found = values(tmp_path)
    losses = run.history["loss"]
    means = {step: np.mean(losses[step - 4 : step]) for step in (4, 8, 12, 16)}
    means[18] = np.mean(losses[16:])
    assert numbers(found, "steps/loss") == pytest.approx(means, rel=1e-5)
    accuracies = dict(zip((6, 12, 18), run.history["accuracy"], strict=True))
    assert numbers(found, "metrics/accuracy") == pytest.approx(accuracies)
    assert set(numbers(found, "learning_rate/network").values()) == {np.float32(0.02)}


def test_histograms_of_parameters_and_gradients(tmp_path):
    run = engine(callbacks=sal.TensorBoard(tmp_path, every=sal.Steps(6)))
    run.run(epochs=2)
    found = values(tmp_path)
    for kind, named in (
        ("parameters", run.network.named_parameters()),
        ("gradients", run.network.named_gradients()),
    ):
        for name, array in named.items():
            histogram = found[f"network_{kind}/{name}"][12].histo
            assert histogram.num == array.size and histogram.max == pytest.approx(array.max())
            assert histogram.sum == pytest.approx(array.sum(), abs=1e-5)


def test_settings_are_hyper_parameters(tmp_path):
    run = engine(callbacks=sal.TensorBoard(tmp_path))
    run.run(epochs=1)
    found = values(tmp_path)
    (start,) = found["_hparams_/session_start_info"].values()
    content = HParamsPluginData.FromString(start.metadata.plugin_data.content)
    noted = content.session_start_info.hparams
    assert noted["batch_size"].number_value == 8
    assert noted["network.optimizer"].string_value == "Adam"
    assert noted["network.optimizer.learning_rate"].number_value == 0.02
    assert "NeuronLayer(outputs=6" in noted["network.layers"].string_value
    (experiment,) = found["_hparams_/experiment"].values()
    content = HParamsPluginData.FromString(experiment.metadata.plugin_data.content)
    metrics = {info.name.tag for info in content.experiment.metric_infos}
    assert metrics == {"metrics/test_loss", "metrics/accuracy"}
    settings = sal.training.run_settings(run)
    assert settings["network.parameters"] == 44 and settings["network.loss"] == "CrossEntropy"
    assert all(isinstance(value, (bool, int, float, str)) for value in settings.values())


def test_a_resumed_run_goes_on_in_the_same_curves(tmp_path):
    first = engine(callbacks=[sal.TensorBoard(tmp_path, every=sal.Steps(2))])
    first.run(epochs=1)
    first.save(tmp_path / "checkpoint")
    first.run(epochs=2)  # steps of a process that is killed after its last checkpoint
    second = engine(callbacks=[sal.TensorBoard(tmp_path, every=sal.Steps(2))])
    second.resume(tmp_path / "checkpoint")
    second.run(epochs=2)
    purged = [e.step for e in events(tmp_path) if e.HasField("session_log")]
    assert 7 in purged  # TensorBoard leaves out what was written from here on before
    assert set(numbers(values(tmp_path), "steps/loss")) == {2, 4, 6, 8, 10, 12}


def game(images):
    generator = sal.Network([sal.NeuronLayer(16, "tanh")], 3, optimizer="adam")
    discriminator = sal.Network([sal.NeuronLayer(1)], 16, optimizer="adam")
    return sal.GanGame(generator, discriminator, images, latent=sal.Gaussian(3), batch_size=8)


def test_samples_of_a_game(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 1, 4, 4), dtype=np.uint8)
    images = sal.data.Images(pixels, np.zeros(32, np.uint8), ("a",), "few", "train")
    play = game(images)
    play.play(8, sal.TensorBoard(tmp_path, details=sal.Steps(4), count=9))
    found = values(tmp_path)
    assert set(found["samples"]) == {4, 8} and found["samples"][8].image.height > 4
    samples = play.samples(9)
    assert samples.shape == (9, 1, 4, 4) and 0 <= samples.min() <= samples.max() <= 1
    assert np.allclose(2 * samples.reshape(9, 16) - 1, play.generate(9), atol=1e-6)
    assert {"steps/d_loss", "steps/g_loss", "learning_rate/generator"} <= set(found)
    assert "generator_gradients/0.weights" in found


def test_a_game_of_points_has_no_pictures(tmp_path):
    play = game(np.random.default_rng(0).uniform(-1, 1, (32, 16)))
    play.play(4, sal.TensorBoard(tmp_path))
    assert play.samples(5) is None and "samples" not in values(tmp_path)


def test_without_tensorboardx_the_way_to_install_it_is_told():
    program = (
        "import sys; sys.modules['tensorboardX'] = None; import salamandre\n"
        "try: salamandre.TensorBoard('x')\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip().endswith("pip install 'salamandre[tensorboard]'"), done.stderr


# -- callbacks of the documentation, with stand-ins for the services ---------------------------


def documented(marker, **names):
    """Return the class of a block of the documentation."""
    (block,) = re.findall(rf"<!-- {marker} -->\n```py\n(.*?)```", DOCS.read_text(), re.DOTALL)
    namespace = {"sal": sal, **names}
    exec(block, namespace)
    return next(v for k, v in namespace.items() if isinstance(v, type))


def test_the_callback_for_weights_and_biases():
    calls = []

    class Log:
        def log(self, values, step):
            calls.append((step, values))

        def finish(self, exit_code):
            calls.append(exit_code)

    wandb = types.SimpleNamespace(init=lambda **options: calls.append(options) or Log())
    run = engine(callbacks=documented("wandb", wandb=wandb)())
    run.run(epochs=4)
    assert calls[0]["config"]["batch_size"] == 8 and calls[-1] == 0
    logged = {(step, name) for step, values in calls[1:-1] for name in values}
    assert {(20, "loss"), (6, "accuracy"), (24, "test_loss")} <= logged
    steps = [step for step, _ in calls[1:-1]]
    assert steps == sorted(steps)  # others are refused


def test_the_callback_for_mlflow():
    calls = defaultdict(list)
    names = ("start_run", "log_params", "log_metrics", "end_run")
    mlflow = types.SimpleNamespace(
        **{n: (lambda *a, n=n, **k: calls[n].append((a, k))) for n in names}
    )
    run = engine(callbacks=documented("mlflow", mlflow=mlflow)())
    run.run(epochs=4)
    assert calls["log_params"][0][0][0]["network.optimizer"] == "Adam"
    assert len(calls["log_metrics"]) == 1 + 4
    assert all(np.isfinite(v) for (m,), _ in calls["log_metrics"] for v in m.values())
    assert calls["end_run"] == [(("FINISHED",), {})]
