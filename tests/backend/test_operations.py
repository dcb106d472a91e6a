"""Every operation: what replaces the reference agrees with it, and the reference with the truth.

An operation is found by its module; a new one needs only its line in ``CASES``.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass, replace
from typing import Any

import cuda_on_cpu
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from salamandre.backend import operations as package
from salamandre.backend.cpu import NumpyBackend
from salamandre.backend.operation import Operation
from salamandre.backend.operations import winograd
from salamandre.backend.operations.normalization import moments
from salamandre.backend.operations.rectifier import add_bias, leaky_relu, leaky_relu_gradient
from salamandre.backend.operations.winograd import image_to_winograd, winograd_to_image

OPERATIONS = {
    value.name: value
    for file in pkgutil.iter_modules(package.__path__)
    for value in vars(importlib.import_module(f"{package.__name__}.{file.name}")).values()
    if isinstance(value, Operation)
}
PLAIN = NumpyBackend(compiled=False)


@dataclass
class Sizes:
    """Sizes that an operation's arrays are drawn for, and the numbers in them."""

    random: np.random.Generator
    dtype: str
    count: int
    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    more: tuple[int, int]  # pixels beyond the smallest image that the window fits into
    slope: float
    order: list[int]  # of the axes in memory

    @property
    def image(self) -> tuple[int, int]:
        least = (max(1, k - 2 * p) for k, p in zip(self.kernel, self.padding, strict=True))
        height, width = (a + b for a, b in zip(least, self.more, strict=True))
        return height, width

    @property
    def outputs(self) -> tuple[int, int]:
        rows, columns = (
            (self.image[d] + 2 * self.padding[d] - self.kernel[d]) // self.stride[d] + 1
            for d in (0, 1)
        )
        return rows, columns

    @property
    def place(self) -> tuple[tuple[int, int], ...]:
        return self.kernel, self.stride, self.padding

    def array(self, *shape: int) -> np.ndarray:
        """Return multiples of a half: some are equal."""
        return (np.round(self.random.normal(0, 2, shape) * 2) / 2).astype(self.dtype)

    def x(self) -> np.ndarray:
        return self.array(self.count, *self.image, self.channels)

    def y(self) -> np.ndarray:
        return self.array(self.count, *self.outputs, self.channels)

    def columns(self) -> np.ndarray:
        return self.array(self.count, *self.outputs, *self.kernel, self.channels)

    def chosen(self) -> np.ndarray:
        shape, window = self.y().shape, self.kernel[0] * self.kernel[1]
        return self.random.integers(0, window, shape).astype("uint8")

    def twice(self) -> Sizes:
        """Return the sizes with a window of twice the stride."""
        return replace(self, kernel=(2 * self.stride[0], 2 * self.stride[1]))

    def tiles(self, *run: int) -> np.ndarray:
        rows, columns = self.outputs
        return self.array(9, self.count, (rows + 1) // 2, (columns + 1) // 2, *run)

    def image_tiles(self) -> np.ndarray:
        return self.tiles(self.stride[0], self.stride[1] * self.channels)

    @property
    def step(self) -> int:
        return 3 + self.count % 2

    def winograd(self, image: tuple[int, int]) -> np.ndarray:
        """Return tiles of so many pixels as a step, in either direction."""
        rows, columns = (-(-pixels // self.step) for pixels in image)
        return self.array(36, self.count, rows, columns, self.channels)

    def rows(self) -> np.ndarray:
        return self.array(self.count * 37, self.channels)

    def labels(self) -> np.ndarray:
        return self.random.integers(0, self.channels, self.count * 37)

    def many_features(self, count: int) -> np.ndarray:
        return self.array(count, self.channels)

    def stream(self) -> np.ndarray:
        """Return the state of a stream of random numbers."""
        return self.random.integers(0, [2**64, 2**40], dtype="uint64")

    def parts(self, count: int) -> np.ndarray:
        """Return arrays of what parts of 5 rows have, but the last one fewer."""
        return self.array(count, -(-self.count * 37 // 5), self.channels)

    def any_order(self) -> np.ndarray:
        """Return an array without gaps whose axes have the drawn order in memory."""
        shape = [self.count, self.channels, *self.image]
        lying = self.array(*(shape[axis] for axis in self.order))
        return lying.transpose([self.order.index(axis) for axis in range(4)])


def pairs(least: int, most: int) -> st.SearchStrategy:
    return st.tuples(st.integers(least, most), st.integers(least, most))


SIZES = st.builds(
    Sizes,
    st.builds(np.random.default_rng, st.integers(0, 99)),
    st.sampled_from(["float32", "float64"]),
    count=st.integers(1, 4),
    channels=st.integers(1, 4),
    kernel=pairs(1, 5),
    stride=pairs(1, 3),
    padding=pairs(0, 4),
    more=pairs(0, 6),
    slope=st.sampled_from([0.0, 0.2, 1.0]),
    order=st.permutations(range(4)),
)

# The arguments of each operation for some sizes; what an operation writes holds noise before.
CASES: dict[str, Any] = {
    "im2col": lambda s: (s.x(), s.columns(), s.stride, s.padding),
    "col2im": lambda s: (s.columns(), s.x(), s.stride, s.padding),
    "image_to_tiles": lambda s: (s.twice().x(), s.twice().image_tiles(), s.stride, s.padding),
    "tiles_to_image": lambda s: (s.twice().image_tiles(), s.twice().x(), s.stride, s.padding),
    "expand": lambda s: (s.y(), s.tiles(s.channels)),
    "contract": lambda s: (s.tiles(s.channels), s.y()),
    "image_to_winograd": lambda s: (
        s.x(),
        s.winograd(s.outputs),
        int(s.random.choice([s.step, 6])),
        s.step,
        s.padding,
    ),
    "winograd_to_image": lambda s: (s.winograd(s.image), s.x(), s.step),
    "max_pool": lambda s: (s.x(), s.y(), s.chosen(), *s.place),
    "take_chosen": lambda s: (s.x(), s.y(), s.chosen(), *s.place),
    "add_chosen": lambda s: (s.y(), s.x(), s.chosen(), *s.place),
    "sum_pool": lambda s: (s.x(), s.y(), *s.place),
    "spread_pool": lambda s: (s.y(), s.x(), *s.place),
    "cross_entropy": lambda s: (
        *(s.rows().T.copy(), s.labels(), 0.3 * s.slope, s.rows()[:, 0].copy(), s.rows().T.copy()),
    ),
    "descend_one": lambda s: (
        *(s.array(7, s.channels), s.array(7), s.array(7), s.array(s.channels), s.slope),
    ),
    "leaky_relu": lambda s: (s.any_order(), s.slope, s.any_order()),
    "leaky_relu_gradient": lambda s: (s.any_order(), s.any_order(), s.slope, s.any_order()),
    "add_bias": lambda s: (s.rows(), *s.many_features(1), s.slope),
    "add_bias_to_features": lambda s: (s.rows().T.copy(), *s.many_features(1), s.slope),
    "moments": lambda s: (s.rows(), *s.many_features(2)),
    "part_moments": lambda s: (s.rows(), *s.parts(2)),
    "join_moments": lambda s: (*s.parts(2), (s.count * 37,), *s.many_features(2)),
    "part_sums": lambda s: (s.rows(), s.rows(), *s.many_features(1), *s.parts(2)),
    "join_sums": lambda s: (*s.parts(2), *s.many_features(3)),
    "normalize": lambda s: (s.rows(), *s.many_features(4), s.rows()),
    "normalize_sums": lambda s: (s.rows(), s.rows(), *s.many_features(4)),
    "normalize_gradient": lambda s: (s.rows(), s.rows(), *s.many_features(4), s.rows()),
    "uniform": lambda s: (s.x(), s.stream()),
    "normal": lambda s: (s.x(), s.stream()),
}


def copies(arguments):
    """Return the arguments with copies of the arrays, in the order of their memory."""
    return [a.copy(order="K") if isinstance(a, np.ndarray) else a for a in arguments]


def ran(backend, operation, arguments):
    """Return the arrays among the arguments after the operation ran on a backend."""
    given = [backend.asarray(a) if isinstance(a, np.ndarray) else a for a in copies(arguments)]
    operation(backend, *given)
    arrays = (isinstance(a, np.ndarray) for a in arguments)
    return [backend.to_numpy(a) for a, array in zip(given, arrays, strict=True) if array]


def refuse(*arguments):
    raise AssertionError("the reference ran in place of what replaces it")


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_replaces_an_operation_agrees_with_its_reference(name, runner, running):
    """Loop, CUDA code, and the reference on arrays that are not NumPy's."""
    operation, kind = OPERATIONS[name], "kernel" if runner == "gpu" else runner
    if getattr(operation, kind) is None and (kind != "kernel" or operation.steps is None):
        pytest.skip(f"has no {kind}")

    @settings(max_examples=30, deadline=None)
    @given(SIZES)
    def agrees(sizes):
        arguments = CASES[name](sizes)
        expected = ran(PLAIN, operation, arguments)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(operation, "least", 0)
            if kind != "reference":
                patch.setattr(operation, "reference", refuse)
            found = ran(running, operation, arguments)
        tolerance = 1e-4 if sizes.dtype == "float32" else 1e-12
        for ours, reference in zip(found, expected, strict=True):
            assert ours.dtype == reference.dtype
            assert np.allclose(ours, reference, tolerance, tolerance)

    agrees()


@pytest.mark.parametrize("operation", [leaky_relu, leaky_relu_gradient])
@settings(max_examples=20, deadline=None)
@given(sizes=SIZES)
def test_results_that_overwrite_the_first_array_are_the_same(operation, sizes):
    first, *others, out = CASES[operation.name](sizes)
    operation.reference(np, first, *others, out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operation, "least", 0)
        patch.setattr(operation, "reference", refuse)
        operation(NumpyBackend(compiled=True), first, *others, first)
    assert np.allclose(first, out, rtol=1e-6)


@pytest.mark.skipif(cuda_on_cpu.NVCC is None, reason="needs NVIDIA's compiler")
@pytest.mark.skipif(cuda_on_cpu.COMPILER is None, reason="needs a C++ compiler")
def test_the_cuda_code_is_taken_by_its_compiler():
    backend = cuda_on_cpu.CudaOnCpu()
    window = (2, 2), (1, 1), (0, 0), (0, 0)
    sizes = Sizes(np.random.default_rng(), "float32", 1, 1, *window, 0.2, [0, 1, 2, 3])
    for name, operation in OPERATIONS.items():
        operation(backend, *CASES[name](sizes))
    cuda_on_cpu.translate(backend._kernels.values())


ADJOINTS = {
    "im2col": "col2im",
    "image_to_tiles": "tiles_to_image",
    "expand": "contract",
    "take_chosen": "add_chosen",
    "sum_pool": "spread_pool",
}


@pytest.mark.parametrize("name", ADJOINTS)
@settings(max_examples=30, deadline=None)
@given(sizes=SIZES)
def test_adjoints(name, sizes):
    """⟨A x, y⟩ = ⟨x, Aᵀ y⟩."""
    x, y, *others = CASES[name](replace(sizes, dtype="float64"))
    ax, aty = np.empty_like(y), np.empty_like(x)
    OPERATIONS[name](PLAIN, x, ax, *others)
    OPERATIONS[ADJOINTS[name]](PLAIN, y, aty, *others)
    assert np.vdot(ax, y) == pytest.approx(np.vdot(x, aty), rel=1e-12, abs=1e-12)


def windows(s, x, fill=0.0):
    """Return what the windows see (N, Ho, Wo, kh, kw, C), by NumPy's own windows."""
    (top, left), (sh, sw) = s.padding, s.stride
    padded = np.pad(x, ((0, 0), (top, top), (left, left), (0, 0)), constant_values=fill)
    seen = np.lib.stride_tricks.sliding_window_view(padded, s.kernel, (1, 2))
    return seen[:, ::sh, ::sw].transpose(0, 1, 2, 4, 5, 3)


@settings(max_examples=40, deadline=None)
@given(SIZES)
def test_windows_against_numpys(s):
    x, columns, y = s.x(), s.columns(), s.y()
    OPERATIONS["im2col"](PLAIN, x, columns, s.stride, s.padding)
    assert np.array_equal(columns, windows(s, x))
    OPERATIONS["sum_pool"](PLAIN, x, y, *s.place)
    assert np.allclose(y, windows(s, x).sum(axis=(3, 4)))
    chosen, seen = s.chosen(), windows(s, x, -np.inf).reshape(*y.shape[:3], -1, s.channels)
    OPERATIONS["max_pool"](PLAIN, x, y, chosen, *s.place)
    assert np.array_equal(y, seen.max(axis=3))
    beyond = np.isinf(y)  # a window that sees nothing but padding takes nothing
    assert np.array_equal(chosen[~beyond], seen.argmax(axis=3)[~beyond])
    taken = s.y()
    OPERATIONS["take_chosen"](PLAIN, x, taken, chosen, *s.place)
    assert np.array_equal(taken, np.where(beyond, 0, y))


@settings(max_examples=40, deadline=None)
@given(SIZES)
def test_tiles_give_the_product_of_windows(s):
    """Winograd's 9 products are a convolution."""
    s = replace(s.twice(), dtype="float64")
    x, y, weights = s.x(), s.array(s.count, *s.outputs, 2), s.array(2, *s.kernel, s.channels)
    sh, sw = s.stride
    tiles, found, run = s.image_tiles(), s.tiles(2), sh * sw * s.channels
    expanded = np.empty((9, 2, 1, sh, sw * s.channels))
    OPERATIONS["expand"](PLAIN, weights.reshape(2, 2, 2 * sh, sw * s.channels), expanded)
    OPERATIONS["image_to_tiles"](PLAIN, x, tiles, s.stride, s.padding)
    np.matmul(
        tiles.reshape(9, -1, run),
        expanded.reshape(9, 2, run).transpose(0, 2, 1),
        out=found.reshape(9, -1, 2),
    )
    OPERATIONS["contract"](PLAIN, found, y)
    assert np.allclose(y, np.einsum("nabijc,pijc->nabp", windows(s, x), weights))


@settings(max_examples=40, deadline=None)
@given(SIZES)
def test_winograds_tiles_give_the_product_of_windows(s):
    """Outputs, and the gradient of the weights, with 36 products for 144."""
    size, step = 7 - s.step, s.step
    s = replace(s, dtype="float64", kernel=(size, size), stride=(1, 1))
    x, y, weights = s.x(), s.array(s.count, *s.outputs, 2), s.array(2, size, size, s.channels)
    tiles, matrix = s.winograd(s.outputs), winograd.WINDOWS[size]
    image_to_winograd(PLAIN, x, tiles, 6, step, s.padding)
    matrices = np.einsum("kq,pqc->kcp", matrix, weights.reshape(2, -1, s.channels))
    found = np.einsum("kntuc,kcp->kntup", tiles, matrices)
    winograd_to_image(PLAIN, found, y, step)
    seen, tolerance = windows(s, x), {"rtol": 1e-5, "atol": 1e-4}  # the matrix is in float32
    assert np.allclose(y, np.einsum("nabijc,pijc->nabp", seen, weights), **tolerance)
    image_to_winograd(PLAIN, y, found, step, step, (0, 0))
    gradient = np.einsum("kntup,kntuc,kq->pqc", found, tiles, matrix)
    exact = np.einsum("nabijc,nabp->pijc", seen, y)
    assert np.allclose(gradient.reshape(exact.shape), exact, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_rectifiers_of_extreme_numbers(slope, running):
    x = np.resize(np.array([-np.inf, -1, -0.0, 0, 2, np.inf, np.nan], "float32"), 2**13)
    (_, y) = ran(running, leaky_relu, (x, slope, np.zeros_like(x)))
    below = -np.inf if slope else 0
    assert np.array_equal(y[:7], np.float32([below, -slope, 0, 0, 2, np.inf, np.nan]), True)
    z = x.reshape(-1, 2)
    rectified, _ = ran(running, add_bias, (z, np.zeros(2, "float32"), slope))
    assert np.array_equal(rectified.reshape(-1), y, equal_nan=True)


@pytest.mark.parametrize("kind", ["other order", "gaps", "broadcast"])
def test_elementwise_operations_take_memory_of_any_kind(kind, running):
    random = np.random.default_rng(1)
    y, out = random.normal(size=(2, 64, 65))
    dy = {
        "other order": lambda: np.asfortranarray(random.normal(size=y.shape)),
        "gaps": lambda: random.normal(size=(64, 130))[:, ::2],
        "broadcast": lambda: np.broadcast_to(random.normal(size=65), y.shape),
    }[kind]()
    expected = np.where(y > 0, dy, 0.2 * dy)
    given = [running.asarray(array) for array in (dy, y)]
    result = running.asarray(out)
    leaky_relu_gradient(running, *given, 0.2, result)
    assert np.allclose(running.to_numpy(result), expected, 1e-12)


def test_moments_of_a_far_mean_are_exact(running):
    """In float32, of a mean a thousand times the standard deviation."""
    x = np.random.default_rng(2).normal(1000, 1, (20_000, 3))
    empty = np.empty(3, np.float32)
    _, mean, variance = ran(running, moments, (x.astype(np.float32), empty, empty))
    assert np.allclose(mean, x.mean(axis=0), rtol=1e-6)
    assert np.allclose(variance, x.var(axis=0), rtol=1e-3)
