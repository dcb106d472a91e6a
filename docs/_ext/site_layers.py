"""The directive ``layer``: how a class computes and backpropagates, from its own source."""

from __future__ import annotations

import inspect
import textwrap

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import salamandre
from salamandre.activations import ActivatedLayer, Activation
from salamandre.layer import Layer, Linear

GENERAL = {object, Layer, Linear, Activation, ActivatedLayer}  # what they do is told once
METHODS = ("function", "gradient", "compute", "backprop", "apply", "adjoint")


def source(name: str, told: dict[object, str]) -> str:
    """Return the head of a class, and the source of its methods, also of inherited ones.

    Args:
        name: of the class.
        told: the classes whose methods were shown before, by method; those are only named.
    """
    cls = getattr(salamandre, name)
    places = [place for place in cls.__mro__ if place not in GENERAL]
    found = [next((vars(p)[m] for p in places if m in vars(p)), None) for m in METHODS]
    shapes = inspect.cleandoc(cls.__doc__).split("\nArgs:")[0].strip()
    quote = '"""'
    head = f"{quote}{shapes}{quote}" if "\n" not in shapes else f"{quote}{shapes}\n{quote}"
    parts = [head]
    for method in filter(None, found):
        code = textwrap.dedent(inspect.getsource(method))
        parts.append(f"# {method.__name__}: as {told[method]}" if method in told else code)
        told.setdefault(method, name)
    body = textwrap.indent("\n\n".join(part.strip() for part in parts), "    ")
    return f"class {name}({cls.__bases__[0].__name__}):\n{body}\n"


class LayerSource(SphinxDirective):
    """Show the classes that are the arguments of the directive."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Return a block of code for each class."""
        shown: list[nodes.Node] = []
        told: dict[object, str] = {}
        for name in self.arguments[0].split():
            code = source(name, told)
            self.env.note_dependency(inspect.getsourcefile(getattr(salamandre, name)))
            shown.append(nodes.literal_block(code, code, language="python"))
        return shown


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("layer", LayerSource)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
