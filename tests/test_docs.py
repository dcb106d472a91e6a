"""The pages: their programs run, their links lead somewhere, and everybody can use the site."""

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
from browser import chromium, violations

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
HELPERS = {f"salamandre.{name}" for name in ("component", "other_names", "parts", "told")}
SEEN = (  # by axe-core
    *("index", "tutorial/index", "tutorial/04-digits", "gallery/index", "gallery/xor"),
    *("networks", "reference/layers", "reference/generated/salamandre.NeuronLayer"),
)
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


@pytest.mark.parametrize("page", [page for page in PAGES[1:] if programs(page)])
def test_programs_of_a_page_run_one_after_the_other(page, tmp_path, monkeypatch):
    program = "\n".join(programs(page))
    if "tutorial" in page:
        program = shortened(program)
    file = tmp_path / "page.py"
    file.write_text(program)
    monkeypatch.chdir(tmp_path)
    # Each page has its own components beside the library's, not those of other tests.
    for name, known in list(Component._classes.items()):
        if not known.__module__.startswith("salamandre"):
            monkeypatch.delitem(Component._classes, name)
    runpy.run_path(str(file), run_name="__main__")


def test_the_programs_of_the_readme_run_in_a_process_that_has_imported_nothing(tmp_path):
    command = [sys.executable, "-W", "error", "-c", "\n".join(programs("README.md"))]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    share = re.search(r"([\d.]+)% of the test digits", done.stdout)
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


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The folder of the site, which is built without a warning."""
    pytest.importorskip("sphinx_gallery", reason="the site needs pip install '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-j", "auto"]
    done = subprocess.run(
        [*build, "-d", folder / "trees", DOCS, folder / "site"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.mark.slow
def test_the_site_says_its_version_and_leads_from_names_to_examples(site):
    assert f"Salamandre {sal.__version__}" in (site / "index.html").read_text()
    for name in ("NeuronLayer", "GanGame"):
        page = (site / "reference/generated" / f"salamandre.{name}.html").read_text()
        assert "Examples that use it" in page


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible(site, scheme):
    with chromium() as browser:
        page = browser.new_context(offline=True, color_scheme=scheme).new_page()
        found = {}
        for name in SEEN:
            page.goto((site / f"{name}.html").as_uri())
            found[name] = violations(page)
        assert not any(found.values()), found


@pytest.mark.slow
@pytest.mark.parametrize("chapter", [p.stem for p in sorted(DOCS.glob("tutorial/[0-9]*.md"))])
def test_a_notebook_of_the_tutorial_shows_pictures(chapter, site, tmp_path):
    shown = executed(site, chapter, tmp_path)
    assert any("image/png" in output for output in shown)


@pytest.mark.slow
def test_a_notebook_shows_networks_histories_images_games_and_runs(site, tmp_path):
    program = """
from salamandre.runs.settings import LearnedImages, Settings

settings = Settings.new("mine", {"rate": 3}, LearnedImages())
display(hand, game.history, train, game, sal.runs.new_run("runs", "mine", settings))
"""
    *_, network, history, images, played, run = (
        output["text/html"]
        for output in executed(site, "10-handwriting", tmp_path, program)
        if "text/html" in output
    )
    assert "<svg" in network and "<table" in run
    assert all("data:image/png" in html for html in (history, images, played))


def executed(site: Path, chapter: str, folder: Path, more: str = "") -> list[dict[str, str]]:
    """Return what a notebook of the site shows, by media type; it learns for a moment only."""
    import nbformat
    from nbclient import NotebookClient

    (path,) = site.glob(f"_downloads/*/{chapter}.ipynb")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(more))
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:
        cell.source = shortened(cell.source)
    NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}).execute()
    return [output.data for cell in code for output in cell.outputs if "data" in output]
