"""Dropout of features and of channels."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal
from salamandre.gradient_checking import gradient_check


def test_dropout_keeps_the_mean_and_is_off_in_use(backend, host):
    network = sal.Network([sal.Dropout(0.25)], 10_000, backend=backend, dtype="float64")
    y = host(network.compute(np.ones((2, 10_000))))
    assert set(np.unique(y)) == {0, 1 / 0.75}
    assert np.mean(y == 0) == pytest.approx(0.25, abs=0.01)
    assert not np.array_equal(y[0], y[1])
    assert np.array_equal(host(network.backprop(np.ones((2, 10_000)))), y)
    assert (host(network.compute(np.ones((2, 10_000)), training=False)) == 1).all()


def test_dropout_may_be_on_in_use_too(backend, host):
    network = sal.Network([sal.Dropout(0.5, always=True)], 1000, backend=backend)
    one, same, other = (host(network.predict(np.ones((2, 1000)), seed=s)) for s in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert set(np.unique(one)) == {0, 2} and np.mean(one) == pytest.approx(1, abs=0.1)
    network.compute(np.ones((2, 1000)), training=False)
    assert set(np.unique(host(network.backprop(np.ones((2, 1000)))))) == {0, 2}


CONV, UP = sal.ConvolutionalLayer, sal.TransposedConvolutionalLayer


@pytest.mark.parametrize("maps", [False, True])
def test_dropout_over_images(maps, backend, host, random):
    layer = sal.Dropout(0.25, maps)
    network = sal.Network([CONV(400, 1), layer], (2, 4, 4), backend=backend)
    x = random.normal(size=(6, 2, 4, 4))
    kept, plain = host(network.compute(x)), host(network.compute(x, training=False))
    ratio = kept / plain
    assert np.allclose(ratio[ratio != 0], 4 / 3, rtol=1e-5)
    assert np.mean(ratio == 0) == pytest.approx(0.25, abs=0.04)
    dropped = (ratio == 0).mean(axis=(2, 3))
    assert maps == bool(np.isin(dropped, (0, 1)).all())
    checked = [CONV(3, 2), sal.Dropout(0.4, maps)]
    assert gradient_check(checked, random.normal(size=(3, 2, 3, 4)), backend=backend).worst < 1e-6
