"""A small sample of what ``kills.py`` does at length."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_a_work_that_is_killed_ends_as_one_that_is_not():
    program = Path(__file__).with_name("kills.py")  # alone in its process, so that it may fork
    command = [sys.executable, program, "--only", "convert", "--count", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d+ kills, 0 wrong$", done.stdout, re.MULTILINE)
