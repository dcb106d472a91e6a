"""Mistakes in the options of the examples get one sentence, and write nothing."""

from __future__ import annotations

import pytest
from small_runs import DIGITS, run


@pytest.mark.parametrize(
    "example, arguments, message",
    [
        ("speedrun.py", (*DIGITS, "--budget", "31"), "--budget: invalid choice"),
        ("speedrun.py", (*DIGITS, "--without", "luck"), "--without: invalid choice"),
        ("mnist_classifier.py", (*DIGITS, "--structure", "784-10"), "must begin with 64"),
        ("mnist_classifier.py", (*DIGITS, "--structure", "64-x-10"), "numbers such as"),
        ("mnist_classifier.py", (*DIGITS, "--epochs", "0"), "--epochs: must be a whole number"),
        ("mnist_classifier.py", (*DIGITS, "--backend", "cupie"), "did you mean 'cupy'"),
        ("mnist_classifier.py", (*DIGITS, "--dropout", "1.5"), "Dropout rate"),
        ("mnist_classifier.py", (*DIGITS, "--accumulate", "65"), "cannot be learned in 65 parts"),
        ("mnist_classifier.py", ("--resume", "nowhere"), "there is no run 'nowhere'"),
        ("mnist_classifier.py", ("--dataset", "mnits"), "did you mean 'mnist'? (known: mnist, "),
        ("mnist_classifier.py", (*DIGITS, "--test-share", "0.1"), "--test-share is for a source"),
        ("mnist_classifier.py", (*DIGITS, "--class-names", "none.txt"), "none.txt"),
        ("xor.py", ("--structure", "3-2-1"), "takes 2-...-1"),
        ("xor.py", ("--structure", "2-0-1"), "takes 2-...-1"),
        (
            "xor.py",
            ("--structure", "2-4-1", "--first-layer", "axes"),
            "--first-layer is of 2-2-2-1",
        ),
        ("xor.py", ("--runs", "0"), "--runs: must be a whole number of at least 1, got '0'"),
        ("xor.py", ("--steps", "79"), "--steps: must be a whole number of at least 80"),
        ("gan_gaussians.py", ("--processes", "0"), "--processes: must be"),
        ("gan_gaussians.py", ("--seed", "-1"), "--seed: must be a whole number of at least 0"),
        ("gan_gaussians.py", ("--backend", "cupie"), "did you mean 'cupy'"),
        ("mode_collapse_study.py", ("--runs", "x"), "--runs: must be a whole number"),
        ("xor.py", ("--learning-rates", "-1"), "at least 0"),
        ("xor.py", ("--backend", "nunpy"), "did you mean 'numpy'"),
        ("gan_gaussians.py", ("--resume", ""), "--resume names no run"),
        ("inspect_network.py", ("--run", "x", "--model", "vgg16"), "leave out --model and"),
        (
            "mnist_classifier.py",
            (*DIGITS, "--model", "cnn", "--activation", "tanh"),
            "--activation, --dropout, --input-dropout and --batch-norm are a perceptron's",
        ),
    ],
)
def test_mistakes_get_one_sentence(tmp_path, example, arguments, message):
    done = run(example, *arguments, cwd=tmp_path, code=2)
    assert message in done.stderr.splitlines()[-1]
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "program, arguments, message",
    [
        ("wgan_mnist.py", ("--digits", "8-12"), "must lie in 0-9"),
        ("wgan_mnist.py", ("--digits", "x"), "takes 7 or 0-9"),
        ("wgan_mnist.py", ("--generator", "a"), "takes numbers such as 784-300-10, got 'a'"),
        ("wgan_mnist.py", ("--critic", "0"), "takes numbers such as 784-300-10, got '0'"),
        ("wgan_mnist.py", ("--rounds", "0"), "--rounds: must be a whole number of at least 1"),
        ("wgan_mnist.py", ("--resume", "nowhere"), "there is no run 'nowhere'"),
        ("gan_mnist.py", ("--smoothing", "low"), "range such as 0.7-1"),
        ("gan_mnist.py", ("--top-k", "5"), "TopK"),
        ("gan_mnist.py", ("--flipping", "0.6"), "LabelFlipping probability must be"),
        (
            "gan_mnist.py",
            ("--lipschitz", "penalty", "--minibatch", "deviation"),
            "MinibatchDeviation cannot be part",
        ),
        ("gan_mnist.py", ("--batch-size", "5000"), "needs at least as many images"),
        ("gan_mnist.py", ("--penalty", "3"), "--lipschitz penalty or zero-centred or dragan"),
        (
            "gan_mnist.py",
            ("--lipschitz", "dragan", "--penalty-every", "4"),
            "--penalty-every is for --lipschitz zero-centred",
        ),
        (
            "wgan_mnist.py",
            ("--lipschitz", "spectral", "--penalty", "3"),
            "--penalty is for --lipschitz penalty: leave it out",
        ),
        ("wgan_mnist.py", ("--clip", "0.1"), "--clip is for --lipschitz clipping: leave it out"),
    ],
)
def test_mistakes_of_games(tmp_path, program, arguments, message):
    done = run(program, *DIGITS, "--evaluate", "0", *arguments, cwd=tmp_path, code=2)
    assert message in done.stderr.splitlines()[-1]
    assert not (tmp_path / "runs").exists()
