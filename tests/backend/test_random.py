"""Random streams: known numbers, distributions, and states that can be restored and copied."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

import salamandre as sal
from salamandre.backend.operations.random_numbers import words
from salamandre.backend.random import SplitMixStream


def test_splitmix_gives_the_published_numbers():
    """Known answers of SplitMix64 for the seed 1234567 (of the public-domain C program)."""
    stream = SplitMixStream(sal.get_backend("numpy"), 0)
    stream.state = {"key": 1234567, "drawn": 0}
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    first = words(np, stream._state, 3).tolist()
    stream.uniform((3,), "float32")
    assert first + words(np, stream._state, 2).tolist() == expected


def test_streams_are_uniform_and_gaussian(backend, host):
    stream = sal.get_backend(backend).stream([5, 1])
    for dtype in ("float32", "float64"):
        u = host(stream.uniform((300, 301), dtype))
        n = host(stream.normal((300, 301), dtype))
        assert u.dtype == n.dtype == dtype and u.shape == n.shape == (300, 301)
        assert u.min() >= 0 and u.max() < 1
        assert u.mean() == pytest.approx(0.5, abs=0.005) and u.var() == pytest.approx(
            1 / 12, rel=0.02
        )
        assert n.mean() == pytest.approx(0, abs=0.015) and n.std() == pytest.approx(1, rel=0.01)
        assert np.mean(np.abs(n) > 1.96) == pytest.approx(0.05, abs=0.005)
        assert abs(np.corrcoef(n.ravel()[1:], n.ravel()[:-1])[0, 1]) < 0.02


def restored(stream, backend):
    other = sal.get_backend(backend).stream(0)
    other.state = json.loads(json.dumps(stream.state))
    return other


@pytest.mark.parametrize(
    "twin",
    [
        restored,
        lambda stream, backend: copy.deepcopy(stream),
        lambda stream, backend: pickle.loads(pickle.dumps(stream)),
    ],
    ids=["restored", "copied", "pickled"],
)
def test_a_stream_goes_on_like_its_twin(twin, backend, host):
    stream = sal.get_backend(backend).stream([5, 1])
    stream.normal((3,), "float32")
    other = twin(stream, backend)
    first = host(stream.normal((7,), "float32"))
    stream.normal((0, 3), "float32")
    assert np.array_equal(host(other.normal((7,), "float32")), first)  # each has its own state
    assert host(other.normal((0, 3), "float32")).shape == (0, 3)
    assert np.array_equal(
        host(other.uniform((2, 2), "float64")), host(stream.uniform((2, 2), "float64"))
    )


def test_streams_of_other_seeds_differ(backend, host):
    one, other = (sal.get_backend(backend).stream([seed, 1]) for seed in (0, 1))
    assert not np.array_equal(
        host(one.uniform((9,), "float64")), host(other.uniform((9,), "float64"))
    )
