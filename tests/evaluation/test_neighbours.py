"""Neighbours against scikit-learn and the paper's definition."""

from __future__ import annotations

import numpy as np
import pytest

from salamandre import evaluation


def test_nearest_agrees_with_scikit_learn(random):
    neighbors = pytest.importorskip("sklearn.neighbors")
    images = random.uniform(size=(3000, 1, 6, 6)).astype(np.float32)
    examples = random.uniform(size=(1500, 36)).astype(np.float32)
    found = neighbors.NearestNeighbors(n_neighbors=1).fit(images.reshape(3000, -1))
    distances, index = found.kneighbors(examples)
    ours, how_far = evaluation.nearest(examples, images)
    assert np.array_equal(ours, index[:, 0])
    assert np.allclose(how_far, distances[:, 0], rtol=1e-5)
    copies, how_far = evaluation.nearest(images[5:8], images)
    assert copies.tolist() == [5, 6, 7] and np.all(how_far == 0)


def test_precision_and_recall_by_the_paper_s_definition(random):
    a, b, k = random.normal(size=(60, 3)), random.normal(size=(80, 3)) + 0.7, 3

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
