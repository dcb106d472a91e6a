"""What the tests of ONNX files share."""

from __future__ import annotations

import pytest

import salamandre as sal

collect_ignore_glob = []
try:
    import onnx
    from onnx_files import run, write
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


@pytest.fixture
def refused(tmp_path):
    """A function that writes a model and returns the sentence in which import_onnx refuses it."""

    def message(nodes, arrays=(), output=None, **said):
        path = tmp_path / "net.onnx"
        write(path, nodes, arrays, **said)
        with pytest.raises(ValueError) as error:
            sal.import_onnx(path, output)
        text = str(error.value)
        assert text.startswith(f"{path} cannot be imported: ") and "\n" not in text
        return text

    return message
