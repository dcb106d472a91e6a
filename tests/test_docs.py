"""The programs in the README and the docs run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").glob("*.md"))]


def programs(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


@pytest.mark.parametrize("page", [page for page in PAGES if programs(page)])
def test_programs_of_a_page_run_one_after_the_other(page, tmp_path):
    program = "\n".join(programs(page))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    if page == "README.md":
        share = re.search(r"([\d.]+)% of the test digits", done.stdout)
        assert float(share[1]) > 88


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text()):
        assert ((ROOT / page).parent / target).exists(), target


def test_the_readme_has_the_two_lines_to_paste():
    text = (ROOT / "README.md").read_text()
    for marker, end in (("run", "examples/mnist_classifier.py"), ("test", "pytest -n auto")):
        (line,) = re.findall(rf"<!-- {marker} -->\n```sh\n(.+)\n```\n<!-- end -->", text)
        assert line.startswith("python3 -m venv .venv && ") and line.endswith(end)
