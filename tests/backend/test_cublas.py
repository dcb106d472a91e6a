"""Products by cuBLAS: of all layouts of memory, and what is left to CuPy."""

from __future__ import annotations

import numpy as np
import pytest

from salamandre.backend.cuda import CupyBackend

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def backend():
    return CupyBackend()


def operands(asarray, dtype):
    random = np.random.default_rng(0)

    def array(*shape):
        return asarray(random.normal(size=shape).astype(dtype))

    x, w = array(6, 5), array(7, 5)
    yield from ((x, w.T), (x.T, array(6, 3)), (x, array(5)), (array(6), x), (array(9), array(9)))
    yield from ((x[:, :1], array(1, 4)), (x[:1], w.T), (x[:, 1:3], w[:, 1:3].T), (x[::2], w.T))
    yield from ((w, array(1, 5).T), (x.T[:1], x), (x[:, 2], x), (x, w[:, 2:3].T.repeat(5, 0).T[:5]))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-13)])
def test_dot_is_numpys(backend, dtype, tolerance):
    xp, host = backend.xp, backend.to_numpy
    for a, b in operands(backend.asarray, dtype):
        expected = host(a) @ host(b)
        outs = xp.empty(expected.shape, dtype), xp.empty(expected.shape[::-1], dtype).T
        for found in (xp.dot(a, b), *(xp.dot(a, b, out=out) for out in outs)):
            assert found.dtype == dtype
            assert np.allclose(host(found), expected, tolerance, tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_matmul_is_numpys(backend, dtype):
    xp, host, random = backend.xp, backend.to_numpy, np.random.default_rng(0)
    a, b, c = (
        backend.asarray(random.normal(size=shape).astype(dtype))
        for shape in ((9, 4, 5), (9, 3, 5), (2, 9, 5, 6))
    )
    for one, other in ((a, b.transpose(0, 2, 1)), (a[::2], b[::2].swapaxes(1, 2)), (a[1], b[2].T)):
        expected = host(one) @ host(other)
        out = xp.empty(expected.shape, dtype)
        for found in (xp.matmul(one, other), xp.matmul(one, other, out=out)):
            assert np.allclose(host(found), expected, 1e-5, 1e-5)
    assert np.allclose(host(xp.matmul(a, c)), host(a) @ host(c), 1e-5, 1e-5)  # CuPy's


def test_other_arrays_are_left_to_cupy(backend):
    xp = backend.xp
    assert int(xp.dot(xp.arange(4), xp.arange(4))) == 14
    assert xp.dot(xp.ones((2, 3), "float32"), xp.ones((3, 2))).dtype == np.float64
    assert xp.dot(xp.ones((0, 3), "float32"), xp.ones((3, 2), "float32")).shape == (0, 2)


def test_shapes_that_do_not_fit_are_refused(backend):
    xp = backend.xp
    for a, b, out in (((2, 3), (4, 5), None), ((2, 3), (3, 5), (2, 4))):
        out = out and xp.empty(out, "float32")
        with pytest.raises(ValueError):
            xp.dot(xp.ones(a, "float32"), xp.ones(b, "float32"), out=out)
