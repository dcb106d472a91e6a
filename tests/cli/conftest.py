"""Runs of the command, and a folder to make them in."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import FAST, call


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder of runs with one of twelve epochs."""
    root = tmp_path_factory.mktemp("trained") / "runs"
    call("train", *FAST, "--quiet", "--epochs", 12, "--output", root, "--seed", 5, "--keep", 2)
    return root


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Found from any folder, also where the package is not installed.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return tmp_path


@pytest.fixture
def alone(place, monkeypatch):
    """Without data sets of this machine."""
    monkeypatch.setenv("SALAMANDRE_CACHE", str(place / "cache"))
    monkeypatch.delenv("SALAMANDRE_DATA", raising=False)
