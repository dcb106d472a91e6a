"""Backends: by name, by registration, copied and pickled; and whole networks on them."""

from __future__ import annotations

import builtins
import copy
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import cuda_on_cpu
import numpy as np
import pytest
from strict_backend import StrictBackend

import salamandre as sal
from salamandre.backend.cpu import NumpyBackend
from salamandre.backend.cuda import CupyBackend


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


def test_a_copy_of_a_backend_is_the_backend(backend):
    made = sal.get_backend(backend)
    made.workspace("space", (2, 3), "float32")
    assert copy.deepcopy(made) is made and copy.deepcopy([made])[0] is made
    assert pickle.loads(pickle.dumps(made)) is made


def test_a_backend_without_a_name_is_pickled_by_its_arguments():
    for compiled in (True, False):
        mine = NumpyBackend(compiled)
        assert copy.deepcopy(mine) is mine
        mine.workspace("space", (2, 3), "float32")
        other = pickle.loads(pickle.dumps(mine))
        assert type(other) is NumpyBackend and other.compiled is compiled


def test_a_backend_is_written_as_it_is_made():
    assert repr(sal.get_backend("numpy")) == "get_backend('numpy')"
    assert repr(NumpyBackend(compiled=False)) == "NumpyBackend(False)"


def test_a_workspace_is_filled_once_for_calls_that_follow_each_other(backend):
    made, known, calls = sal.get_backend(backend), {}, []
    x, other = (made.xp.ones((4, 2), dtype="float32") for _ in "12")

    def asked(source, part=slice(0, 2), known=known):
        def make(space):
            calls.append(source)
            space[...] = source[part]

        return made.made_of(source, part, "made", (2, 2), make, known)

    asked(x)
    assert float(asked(x).sum()) == 4 and len(calls) == 1
    asked(x, slice(2, 4))
    asked(x, slice(2, 4))
    asked(other)
    asked(x)
    asked(x, known={})
    made.workspace("made", (1, 1), "float32")
    asked(x)
    assert len(calls) == 6


def test_a_workspace_is_one_threads_and_grows(backend):
    made = sal.get_backend(backend)
    space = made.workspace("test", (2, 3), "float32")
    assert space.shape == (2, 3) and space.dtype == np.float32
    space[...] = 7
    assert float(made.workspace("test", (3, 1), "float32").sum()) == 21
    large = made.workspace("test", (4, 5), np.dtype("float32"))
    large[...] = 0
    assert float(made.workspace("test", (2, 3), "float32").sum()) == 0
    made.workspace("test", (4, 5), "float64")[...] = 1
    made.workspace("other test", (4, 5), "float32")[...] = 1
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(made.workspace, "test", (4, 5), "float32").result()
        other[...] = 1
    assert float(large.sum()) == 0


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


def test_networks_that_were_pickled_apart_agree_on_a_backend_that_is_not_registered():
    class Own(type(sal.get_backend("numpy"))):
        pass

    side = Own(False)
    assert side == Own(False) and hash(side) == hash(Own(False))
    assert side != Own(True) and side != sal.get_backend("plain")
    inner = sal.Network([sal.NeuronLayer(4)], 3, backend=Own(False))
    assert sal.Network([inner, sal.NeuronLayer(2)], 3, backend=side).predict(np.ones((2, 3))).size
