"""Random damage: to bytes, to values of JSON, to arrays. Equal streams damage equally."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import zipfile
from random import Random

import numpy as np

DEEP = "[" * 100_000 + "]" * 100_000
EXTREMES = [
    *(None, True, False, -1, 0, 1, 2, 7, 3.5, -0.5, 1e308, float("nan"), float("inf")),
    *(2**31, 2**53, 2**63, 2**64, 2**70, 10**400),
    *("", "x", "..", "../../x", "0", "\ud800", "\0", "x" * 10_000, "layers.ReLU"),
    *([], {}, [[]], [0], [1, 1, 1], [None], [1.5, "x"], list(range(5000))),
    *({"class": "layers.ReLU"}, {"class": "schedules.Constant", "rate": 0.5}),
    *({"class": "initializers.Zeros"}, {"class": "layers.Layer"}, {"class": "layers.Network"}),
    *({"class": "losses.MeanSquaredError"}, {"class": "os.system"}, {"class": None}),
]


def damaged_bytes(content: bytes, random: Random) -> bytes:
    """Return bytes with one place flipped, cut, filled, doubled, moved or made random."""
    data, size = bytearray(content or b"\0"), len(content) or 1
    kind = random.choice(("flip", "flip", "cut", "fill", "double", "move", "random", "insert"))
    start = random.choice((0, random.randrange(size), random.randrange(min(size, 64))))
    end = min(size, start + random.choice((1, 2, 4, 8, 64, size // 4 + 1)))
    if kind == "flip":
        data[start] ^= 1 << random.randrange(8)
    elif kind == "cut":
        del data[start : random.choice((end, size))]
    elif kind == "fill":
        data[start:end] = random.choice((b"\0", b"\xff", b"\x7f", b"[")) * (end - start)
    elif kind == "double":
        data[start:start] = data[start:end]
    elif kind == "move":
        part = data[start:end]
        del data[start:end]
        place = random.randrange(len(data) + 1)
        data[place:place] = part
    elif kind == "random":
        data[start:end] = random.randbytes(end - start)
    else:
        data[start:start] = random.randbytes(random.choice((1, 8, 1000)))
    return bytes(data)


def damaged_inside(content: bytes, random: Random) -> bytes:
    """Return a packed file whose unpacked content is damaged, and whose checksums are right."""
    if content[:2] == b"\x1f\x8b":
        inside = gzip.decompress(content)
        end = random.choice((min(1024, len(inside)), len(inside)))  # the header of a tar's member
        return gzip.compress(damaged_bytes(inside[:end], random) + inside[end:], 1, mtime=0)
    if content[:3] == b"BZh":
        return bz2.compress(damaged_bytes(bz2.decompress(content), random))
    if content[:2] != b"PK":
        return damaged_bytes(damaged_bytes(content, random), random)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = random.choice(sorted(members))
    members[name] = damaged_inside(members[name], random)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, inside in members.items():
            archive.writestr(name, inside)
    return file.getvalue()


def damaged_json(value: object, random: Random) -> str:
    """Return the text of a value of JSON in which one place has changed."""
    value = json.loads(json.dumps(value))
    places = [place for place in _places(value) if place]
    if not places or random.random() < 0.05:
        return random.choice((json.dumps(random.choice(EXTREMES)), DEEP, "", "{", "1e400"))
    *path, last = random.choice(places)
    holder = value
    for step in path:
        holder = holder[step]
    kind = random.choice(("extreme", "extreme", "extreme", "other", "other", "drop", "rename"))
    if kind == "extreme":
        holder[last] = random.choice(EXTREMES)
    elif kind == "other":
        holder[last] = _at(value, random.choice(places))
        if len(json.dumps(value)) > 1 << 20:
            holder[last] = None
    elif kind == "drop":
        del holder[last]
    elif isinstance(holder, dict):
        holder[random.choice(("", "class", "x", str(last) + " "))] = holder.pop(last)
    else:
        holder.insert(random.randrange(len(holder) + 1), holder[last])
    text = json.dumps(value)
    if random.random() < 0.02:  # what a dictionary cannot hold
        text = text.replace("{", '{"class": 1, "class": 2, ', 1)
    if random.random() < 0.02:
        text = text.replace("null", DEEP, 1)
    return text


def _places(value: object, path: tuple = ()) -> list[tuple]:
    """Return the paths of all values in a value."""
    found = [path]
    items = enumerate(value) if isinstance(value, list) else ()
    for key, item in value.items() if isinstance(value, dict) else items:
        found += _places(item, (*path, key))
    return found


def _at(value: object, path: tuple) -> object:
    for step in path:
        value = value[step]
    return json.loads(json.dumps(value))


def damaged_arrays(arrays: dict[str, np.ndarray], random: Random) -> dict[str, np.ndarray]:
    """Return arrays of which one has changed, or its name."""
    changed = dict(arrays)
    name = random.choice(sorted(arrays))
    array = changed.pop(name)
    kind = random.choice(("drop", "name", "twice", "shape", "type", "value", "size"))
    if kind == "name":
        changed[random.choice(("", "../x", "history/x", "0.weights", name + "2"))] = array
    elif kind == "twice":
        changed |= {name: array, random.choice((name + "2", "x/state/y", "metrics")): array}
    elif kind == "shape":
        changed[name] = random.choice(
            (array.reshape(-1), array.T, array[None], array.reshape(-1, 1))
        )
    elif kind == "type":
        with np.errstate(all="ignore"):
            changed[name] = array.astype(random.choice(("f8", "f4", "f2", "i4", "u1", "?")))
    elif kind == "value":
        array = changed[name] = array.copy()
        value = random.choice((np.nan, np.inf, -np.inf, 1e30, -1.0, 0.0, 0.5))
        with np.errstate(all="ignore"):
            array.reshape(-1)[: random.choice((1, array.size))] = value
    elif kind == "size":
        flat = array.reshape(-1)
        changed[name] = random.choice((flat[:0], flat[:-1], np.append(flat, flat[:1])))
    return {name: np.ascontiguousarray(array) for name, array in changed.items()}
