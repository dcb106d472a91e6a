"""Downloads of published files: mirrors are tried in turn, interrupted downloads continued."""

from __future__ import annotations

import os
import time
from collections import deque
from contextlib import closing
from functools import cached_property, partial
from pathlib import Path
from typing import Any, BinaryIO

from salamandre.data.catalogue import DataUnavailable, File, Form

ATTEMPTS = 3  # at each mirror
SLOWEST = 1024  # bytes per second
LARGEST = 1 << 28  # bytes of a file whose size is not known
CHUNK = 1 << 16  # bytes
UNFINISHED = ".unfinished"


def is_published(path: Path, file: File) -> bool:
    """Return whether a file is the published one, by its checksum."""
    from pooch import file_hash

    return path.is_file() and file_hash(str(path), "md5") == file.md5


def download(form: Form, file: File, folder: Path, timeout: float = 20.0) -> Path:
    """Download a file into a folder, under its official name.

    Only a complete file with the right checksum gets the name. If a connection fails or the
    process is killed, the received part is kept beside it, and the next attempt continues there.
    If another process downloads into the same folder, this one waits for it. Progress is shown on
    a terminal.

    Args:
        form: its mirrors are tried in order.
        file: one of its files.
        folder: where to; made if absent.
        timeout: seconds without a connection, without a byte, or with less than 1 KiB per second,
            after which the next mirror is tried. Default 20.

    Returns:
        Where the file is.

    Raises:
        DataUnavailable: no mirror sent it.
        OSError: the folder cannot be written.
    """
    from filelock import FileLock
    from urllib3.exceptions import HTTPError

    folder.mkdir(parents=True, exist_ok=True)
    target, unfinished = folder / file.name, folder / (file.name + UNFINISHED)
    urls = deque(f"{mirror}{file.name}" for _ in range(ATTEMPTS) for mirror in form.mirrors)
    failures = []
    with FileLock(folder / ".lock"):
        if is_published(target, file):
            return target
        while urls:
            url = urls.popleft()
            with unfinished.open("ab") as out:
                if not file.bytes:  # it is not known whether what was received is whole
                    _empty(out)
                start = out.tell()
                try:
                    if not file.bytes or start < file.bytes:
                        _transfer(url, file, out, timeout)
                except (OSError, ValueError, HTTPError) as error:
                    failures.append(f"{url}: {_cause(error)}")
                    continue
            if is_published(unfinished, file):
                os.replace(unfinished, target)
                return target
            unfinished.unlink()
            failures.append(f"{url}: sent a file whose MD5 is not {file.md5}")
            if start:  # the kept part may have been wrong
                urls.appendleft(url)
    reasons = "; ".join(dict.fromkeys(failures))
    raise DataUnavailable(f"{file.name} could not be downloaded ({reasons}); {form.remedy}")


def _cause(error: BaseException) -> BaseException:
    """Return the first error of a chain: the reason, without the errors that wrap it."""
    return _cause(error.__context__) if error.__context__ else error


def _transfer(url: str, file: File, out: BinaryIO, timeout: float) -> None:
    """Append to a file the bytes that it lacks of the file at an address."""
    from pooch import HTTPDownloader

    announced = []

    def begin(response: Any, **_: Any) -> None:
        announced.append("Content-Length" in response.headers)
        if response.status_code == 200:  # the whole file instead of the requested range
            _empty(out)
        # Bytes as they come: a whole chunk of a server that sends one a second would take hours.
        read = partial(response.raw.read1, CHUNK, decode_content=True)
        response.iter_content = lambda *_, **__: iter(read, b"")

    headers = {"User-Agent": "salamandre", "Accept-Encoding": "identity"}
    if out.tell():
        headers["Range"] = f"bytes={out.tell()}-"
    fetch = HTTPDownloader(timeout=timeout, headers=headers, hooks={"response": begin})
    with closing(_Watched(file, out, timeout)) as watched:
        fetch(url, watched, None)
    if out.tell() < (file.bytes or 0) and not announced[-1]:  # else it has sent something else
        raise OSError(f"ended after {out.tell():,} of {file.bytes:,} bytes")


def _empty(out: BinaryIO) -> None:
    """Remove what was received; the position, which truncate alone leaves, is 0 again."""
    out.seek(0)
    out.truncate()


class _Watched:
    """A file being downloaded: shows a progress bar, and stops what is too slow or too long."""

    def __init__(self, file: File, out: BinaryIO, timeout: float) -> None:
        self.file, self.out, self.timeout = file, out, timeout
        self.most = file.bytes or LARGEST
        self.goal, self.deadline = 0.0, 0.0
        self.flush = out.flush

    @cached_property
    def bar(self) -> Any:
        """The progress bar, opened with the first bytes: a mirror that sends none shows none."""
        from salamandre.progress import progress

        return progress(self.file.bytes, self.file.name, "B", scale=True)

    def close(self) -> None:
        """Close the bar, if there is one."""
        if "bar" in vars(self):
            self.bar.close()

    def write(self, data: bytes) -> None:
        """Write received bytes; raise if they are too many or too slow."""
        self.out.write(data)
        size, now = self.out.tell(), time.monotonic()
        self.bar.update(size - self.bar.n)
        if size > self.most:
            _empty(self.out)
            raise OSError(f"sent more than the {self.most:,} bytes of the file")
        if size >= self.goal:
            self.goal, self.deadline = size + SLOWEST * self.timeout, now + self.timeout
        elif now > self.deadline:
            raise TimeoutError(f"sent less than {SLOWEST} bytes per second")
