"""The judge: a classifier that looks at what generators make."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import salamandre as sal
from salamandre import data, evaluation
from salamandre.class_names import matched
from salamandre.inputs import Pixels


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def judge(digits, tmp_path_factory):
    return evaluation.Judge.trained(*digits, epochs=30, cache_dir=tmp_path_factory.mktemp("judge"))


def test_a_judge_knows_real_digits(judge, digits):
    train, test = digits
    assert judge.accuracy > 0.9  # other writers than those it learned from
    figures = judge.metrics(train.images[: len(test)] / train.white)
    assert figures["least"] > 0.06 and figures["most"] < 0.14
    assert figures["confident"] > 0.85 and figures["score"] > 8.5
    assert figures["precision"] > 0.6 and figures["recall"] > 0.6


def test_a_judge_tells_collapse_and_noise(judge, digits):
    train, test = digits
    real = train.images[: len(test)] / train.white
    good = judge.metrics(real)
    collapsed = judge.metrics(np.repeat(real[train.labels[: len(test)] == 3][:5], 50, axis=0))
    assert collapsed["most"] == 1 and collapsed["least"] == 0
    assert collapsed["divergence"] == pytest.approx(np.log(len(test) / (test.labels == 3).sum()))
    assert collapsed["score"] < 1.5 and collapsed["recall"] < 0.1
    noise = judge.metrics(np.random.default_rng(0).uniform(size=real.shape))
    assert noise["frechet"] > 3 * good["frechet"] and noise["precision"] < 0.1


def test_a_judge_does_not_mind_the_order_of_examples(digits, judge):
    """Also where there are fewer real ones, so that some metrics take as many as these."""
    train, test = digits
    few = evaluation.Judge(judge.classifier, test[:150])
    real = train.images[:900] / train.white
    mixed, ordered = (
        few.metrics(real[order])
        for order in (
            np.random.default_rng(3).permutation(900),
            np.argsort(train.labels[:900], kind="stable"),
        )
    )
    for name in ("recall", "coverage", "precision"):
        assert ordered[name] == pytest.approx(mixed[name], abs=0.12)
    assert ordered["frechet"] == pytest.approx(mixed["frechet"])


def test_a_judge_reads_images_in_any_range_and_shape(judge, digits):
    _, test = digits
    values = test.images[:50] / test.white
    plain = judge.classify(values)
    assert np.allclose(judge.classify(2 * values - 1, (-1, 1)), plain, atol=1e-5)
    assert np.allclose(judge.classify(values.reshape(50, -1)), plain)


def test_a_judge_shows_images_in_the_range_that_its_classifier_has_learned(judge, digits):
    _, test = digits
    layers = [sal.NeuronLayer(10, sal.Softmax())]
    network = sal.Network(layers, 64)
    network.pixels = Pixels(16, -1, 1)
    found = evaluation.Judge(network, test).classify(test.images[:9] / test.white)
    np.testing.assert_allclose(found, network.predict(test[:9]), rtol=1e-4)


def test_a_judge_is_trained_once(digits, tmp_path):
    train, test = digits
    first = evaluation.Judge.trained(train, test, epochs=1, cache_dir=tmp_path)
    (file,) = (tmp_path / "judges").iterdir()
    written = file.stat().st_mtime_ns
    again = evaluation.Judge.trained(train, test, epochs=1, cache_dir=tmp_path)
    assert file.stat().st_mtime_ns == written
    assert np.array_equal(again.classifier.parameters, first.classifier.parameters)
    file.write_bytes(file.read_bytes()[:-10])
    mended = evaluation.Judge.trained(train, test, epochs=1, cache_dir=tmp_path)
    assert np.array_equal(mended.classifier.parameters, first.classifier.parameters)


def test_a_judge_must_fit(digits):
    _, test = digits
    with pytest.raises(ValueError, match="ends in Softmax"):
        evaluation.Judge(sal.Network([sal.NeuronLayer(10)], 64), test)
    with pytest.raises(ValueError, match="knows 3 classes, the images have 10"):
        evaluation.Judge(sal.Network([sal.NeuronLayer(3, sal.Softmax())], 64), test)
    with pytest.raises(ValueError, match=r"takes \(5,\), the images are \(1, 8, 8\)"):
        evaluation.Judge(sal.Network([sal.NeuronLayer(10, sal.Softmax())], 5), test)


def test_a_judge_watches_a_game(judge, digits):
    train, _ = digits
    generator = sal.Network([sal.NeuronLayer(64, sal.Tanh())], 5, optimizer=sal.Adam())
    discriminator = sal.Network([sal.NeuronLayer(1)], 64, optimizer=sal.Adam())
    game = sal.GanGame(generator, discriminator, train, latent=sal.Gaussian(5))
    watch = sal.games.Evaluation({"judge": judge.of_game(200)}, every=sal.Steps(2))
    game.play(4, [watch])
    assert [record["round"] for record in game.history.records] == [2, 4]
    expected = judge.metrics(game.generate(200, seed=1), (-1, 1))
    latest = {name: game.history.records[-1][name] for name in expected}
    assert latest == pytest.approx(expected)


def reordered(images, names):
    """Return the images with their classes in another order."""
    labels = matched("the images", images.labels, images.classes, "the others", names)
    return replace(images, labels=labels, classes=names)


def test_a_judge_matches_classes_by_name(judge, digits):
    _, test = digits
    assert judge.classifier.class_names == test.classes
    other = evaluation.Judge(judge.classifier, reordered(test, test.classes[::-1]))
    assert other.accuracy == judge.accuracy and other.classes == test.classes
    some = [label for label in range(len(test)) if test.labels[label] < 3][:60]
    few = data.Images(
        test.images[some], 2 - test.labels[some], ("2", "1", "0"), "few", "test", test.white
    )
    assert evaluation.Judge(judge.classifier, few).accuracy > 0.85
    unknown = data.Images(test.images, test.labels, tuple("abcdefghij"), "x", "test", test.white)
    with pytest.raises(ValueError, match=r"class 'a', .* that the classifier lacks: its classes"):
        evaluation.Judge(judge.classifier, unknown)


def test_a_judge_asks_for_the_classes_that_a_game_names(judge, digits):
    """A generator whose classes are in another order draws the right ones."""
    train, _ = digits
    names = train.classes[::-1]
    generator = sal.Network(
        [sal.Embedding(10), sal.NeuronLayer(64, sal.Tanh())], 5, optimizer=sal.Adam()
    )
    discriminator = sal.Network([sal.Embedding(10), sal.NeuronLayer(1)], 64, optimizer=sal.Adam())
    game = sal.GanGame(
        generator, discriminator, reordered(train, names), latent=sal.Gaussian(5), labels=True
    )
    assert generator.class_names == discriminator.class_names == names
    real = [train.images[train.labels == int(name)][:20] for name in names]

    def generate(count, seed):
        return np.stack([real[row % 10][row // 10] for row in range(count)]) / train.white * 2.0 - 1

    game.generate = generate
    assert judge.of_game(200)(game)["right"] > 0.95


@pytest.mark.parametrize(
    "examples, value_range, message",
    [
        (
            np.zeros((0, 64)),
            (0, 1),
            r"images \(N, ...\) of the shape \(64,\), got an array \(0, 64",
        ),
        (np.zeros((3, 60)), (0, 1), r"of the shape \(64,\), got an array \(3, 60\)"),
        (np.full((3, 64), np.nan), (0, 1), "images must be finite numbers"),
        (np.zeros((3, 64)), (1, 1), r"black below white, got \(1, 1\)"),
        (
            np.full((3, 64), -1.0),
            (0, 1),
            r"got \(0, 1\) for images with values from -1 to -1: of a",
        ),
        (np.full((3, 64), 16.0), (-1, 1), r"black and white, got \(-1, 1\) for images"),
        (np.full((3, 64), 16, np.uint8), (0, 1), r"of bytes to 16 it is not \(0, 1\), but \(0, i"),
    ],
)
def test_what_a_judge_cannot_read_is_refused(judge, examples, value_range, message):
    with pytest.raises(ValueError, match=message):
        judge.classify(examples, value_range)


def test_judges_are_checked_before_they_learn(judge, digits):
    train, test = digits
    for options, message in (
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"test": replace(test, images=test.images[..., :4])}, r"test images are \(1, 8, 4\)"),
        ({"test": replace(test, classes=tuple("abcdefghij"))}, "classes"),
    ):
        with pytest.raises(ValueError, match=message):
            evaluation.Judge.trained(train, **{"test": test, **options})
    with pytest.raises(ValueError, match="count must be a whole number of at least 4"):
        judge.of_game(-3)


def test_images_of_some_classes_have_no_divergence(judge, digits):
    _, test = digits
    some = evaluation.Judge(judge.classifier, test[test.labels < 3])
    found = some.metrics(test.images / test.white)
    assert "divergence" not in found and found["classes"] == 3
