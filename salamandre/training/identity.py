"""Whether a checkpoint is of the run that is to go on: the settings that must be equal."""

from __future__ import annotations

import re
from typing import Any

from salamandre.component import difference

_CODE = re.compile(r" #[0-9a-f]{8}$")  # the checksum of a transform's code


def require_same_run(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raise ValueError if a file is of another run; what differs is named.

    Earlier versions noted less: data sets by [name, count] without a checksum, transforms by their
    texts without the checksum of their code. What one of the two lacks is not compared.

    Args:
        found: the settings in the file.
        wanted: those of the run that is to go on.
    """
    found, wanted = dict(found), dict(wanted)
    for part in ("train", "images"):
        _compare_data(part, found, wanted)
    _compare_transforms(found, wanted)
    other = difference(found, wanted)
    if other:
        raise ValueError(f"it belongs to another run: its {other}")


def _compare_data(part: str, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    before, now = found.get(part), wanted.get(part)
    if not (isinstance(before, list) and isinstance(now, list)) or before[:2] != now[:2]:
        return
    if len(before) == len(now) == 3 and before != now:
        raise ValueError(
            f"the examples of {now[0]} have changed since it was saved (the checksum of the "
            f"{now[1]} was {before[2]}, it is {now[2]}): restore them, or start a new run"
        )
    found[part] = wanted[part] = now[:2]


def _compare_transforms(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    if "transform" in wanted:
        found.setdefault("transform", "none")  # that of games of earlier versions
    before, now = found.get("transform"), wanted.get("transform")
    if not (isinstance(before, str) and isinstance(now, str)) or before == now:
        return
    name = _CODE.sub("", now)
    if _CODE.sub("", before) != name:
        return
    if _CODE.search(before) and _CODE.search(now):
        raise ValueError(
            f"the code of the transform {name} has changed since it was saved: restore it, or "
            f"start a new run"
        )
    found["transform"] = wanted["transform"] = name
