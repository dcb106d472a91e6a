"""Which files of a folder are its pictures, and what is passed over."""

from __future__ import annotations

import json
import os
import stat
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from salamandre.data.cache import state
from salamandre.texts import bracketed, counted

SYSTEM = {  # folders and files that systems put into folders of pictures, beside hidden ones
    "@eadir",
    "#recycle",
    "@recycle",
    "__macosx",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
}
RUN = "settings.json"  # is in the folder of each run of the library
SETTINGS = 1 << 24  # bytes of it, at most


@dataclass
class Listing:
    """The pictures of a folder.

    Attributes:
        pictures: path below the folder and :func:`salamandre.data.cache.state` of each, sorted.
        folders: names of the sub-folders, those of the system and runs left out, sorted.
        broken_links: paths of links to nothing.
        unreadable: paths of folders that cannot be read.
        repeated: paths of links to what is read under another path.
        runs: paths of the folders of the library's runs.
        other_kinds: how many files have which suffix that is none of a picture.
    """

    pictures: list[tuple[str, int, int, int]] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    broken_links: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    other_kinds: Counter[str] = field(default_factory=Counter)

    @property
    def paths(self) -> list[str]:
        """The paths of the pictures below the folder."""
        return [path for path, *_ in self.pictures]

    def passed_over(self) -> list[str]:
        """Return what was passed over, a text for each kind."""
        texts = []
        if count := sum(self.other_kinds.values()):
            kinds = [kind or "no suffix" for kind, _ in self.other_kinds.most_common()]
            texts.append(f"{counted(count, 'file')} of other kinds{bracketed(kinds)}")
        for noun, paths in (
            ("link to nothing", self.broken_links),
            ("folder that cannot be read", self.unreadable),
            ("link to what is read already", self.repeated),
            ("run of Salamandre", self.runs),
        ):
            if paths:
                texts.append(counted(len(paths), noun) + bracketed(paths))
        return texts


def search(place: Path, suffixes: Sequence[str], cache: Path | None = None) -> Listing:
    """Return the files of a folder and its sub-folders with one of several suffixes.

    Links are followed, and each file is listed once: under its own path if that is in the folder.
    Hidden files, those of the system, the folders of runs and the cache are left out.

    Args:
        place: the folder.
        suffixes: in lower case, with their dots.
        cache: the folder of the cache, which may lie in this one. Default: none.

    Raises:
        OSError: the folder itself cannot be read.
    """
    found, endings = Listing(), tuple(suffixes)
    left_out = cache and os.path.realpath(cache)
    read = set[str]()  # real paths of the folders
    files = list[tuple[str, str, os.stat_result]]()  # path below the folder, real path
    linked = list[tuple[str, str, os.stat_result]]()
    folders, later = deque([""]), deque[str]()
    while folders or later:  # links to folders last
        below = folders.popleft() if folders else later.popleft()
        real = os.path.realpath(place / below)
        if below and real == left_out:
            continue
        if real in read:
            found.repeated.append(below)
            continue
        read.add(real)
        try:
            entries = sorted(os.scandir(place / below), key=lambda entry: entry.name)
        except OSError:
            if not below:
                raise
            found.unreadable.append(below)
            continue
        if below and is_run(place / below):
            found.runs.append(below)
            continue
        if below and "/" not in below:
            found.folders.append(below)
        for entry in entries:
            if is_hidden(entry.name):
                continue
            path = f"{below}/{entry.name}" if below else entry.name
            try:
                info = entry.stat()
            except OSError:
                (found.broken_links if entry.is_symlink() else found.unreadable).append(path)
                continue
            if stat.S_ISDIR(info.st_mode):
                (later if entry.is_symlink() else folders).append(path)
            elif not stat.S_ISREG(info.st_mode):
                found.other_kinds["pipe or device"] += 1
            elif not entry.name.lower().endswith(endings):
                found.other_kinds[os.path.splitext(entry.name)[1].lower()] += 1
            elif entry.is_symlink():
                linked.append((path, os.path.realpath(place / path), info))
            else:
                files.append((path, os.path.join(real, entry.name), info))
    listed = set[str]()
    for path, real, info in files + sorted(linked, key=lambda link: link[0]):
        if real in listed:
            found.repeated.append(path)
            continue
        listed.add(real)
        found.pictures.append((path, *state(info)))
    found.pictures.sort()
    found.folders.sort()
    return found


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden or one of the system, by its name."""
    return name.startswith(".") or name.lower() in SYSTEM


def is_run(folder: Path) -> bool:
    """Return whether a folder is that of a run of the library, of any version."""
    try:
        with (folder / RUN).open("rb") as file:
            settings = json.loads(file.read(SETTINGS))
    except (OSError, ValueError, RecursionError):
        return False
    # The examples of version 0.1 wrote the bare options.
    bare = (folder / "checkpoint.safetensors").is_file()
    return isinstance(settings, dict) and ("options" in settings or bare)
