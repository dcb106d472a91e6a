"""Fetching a file from the first mirror that sends the right one, an archive in several goes."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from salamandre.atomic import replacing
from salamandre.data.entries import Archive, Part
from salamandre.data.errors import CorruptData, DataUnavailable
from salamandre.data.idx import verify

CHUNK = 1 << 16
SLOWEST = 1024  # bytes per second
ATTEMPTS = 3  # at an archive
UNFINISHED = ".unfinished"


def download(part: Part, mirrors: Sequence[str], folder: Path, timeout: float = 20.0) -> Path:
    """Fetch a part of a data set into a folder, under its official name.

    The name never holds less than the whole, verified file. Progress is shown on a terminal.

    Args:
        part: the file.
        mirrors: addresses of folders that hold it, tried in order.
        folder: where it goes; made if absent.
        timeout: seconds without a connection, without a byte, or with less than 1 KiB per second,
            after which a mirror is given up. Default 20.

    Returns:
        Where the file is.

    Raises:
        DataUnavailable: no mirror sent it.
        OSError: the folder cannot be written.
    """
    target = folder / part.file
    failures = []
    with replacing(target) as file:
        for mirror in mirrors:
            url = mirror.rstrip("/") + "/" + part.file
            file.seek(0)
            file.truncate()
            try:
                _transfer(url, part, file, timeout)
                file.flush()
                verify(Path(file.name), part)
                break
            except CorruptData as error:
                failures.append(f"what {url} sent {error.found}")
            except (OSError, ValueError, http.client.HTTPException) as error:
                failures.append(f"{url}: {str(error) or type(error).__name__}")
        else:
            raise DataUnavailable(f"{part} could not be downloaded ({'; '.join(failures)})", part)
    return target


def download_archive(archive: Archive, folder: Path, timeout: float = 20.0) -> Path:
    """Fetch an archive into a folder, under its official name.

    The name never holds less than the whole, verified file. What was received before a connection
    failed, or the process was killed, is kept beside it and the next call goes on from there.

    Args:
        archive: one with an address.
        folder: where it goes; made if absent.
        timeout: as of :func:`download`.

    Returns:
        Where the file is.

    Raises:
        DataUnavailable: the server did not send it.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / archive.file
    partial = folder / (archive.file + UNFINISHED)
    failures = []
    with partial.open("a+b") as file:
        _lock(file)  # another process that fetches it is waited for
        if target.is_file():
            return target
        for _ in range(ATTEMPTS):
            start = file.seek(0, os.SEEK_END)
            if start >= archive.bytes and md5_of(partial) == archive.md5:
                break  # whole, by a process that was killed before it could give it the name
            try:
                size = _transfer(archive.url, archive, file, timeout, start)
                if file.seek(0, os.SEEK_END) >= size:
                    break
                failures.append("the connection ended early")
            except (OSError, ValueError, http.client.HTTPException) as error:
                failures.append(str(error) or type(error).__name__)
                if getattr(error, "code", 0) == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    file.truncate(0)  # the server has less than was kept
        else:
            raise DataUnavailable(
                f"{archive} could not be downloaded from {archive.url} ({'; '.join(failures)}), "
                f"what was received is kept for the next time",
                archive,
            )
        file.flush()
        found = md5_of(partial)
        if found != archive.md5:
            file.truncate(0)
            raise DataUnavailable(
                f"{archive.url} sent a file with MD5 {found}, not {archive.md5}", archive
            )
        os.fsync(file.fileno())
        if sys.platform == "win32":  # which cannot rename an open file
            file.close()
        os.replace(partial, target)
    return target


def _lock(file: BinaryIO) -> None:
    """Wait until no other process has the file locked; the lock ends with the process."""
    if sys.platform != "win32":
        import fcntl

        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)


def md5_of(path: Path) -> str:
    """Return the MD5 of a file of any size."""
    found = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            found.update(block)
    return found.hexdigest()


def _transfer(
    url: str, part: Part | Archive, file: BinaryIO, timeout: float, start: int = 0
) -> int:
    """Append what an address sends, unless it stalls or sends more than the file can be.

    Args:
        url: the address.
        part: what is expected from it.
        file: open at its end.
        timeout: as of :func:`download`.
        start: bytes that the file has already; where the server cannot go on, it starts again.

    Returns:
        The size that the whole file has, as far as the server said.
    """
    import urllib.request

    from tqdm import tqdm

    limit = part.bytes + part.bytes // 4 + CHUNK  # room for a copy that was compressed again
    headers = {"User-Agent": "salamandre"} | ({"Range": f"bytes={start}-"} if start else {})
    with urllib.request.urlopen(
        urllib.request.Request(url, headers=headers), timeout=timeout
    ) as response:
        if start and response.status != http.HTTPStatus.PARTIAL_CONTENT:
            start = 0
            file.seek(0)
            file.truncate()
        size = start + int(response.headers.get("Content-Length") or 0)
        received, goal, deadline = start, 0.0, 0.0
        # disable=None: hidden where standard error is not a terminal
        with tqdm(
            total=part.bytes,
            initial=start,
            desc=part.file,
            unit="B",
            unit_scale=True,
            disable=None,
        ) as bar:
            while chunk := response.read1(CHUNK):  # read() would wait for a slow mirror's chunk
                received += len(chunk)
                if received > limit:
                    raise OSError(f"sent more than the {limit:,} bytes that the file can have")
                if received >= goal:
                    goal, deadline = received + SLOWEST * timeout, time.monotonic() + timeout
                elif time.monotonic() > deadline:
                    raise TimeoutError(f"sent less than {SLOWEST} bytes per second")
                file.write(chunk)
                bar.update(len(chunk))
    return size
