"""How the package is laid out."""

from __future__ import annotations

import pytest

import salamandre as sal


def test_every_public_name_is_there():
    for name in dir(sal):
        getattr(sal, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sal.nothing  # noqa: B018
