"""The pages: their programs run, their links lead somewhere, and the site leaves nothing out."""

from __future__ import annotations

import importlib
import inspect
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import salamandre as sal
from salamandre.component import Component

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GENERATED = {"tables.md"}
PAGES = [
    "README.md",
    *(str(p.relative_to(ROOT)) for p in sorted(DOCS.rglob("*.md")) if p.name not in GENERATED),
]
HELPERS = {f"salamandre.{name}" for name in ("component", "other_names", "parts")}
ROOMS = (
    *("backend", "data", "evaluation", "games", "initializers", "inspection", "models", "plots"),
    *("runs", "schedules", "studies", "training"),
)


def programs(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def shortened(program: str) -> str:
    """Return a program of the tutorial that learns for a moment only."""
    program = re.sub(r"epochs=\d+", "epochs=2", program)
    program = re.sub(r"\brounds=\d+", "rounds=3", program)
    program = re.sub(r"rounds in \(.*?\)", "rounds in (1, 2, 3)", program)
    return re.sub(r"tries=\d+", "tries=1, steps=2", program)


@pytest.mark.parametrize("page", [page for page in PAGES if programs(page)])
def test_programs_of_a_page_run_one_after_the_other(page, tmp_path, monkeypatch, capsys):
    program = "\n".join(programs(page))
    if "tutorial" in page:
        program = shortened(program)
    file = tmp_path / "page.py"
    file.write_text(program)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Component, "_classes", {**Component._classes})  # each page has its own
    runpy.run_path(str(file), run_name="__main__")
    if page == "README.md":
        share = re.search(r"([\d.]+)% of the test digits", capsys.readouterr().out)
        assert float(share[1]) > 88


def anchors(page: Path) -> set[str]:
    """Return what links to the headings of a page say after #."""
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^):]+))?\)", (ROOT / page).read_text()):
        there = (ROOT / page).parent / target if target else ROOT / page
        assert there.exists() or target == "gallery/index.rst", target
        assert not anchor or anchor in anchors(there), f"{target}#{anchor}"


def test_the_readme_has_the_two_lines_to_paste():
    text = (ROOT / "README.md").read_text()
    for marker, end in (("run", "examples/mnist_classifier.py"), ("test", "pytest -n auto")):
        (line,) = re.findall(rf"<!-- {marker} -->\n```sh\n(.+)\n```\n<!-- end -->", text)
        assert line.startswith("python3 -m venv .venv && ") and line.endswith(end)


def test_no_page_is_left_out_of_the_site():
    """They are listed in the toctrees of the index, and in those of its sections."""
    listed = set()
    for index in DOCS.rglob("index.md"):
        for tree in re.findall(r"```{toctree}\n(.*?)```", index.read_text(), re.DOTALL):
            entries = [line for line in tree.splitlines() if line and not line.startswith(":")]
            listed |= {(index.parent / f"{entry}.md").relative_to(ROOT) for entry in entries}
    pages = {Path(page) for page in PAGES} - {Path("README.md"), Path("docs/index.md")}
    assert pages == listed - {Path("docs/gallery/index.md"), Path("docs/tables.md")}


def test_the_gallery_has_every_example_and_every_plan_of_a_study():
    entries = tomllib.loads((DOCS / "gallery.toml").read_text())
    del entries["intro"]
    examples = ROOT / "examples"
    programs = {p.name for p in examples.glob("*.py") if "    run_program(" in p.read_text()}
    assert set(entries) == programs | {f"studies/{p.name}" for p in examples.glob("studies/*.toml")}
    for name, entry in entries.items():
        assert (DOCS / "pictures" / entry["picture"]).exists(), name
        assert entry["shows"].endswith(".") and entry["time"].endswith("."), name


def public_names() -> dict[str, object]:
    """Return what the package and its rooms offer, of this package, by name."""
    rooms = {f"salamandre.{room}": importlib.import_module(f"salamandre.{room}") for room in ROOMS}
    found = {}
    for place, room in {"salamandre": sal, **rooms}.items():
        for name in dir(room):
            value = getattr(room, name)
            home = getattr(value, "__module__", place)
            own = home == place if "__path__" not in vars(room) else home.startswith("salamandre")
            own = own and home not in HELPERS
            if name[0] != "_" and own and not isinstance(value, ModuleType | bool):
                found[f"{place}.{name}"] = value
    return found


def test_every_public_name_is_in_the_reference_and_is_documented():
    text = "\n".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))
    listed = re.findall(r"^   (salamandre\..+)$", text, re.MULTILINE)
    assert len(listed) == len(set(listed))
    values = {}
    for name in listed:
        module, _, own = name.rpartition(".")
        values[name] = getattr(importlib.import_module(module), own)
    known = {id(value) for value in values.values()}
    assert not [name for name, value in public_names().items() if id(value) not in known]
    assert not [name for name, value in values.items() if not inspect.getdoc(value)]


def test_the_pictures_of_the_tutorial_are_drawn_by_its_programs():
    for page in PAGES:
        shown = re.findall(r"pictures/tutorial/([\w-]+\.png)", (ROOT / page).read_text())
        assert all(f'"{name}"' in "".join(programs(page)) for name in shown), page


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path):
    pytest.importorskip("sphinx_gallery", reason="the site needs pip install '.[docs]'")
    build = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-j", "auto"]
    done = subprocess.run(
        [*build, "-d", tmp_path / "trees", DOCS, tmp_path / "site"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for name in ("NeuronLayer", "GanGame"):
        page = (tmp_path / "site/reference/generated" / f"salamandre.{name}.html").read_text()
        assert "Examples that use it" in page
