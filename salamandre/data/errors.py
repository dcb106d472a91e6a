"""What can be wrong with a data set: its files are damaged, or they cannot be had."""

from __future__ import annotations

from pathlib import Path

from salamandre.data.entries import Archive, Part


class CorruptData(ValueError):
    """A file that does not hold what its name promises.

    Args:
        path: the file.
        part: the part or archive of a data set that was expected in it.
        found: what it is instead, as the end of a sentence that starts with the file's name.
    """

    def __init__(self, path: Path, part: Part | Archive, found: str) -> None:
        self.found = found
        super().__init__(
            f"{path} {found}, where {part.expectation}: replace it with a good copy of {part.file}"
        )


class DataUnavailable(OSError):
    """A data set that is neither in the folders looked into nor to be had from a mirror.

    Args:
        problem: what was tried and why it failed.
        part: one that is missing.
    """

    def __init__(self, problem: str, part: Part | Archive) -> None:
        super().__init__(
            f"{problem}; put {part.needed} into a folder and name that folder with data_dir "
            f"(--data-dir) or the variable SALAMANDRE_DATA"
        )
