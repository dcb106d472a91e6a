"""What stands in several files of packaging must agree with setup.py."""

import re
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

import salamandre as sal

ROOT = Path(__file__).parents[1]
CONDA = {"matplotlib-base": "matplotlib"}  # its name there: its name on PyPI


def test_citation_and_recipe_name_this_version():
    for file in ("CITATION.cff", "deploy/meta.yaml"):
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.findall(r"^ *version: (.+)$", text, re.M) == [sal.__version__], file


def test_the_recipe_needs_what_setup_needs():
    text = (ROOT / "deploy/meta.yaml").read_text(encoding="utf-8")
    run = text[text.index("  run:") : text.index("  run_constrained:")]
    found = {CONDA.get(name, name): bound for name, bound in re.findall(r"- (\S+) (>=\S+)", run)}
    assert found.pop("python") == metadata.metadata("salamandre")["Requires-Python"]
    needs = [Requirement(line) for line in metadata.requires("salamandre")]
    # Some need tomli only for old versions of Python; a recipe of all versions needs it always.
    base = [need for need in needs if "extra" not in str(need.marker or "")]
    assert found == {need.name: str(need.specifier) for need in base}
