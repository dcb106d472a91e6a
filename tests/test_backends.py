"""Backends: by name, by registration, and their kernels against the reference."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys
from types import SimpleNamespace

import cuda_on_cpu
import numpy as np
import pytest
from strict_backend import StrictBackend

import salamandre as sal
from salamandre.backend.base import Backend
from salamandre.backend.cpu import NumpyBackend
from salamandre.backend.cuda import CupyBackend
from salamandre.backend.cuda_kernels import update
from salamandre.backend.random import SplitMixStream


def test_names_and_the_environment_variable(monkeypatch):
    monkeypatch.delenv("SALAMANDRE_BACKEND", raising=False)
    assert sal.get_backend().name == "numpy"
    assert sal.get_backend("numpy") is sal.get_backend("numpy")
    monkeypatch.setenv("SALAMANDRE_BACKEND", "strict")
    assert sal.get_backend().name == "strict"
    assert sal.get_backend("numpy").name == "numpy"
    assert sal.Network([sal.NeuronLayer(1)], 1).backend.name == "strict"
    monkeypatch.setenv("SALAMANDRE_BACKEND", "cupi")
    with pytest.raises(ValueError, match="unknown backend 'cupi', did you mean 'cupy'"):
        sal.get_backend()


def test_a_backend_of_ones_own():
    class Mine(NumpyBackend):
        name = "mine"

    sal.register_backend("mine", Mine)
    network = sal.Network([sal.NeuronLayer(1)], 1, backend="mine")
    assert isinstance(network.backend, Mine)
    given = Mine()
    assert sal.Network([sal.NeuronLayer(1)], 1, backend=given).backend is given


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ModuleNotFoundError("No module named 'cupy'", name="cupy"), "is not installed"),
        (ImportError("it wants NumPy 2"), r"cannot be imported \(it wants NumPy 2\)"),
    ],
)
def test_cupy_that_cannot_be_had(monkeypatch, error, why):
    real_import = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.split(".")[0] == "cupy":
            raise error
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    with pytest.raises(RuntimeError, match=why + r": pip install 'salamandre\[cuda12x\]'"):
        CupyBackend()


def fake_cupy(devices):
    class CUDARuntimeError(RuntimeError):
        pass

    def count():
        if devices is None:
            raise CUDARuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")
        return devices

    runtime = SimpleNamespace(getDeviceCount=count, CUDARuntimeError=CUDARuntimeError)
    return SimpleNamespace(cuda=SimpleNamespace(runtime=runtime))


@pytest.mark.parametrize("devices", [None, 0])
def test_cupy_without_a_gpu(monkeypatch, devices):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(devices))
    with pytest.raises(RuntimeError, match=r"needs a CUDA GPU.*pip install"):
        CupyBackend()


def rules():
    optimizers = [
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
    return [pytest.param(optimizer, id=repr(optimizer)) for optimizer in optimizers]


@pytest.mark.parametrize("optimizer", rules())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fast_sweeps_agree_with_the_reference(optimizer, dtype):
    """Compiled loops, a CUDA kernel and blocks against whole arrays in plain code."""
    pytest.importorskip("numba")
    random = np.random.default_rng(0)
    size = 2**18 + 17  # more than one block
    start = [random.normal(size=size).astype(dtype) for _ in range(2)]
    state = [
        (random.normal(size=size) * 0.1 if slot == "mean" else random.uniform(1, 2, size)).astype(
            dtype
        )
        for slot in optimizer.slots
    ]
    scalars = optimizer.scalars()
    results = []
    sweeps = [
        lambda *a: Backend.sweep(NumpyBackend(), *a),
        NumpyBackend(compiled=True).sweep,
        NumpyBackend(compiled=False).sweep,
    ]
    if cuda_on_cpu.COMPILER:
        assert update(optimizer.rule, len(state), len(scalars)) is not None
        sweeps.append(cuda_on_cpu.CudaOnCpu().sweep)
    for sweep in sweeps:
        p, g, slots = start[0].copy(), start[1].copy(), [s.copy() for s in state]
        sweep(optimizer.rule, p, g, slots, scalars)
        assert np.array_equal(g, start[1])
        results.append([p, *slots])
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    for fast in results[1:]:
        for ours, reference in zip(fast, results[0], strict=True):
            assert np.allclose(ours, reference, rtol=tolerance, atol=tolerance)
            assert not np.array_equal(ours, start[0])


def test_a_changed_rule_is_compiled_anew():
    """Two rules of one name must not share machine code."""
    pytest.importorskip("numba")

    def make(factor):
        if factor == 2:

            def rule(p, g, rate):
                return (p - 2 * rate * g,)
        else:

            def rule(p, g, rate):
                return (p - 3 * rate * g,)

        return rule

    for factor in (2, 3):
        p, g = np.zeros(3), np.ones(3)
        NumpyBackend(compiled=True).sweep(make(factor), p, g, [], [1.0])
        assert (p == -factor).all()


def test_rules_in_cuda():
    """Every operation a rule may use, results that change places, and what is left to arrays."""

    def swap(p, g, s, rate):
        old = p - 0.0
        p += np.sign(g) * np.exp(-abs(s)) - np.minimum(rate, np.square(g)) ** 2.0
        p /= np.log(np.maximum(g, 3.0)) - 1e3
        return s, old

    if cuda_on_cpu.COMPILER is None:
        pytest.skip("needs a C++ compiler")
    start = np.random.default_rng(0).normal(size=(3, 50))
    start[:, ::7] = np.array([[np.nan], [1], [0]])
    start[1, 1] = np.nan
    results = []
    for sweep in (lambda *a: Backend.sweep(NumpyBackend(), *a), cuda_on_cpu.CudaOnCpu().sweep):
        p, g, s = start.copy()
        sweep(swap, p, g, [s], [0.5])
        results.append([p, s])
    assert np.allclose(*results, 1e-12, equal_nan=True)

    def halve(p, g, rate):  # a scalar is not changed in place, an array is
        first, same = rate, p
        rate *= 0.5
        p -= first * g
        return (same - rate,)

    p = np.ones(3)
    cuda_on_cpu.CudaOnCpu().sweep(halve, p, np.array([-1.0, 0, 1]), [], [0.5])
    assert np.array_equal(p, [1.25, 0.75, 0.25])

    def where(p, g, rate):
        return (np.where(g > 0, p - rate, p + rate),)

    assert update(where, 0, 1) is None
    assert update(lambda p, g, rate: (np.minimum(p - rate * g, np.inf),), 0, 1) is None
    p = np.zeros(3)
    cuda_on_cpu.CudaOnCpu().sweep(where, p, np.array([-1.0, 0, 1]), [], [0.5])
    assert np.array_equal(p, [0.5, 0.5, -0.5])


def test_a_network_learns_alike_with_cuda_kernels():
    if cuda_on_cpu.COMPILER is None:
        pytest.skip("needs a C++ compiler")
    backends = NumpyBackend(compiled=False), cuda_on_cpu.CudaOnCpu()
    networks = [
        sal.Network(
            [
                sal.ConvolutionalLayer(4, 4, 2, 1, sal.LeakyReLU(0.2)),
                sal.ConvolutionalLayer(6, 4, 2, 1, bias=False),
                sal.BatchNorm(),
                sal.MaxPool(2),
                sal.TransposedConvolutionalLayer(4, 4, 2, 1, sal.ReLU()),
                sal.AveragePool(2),
                sal.Flatten(),
                sal.NeuronLayer(3, sal.Softmax()),
            ],
            (3, 16, 16),
            sal.CrossEntropy(),
            sal.Adam(0.01),
            backend=backend,
        )
        for backend in backends
    ]
    networks[1].parameters[...] = networks[0].parameters  # the backends' random numbers differ
    random = np.random.default_rng(0)
    x, labels = random.normal(size=(8, 3, 16, 16)).astype("float32"), random.integers(0, 3, 8)
    losses = [[float(network.learn(x, labels)) for _ in range(4)] for network in networks]
    assert np.allclose(*losses, 1e-4) and losses[0][-1] < losses[0][0]
    assert np.allclose(*(network.compute(x) for network in networks), 1e-3, 1e-4)


def test_without_numba(monkeypatch):
    program = (
        "import sys; sys.modules['numba'] = None\n"
        "import salamandre as sal, numpy as np\n"
        "net = sal.Network([sal.NeuronLayer(1)], 1, sal.MeanSquaredError(), sal.Adam())\n"
        "net.learn(np.ones((2, 1)), np.ones((2, 1)))\n"
        "print(net.backend.compiled)"
    )
    monkeypatch.setenv("SALAMANDRE_NUMBA", "0")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


# -- random numbers ------------------------------------------------------------------------------


def test_splitmix_gives_the_published_numbers():
    """Known answers of SplitMix64 for the seed 1234567 (of the public-domain C program)."""
    stream = SplitMixStream(np, 0)
    stream.state = {"key": 1234567, "drawn": 0}
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert stream._bits(3).tolist() + stream._bits(2).tolist() == expected


def test_streams_are_uniform_gaussian_and_can_be_restored(backend, host):
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
    state = json.loads(json.dumps(stream.state))
    first = host(stream.normal((7,), "float32"))
    again = sal.get_backend(backend).stream(0)
    again.state = state
    assert np.array_equal(host(again.normal((7,), "float32")), first)
    assert host(stream.normal((0, 3), "float32")).shape == (0, 3)


def test_streams_of_other_seeds_differ(backend, host):
    one, other = (sal.get_backend(backend).stream([seed, 1]) for seed in (0, 1))
    assert not np.array_equal(
        host(one.uniform((9,), "float64")), host(other.uniform((9,), "float64"))
    )


# -- the strict backend itself -------------------------------------------------------------------


def test_the_strict_backend_refuses_what_cupy_refuses():
    strict = StrictBackend()
    a, plain = strict.asarray(np.ones(3)), np.ones(3)
    for refused in (
        lambda: np.asarray(a),
        lambda: a + plain,
        lambda: plain + a,
        lambda: a.__setitem__(slice(None), plain),
        lambda: a[np.array([0, 1])],
        lambda: strict.xp.exp(plain),
        lambda: strict.xp.stack([plain, plain]),
        lambda: np.stack([a, a]),
        lambda: strict.xp.multiply(a, 2, out=plain),
        lambda: strict.to_numpy(plain),
    ):
        with pytest.raises((TypeError, AttributeError)):
            refused()
    assert (strict.to_numpy(2 * a + np.float64(1)) == 3).all()
