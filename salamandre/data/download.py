"""Fetching a file from the first mirror that sends the right one."""

from __future__ import annotations

import http.client
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from salamandre.atomic import replacing
from salamandre.data.catalogue import Part
from salamandre.data.errors import CorruptData, DataUnavailable
from salamandre.data.idx import verify

CHUNK = 1 << 16
SLOWEST = 1024  # bytes per second


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


def _transfer(url: str, part: Part, file: BinaryIO, timeout: float) -> None:
    """Copy what an address sends, unless it stalls or sends more than the file can be."""
    import urllib.request

    from tqdm import tqdm

    limit = part.bytes + part.bytes // 4 + CHUNK  # room for a copy that was compressed again
    request = urllib.request.Request(url, headers={"User-Agent": "salamandre"})
    with (
        urllib.request.urlopen(request, timeout=timeout) as response,
        # disable=None: hidden where standard error is not a terminal
        tqdm(total=part.bytes, desc=part.file, unit="B", unit_scale=True, disable=None) as bar,
    ):
        received, goal, deadline = 0, 0.0, 0.0
        while chunk := response.read1(CHUNK):  # read() would wait for a slow mirror's full chunk
            received += len(chunk)
            if received > limit:
                raise OSError(f"sent more than the {limit:,} bytes that the file can have")
            if received >= goal:
                goal, deadline = received + SLOWEST * timeout, time.monotonic() + timeout
            elif time.monotonic() > deadline:
                raise TimeoutError(f"sent less than {SLOWEST} bytes per second")
            file.write(chunk)
            bar.update(len(chunk))
