"""Features are a layer's outputs, and are computed once."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from small_classifier import torch

import salamandre as sal
from salamandre import inspection
from salamandre.inspection.probes import LayerViews
from salamandre.models import Preprocessing


def test_features_are_rows_of_a_layers_outputs(twins, images, host, tmp_path):
    network, module = twins
    module(torch.tensor(images))
    wanted = module.seen["fire"].detach().numpy()
    found = inspection.features(network, images, "fire", batch_size=4, cache_dir=tmp_path)
    np.testing.assert_allclose(found, wanted.reshape(6, -1), atol=1e-10)
    pooled = inspection.features(network, images, "fire", pool=1, cache_dir=tmp_path)
    np.testing.assert_allclose(pooled, wanted.mean(axis=(2, 3)), atol=1e-10)
    two = inspection.features(network, images, "fire", pool=2, cache_dir=False)
    for pool in (-1, 1.5, "a"):
        with pytest.raises(ValueError, match="pool must be a whole number"):
            inspection.features(network, images, "fire", pool=pool, cache_dir=False)
    assert two.shape == (6, 8 * 4)
    np.testing.assert_allclose(two[:, 0], wanted[:, 0, :3, :3].mean(axis=(1, 2)), atol=1e-10)


@pytest.fixture
def network():
    layers = {"conv": sal.ConvolutionalLayer(2, 3), "relu6": sal.ReLU(), "flat": sal.Flatten()}
    return sal.Network(layers, (1, 5, 5))


def test_the_cache_is_asked_only_for_the_same(network, random, tmp_path, monkeypatch):
    x = random.normal(size=(3, 1, 5, 5)).astype(np.float32)
    first = inspection.features(network, x, "relu6", cache_dir=tmp_path)
    files = tmp_path / "features"
    assert len(list(files.iterdir())) == 1
    with monkeypatch.context() as patch:
        patch.setattr(LayerViews, "compute", None)  # which is not called
        again = inspection.features(network, x.copy(), "relu6", cache_dir=tmp_path)
    np.testing.assert_array_equal(again, first)
    network.parameters += 0.1
    changed = inspection.features(network, x, "relu6", cache_dir=tmp_path)
    assert not np.array_equal(changed, first)
    inspection.features(network, x + 1, "relu6", cache_dir=tmp_path)
    inspection.features(network, x, "conv", cache_dir=tmp_path)
    assert len(list(files.iterdir())) == 4


def test_several_layers_are_computed_in_one_pass_each_with_its_place(
    twins, images, tmp_path, monkeypatch
):
    network, _ = twins
    names = ["block", "fire.expand.left", "fire", "squeeze", "fire.expand"]
    options = {"pool": 2, "batch_size": 4}
    alone = [inspection.features(network, images, n, cache_dir=False, **options) for n in names]
    inspection.features(network, images, "fire", cache_dir=tmp_path, **options)
    passes, compute = [], LayerViews.compute
    monkeypatch.setattr(
        LayerViews, "compute", lambda own, x: passes.append(own.probes) or compute(own, x)
    )
    for _ in range(2):
        found = inspection.features(network, images, names, cache_dir=tmp_path, **options)
        for ours, wanted in zip(found, alone, strict=True):
            np.testing.assert_array_equal(ours, wanted)
    missing = ["block", "fire.expand", "fire.expand.left", "fire.squeeze"]
    assert [sorted(probes) for probes in passes] == [missing] * 2  # of 4 and of 2 images, once


def test_a_damaged_cache_is_computed_again(network, random, tmp_path):
    x = random.normal(size=(3, 1, 5, 5)).astype(np.float32)
    first = inspection.features(network, x, "relu6", cache_dir=tmp_path)
    (file,) = (tmp_path / "features").iterdir()
    for damaged in (b"", file.read_bytes()[:-5], b"no array"):
        file.write_bytes(damaged)
        np.testing.assert_array_equal(
            inspection.features(network, x, "relu6", cache_dir=tmp_path), first
        )


def test_features_of_picture_files(network, random, tmp_path):
    prepare = Preprocessing((5, 5), order="L", mean=(0.0,), std=(1.0,))
    pixels = random.integers(0, 256, (2, 1, 5, 5), np.uint8)
    files = [tmp_path / f"{n}.png" for n in range(2)]
    for file, image in zip(files, pixels, strict=True):
        Image.fromarray(image[0]).save(file)
    options = {"prepare": prepare, "cache_dir": tmp_path}
    found = inspection.features(network, files, "conv", **options)
    wanted = inspection.features(network, pixels / np.float32(255), "conv", cache_dir=False)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    np.testing.assert_allclose(
        inspection.features(network, pixels, "conv", **options), wanted, atol=1e-5
    )
    Image.fromarray(255 - pixels[0, 0]).save(files[0])
    changed = inspection.features(network, files, "conv", **options)
    assert not np.allclose(changed[0], found[0]) and np.array_equal(changed[1], found[1])


def test_an_unknown_layer_is_told_the_nearest(network):
    with pytest.raises(ValueError, match="no layer 'relu7', did you mean 'relu6'"):
        inspection.features(network, np.ones((1, 1, 5, 5)), "relu7")


def test_features_are_returned_where_the_cache_is_full(network, monkeypatch, tmp_path):
    def full(path, content):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("salamandre.inspection.extraction.write_atomically", full)
    images = np.zeros((2, *network.input_shape))
    assert len(inspection.features(network, images, "conv", cache_dir=tmp_path)) == 2
