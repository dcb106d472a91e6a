"""The graph of a network as a drawing: boxes of layers, lines from one to the next."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import NamedTuple

from salamandre.activations import Activation, Identity
from salamandre.atomic import write_atomically
from salamandre.layer import Layer, Shape
from salamandre.layers.containers import Container, Parallel, Skip

WIDTH, HEIGHT, GAP = 190, 40, 18
LETTERS = 24  # of a line in a box


class Graph:
    """A drawing in SVG, which notebooks show.

    Attributes:
        svg: its text.
    """

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as an SVG file, which browsers show.

        Raises:
            ValueError: a name that does not end in ``.svg``.
        """
        if Path(path).suffix.lower() != ".svg":
            raise ValueError(f"a drawing of layers is an SVG file: {path} must end in .svg")
        write_atomically(path, self.svg.encode())

    def _repr_svg_(self) -> str:
        return self.svg


class _Block(NamedTuple):
    """Marks of a part in its own coordinates; it begins and ends in the middle of its width."""

    width: float
    height: float
    marks: str


def draw_graph(network: Container, input_shape: object) -> Graph:
    """Draw the layers of a network from top to bottom.

    Each box says a layer's name, what it is, its output shape and number of parameters. Branches of
    a :class:`Parallel` stand side by side; a line beside a :class:`Skip` is what it lets past.

    Args:
        network: one that is built.
        input_shape: of an example.
    """
    layers = [_container(network)] if network.layers else []
    body = _chain([_box("input", str(input_shape)), *layers])
    return Graph(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {body.width:g} {body.height:g}" '
        f'width="{body.width:g}" height="{body.height:g}" role="img" fill="none" '
        f'stroke="currentColor" font-family="sans-serif" font-size="11">'
        f"<title>the layers of the network</title>{body.marks}</svg>"
    )


def _layer(name: str, layer: Layer, shape: Shape) -> _Block:
    if isinstance(layer, Container) and layer.children:
        return _container(layer)
    kind = type(layer).__name__
    inner = getattr(layer, "activation", None)
    if isinstance(inner, Activation) and not isinstance(inner, Identity):
        kind = f"{kind} · {type(inner).__name__}"
    count = layer.parameter_count()
    numbers = f"{shape}" + f" · {count:,}" * bool(count)
    return _box(f"{name} {kind}", numbers, bool(count))


def _container(layer: Container) -> _Block:
    named = zip(layer.child_names, layer.children, strict=True)
    blocks = [_layer(name, child, layer._outputs[n]) for n, (name, child) in enumerate(named)]
    if isinstance(layer, Parallel):
        return _branches(blocks, _joint(layer))
    chain = _chain(blocks)
    return _past(chain, _joint(layer)) if isinstance(layer, Skip) else chain


def _joint(layer: Parallel | Skip) -> str:
    return layer.note.removeprefix(", ").replace("add", "+")


def _box(first: str, second: str, learned: bool = False) -> _Block:
    shade = 0.18 if learned else 0.05
    marks = f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="5"/>'
    marks += f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="5" '
    marks += f'stroke="none" fill="#1f77b4" fill-opacity="{shade}"/>'
    for y, text in ((16, first), (31, second)):
        marks += _text(WIDTH / 2, y, text)
    return _Block(WIDTH, HEIGHT, marks)


def _text(x: float, y: float, text: str) -> str:
    shown = text if len(text) <= LETTERS + 6 else f"{text[: LETTERS + 5]}…"
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="middle" stroke="none" fill="currentColor">'
        f"{escape(shown)}</text>"
    )


def _at(block: _Block, x: float, y: float) -> str:
    return f'<g transform="translate({x:g} {y:g})">{block.marks}</g>'


def _chain(blocks: list[_Block]) -> _Block:
    width = max(block.width for block in blocks)
    y, marks = 0.0, ""
    for number, block in enumerate(blocks):
        if number:
            marks += f'<path d="M{width / 2:g} {y - GAP:g}v{GAP}"/>'
        marks += _at(block, (width - block.width) / 2, y)
        y += block.height + GAP
    return _Block(width, y - GAP, marks)


def _branches(blocks: list[_Block], joint: str) -> _Block:
    width = sum(block.width for block in blocks) + GAP * (len(blocks) - 1)
    tall = max(block.height for block in blocks)
    bottom, middle, x, marks = tall + 2 * GAP, width / 2, 0.0, ""
    for block in blocks:
        centre = x + block.width / 2
        marks += f'<path d="M{middle:g} 0L{centre:g} {GAP}"/>' + _at(block, x, GAP)
        down = f"V{tall + GAP:g}L{middle:g} {bottom:g}"
        marks += f'<path d="M{centre:g} {GAP + block.height:g}{down}"/>'
        x += block.width + GAP
    return _Block(width, bottom + 16, marks + _text(middle, bottom + 12, joint))


def _past(chain: _Block, joint: str) -> _Block:
    width, bottom = chain.width + 4 * GAP, chain.height + 2 * GAP
    middle, side = width / 2, width - GAP
    marks = f'<path d="M{middle:g} 0v{GAP}"/>' + _at(chain, 2 * GAP, GAP)
    marks += f'<path d="M{middle:g} {GAP + chain.height:g}V{bottom:g}"/>'
    marks += f'<path d="M{middle:g} 4H{side:g}V{bottom - 4:g}H{middle:g}"/>'
    return _Block(width, bottom + 16, marks + _text(middle, bottom + 12, joint))
