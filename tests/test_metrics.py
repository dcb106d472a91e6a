"""Figures of generators against scipy, scikit-learn, closed forms and the papers' formulas."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal
from salamandre import data, evaluation
from salamandre.data import toy

RANDOM = np.random.default_rng(5)


# -- modes -----------------------------------------------------------------------------------------


def test_samples_of_the_mixture_itself_cover_it():
    """A Gaussian in the plane lies within 3 deviations with probability 1 - exp(-9/2)."""
    for mixture in (toy.ring(), toy.grid()):
        found = evaluation.mode_coverage(mixture.sample(20_000), mixture.modes, mixture.std)
        assert found["modes"] == len(mixture.modes)
        assert found["quality"] == pytest.approx(1 - np.exp(-4.5), abs=0.003)
        assert found["balance"] == pytest.approx(1, abs=0.001)


def test_modes_that_are_missing_or_uneven_are_told():
    modes = np.array([[0.0, 0], [10, 0], [0, 10], [10, 10]])
    samples = np.array([[0.0, 0], [0, 0.2], [0, 0.1], [10, 0], [5, 5], [10, 10.4]])
    found = evaluation.mode_coverage(samples, modes, std=0.1)
    assert found["modes"] == 2  # the last is four deviations away from its mode
    assert found["quality"] == pytest.approx(4 / 6)
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert found["balance"] == pytest.approx(entropy / np.log(4))
    nothing = evaluation.mode_coverage(np.full((5, 2), 99.0), modes, std=0.1)
    assert nothing == {"modes": 0, "quality": 0, "balance": 0}


# -- Fréchet distance ------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [400, 20], ids=["full rank", "fewer rows than features"])
def test_frechet_distance_agrees_with_scipy(rows):
    linalg = pytest.importorskip("scipy.linalg")
    a = RANDOM.normal(size=(rows, 30)) @ RANDOM.normal(size=(30, 30))
    b = RANDOM.normal(size=(300, 30)) @ RANDOM.normal(size=(30, 30)) + 1
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    root = linalg.sqrtm(cov_a @ cov_b).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root)
    tolerance = 1e-8 if rows > 30 else 1e-4  # scipy's own root is rough for singular matrices
    assert evaluation.frechet_distance(a, b) == pytest.approx(expected, rel=tolerance)
    assert evaluation.frechet_distance(b, a) == pytest.approx(expected, rel=tolerance)


def test_frechet_distance_in_closed_form():
    """In one dimension it is (difference of means)² + (difference of deviations)²."""
    x = RANDOM.normal(size=(1000, 1))
    x = (x - x.mean()) / x.std(ddof=1)
    assert evaluation.frechet_distance(2 * x + 3, x) == pytest.approx(9 + 1)
    assert evaluation.frechet_distance(x, x) == pytest.approx(0, abs=1e-9)


def test_moments_of_float32_features_far_from_zero_are_stable():
    x = (1e4 + RANDOM.normal(size=(5000, 3))).astype(np.float32)
    shifted = x + np.float32(1)
    assert evaluation.frechet_distance(shifted, x) == pytest.approx(3, rel=0.01)


def test_frechet_distance_refuses_what_has_no_moments():
    with pytest.raises(ValueError, match="two rows of features or more"):
        evaluation.frechet_distance(np.zeros((1, 3)), np.zeros((5, 3)))
    with pytest.raises(ValueError, match="equally many features, got 3 and 4"):
        evaluation.frechet_distance(np.zeros((5, 3)), np.zeros((5, 4)))


# -- classes ---------------------------------------------------------------------------------------


def test_shares_and_divergence_agree_with_scipy():
    stats = pytest.importorskip("scipy.stats")
    shares = evaluation.class_shares(RANDOM.integers(0, 5, 100), 6)
    assert shares.sum() == pytest.approx(1) and shares[5] == 0
    reference = np.full(6, 1 / 6)
    expected = stats.entropy(shares, reference)
    assert evaluation.class_divergence(shares, reference) == pytest.approx(expected)
    assert evaluation.class_divergence(np.array([0, 1.0]), np.array([1.0, 0])) == np.inf
    with pytest.raises(ValueError, match=r"all of them in 0\.\.2"):
        evaluation.class_shares(np.array([0, 3]), 3)


def test_classifier_score_in_closed_form():
    sure = np.eye(4)[np.arange(100) % 4]
    assert evaluation.classifier_score(sure) == pytest.approx(4)  # sure, and all classes as often
    assert evaluation.classifier_score(sure[::4]) == pytest.approx(1)  # one class only
    assert evaluation.classifier_score(np.full((9, 4), 0.25)) == pytest.approx(1)  # never sure
    with pytest.raises(ValueError, match="sum to 1"):
        evaluation.classifier_score(np.ones((3, 4)))


# -- neighbours ------------------------------------------------------------------------------------


def test_nearest_agrees_with_scikit_learn():
    neighbors = pytest.importorskip("sklearn.neighbors")
    images = RANDOM.uniform(size=(3000, 1, 6, 6)).astype(np.float32)
    examples = RANDOM.uniform(size=(1500, 36)).astype(np.float32)
    found = neighbors.NearestNeighbors(n_neighbors=1).fit(images.reshape(3000, -1))
    distances, index = found.kneighbors(examples)
    ours, how_far = evaluation.nearest(examples, images)
    assert np.array_equal(ours, index[:, 0])
    assert np.allclose(how_far, distances[:, 0], rtol=1e-5)
    copies, how_far = evaluation.nearest(images[5:8], images)
    assert copies.tolist() == [5, 6, 7] and np.all(how_far == 0)


def test_precision_and_recall_by_the_paper_s_definition():
    a, b, k = RANDOM.normal(size=(60, 3)), RANDOM.normal(size=(80, 3)) + 0.7, 3

    def share(points, manifold):
        inside = 0
        for point in points:
            for centre in manifold:
                radius = np.sort(np.linalg.norm(manifold - centre, axis=1))[k]
                if np.linalg.norm(point - centre) <= radius:
                    inside += 1
                    break
        return inside / len(points)

    assert evaluation.precision_recall(a, b, k) == (share(a, b), share(b, a))
    half = np.concatenate([b[:40], b[:40] + 100])  # half of it is nowhere near
    precision, _ = evaluation.precision_recall(half, b)
    assert precision == pytest.approx(0.5)
    with pytest.raises(ValueError, match="more than 3 rows"):
        evaluation.precision_recall(a[:3], b)


# -- the judge -------------------------------------------------------------------------------------


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


def test_a_judge_reads_images_in_any_range_and_shape(judge, digits):
    _, test = digits
    values = test.images[:50] / test.white
    plain = judge.classify(values)
    assert np.allclose(judge.classify(2 * values - 1, (-1, 1)), plain, atol=1e-5)
    assert np.allclose(judge.classify(values.reshape(50, -1)), plain)


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
