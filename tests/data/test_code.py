"""The checksum of a function's code tells another one under the same name."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from salamandre.data import Chain, Shift
from salamandre.data.code import code_checksum


def defined(source, **names):
    """Return ``f`` as the source defines it, with other names beside it."""
    exec(source, names)
    return names["f"]


def scaling(factor):
    def scale(x, random):
        return x * factor

    return scale


class Scale:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x, random):
        return x * self.factor

    def method(self, x, random):
        return x


SAME = [
    (lambda: Shift(2), lambda: Shift(2)),
    (lambda: scaling(2), lambda: scaling(2)),
    (lambda: Scale(2), lambda: Scale(2)),
    (lambda: Scale(2).method, lambda: Scale(2).method),
    (  # Python 3.14 keeps the first constant beside the set
        lambda: defined("def f(x): return x in {'a', 'b', 'c'}"),
        lambda: defined("def f(x): return x in {'a', 'c', 'b'}"),
    ),
]
OTHERS = [
    (lambda: Shift(2), lambda: Shift(3)),
    (lambda: scaling(2), lambda: scaling(3)),
    (lambda: scaling(np.arange(3)), lambda: scaling(np.arange(3) * 2)),
    (lambda: Scale(2), lambda: Scale(3)),
    (lambda: Chain(Shift(1), scaling(2)), lambda: Chain(Shift(1), scaling(3))),
    (lambda: functools.partial(pow, 2), lambda: functools.partial(pow, 3)),
    (lambda: lambda x: x + 1, lambda: lambda x: x - 1),
    (lambda: defined("def f(x): return x + 1"), lambda: defined("def f(x): return x + 2")),
    (lambda: scaling(np.float32(0.5)), lambda: scaling(np.float32(0.7))),
    (lambda: scaling(range(3)), lambda: scaling(range(9))),
    (lambda: scaling(slice(3)), lambda: scaling(slice(9))),
    (
        lambda: defined("def f(x): return x * k", k=np.int64(1)),
        lambda: defined("def f(x): return x * k", k=np.int64(2)),
    ),
    (
        lambda: defined("def f(x): return x[k]", k=slice(3)),
        lambda: defined("def f(x): return x[k]", k=slice(9)),
    ),
    (lambda: defined("def f(x, a=1): return a"), lambda: defined("def f(x, a=2): return a")),
    (
        lambda: defined("def f(x): return x * k", k=1),
        lambda: defined("def f(x): return x * k", k=2),
    ),
    (
        lambda: defined("def g(x): return 1\ndef f(x): return g(x)"),
        lambda: defined("def g(x): return 2\ndef f(x): return g(x)"),
    ),
]


@pytest.mark.parametrize("make, again", SAME)
def test_the_same_code_has_the_same_checksum(make, again):
    assert code_checksum(make()) == code_checksum(again())


@pytest.mark.parametrize("make, other", OTHERS)
def test_other_code_has_another_checksum(make, other):
    assert code_checksum(make()) != code_checksum(other())


@pytest.mark.parametrize(
    ("module", "same"), [("textwrap", True), ("salamandre.x", True), ("of_ones_own", False)]
)
def test_of_installed_code_the_name_counts_alone(module, same):
    found = set()
    for result in (1, 2):
        file = textwrap.__file__ if module == "textwrap" else "x.py"
        names = {"__name__": module}
        exec(compile(f"def f(x): return {result}", file, "exec"), names)
        found.add(code_checksum(names["f"]))
    assert (len(found) == 1) == same


def test_a_function_that_calls_itself():
    assert code_checksum(defined("def f(x): return f(x - 1) if x else 0"))


def test_the_checksum_is_the_same_in_another_process():
    program = (
        "from salamandre.data.code import code_checksum\n"
        "def f(x, random, kinds=frozenset('abcdef')): return x in {'p', 'q', 'r', 's'}\n"
        "print(code_checksum(f))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
