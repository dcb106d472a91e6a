"""Pieces of HTML that notebooks show for networks, runs and games."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of texts; the last column is one of numbers."""
    lines = [("th", head), *(("td", row) for row in rows)]
    text = "".join(
        "<tr>"
        + "".join(
            f'<{tag} style="text-align:{"left" if n < len(head) - 1 else "right"}">'
            f'<span style="white-space:pre">{escape(str(cell))}</span></{tag}>'
            for n, cell in enumerate(row)
        )
        + "</tr>"
        for tag, row in lines
    )
    return f"<table>{text}</table>"


def picture(png: bytes, shows: str) -> str:
    """Return a picture; ``shows`` is for those who do not see it."""
    data = base64.b64encode(png).decode()
    return f'<img alt="{escape(shows)}" src="data:image/png;base64,{data}" style="max-width:100%">'


def figure(drawn: Any, shows: str) -> str:
    """Return a figure of :mod:`salamandre.plots` as a picture."""
    return picture(drawn._repr_png_(), shows)


def paragraph(text: str) -> str:
    """Return a paragraph of plain text."""
    return f'<p style="white-space:pre-wrap">{escape(text)}</p>'


def beside(left: str, right: str) -> str:
    """Return two pieces side by side; a high one gets a bar to scroll."""
    style = "max-height:26em;overflow:auto"
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:2em">'
        f'<div style="{style}">{left}</div><div style="{style}">{right}</div></div>'
    )
