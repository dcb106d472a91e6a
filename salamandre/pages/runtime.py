"""What runs a network in the browser: onnxruntime-web, from the net or from a folder."""

from __future__ import annotations

import base64
import gzip
import os
from pathlib import Path
from typing import NamedTuple

from salamandre.texts import path_of

# https://www.npmjs.com/package/onnxruntime-web
SCRIPT, MODULE, CODE = (
    "ort.wasm.min.js",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)
PLACE = "https://cdn.jsdelivr.net/npm/onnxruntime-web@1.30.0/dist/"
DIGEST = (
    "sha384-Bw6URI+Gvoadw0do7/QrSHUC9D1vCYYK5OSqChFyhyV5mzPL4oe2rOAFljAnS8Sq"  # of the script there
)
FOLDERS = ("", "dist", "onnxruntime-web/dist", "node_modules/onnxruntime-web/dist")


class Runtime(NamedTuple):
    """How a page gets its runtime.

    Attributes:
        script: the element of HTML that loads it.
        parts: what the script needs then: ``place``, where it fetches the rest, or the rest itself,
            ``mjs`` and ``wasm``, packed.
    """

    script: str
    parts: dict[str, str]


def find_runtime(folder: str | os.PathLike[str] | None = None) -> Runtime:
    """Return the runtime that a page fetches from a CDN, or the one in a folder, to be part of it.

    Args:
        folder: with the files of the npm package onnxruntime-web, or one that holds the package.

    Raises:
        FileNotFoundError: the folder has no such files.
    """
    if folder is None:
        attributes = f'src="{PLACE}{SCRIPT}" integrity="{DIGEST}" crossorigin="anonymous"'
        return Runtime(f"<script {attributes}></script>", {"place": PLACE})
    base = path_of(folder, "the folder of the runtime")
    names = (SCRIPT, MODULE, CODE)
    for place in (base / part for part in FOLDERS):
        if all((place / name).is_file() for name in names):
            script = (place / SCRIPT).read_text(encoding="utf-8").replace("</script", r"<\/script")
            parts = {"mjs": pack(place / MODULE), "wasm": pack(place / CODE)}
            return Runtime(f"<script>{script}</script>", parts)
    raise FileNotFoundError(
        f"{base} holds no onnxruntime-web ({', '.join(names)}): npm install onnxruntime-web makes "
        f"{Path('node_modules', 'onnxruntime-web')}, which is such a folder"
    )


def pack(file: Path) -> str:
    """Return a file as a text for a page: base64 of gzip, the same each time."""
    return base64.b64encode(gzip.compress(file.read_bytes(), mtime=0)).decode()
