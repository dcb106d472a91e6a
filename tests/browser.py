"""A headless Chromium, and what axe-core finds wrong with a page in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = os.environ.get("SALAMANDRE_CHROMIUM") or shutil.which("chromium")
NPM = os.environ.get("SALAMANDRE_NPM")  # a folder where npm has installed what pages need


@contextmanager
def chromium() -> Iterator[Any]:
    """Start a browser; skip the test where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if not CHROMIUM:
        pytest.skip("needs Chromium: set SALAMANDRE_CHROMIUM to its program")
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


def package(name: str) -> Path:
    """Return the folder of an npm package; skip the test where there is none."""
    folder = Path(NPM or "", "node_modules", name)
    if not NPM or not folder.is_dir():
        pytest.skip(f"needs {name}: set SALAMANDRE_NPM to where npm has installed it")
    return folder


def violations(page: Any) -> list[str]:
    """Return the rules of axe-core that a page breaks, and where."""
    page.evaluate((package("axe-core") / "axe.min.js").read_text())
    found = page.evaluate("axe.run()")["violations"]
    return [f"{rule['id']} {node['target']}" for rule in found for node in rule["nodes"]]
