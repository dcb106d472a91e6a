"""What people type and read: paths, names of files, commands to be pasted, counted nouns."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path

NAMED = 5  # what a message names of a kind
LONGEST = 40  # characters of a name; as UTF-8 at most 160 of the 255 bytes that systems allow
# Names of devices on Windows, also with an ending.
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


class Text(str):
    """A text of several lines, which prompts and notebooks show as it is."""

    def __repr__(self) -> str:
        return str(self)


def path_of(path: str | os.PathLike[str], what: str = "a path") -> Path:
    """Return the path that a user has given; ``~`` stands for the home folder.

    Args:
        path: ``~name`` stays as it is if there is no such user.
        what: the path is for, to be named in the error.

    Raises:
        ValueError: it is empty, holds a NUL character or is no text.
    """
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(text, str) or not text or "\0" in text:
        raise ValueError(f"{what} must be the name of a file or folder, got {path!r}")
    return Path(os.path.expanduser(text))


def folder_of(path: str | os.PathLike[str], what: str = "a folder") -> Path:
    """Return the folder that a user has given, as :func:`path_of`; it need not be there.

    Raises:
        ValueError: it, or one above it, is a file.
    """
    folder = path_of(path, what)
    there = next((str(part) for part in (folder, *folder.parents) if os.path.exists(part)), ".")
    if not os.path.isdir(there):
        raise ValueError(f"{what} cannot be {folder}: {there} is a file")
    return folder


def readable_name(text: str) -> str:
    """Return a name of a file or folder, allowed on all systems, that resembles a text.

    Letters, digits and ``-_.,+`` stay, blanks inside too; it is cut to 40 characters.
    """
    name = re.sub(r"[^\w.,+ -]", "_", unicodedata.normalize("NFC", text))
    name = name[:LONGEST].lstrip(" .-").rstrip(" .")
    return f"_{name}" if not name or RESERVED.match(name) else name


def file_name(text: str) -> str:
    """Return :func:`readable_name` of a text, in which different texts never have the same name.

    Where it says less than the text, or could be that of another text in upper or lower case, a
    checksum of the text follows. Composed and decomposed letters (ä) are the same.
    """
    text, name = unicodedata.normalize("NFC", text), readable_name(text)
    if name == text == text.casefold() and not re.search(r"-[0-9a-f]{8}$", name):
        return name
    return f"{name}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:8]}"


def pasteable(*words: str | os.PathLike[str]) -> str:
    """Return a command line of words, quoted for the shell of this system."""
    texts = [os.fspath(word) for word in words]
    if sys.platform != "win32":
        return shlex.join(texts)
    import subprocess

    return subprocess.list2cmdline(texts)


def this_program(*words: str | os.PathLike[str]) -> str:
    """Return the command line that starts this Python program again, with other arguments."""
    return pasteable(sys.orig_argv[0], sys.argv[0], *words)


def option_name(name: str) -> str:
    """Return how an option is typed that Python calls ``test_share``: ``"--test-share"``."""
    return f"--{name.replace('_', '-')}"


def counted(number: int, what: str) -> str:
    """Return a number with its noun: ``"1 epoch"``, ``"1,200 links to nothing"``."""
    noun, *rest = what.split(" ")
    return " ".join((f"{number:,}", noun if number == 1 else f"{noun}s", *rest))


def bracketed(names: Sequence[str]) -> str:
    """Return the first names in brackets, the end of a part of a message; nothing for none."""
    more = " and others" if len(names) > NAMED else ""
    return f" ({', '.join(names[:NAMED])}{more})" if names else ""
