"""A folder for each run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from salamandre.atomic import write_atomically


def run_folder(
    root: str | os.PathLike[str], name: str, settings: Mapping[str, Any] | None = None
) -> Path:
    """Make a new folder ``root/name-date-time`` with the settings in ``settings.json``.

    Without a name it is ``root/date-time``.
    """
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    base, start = Path(root), f"{name}-{stamp}" if name else stamp
    for number in range(1, 1000):
        folder = base / (start + (f"-{number}" if number > 1 else ""))
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        if settings is not None:
            text = json.dumps(settings, indent=2, default=str)
            write_atomically(folder / "settings.json", text.encode())
        return folder
    raise FileExistsError(f"{base / start} and a thousand like it exist already")


def read_settings(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the settings of the run in a folder that :func:`run_folder` made.

    Raises:
        FileNotFoundError: there is none.
        ValueError: ``settings.json`` is damaged.
    """
    file = Path(folder) / "settings.json"
    if not file.is_file():
        raise FileNotFoundError(f"there is no run in {folder}: it has no settings.json")
    try:
        settings = json.loads(file.read_text())
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise ValueError(f"{file} is damaged: it must hold a JSON object of settings")
    return settings
