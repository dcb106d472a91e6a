"""``salamandre doctor``: what it says of a machine."""

from __future__ import annotations

import os
import platform
from importlib import metadata

import numpy as np
import pytest
from command import call
from test_datasets import rows

from salamandre.data import CATALOGUE

pytestmark = pytest.mark.usefixtures("alone")


def test_versions_and_places_are_those_of_this_machine(place):
    found = rows(call("doctor"))
    assert found["Python"][0] == platform.python_version()
    assert found["NumPy"] == [np.__version__]
    assert int(found["cores"][0]) <= os.cpu_count()
    assert found["cache"] == [f"{place / 'cache'},", "0", "MB"]
    assert found["data sets"][0] == "digits;"


@pytest.mark.parametrize(("package", "extra"), [("numba", "fast"), ("joblib", "studies")])
def test_a_missing_extra_has_its_command(package, extra, monkeypatch):
    version = metadata.version

    def without_it(name):
        if name == package:
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", without_it)
    output = " ".join(rows(call("doctor"))[package])
    assert output.startswith(f"not installed: pip install 'salamandre[{extra}]'")


def test_a_gpu_that_cannot_be_used_has_a_reason(monkeypatch):
    monkeypatch.setattr("salamandre.backend.base._made", {})
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)
    assert "needs CuPy" in " ".join(rows(call("doctor"))["GPU"])


def test_a_folder_of_data_is_looked_into(place, monkeypatch):
    mnist = place / "data" / "mnist"
    mnist.mkdir(parents=True)
    monkeypatch.setenv("SALAMANDRE_DATA", str(place / "data"))
    assert "mnist," not in rows(call("doctor"))["data sets"]
    for form in CATALOGUE["mnist"].forms[:1]:
        for file in form.files:
            (mnist / file.name).touch()
    assert "mnist," in rows(call("doctor"))["data sets"]


def test_a_folder_of_data_that_is_not_there_is_told(place, monkeypatch):
    monkeypatch.setenv("SALAMANDRE_DATA", str(place / "nowhere"))
    output = " ".join(rows(call("doctor"))["data folder"])
    assert output.endswith("nowhere, which is not there: make it, or set SALAMANDRE_DATA")


def test_a_file_that_is_removed_meanwhile_counts_nothing(place, monkeypatch):
    (place / "cache").mkdir()
    (place / "cache" / "kept").write_bytes(bytes(3_000_000))
    (place / "cache" / "gone").symlink_to("nowhere")
    looked_at = ("kept", "gone")
    monkeypatch.setattr("pathlib.Path.is_file", lambda path: path.name in looked_at)
    assert rows(call("doctor"))["cache"][-2:] == ["3", "MB"]


def test_a_folder_of_data_in_the_home_is_found(place, monkeypatch):
    (place / "data").mkdir()
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("SALAMANDRE_DATA", "~/data")
    assert "not there" not in " ".join(rows(call("doctor"))["data folder"])
