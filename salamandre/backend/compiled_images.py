"""The kernels over images as compiled loops (Numba); :mod:`images` says what each one does."""

from __future__ import annotations

from salamandre.backend.compiled import kept
from salamandre.backend.images import Array, Pair


@kept
def im2col(x: Array, columns: Array, stride: Pair, corner: Pair) -> None:
    height, width, maps = x.shape[1:]
    rows, places, kh, kw = columns.shape[1:5]
    lines = x.reshape(x.shape[0], height, width * maps)
    windows = columns.reshape(columns.shape[0], rows, places, kh, kw * maps)
    for n in range(x.shape[0]):
        for a in range(rows):
            for b in range(places):
                left = b * stride[1] - corner[1]
                first, end = max(0, -left) * maps, min(kw, width - left) * maps
                for i in range(kh):
                    h = a * stride[0] - corner[0] + i
                    window = windows[n, a, b, i]
                    if h < 0 or h >= height or first >= end:
                        window[:] = 0
                        continue
                    seen = lines[n, h, left * maps + first : left * maps + end]
                    inside = window[first:end]
                    for k in range(inside.size):
                        inside[k] = seen[k]
                    if first > 0:
                        window[:first] = 0
                    if end < kw * maps:
                        window[end:] = 0


@kept
def col2im(columns: Array, x: Array, stride: Pair, corner: Pair) -> None:
    height, width, maps = x.shape[1:]
    rows, places, kh, kw = columns.shape[1:5]
    lines = x.reshape(x.shape[0], height, width * maps)
    windows = columns.reshape(columns.shape[0], rows, places, kh, kw * maps)
    for n in range(x.shape[0]):
        lines[n] = 0
        for a in range(rows):
            for b in range(places):
                left = b * stride[1] - corner[1]
                first, end = max(0, -left) * maps, min(kw, width - left) * maps
                if first >= end:
                    continue
                for i in range(kh):
                    h = a * stride[0] - corner[0] + i
                    if h < 0 or h >= height:
                        continue
                    seen = lines[n, h, left * maps + first : left * maps + end]
                    inside = windows[n, a, b, i, first:end]
                    for k in range(inside.size):
                        seen[k] += inside[k]


@kept
def max_pool(x: Array, y: Array, chosen: Array, kernel: Pair, stride: Pair, corner: Pair) -> None:
    height, width, maps = x.shape[1:]
    for n in range(y.shape[0]):
        for a in range(y.shape[1]):
            for b in range(y.shape[2]):
                best, place = y[n, a, b], chosen[n, a, b]
                best[:] = -float("inf")
                place[:] = 0
                for i in range(kernel[0]):
                    h = a * stride[0] - corner[0] + i
                    if h < 0 or h >= height:
                        continue
                    for j in range(kernel[1]):
                        w = b * stride[1] - corner[1] + j
                        if w < 0 or w >= width:
                            continue
                        found = x[n, h, w]
                        index = place.dtype.type(i * kernel[1] + j)
                        for c in range(maps):
                            larger = found[c] > best[c]
                            place[c] = index if larger else place[c]
                            best[c] = found[c] if larger else best[c]


@kept
def add_chosen(y: Array, x: Array, chosen: Array, kernel: Pair, stride: Pair, corner: Pair) -> None:
    maps = x.shape[3]
    for n in range(y.shape[0]):
        x[n] = 0
        for a in range(y.shape[1]):
            for b in range(y.shape[2]):
                given, place = y[n, a, b], chosen[n, a, b]
                for c in range(maps):
                    h = a * stride[0] - corner[0] + place[c] // kernel[1]
                    w = b * stride[1] - corner[1] + place[c] % kernel[1]
                    x[n, h, w, c] += given[c]


@kept
def sum_pool(x: Array, y: Array, kernel: Pair, stride: Pair, corner: Pair) -> None:
    height, width, maps = x.shape[1:]
    for n in range(y.shape[0]):
        for a in range(y.shape[1]):
            for b in range(y.shape[2]):
                total = y[n, a, b]
                total[:] = 0
                for i in range(kernel[0]):
                    h = a * stride[0] - corner[0] + i
                    if h < 0 or h >= height:
                        continue
                    for j in range(kernel[1]):
                        w = b * stride[1] - corner[1] + j
                        if w < 0 or w >= width:
                            continue
                        found = x[n, h, w]
                        for c in range(maps):
                            total[c] += found[c]


@kept
def spread_pool(y: Array, x: Array, kernel: Pair, stride: Pair, corner: Pair) -> None:
    height, width, maps = x.shape[1:]
    for n in range(y.shape[0]):
        x[n] = 0
        for a in range(y.shape[1]):
            for b in range(y.shape[2]):
                given = y[n, a, b]
                for i in range(kernel[0]):
                    h = a * stride[0] - corner[0] + i
                    if h < 0 or h >= height:
                        continue
                    for j in range(kernel[1]):
                        w = b * stride[1] - corner[1] + j
                        if w < 0 or w >= width:
                            continue
                        seen = x[n, h, w]
                        for c in range(maps):
                            seen[c] += given[c]
