"""How the package is laid out: imports point downwards, names are themselves, files are short."""

from __future__ import annotations

import ast
import importlib
from graphlib import TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest

import salamandre as sal

PACKAGE = Path(sal.__file__).parent
# A room may import from those above it; rooms of a line may not know each other.
ROOMS = """
    checks html machine progress recorded texts program
    class_names other_names
    told
    component
    parts
    backend
    parallel initializers schedules
    passes
    layer
    stable
    activations
    losses layers
    variational
    atomic
    graph
    storage
    optimizer
    optimizers
    compound_optimizers
    inputs
    vectors shares
    shared_batches
    learnable
    model_files
    network
    gradient_mistakes
    gradient_checking pytorch onnx
    plots
    data
    training
    games
    evaluation
    models
    inspection
    estimators
    runs
    studies pages
    cli
"""
RANK = {room: n for n, line in enumerate(ROOMS.strip().splitlines()) for room in line.split()}
FILES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path
    for path in PACKAGE.rglob("*.py")
}
MODULES = {name.removesuffix(".__init__"): path for name, path in FILES.items()}
FACE = {"salamandre", "salamandre.__main__"}  # they know every room
# Imported for type checkers alone: the face makes these functions methods of a network.
SIGNATURES = {"salamandre.network": {"salamandre.training.fitting", "salamandre.training.testing"}}


def imported_by(module: str) -> set[str]:
    """Return the modules of ours that a module imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} line {node.lineno}: import by the whole name"
            wholes = {f"{node.module}.{alias.name}" for alias in node.names}
            wholes.discard("salamandre.__version__")  # the one thing that only the face can say
            found |= {whole if whole in MODULES else node.module for whole in wholes}
    return found & set(MODULES)


IMPORTS = {module: imported_by(module) - SIGNATURES.get(module, set()) for module in MODULES}


def room_of(module: str) -> str:
    return module.split(".")[1]


def test_every_room_has_its_place():
    assert {room_of(module) for module in set(MODULES) - FACE} == set(RANK)


@pytest.mark.parametrize("room", RANK)
def test_imports_point_downwards(room):
    upwards = [
        f"{module} imports {other}"
        for module in set(MODULES) - FACE
        for other in IMPORTS[module]
        if room_of(module) == room
        and (other in FACE or (room != room_of(other) and RANK[room_of(other)] >= RANK[room]))
    ]
    assert not upwards


def test_no_circles_between_modules():
    """A package is its ``__init__``, which imports its modules; they must not import it back."""
    TopologicalSorter(IMPORTS).prepare()  # raises CycleError


def test_no_module_is_hidden_by_a_function_of_its_name():
    for name in MODULES:
        package, _, own = name.rpartition(".")
        if own == "__main__" or not package:
            continue
        module = importlib.import_module(name)
        assert isinstance(getattr(importlib.import_module(package), own), ModuleType), name
        assert module.__name__ == name


def test_no_file_has_400_lines():
    lengths = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    assert not {name: length for name, length in lengths.items() if length >= 400}


def test_every_public_name_is_there():
    for name in dir(sal):
        getattr(sal, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sal.nothing  # noqa: B018


def test_public_names_are_listed_once():
    for name, module in MODULES.items():
        listed = getattr(importlib.import_module(name), "__all__", [])
        assert len(listed) == len(set(listed)), module
