"""The example of autoencoders, as a user runs it, on small settings."""

from __future__ import annotations

import numpy as np
import pytest
from command import call, table
from small_runs import DIGITS, files_of, only_folder, run, run_alone

import salamandre as sal

AUTOENCODER = {
    *("settings.json", "checkpoint.safetensors", "curves.csv", "curves.png", "metrics.csv"),
    *("model.safetensors", "encoder.safetensors", "decoder.safetensors", "walk.png"),
    *("reconstructions", "animation.gif"),
}


@pytest.mark.parametrize(
    "options, also",
    [
        (("--hidden", "32", "--latent", "4"), ()),
        (("--preset", "convolutional", "--hidden", "4-8", "--loss", "l2"), ()),
        (("--preset", "denoising", "--hidden", "32", "--mask", "0.1"), ()),
        (
            ("--preset", "variational", "--model", "convolutional", "--hidden", "4"),
            ("samples.png",),
        ),
        (("--preset", "map", "--hidden", "32"), ("samples.png", "map.png", "latent.png")),
        (("--hidden", "32", "--latent", "2"), ("map.png", "latent.png")),
    ],
)
def test_autoencoders(tmp_path, options, also):
    words = (*DIGITS, "--epochs", "1", *options)
    printed = run("autoencoder.py", *words, cwd=tmp_path).stdout
    folder = only_folder(tmp_path)
    assert files_of(folder) == {*AUTOENCODER, *also}
    (record,) = table(folder / "metrics.csv")
    variational = "divergence" in record
    result = "bound {test_loss:.2f} nats" if variational else "L1 {l1:.4f}, squared error"
    assert result.format(**{name: float(value) for name, value in record.items()}) in printed
    assert "images, by latent vectors" in printed
    if "denoising" in options:  # of 64 pixels, all components give back what they are given
        clean = sal.data.load("digits")[1].images.reshape(-1, 64) / np.float32(16)
        changes = sal.data.Chain(sal.data.Noise(0.5), sal.data.Mask(0.1))
        noise = changes(clean, np.random.default_rng(0)) - clean
        assert f"(principal components {(noise**2).sum() / len(clean):.2f})" in printed
    network, encoder, decoder = (
        sal.Network.load(folder / f"{name}.safetensors") for name in ("model", "encoder", "decoder")
    )
    x = sal.data.load("digits")[1].images[:5].reshape(-1, *network.input_shape) / np.float32(16)
    latent = decoder.input_shape[0]
    assert ("no larger than" in printed) == (latent >= 64)  # of 64 pixels
    codes = encoder.predict(x)
    shown = decoder.predict(codes[:, :latent]).reshape(5, 64)
    if not variational:
        assert np.array_equal(shown, network.predict(x).reshape(5, 64))
    else:  # it begins with the means and the logarithms of the variances
        assert np.array_equal(network.predict(x)[:, : 2 * latent], codes)
        assert 0 < float(record["divergence"]) < float(record["test_loss"])


def test_an_autoencoder_is_continued_and_learns(tmp_path):
    options = (*DIGITS, "--hidden", "64", "--latent", "8", "--loss", "l2", "--epochs", "30")
    run_alone("autoencoder.py", *options, cwd=tmp_path)
    folder = only_folder(tmp_path)
    rows = table(folder / "metrics.csv")
    assert len(rows) == 30 and float(rows[-1]["squared"]) < float(rows[0]["squared"]) / 3
    before = sal.Network.load(folder / "model.safetensors").parameters
    (folder / "model.safetensors").unlink()
    run("autoencoder.py", "--resume", "latest", cwd=tmp_path)
    assert np.array_equal(sal.Network.load(folder / "model.safetensors").parameters, before)
    words = ("--resume", "latest", "--latent", "9")
    done = run("autoencoder.py", *words, cwd=tmp_path, code=2)
    assert "--latent is [8] in digits-" in done.stderr


def test_a_study_of_the_bottleneck(tmp_path):
    options = (*DIGITS, "--hidden", "32", "--latent", "1", "4", "--epochs", "2")
    run("autoencoder.py", *options, cwd=tmp_path)
    folder = only_folder(tmp_path)
    names = {"settings.json", "runs.csv", "study.png", "study-images.png", "latent-1", "latent-4"}
    assert files_of(folder) == names
    rows = table(folder / "runs.csv")
    assert [row["latent"] for row in rows] == ["1", "4"]
    # By the best linear autoencoder, whose error is the variance that is left.
    train, test = (part.images.reshape(-1, 64) / 16 for part in sal.data.load("digits"))
    _, _, axes = np.linalg.svd(train - train.mean(axis=0))
    for row in rows:
        kept = axes[: int(row["latent"])]
        left = (test - train.mean(axis=0)) @ (np.eye(64) - kept.T @ kept)
        assert float(row["pca squared"]) == pytest.approx((left**2).sum() / len(test), rel=1e-3)
    assert "2 of 2 epochs" in call("show", "latent-4", "--output", tmp_path / "runs")
    before = table(folder / "runs.csv")
    run("autoencoder.py", "--resume", "latest", cwd=tmp_path)
    assert table(folder / "runs.csv") == before


@pytest.mark.parametrize(
    "options, message",
    [
        (("--hidden", "x"), "--hidden takes numbers such as"),
        (("--latent", "0"), "--latent: must be a whole number of at least 1"),
        (("--model", "convolutional", "--hidden", "4-4-4-4"), "give it fewer"),
        (("--preset", "variatonal"), "invalid choice"),
        (("--noise", "-1"), "Noise deviation must be"),
        (("--mask", "2"), "Mask share must be"),
    ],
)
def test_mistakes_of_autoencoders(tmp_path, options, message):
    done = run("autoencoder.py", *DIGITS, *options, cwd=tmp_path, code=2)
    assert message in done.stderr.splitlines()[-1]
    assert not (tmp_path / "runs").exists()
