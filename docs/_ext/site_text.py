"""What the site has and the files have not: printed tables, notebooks, stars in docstrings."""

from __future__ import annotations

import base64
import re
from functools import partial
from pathlib import Path
from typing import Any

import jupytext
from sphinx.application import Sphinx

CHAPTERS = "tutorial/"
RESULTS = "../benchmarks/results/"
CODE = re.compile(r"(``.+?``|:\w+:`.+?`)")
LINK = re.compile(r"(!?)\[([^]]*)\]\((?!http)([^)]+)\)")


def escape(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Make the stars and bars of a docstring mathematics, not the marks of reStructuredText."""
    for number, line in enumerate(lines):
        parts = CODE.split(line)
        parts[::2] = (re.sub(r"([*|])", r"\\\1", part) for part in parts[::2])
        lines[number] = "".join(parts)


def lead_to_tables(app: Sphinx, page: str, text: list[str]) -> None:
    """Let links to a printed table lead to its section on the page of them."""
    text[0] = re.sub(rf"\({re.escape(RESULTS)}([\w-]+)\.md\)", r"(tables.md#\1)", text[0])


def gather_tables(docs: Path) -> None:
    """Write the page of all tables that the programs of ``benchmarks/`` have printed."""
    parts = ["# Printed tables\n\nWhat they show is told under [measurements](benchmarks.md).\n"]
    for path in sorted((docs / RESULTS).glob("*.md")):
        parts.append(f"## {path.stem}\n\n{path.read_text(encoding='utf-8')}")
    (docs / "tables.md").write_text("\n".join(parts), encoding="utf-8")


def forget_names(docs: Path) -> None:
    """Remove the generated pages of names that the reference no longer lists."""
    listed = "".join(path.read_text(encoding="utf-8") for path in docs.glob("reference/*.md"))
    names = set(re.findall(r"^   (salamandre\..+)$", listed, re.MULTILINE))
    for page in docs.glob("reference/generated/*.rst"):
        if page.stem not in names:
            page.unlink()


def write_notebooks(docs: Path) -> None:
    """Write the pages of the tutorial as notebooks, which hold their pictures."""
    for page in docs.glob(f"{CHAPTERS}[0-9]*.md"):
        notebook = jupytext.read(page, fmt="md")
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = LINK.sub(partial(taken_along, page.parent), cell.source)
        jupytext.write(notebook, page.with_suffix(".ipynb"))


def taken_along(folder: Path, link: re.Match[str]) -> str:
    """Return a picture with its bytes, a link to another notebook, or a link's text alone."""
    picture, text, target = link.groups()
    if picture:
        content = base64.b64encode((folder / target).read_bytes()).decode()
        return f"![{text}](data:image/png;base64,{content})"
    return f"[{text}]({target[:-3]}.ipynb)" if target[0].isdigit() else text


def offer_notebook(app: Sphinx, page: str, text: list[str]) -> None:
    """Let a page of the tutorial end with its notebook."""
    if page.startswith(CHAPTERS) and page[len(CHAPTERS)].isdigit():
        text[0] += f"\n{{download}}`This page as a notebook <{Path(page).name}.ipynb>`\n"


def setup(app: Sphinx) -> dict[str, bool]:
    """Take part in the reading of docstrings and pages."""
    app.connect("autodoc-process-docstring", escape, priority=100)  # before Napoleon
    app.connect("source-read", lead_to_tables)
    app.connect("source-read", offer_notebook)
    write_notebooks(Path(app.srcdir))
    gather_tables(Path(app.srcdir))
    forget_names(Path(app.srcdir))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
