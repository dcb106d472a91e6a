"""The settings of a run: ``settings.json`` in its folder."""

from __future__ import annotations

import platform
import subprocess
from contextlib import suppress
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct

from salamandre import __version__
from salamandre.atomic import write_atomically
from salamandre.storage import checked

if TYPE_CHECKING:
    from salamandre.data import Images, Pairs

FORMAT = 4  # raised when an older program would misread the file; that of version 0.1 is 1
FILE = "settings.json"
COMMAND = "salamandre train"
STUDIES = "salamandre study"
#: Architectures whose name is another one's since a format: what they are called now.
RENAMED = {"cgan": ("lscgan", 3), "cdcgan": ("dcgan", 4)}
Count = Annotated[int, Meta(ge=1)]


class LearnedImages(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The description of a run's training images; empty if it has none.

    Attributes:
        name: of the data set or folder.
        count: the number of images.
        shape: (channels, height, width).
        classes: their names; none of pairs.
        rounds_per_epoch: rounds or steps of an epoch, for a run that counts epochs.
    """

    name: str = ""
    count: int = 0
    shape: Annotated[tuple[Count, ...], Meta(min_length=3, max_length=3)] = ()
    classes: tuple[str, ...] = ()
    rounds_per_epoch: Count = 1

    @classmethod
    def of(cls, images: Images | Pairs, rounds_per_epoch: int = 1) -> LearnedImages:
        """Return the description of images, or of pairs, which have no classes."""
        classes = tuple(getattr(images, "classes", ()))
        return cls(images.name, len(images), images.shape, classes, rounds_per_epoch)


class Settings(Struct, forbid_unknown_fields=True):
    """The settings of a run, written when it starts.

    Attributes:
        program: that made the run, such as ``"xor.py"``; empty in some runs of version 0.1.
        options: of the program, by their names in Python.
        images: the training images.
        started: date and time, with the time zone.
        versions: of Salamandre, Python, NumPy and the system.
        git: the revision of the library's source, with ``+`` if it has changes.
        format: of the folder.
    """

    program: str = ""
    options: dict[str, Any] = {}
    images: LearnedImages = LearnedImages()
    started: str = "unknown"
    versions: dict[str, str] = {}
    git: str | None = None
    format: int = FORMAT

    @classmethod
    def new(cls, program: str, options: dict[str, Any], images: LearnedImages) -> Settings:
        """Return the settings of a new run."""
        versions = {
            "salamandre": __version__,
            "python": platform.python_version(),
            "numpy": version("numpy"),
            "system": platform.platform(),
        }
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        return cls(program, options, images, now, versions, _revision())

    def write(self, folder: Path) -> None:
        """Write the file, wholly or not at all."""
        text = msgspec.json.encode(self, enc_hook=str)
        write_atomically(folder / FILE, msgspec.json.format(text, indent=2))


def read_settings(folder: Path) -> Settings:
    """Return the settings of the run in a folder.

    Raises:
        FileNotFoundError: the folder holds no run.
        ValueError: the file is damaged, or of a newer version.
    """
    file = folder / FILE
    if not file.is_file():
        raise FileNotFoundError(f"there is no run in {folder}: it has no {FILE}")
    try:
        held = msgspec.json.decode(file.read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        held = None
    if not isinstance(held, dict):
        raise ValueError(f"{file} is damaged: it must hold a JSON object of settings")
    number = held.get("format")
    if isinstance(number, int) and number > FORMAT:
        versions = held.get("versions")
        name = versions.get("salamandre") if isinstance(versions, dict) else None
        raise ValueError(
            f"{folder} was written by a newer Salamandre ({name or 'unnamed'}, run folders of "
            f"format {number}; this one reads up to {FORMAT}): install that version"
        )
    # Version 0.1 wrote format 1 for runs of the command, the bare options for those of examples.
    if number == 1:
        held["program"] = COMMAND
    if "format" not in held:
        options = {name: held[name] for name in held if name not in ("program", "output", "resume")}
        held = {"program": held.get("program", ""), "options": options, "format": (number := 0)}
    if isinstance(number, int) and 0 <= number < FORMAT:
        if held.get("program") != STUDIES:  # whose results are found by the options of their time
            held["format"] = FORMAT
        given = held.get("options")
        given = given if isinstance(given, dict) else {}
        if given.get("weight_decay") == 0:
            given["weight_decay"] = None  # the optimizer's own was meant
        for name, (now, since) in RENAMED.items():
            matches = held.get("program") == COMMAND and given.get("architecture") == name
            if matches and number < since:
                given["architecture"] = now
    return checked(held, Settings, file)


@cache
def _revision() -> str | None:
    """Return the git revision of the library's source, with ``+`` if it has changes.

    It is looked up once: the code that runs is the one that was imported.
    """
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=40", "--exclude=*"]
    with suppress(OSError, subprocess.CalledProcessError):
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
        return done.stdout.strip()
    return None
