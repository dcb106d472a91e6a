"""Products that are added in place by the BLAS that NumPy uses."""

from __future__ import annotations

import numpy as np
import pytest

from salamandre.backend import blas
from salamandre.backend.cpu import NumpyBackend

RANDOM = np.random.default_rng(0)


def stored(rows, columns, by_columns, dtype):
    """Return a matrix in either order in memory."""
    array = RANDOM.normal(size=(columns, rows) if by_columns else (rows, columns))
    return (array.T if by_columns else array).astype(dtype, order="K")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("order", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("sizes", [(3, 5, 4), (1, 5, 4), (3, 1, 4), (3, 5, 1), (1, 1, 1)])
@pytest.mark.parametrize("known", [True, False])
def test_a_product_is_added_to_what_is_there(sizes, order, dtype, known, monkeypatch):
    if not known:  # a library whose functions have other names
        monkeypatch.setattr(blas, "gemm", lambda kind: None)
    m, k, n = sizes
    a, b = stored(m, k, order[0], dtype), stored(k, n, order[1], dtype)
    out = stored(m, n, False, dtype)
    wanted = out.astype("float64") - 0.5 * a.astype("float64") @ b.astype("float64")
    NumpyBackend().add_product(a, b, -0.5, out)
    np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("gaps", ["a", "b", "out"])
def test_matrices_with_gaps_are_left_to_numpy(gaps):
    whole = {name: RANDOM.normal(size=(4, 4)) for name in ("a", "b", "out")}
    arrays = {name: x[::2, ::2] if name == gaps else x[:2, :2].copy() for name, x in whole.items()}
    wanted = arrays["out"] + 2 * arrays["a"] @ arrays["b"]
    assert not blas.add_product(arrays["a"], arrays["b"], 2, arrays["out"])
    NumpyBackend().add_product(arrays["a"], arrays["b"], 2, arrays["out"])
    np.testing.assert_allclose(arrays["out"], wanted)


def test_shapes_that_do_not_fit_are_refused_before_memory_is_read():
    a, b, out = np.zeros((2, 3)), np.zeros((4, 2)), np.zeros((2, 2))
    assert not blas.add_product(a, b, 1, out)
    assert not blas.add_product(a, b[:3], 1, np.zeros((3, 2)))
    with pytest.raises(ValueError, match="not aligned"):
        NumpyBackend().add_product(a, b, 1, out)
