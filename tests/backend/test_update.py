"""An optimizer's step: blocks, compiled loops and CUDA code against its rule on whole arrays."""

from __future__ import annotations

import cuda_on_cpu
import numpy as np
import pytest

import salamandre as sal
from salamandre.backend.cpu import NumpyBackend
from salamandre.backend.operations.update import BLOCK, operation, update

PLAIN = NumpyBackend(compiled=False)
OPTIMIZERS = [
    sal.SGD(),
    sal.Momentum(),
    sal.Nesterov(),
    sal.AdaGrad(),
    sal.RMSProp(),
    sal.RMSProp(centred=True),
    sal.Adadelta(),
    sal.Adadelta(centred=True),
    sal.Adam(),
    sal.AdamW(),
]


def stepped(backend, rule, p, g, state, scalars):
    """Return parameters and state after a step on a backend."""
    p, g, *state = (backend.asarray(array.copy()) for array in (p, g, *state))
    update(backend, rule, p, g, state, scalars)
    return [backend.to_numpy(array) for array in (p, *state)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float64", 1e-12)])
def test_steps_are_the_rule(optimizer, dtype, tolerance, running):
    random, size, scalars = np.random.default_rng(0), BLOCK + 17, optimizer.scalars()
    p, g = random.normal(size=(2, size)).astype(dtype)
    state = [
        (random.normal(size=size) * 0.1 if slot == "mean" else random.uniform(1, 2, size)).astype(
            dtype
        )
        for slot in optimizer.slots
    ]
    made, before = operation(optimizer.rule, len(state), len(scalars)), g.copy()
    assert made.loop is not None and made.kernel is not None
    found = stepped(running, optimizer.rule, p, g, state, scalars)
    expected = optimizer.rule(p.copy(), g, *(s.copy() for s in state), *scalars)
    assert np.array_equal(g, before)
    for ours, reference in zip(found, expected, strict=True):
        assert ours.dtype == dtype
        assert np.allclose(ours, reference, tolerance, tolerance)
        assert not np.array_equal(ours, p)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_loops_of_single_precision_do_not_compute_in_double(optimizer):
    """Of double, half as many numbers fit a register: such a step of Adam takes 3 times as long."""
    numba = pytest.importorskip("numba")
    scalars = optimizer.scalars()
    rule = numba.njit(optimizer.rule)
    rule(*map(np.float32, (*[1] * (2 + len(optimizer.slots)), *scalars)))
    (made,) = rule.nopython_signatures
    assert set(made.return_type) == {numba.float32}


def test_a_changed_rule_is_compiled_anew(running):
    """Two rules of one name, on one line, must not share machine code."""

    def make(factor):
        if factor == 2:

            def rule(p, g, rate):
                return (p - 2 * rate * g,)
        else:

            def rule(p, g, rate):
                return (p - 3 * rate * g,)

        return rule

    for factor in (2, 3):
        (p,) = stepped(running, make(factor), np.zeros(3), np.ones(3), [], [1.0])
        assert (p == -factor).all()


def half(number):
    return number / 2


def test_rules_of_ones_own(running):
    """Functions that a rule calls and variables around it, more slots than loops are made for."""
    third = 3.0

    def rule(p, g, a, b, c, d, rate):
        return p - rate * half(g) / third, a + 1, b + 2, c + 3, d + 4

    slots = [np.full(5, float(k)) for k in range(4)]
    p, *state = stepped(running, rule, np.zeros(5), np.full(5, 12.0), slots, [0.5])
    assert (p == -1).all() and [s[0] for s in state] == [1, 3, 5, 7]

    def short(p, g, a, rate):
        return p - rate * half(g) / third, a + 1

    p, a = stepped(running, short, np.zeros(5), np.full(5, 12.0), slots[:1], [1])
    assert (p == -2).all() and (a == 1).all()


def test_a_vector_without_elements_is_left_alone(running):
    (p,) = stepped(running, sal.SGD().rule, np.zeros(0), np.zeros(0), [], [1.0])
    assert p.shape == (0,)


def test_rules_in_cuda():
    """Every operation a rule may use, results that change places, and what is left to arrays."""
    if cuda_on_cpu.COMPILER is None:
        pytest.skip("needs a C++ compiler")
    cuda = cuda_on_cpu.CudaOnCpu()

    def swap(p, g, s, rate):
        old = p - 0.0
        p += np.sign(g) * np.exp(-abs(s)) - np.minimum(rate, np.square(g)) ** 2.0
        p /= np.log(np.maximum(g, 3.0)) - 1e3
        return s, old

    start = np.random.default_rng(0).normal(size=(3, 50))
    start[:, ::7] = np.array([[np.nan], [1], [0]])
    start[1, 1] = np.nan
    p, g, s = start
    results = [stepped(backend, swap, p, g, [s], [0.5]) for backend in (PLAIN, cuda)]
    assert np.allclose(*results, 1e-12, equal_nan=True)

    def halve(p, g, rate):  # a scalar is not changed in place, an array is
        first, same = rate, p
        rate *= 0.5
        p -= first * g
        return (same - rate,)

    (p,) = stepped(cuda, halve, np.ones(3), np.array([-1.0, 0, 1]), [], [0.5])
    assert np.array_equal(p, [1.25, 0.75, 0.25])

    def where(p, g, rate):
        return (np.where(g > 0, p - rate, p + rate),)

    assert operation(where, 0, 1).kernel is None
    endless = operation(lambda p, g, rate: (np.minimum(p - rate * g, np.inf),), 0, 1)
    assert endless.kernel is None
    (p,) = stepped(cuda, where, np.zeros(3), np.array([-1.0, 0, 1]), [], [0.5])
    assert np.array_equal(p, [0.5, 0.5, -0.5])
    if cuda_on_cpu.NVCC is not None:
        cuda_on_cpu.translate(cuda._kernels.values())


@pytest.mark.parametrize("compiled", [False, pytest.param(True, id="loop")])
def test_a_step_in_slices_has_the_bits_of_one(compiled, monkeypatch):
    """Also where the numbers are no multiple of what a loop takes at a time."""
    backend, optimizer, size = NumpyBackend(compiled), sal.Adam(), 5 * 2**10 + 77
    p, g, *state = np.random.default_rng(0).uniform(1, 2, (4, size)).astype("float32")
    whole = stepped(backend, optimizer.rule, p, g, state, optimizer.scalars())
    monkeypatch.setattr("salamandre.backend.cpu.LEAST", 2**10)
    monkeypatch.setattr("salamandre.backend.cpu.free_threads", lambda: 3)
    slices = []
    backend.in_slices(size, slices.append)
    slices.sort(key=lambda part: part.start)
    assert len(slices) == 3 and np.array_equal(np.concatenate([p[part] for part in slices]), p)
    found = stepped(backend, optimizer.rule, p, g, state, optimizer.scalars())
    assert all(np.array_equal(a, b) for a, b in zip(found, whole, strict=True))
