"""Saved networks: what comes back, and what damaged, foreign or hostile files get."""

from __future__ import annotations

import json
import os
import pickle
import random
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import salamandre as sal
from salamandre.component import encode
from salamandre.storage import _checksum

X = np.random.default_rng(0).normal(size=(5, 12)).astype(np.float32)


def network(**options) -> sal.Network:
    layers = [
        sal.Reshape((3, 4)),
        sal.Flatten(),
        sal.NeuronLayer(
            6, sal.Tanh(1.7159, 2 / 3), noise=2, initializer=sal.initializers.Gaussian()
        ),
        sal.BatchNorm(momentum=0.3),
        sal.Network([sal.NeuronLayer(5, sal.LeakyReLU(0.2), bias=False), sal.Dropout(0.1)]),
        sal.NeuronLayer(4, sal.Softmax()),
    ]
    optimizer = sal.Adam(sal.schedules.CosineDecay(0.01, 100, warmup=5), clip_norm=1.0)
    loss = sal.CrossEntropy(label_smoothing=0.1)
    return sal.Network(layers, 12, loss, optimizer, seed=3, **options)


@pytest.fixture
def file(tmp_path):
    """A saved network that has learned a little."""
    trained = network()
    trained.learn(X, np.array([0, 1, 2, 3, 0]))
    trained.save(tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


def test_a_network_comes_back(tmp_path, backend):
    trained = network(backend=backend)
    trained.learn(X, np.array([0, 1, 2, 3, 0]))
    path = tmp_path / "new folder" / "net.safetensors"
    trained.save(path)
    loaded = sal.Network.load(path, backend=backend)
    before, after = trained.tensors(), loaded.tensors()
    assert [*before] == [*after]
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert encode(loaded) == encode(trained)
    assert repr(loaded.optimizer) == repr(trained.optimizer)
    assert loaded.backend.name == sal.get_backend(backend).name
    assert loaded.dtype == np.float32 and loaded.seed == 3
    loaded.learn(X, np.array([0, 1, 2, 3, 0]))


class Block(sal.Sequential):
    """A container whose constructor has arguments of its own."""

    def __init__(self, width):
        super().__init__([sal.NeuronLayer(width, sal.Tanh())])


def test_a_network_that_comes_back_says_where_it_computes_only_if_that_was_said(file):
    assert "backend" not in repr(sal.Network.load(file))
    assert repr(sal.Network.load(file, "numpy")).endswith("seed=3, backend='numpy')")


def test_a_container_with_arguments_of_its_own_comes_back(tmp_path):
    trained = sal.Network([Block(3), sal.NeuronLayer(2)], 12)
    trained.save(tmp_path / "net.safetensors")
    loaded = sal.Network.load(tmp_path / "net.safetensors")
    assert np.array_equal(loaded.predict(X), trained.predict(X))
    assert type(loaded.layers[0]) is Block and loaded.layers[0].config() == {"width": 3}


def test_any_program_can_read_the_file(file):
    trained = sal.Network.load(file)
    tensors = load_file(file)
    assert np.array_equal(tensors["2.weights"], trained.layers[2].weights)
    header_size = int.from_bytes(file.read_bytes()[:8], "little")
    metadata = json.loads(file.read_bytes()[8 : 8 + header_size])["__metadata__"]
    assert metadata["format"] == "salamandre" and metadata["version"] == "1"
    assert json.loads(metadata["architecture"])["class"] == "layers.Network"


def refused(path, *parts):
    with pytest.raises((ValueError, OSError)) as caught:
        sal.Network.load(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    for part in parts:
        assert part in message


def test_no_file_and_no_network(tmp_path):
    refused(tmp_path / "none", "there is no file")
    refused(tmp_path, "there is no file")
    for content in (b"", b"hello", bytes(1000), b"\xff" * 1000):
        (tmp_path / "text").write_bytes(content)
        refused(tmp_path / "text", "damaged or not a safetensors file")


def test_truncated_at_any_place(file):
    data = file.read_bytes()
    for size in [*range(0, 64), *range(64, len(data), 37), len(data) - 1]:
        file.write_bytes(data[:size])
        refused(file)


def test_flipped_bits_are_refused_or_harmless(file):
    """Whatever bit is wrong, the file is refused or the network is the one that was saved."""
    data, good = file.read_bytes(), sal.Network.load(file)
    choose, harmless = random.Random(0), 0
    for _ in range(400):
        place = choose.randrange(len(data))
        damaged = bytearray(data)
        damaged[place] ^= 1 << choose.randrange(8)
        file.write_bytes(damaged)
        try:
            loaded = sal.Network.load(file)
        except ValueError as error:
            assert str(file) in str(error)
            continue
        harmless += 1
        before, after = good.tensors(), loaded.tensors()
        assert [*before] == [*after]
        assert all(np.array_equal(before[name], after[name]) for name in before)
    assert harmless < 4  # such as the name of a metadata entry that is not used


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def test_nothing_in_a_file_is_executed(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bomb = tmp_path / "bomb.safetensors"
    bomb.write_bytes(pickle.dumps(Bomb()))
    refused(bomb)
    np.save(bomb, np.array([Bomb()], dtype=object), allow_pickle=True)
    refused(tmp_path / "bomb.safetensors")
    for name in (
        "os.system",
        "builtins.eval",
        "layers.__class__",
        "layers",
        "Network",
        "",
        None,
        3,
    ):
        rewrite(file, lambda a, name=name: a["layers"][0].update({"class": name}))
        refused(file, "unknown component")
    assert not (tmp_path / "exploded").exists()


def rewrite(file, change=None, **metadata):
    """Change the description of a whole, undamaged file."""
    header_size = int.from_bytes(file.read_bytes()[:8], "little")
    kept = json.loads(file.read_bytes()[8 : 8 + header_size])["__metadata__"]
    architecture = json.loads(ORIGINAL.setdefault(file, kept["architecture"]))
    if change:
        change(architecture)
    tensors = load_file(file)
    kept["architecture"] = json.dumps(architecture)
    kept["checksum"] = _checksum(kept["architecture"], tensors)
    save_file(tensors, file, {**kept, **metadata})


ORIGINAL: dict = {}


def test_other_formats_versions_and_kinds(file, tmp_path):
    rewrite(file, version="2")
    refused(file, "version 2", "reads version 1")
    rewrite(file, version="1", kind="checkpoint")
    refused(file, "holds a checkpoint, not a network")
    rewrite(file, kind="network", format="pt")
    refused(file, "not saved by Salamandre")
    save_file({"weight": X}, tmp_path / "foreign")
    refused(tmp_path / "foreign", "not saved by Salamandre", "from_pytorch")
    rewrite(file, format="salamandre", checksum="0")
    refused(file, "checksum")


REPRINT = """
import sys
import salamandre as sal
net = sal.Network.load(sys.argv[1])
net.save(sys.argv[2])
"""


def test_a_reprint_is_the_same_bytes(file, tmp_path):
    written = file.read_bytes()
    trained = sal.Network.load(file)
    for _ in range(5):  # an order that is random is not the same five times
        trained.save(file)
        assert file.read_bytes() == written
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", REPRINT, file, tmp_path / seed]
        subprocess.run(command, env=environment, check=True)
        assert (tmp_path / seed).read_bytes() == written


def reseal(file, text):
    """Write a description that need not be JSON into an undamaged file."""
    tensors = load_file(file)
    checksum = _checksum(text, tensors)
    kept = {"format": "salamandre", "version": "1", "kind": "network"}
    save_file(tensors, file, {**kept, "architecture": text, "checksum": checksum})


@pytest.mark.parametrize(
    "text",
    [
        '{"class": "layers.Network", "seed": 1e400}',
        '{"class": "layers.Network", "seed": NaN}',
        '{"class": "layers.Network", "seed": 1, "seed": 2}',
        "[" * 100_000 + "]" * 100_000,
        '{"class": "layers.Network", "seed": ' + "9" * 5000 + "}",
        '{"class": "layers.Network", "names": ["\\ud800"]}',
        "",
        "null",
    ],
)
def test_descriptions_that_are_no_json_of_ours(file, text):
    reseal(file, text)
    refused(file)


def test_deep_nesting(file):
    for depth in (300, 900):
        layers = '{"class": "layers.Sequential", "layers": [' * depth + "]}" * depth
        reseal(file, f'{{"class": "layers.Network", "input_shape": 12, "layers": [{layers}]}}')
        refused(file)


def test_headers_that_claim_what_is_not_there(file):
    size = 2**60
    for header in (
        {"a": {"dtype": "F32", "shape": [size], "data_offsets": [0, 4 * size]}},
        {"a": {"dtype": "F32", "shape": [2**31, 2**31, 0], "data_offsets": [0, 0]}},
        {"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}},
        {"../../a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}},
    ):
        text = json.dumps(header).encode()
        file.write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
        refused(file)
    for length in (2**63, 2**40, 10**8):
        file.write_bytes(length.to_bytes(8, "little") + b"{}")
        refused(file)


@pytest.mark.parametrize("name", ["layers.Layer", "layers.Activation", "layers.Linear"])
def test_bases_are_in_no_file(file, name):
    rewrite(file, lambda a: a["layers"][2]["activation"].update({"class": name}))
    refused(file, "unknown component")


def test_numbers_that_float32_cannot_hold(file):
    from salamandre.storage import read_file, write_file

    stored = read_file(file, "network")
    tensors = {name: array.astype(np.float64) for name, array in stored.tensors.items()}
    tensors["5.bias"][0] = 1e300
    write_file(file, "network", stored.architecture, tensors)
    refused(file, "'5.bias' must hold finite numbers of float32")


def damages():
    yield lambda a: a.clear(), "does not describe a Network"
    yield lambda a: a.pop("layers"), "layers"
    yield lambda a: a.update(layers=[]), "at least one layer"
    yield lambda a: a.update(layers=7), "cannot be loaded"
    yield lambda a: a.update(layers=[7]), "must be a salamandre.Layer"
    yield lambda a: a.update(input_shape=None), "input_shape"
    yield lambda a: a.update(input_shape=-1), "cannot be loaded"
    yield lambda a: a.update(input_shape=[6, 3]), "Reshape to (3, 4)"
    yield lambda a: a.update(dtype="float16"), "float16"
    yield lambda a: a.update(extra=1), "extra"
    yield lambda a: a["layers"][2].update(outputs=10**12), "needs '2.weights'"
    yield lambda a: a["layers"][2].update(outputs="6"), "whole number"
    yield lambda a: a["layers"][2].update(outputs=7), "'2.weights' of shape (7, 14)"
    yield lambda a: a["layers"][2].update(noice=2), "noice"
    yield lambda a: a["layers"][3].update(momentum=None), "finite number"
    yield lambda a: a["layers"][5].update(activation=None), "cannot be loaded"
    yield lambda a: a["optimizer"]["learning_rate"].update(steps=-1), "CosineDecay steps"
    yield lambda a: a.update(loss={"class": "losses.CrosEntropy"}), "did you mean"


@pytest.mark.parametrize("number", range(len(list(damages()))))
def test_wrong_descriptions(file, number):
    change, message = list(damages())[number]
    rewrite(file, change)
    if number == 15:  # a missing activation means the identity: still a network of those weights
        with pytest.warns(UserWarning, match="CrossEntropy takes probabilities"):
            network = sal.Network.load(file)
        assert isinstance(network.layers[5].activation, sal.Identity)
        return
    refused(file, message)


def test_missing_and_surplus_tensors(file):
    header_size = int.from_bytes(file.read_bytes()[:8], "little")
    metadata = json.loads(file.read_bytes()[8 : 8 + header_size])["__metadata__"]
    from salamandre.storage import write_file

    architecture, tensors = json.loads(metadata["architecture"]), load_file(file)
    for name in ("5.bias", "3.running_mean"):
        fewer = {key: value for key, value in tensors.items() if key != name}
        write_file(file, "network", architecture, fewer)
        refused(file, name)
    write_file(file, "network", architecture, {**tensors, "5.biases": tensors["5.bias"]})
    refused(file, "5.biases")


def test_arguments_that_json_cannot_hold_are_refused_when_saving(tmp_path):
    class Odd(sal.Layer):
        def __init__(self, function):
            super().__init__()

        def build(self, input_shape):
            return input_shape

        def compute(self, x, ctx):
            return x

    net = sal.Network([Odd(lambda x: x)], 3)
    with pytest.raises(TypeError, match="of type function cannot be saved"):
        net.save(tmp_path / "odd")
    assert not [*tmp_path.iterdir()]


def test_a_class_that_is_not_imported_is_named(tmp_path):
    program = (
        "import salamandre as sal\n"
        "class Mine(sal.Dropout): pass\n"
        "sal.Network([sal.NeuronLayer(2), Mine(0.1)], 3).save('mine')\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    refused(tmp_path / "mine", "layers.Mine", "import the module")


def test_two_classes_of_one_name_are_refused():
    with pytest.raises(TypeError, match="choose another"):

        class Dropout(sal.Layer):
            pass


def test_a_broken_network_does_not_replace_a_good_file(file):
    before = file.read_bytes()
    broken = network()
    with broken.changing():
        broken.layers[2].weights[0, 0] = np.nan
    with pytest.raises(sal.Diverged, match=r"'2.weights' holds NaN or infinity: it is not saved"):
        broken.save(file)
    assert file.read_bytes() == before
