"""A run of the command, and a folder to write pages in."""

from __future__ import annotations

import pytest
from command import FAST, call


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder of runs with one of three epochs."""
    root = tmp_path_factory.mktemp("trained") / "runs"
    call("train", *FAST, "--quiet", "--epochs", 3, "--output", root, "--seed", 5)
    return root


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path
