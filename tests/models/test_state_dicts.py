"""PyTorch's files are read without PyTorch, and nothing in them is run."""

from __future__ import annotations

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch_file

from salamandre.models.state_dicts import read_weights

torch = pytest.importorskip("torch")
FORMS = {"zip": True, "before 1.6": False}


@pytest.fixture(params=FORMS.values(), ids=FORMS)
def save(request, tmp_path):
    def write(content):
        path = tmp_path / "file.pth"
        torch.save(content, path, _use_new_zipfile_serialization=request.param)
        return path

    return write


def test_a_state_dict_is_read(save):
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 2), torch.nn.BatchNorm2d(4))
    found = read_weights(save(module.state_dict()))
    assert list(found) == list(module.state_dict())
    for name, value in module.state_dict().items():
        np.testing.assert_array_equal(found[name], value.numpy())
        assert found[name].dtype == value.numpy().dtype


def test_shared_storages_strides_and_parameters(save):
    whole = torch.arange(24.0).reshape(4, 6)
    content = {
        "part": whole[1:3, ::2],
        "turned": whole.T,
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 2),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "half": torch.ones(3).half(),
    }
    found = read_weights(save(content))
    for name, value in content.items():
        np.testing.assert_array_equal(found[name], value.detach().numpy())


def test_a_checkpoint_that_holds_a_state_dict_is_read(save):
    found = read_weights(save({"epoch": 3, "state_dict": {"a": torch.ones(2)}}))
    np.testing.assert_array_equal(found["a"], [1, 1])
    average, steps = (
        {"a": torch.zeros(2)},
        {"state": {0: {"m": torch.ones(3)}}, "groups": [{"lr": 1}]},
    )
    for more in (
        {"state_dict": {"a": torch.ones(2)}, "ema": average},
        {"model": {"a": torch.ones(2)}},
    ):
        found = read_weights(save({"epoch": 3, "optimizer": steps, **more}))
        np.testing.assert_array_equal(found["a"], [1, 1])
    both = {"a": torch.ones(2), "b": torch.ones(1)}
    found = read_weights(save({"epoch": 1, "net": both, "best": torch.tensor(0.9)}))
    assert list(found) == ["a", "b"]
    one, other = {"a": torch.ones(2)}, {"a": torch.zeros(2)}
    for content, message in (
        ({"epoch": 3, "model": one, "ema": other}, "several sets of weights, 'model', 'ema'"),
        ({**one, "extra": other}, "it holds 'extra', a dict and not an array"),
        ({"state_dict": {**one, "n": 3}, "ema": other}, "it holds 'n', a int"),
        ({"model": {**one, "n": None}, "scaler": other}, "several .* 'model', 'scaler'"),
    ):
        with pytest.raises(ValueError, match=message):
            read_weights(save(content))


def test_bfloat16_is_read_as_float32(save, tmp_path):
    content = {"a": torch.randn(3, 4).bfloat16(), "b": torch.ones(2), "e": torch.zeros(0, 2)}
    save_torch_file(content, tmp_path / "file.safetensors")
    for path in (save(content), tmp_path / "file.safetensors"):
        found = read_weights(path)
        for name, value in content.items():
            assert found[name].dtype == np.float32
            np.testing.assert_array_equal(found[name], value.float().numpy())


class Call:
    def __init__(self, function, *arguments):
        self.how = function, arguments

    def __reduce__(self):
        return self.how


def test_a_malicious_file_is_not_run(save, tmp_path):
    target = tmp_path / "written"
    for bad in (Call(os.system, f"touch {target}"), Call(open, str(target), "w")):
        for content in ({"a": bad}, {"a": torch.ones(1), "b": [bad]}, bad):
            with pytest.raises(ValueError, match=r"file\.pth is damaged, or .*it names \w+\.\w+"):
                read_weights(save(content))
    assert not target.exists()


@pytest.mark.parametrize("content", [torch.ones(2), {}, {"a": 3}, {"a": "text"}, [torch.ones(1)]])
def test_other_things_are_refused(save, content):
    with pytest.raises(ValueError, match="holds no weights"):
        read_weights(save(content))


def test_damaged_files_are_refused(save):
    path = save({"a": torch.arange(100.0), "b": torch.ones(3, 3)})
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    for cut in random.integers(0, len(whole), 30):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="damaged"):
            read_weights(path)
    for place in random.integers(0, len(whole), 200):  # read right, or refused
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            found = read_weights(path)
        except ValueError as error:
            assert "damaged" in str(error)
        else:
            assert all(isinstance(array, np.ndarray) for array in found.values())


def zipped(path, data, compression=zipfile.ZIP_STORED, **members):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("file/data.pkl", data)
        for name, content in members.items():
            archive.writestr(f"file/data/{name}", content)
    return path


def test_a_compressed_archive_is_refused_before_it_is_unpacked(tmp_path):
    path = zipped(tmp_path / "bomb.pth", pickle.dumps({}), zipfile.ZIP_DEFLATED, x=bytes(10**7))
    with pytest.raises(ValueError, match="compressed"):
        read_weights(path)


def test_an_array_beyond_its_storage_is_refused(tmp_path):
    buffer = io.BytesIO()
    torch.save({"a": torch.arange(4.0)}, buffer)
    with zipfile.ZipFile(buffer) as archive:
        data = archive.read("archive/data.pkl")
    wide = data.replace(b"K\x04\x85q", b"K\x09\x85q")
    assert wide != data
    path = zipped(tmp_path / "wide.pth", wide, **{"0": bytes(16)})
    with pytest.raises(ValueError, match="damaged"):
        read_weights(path)


def test_safetensors_are_read(tmp_path):
    arrays = {"b": np.ones((2, 3), np.float32), "a": np.arange(3.0)}
    save_file(arrays, tmp_path / "w.safetensors")
    found = read_weights(tmp_path / "w.safetensors")
    assert set(found) == set(arrays)
    np.testing.assert_array_equal(found["a"], arrays["a"])


def test_a_missing_file_and_a_file_of_something_else(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file of weights"):
        read_weights(tmp_path / "nothing.pth")
    (tmp_path / "text.pth").write_text("these are no weights")
    with pytest.raises(ValueError, match="holds no weights"):
        read_weights(tmp_path / "text.pth")
