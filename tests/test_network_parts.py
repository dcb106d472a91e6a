"""Parts of networks as networks of their own: what they compute, and that they stand apart."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal


def halves(**options) -> sal.Network:
    """An autoencoder of small images, whose decoder stands in a container."""
    encoder = {
        "window": sal.ConvolutionalLayer(2, 3),
        "flat": sal.Flatten(),
        "norm": sal.BatchNorm(),
    }
    decoder = [sal.NeuronLayer(5, sal.ReLU()), sal.Dropout(0.5), sal.NeuronLayer(16)]
    layers = {
        "encoder": sal.Sequential(encoder),
        "latent": sal.Skip({"code": sal.NeuronLayer(3), "decoder": sal.Sequential(decoder)}),
    }
    return sal.Network(layers, (1, 4, 4), sal.MeanSquaredError(), sal.Adam(0.01), **options)


IMAGES = np.random.default_rng(1).normal(size=(6, 1, 4, 4))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parts_are_networks_that_compute_the_same_and_are_saved_apart(
    dtype, tmp_path, backend, host
):
    network = halves(dtype=dtype, backend=backend)
    for _ in range(3):
        network.learn(IMAGES, np.zeros((6, 24)))
    network.pixels = sal.inputs.Pixels(16)
    whole = host(network.predict(IMAGES))
    encoder, decoder = network.part("encoder"), network.part("latent.decoder")
    code = network.part("latent.code")
    assert encoder.input_shape == (1, 4, 4) and decoder.input_shape == (3,)
    assert "window.weights" in encoder.named_parameters()
    assert encoder.pixels == network.pixels and encoder.backend is network.backend
    features = host(encoder.predict(IMAGES))
    shown = host(decoder.predict(code.predict(features)))
    # Products of other shapes may be added up in another order.
    near = {"rtol": 1e-5, "atol": 1e-6} if dtype == "float32" else {"rtol": 1e-12, "atol": 1e-14}
    np.testing.assert_allclose(np.concatenate([features, shown], axis=1), whole, **near)
    encoder.save(tmp_path / "encoder.safetensors")
    again = sal.Network.load(tmp_path / "encoder.safetensors", backend=backend)
    assert np.array_equal(host(again.predict(IMAGES)), features)
    network.learn(IMAGES, np.zeros((6, 24)))  # goes on; what was taken out does not
    assert np.array_equal(host(encoder.predict(IMAGES)), features)


def test_a_part_learns_by_itself():
    network = halves(frozen=["encoder"])
    encoder = network.part("encoder")
    assert encoder.frozen == () and encoder.loss is None and encoder.optimizer is None
    before = network.parameters.copy()
    reader = sal.Network({"encoder": encoder, "head": sal.NeuronLayer(3)}, (1, 4, 4))
    assert reader.predict(IMAGES).shape == (6, 3)
    encoder.parameters += 1
    assert np.array_equal(network.parameters, before)


def test_a_part_that_is_a_shared_network_is_a_copy_of_it():
    shared = sal.Network([sal.NeuronLayer(3)], 12)
    network = sal.Network({"first": shared, "last": sal.NeuronLayer(2)}, 12)
    copied = network.part("first")
    x = np.random.default_rng(0).normal(size=(5, 12))
    assert np.array_equal(copied.predict(x), shared.predict(x))
    assert not np.shares_memory(copied.parameters, shared.parameters)


def test_there_are_only_parts_of_chains():
    network = halves()
    with pytest.raises(ValueError, match="unknown part of the network 'decoder'"):
        network.part("decoder")
    branches = sal.Parallel({"a": sal.NeuronLayer(2), "b": sal.NeuronLayer(3)})
    network = sal.Network({"both": branches, "last": sal.NeuronLayer(1)}, 4)
    assert network.part("both").output_shape == (5,)
    with pytest.raises(ValueError, match=r"unknown part of the network 'both\.a'"):
        network.part("both.a")
    with pytest.raises(ValueError, match="has no input_shape yet"):
        sal.Network([sal.NeuronLayer(2)]).part("0")
