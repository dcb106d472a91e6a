"""What the tests of ONNX files share."""

from __future__ import annotations

import pytest

import salamandre as sal

collect_ignore_glob = []
try:
    import onnx
    from onnx_files import run
except ImportError:  # the extra onnx, or onnxruntime
    collect_ignore_glob.append("test_*.py")


@pytest.fixture
def exported(tmp_path):
    """A function that exports a network and returns what onnxruntime computes by it."""

    def compute(network, x, labels=None):
        path = tmp_path / "network.onnx"
        sal.export_onnx(network, path)
        onnx.checker.check_model(path, full_check=True)
        return run(path, x, labels)

    return compute
