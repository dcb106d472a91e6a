"""The gallery: the examples, told by their own docstrings, with a picture and the time of a run.

``gallery.toml`` lists them. None is run when the site is built: pictures are those that were
committed.
"""

from __future__ import annotations

import ast
import shutil
import sys
from pathlib import Path
from typing import Any

from sphinx_gallery.sorting import FunctionSortKey

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FIRST_CELL = """\
# This notebook is the program of its name. It runs in the folder examples/ of a clone.
# The program's options stand in the list, after its name:
import sys

sys.argv = ["program"]"""


def configuration(docs: Path) -> dict[str, Any]:
    """Write the pages' sources into ``docs/_examples``; return Sphinx-Gallery's configuration."""
    examples, folder = docs.parent / "examples", docs / "_examples"
    entries = tomllib.loads((docs / "gallery.toml").read_text(encoding="utf-8"))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    header = "Gallery\n=======\n\n" + entries.pop("intro")
    (folder / "GALLERY_HEADER.rst").write_text(header, encoding="utf-8")
    for name, entry in entries.items():
        text = (examples / name).read_text(encoding="utf-8")
        told = told_program(text, entry) if name.endswith(".py") else told_plan(text, entry)
        (folder / "-".join(Path(name).parts)).write_text(told, encoding="utf-8")
    order = ["-".join(Path(name).parts) for name in entries]
    return {
        "examples_dirs": [str(folder)],
        "gallery_dirs": ["gallery"],
        "plot_gallery": False,
        "example_extensions": {".py", ".toml"},
        "filetype_parsers": {".toml": "TOML"},
        "within_subsection_order": FunctionSortKey(order.index, "as in gallery.toml"),
        "backreferences_dir": "reference/backreferences",
        "doc_module": ("salamandre",),
        "reference_url": {"salamandre": None},
        "first_notebook_cell": FIRST_CELL,
        "notebook_images": True,
        "remove_config_comments": True,
        "download_all_examples": False,
        "show_signature": False,
        "write_computation_times": False,
        "image_scrapers": (),
        "reset_modules": (),
    }


def told_program(text: str, entry: dict[str, str]) -> str:
    """Return an example whose docstring is a page of reStructuredText."""
    docstring = ast.parse(text).body[0]
    assert isinstance(docstring, ast.Expr)
    code = text.splitlines()[docstring.end_lineno :]
    page = f'r"""\n{told(ast.literal_eval(docstring.value), entry)}"""'
    return "\n".join([page, thumbnail(entry), *code, ""])


def told_plan(text: str, entry: dict[str, str]) -> str:
    """Return the plan of a study whose comments at its head are a page of reStructuredText."""
    lines = text.splitlines()
    head = next(n for n, line in enumerate(lines) if not line.startswith("#"))
    title, *commands = (line.removeprefix("# ") for line in lines[:head])
    page = told("\n".join([title, "", *(f"  {line}" for line in commands)]), entry)
    comments = [f"# {line}".rstrip() for line in page.splitlines()]
    return "\n".join([*comments, "", thumbnail(entry), *lines[head:], ""])


def told(text: str, entry: dict[str, str]) -> str:
    """Return a title with a picture, the time of a run, and the text with its commands as code."""
    title, _, rest = text.strip().partition("\n\n")
    title = " ".join(title.split()).removesuffix(".")
    paragraphs = rest.split("\n\n")
    prose = [p for p in paragraphs if not p.startswith(" ")]
    commands = [p for p in paragraphs if p.startswith(" ")]
    image = f".. image:: /pictures/{entry['picture']}\n   :alt: {entry['shows']}"
    code = [f".. code-block:: sh\n\n{block}" for block in commands]
    time = f"*Time of a run:* {entry['time']}"
    return "\n\n".join([f"{title}\n{'=' * len(title)}", *prose, image, time, *code]) + "\n"


def thumbnail(entry: dict[str, str]) -> str:
    """Return the line by which Sphinx-Gallery knows the picture."""
    return f"# sphinx_gallery_thumbnail_path = 'pictures/{entry['picture']}'"
