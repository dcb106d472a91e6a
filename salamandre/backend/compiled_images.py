"""The kernels over images as compiled loops (Numba); :mod:`images` says what each one does."""

from __future__ import annotations

import numpy as np

from salamandre.backend.compiled import inlined, kept
from salamandre.backend.images import Array, Pair


@inlined
def window(place: int, kernel: int, stride: int, corner: int, size: int) -> tuple[int, int, int]:
    # Where the window of a place begins in the image, and which part of it lies inside.
    begin = place * stride - corner
    return begin, max(0, -begin), min(kernel, size - begin)


@kept
def im2col(x: Array, columns: Array, stride: Pair, corner: Pair) -> None:
    height, width, maps = x.shape[1:]
    rows, places, kh, kw = columns.shape[1:5]
    lines = x.reshape(x.shape[0], height, width * maps)
    windows = columns.reshape(columns.shape[0], rows, places, kh, kw * maps)
    for n in range(x.shape[0]):
        for a in range(rows):
            top, first, end = window(a, kh, stride[0], corner[0], height)
            for b in range(places):
                left, first_j, end_j = window(b, kw, stride[1], corner[1], width)
                low, high = first_j * maps, end_j * maps
                for i in range(kh):
                    seen = windows[n, a, b, i]
                    if i < first or i >= end or low >= high:
                        seen[:] = 0
                        continue
                    given = lines[n, top + i, left * maps + low : left * maps + high]
                    inside = seen[low:high]
                    for k in range(inside.size):
                        inside[k] = given[k]
                    if low > 0:
                        seen[:low] = 0
                    if high < kw * maps:
                        seen[high:] = 0


@kept
def col2im(columns: Array, x: Array, stride: Pair, corner: Pair) -> None:
    height, width, maps = x.shape[1:]
    rows, places, kh, kw = columns.shape[1:5]
    lines = x.reshape(x.shape[0], height, width * maps)
    windows = columns.reshape(columns.shape[0], rows, places, kh, kw * maps)
    for n in range(x.shape[0]):
        lines[n] = 0
        for a in range(rows):
            top, first, end = window(a, kh, stride[0], corner[0], height)
            for b in range(places):
                left, first_j, end_j = window(b, kw, stride[1], corner[1], width)
                low, high = first_j * maps, end_j * maps
                if low >= high:
                    continue
                for i in range(first, end):
                    seen = lines[n, top + i, left * maps + low : left * maps + high]
                    given = windows[n, a, b, i, low:high]
                    for k in range(given.size):
                        seen[k] += given[k]


@kept
def max_pool(x: Array, y: Array, chosen: Array, kernel: Pair, stride: Pair, corner: Pair) -> None:
    height, width, maps = x.shape[1:]
    for n in range(y.shape[0]):
        for a in range(y.shape[1]):
            top, first, end = window(a, kernel[0], stride[0], corner[0], height)
            for b in range(y.shape[2]):
                left, first_j, end_j = window(b, kernel[1], stride[1], corner[1], width)
                best, place = y[n, a, b], chosen[n, a, b]
                best[:] = -float("inf")
                place[:] = 0
                for i in range(first, end):
                    for j in range(first_j, end_j):
                        seen = x[n, top + i, left + j]
                        index = place.dtype.type(i * kernel[1] + j)
                        for c in range(maps):
                            larger = seen[c] > best[c] or seen[c] != seen[c]  # NaN stays
                            place[c] = index if larger else place[c]
                            best[c] = seen[c] if larger else best[c]


@kept
def add_chosen(y: Array, x: Array, chosen: Array, kernel: Pair, stride: Pair, corner: Pair) -> None:
    height, width, maps = x.shape[1:]
    for n in range(y.shape[0]):
        x[n] = 0
        for a in range(y.shape[1]):
            top, first, end = window(a, kernel[0], stride[0], corner[0], height)
            for b in range(y.shape[2]):
                left, first_j, end_j = window(b, kernel[1], stride[1], corner[1], width)
                given, place = y[n, a, b], chosen[n, a, b]
                for i in range(first, end):
                    for j in range(first_j, end_j):
                        seen = x[n, top + i, left + j]
                        index = place.dtype.type(i * kernel[1] + j)
                        for c in range(maps):
                            seen[c] += given[c] if place[c] == index else 0


@kept
def sum_pool(x: Array, y: Array, kernel: Pair, stride: Pair, corner: Pair) -> None:
    height, width, maps = x.shape[1:]
    for n in range(y.shape[0]):
        for a in range(y.shape[1]):
            top, first, end = window(a, kernel[0], stride[0], corner[0], height)
            for b in range(y.shape[2]):
                left, first_j, end_j = window(b, kernel[1], stride[1], corner[1], width)
                total = y[n, a, b]
                total[:] = 0
                for i in range(first, end):
                    for j in range(first_j, end_j):
                        seen = x[n, top + i, left + j]
                        for c in range(maps):
                            total[c] += seen[c]


@kept
def spread_pool(y: Array, x: Array, kernel: Pair, stride: Pair, corner: Pair) -> None:
    height, width, maps = x.shape[1:]
    for n in range(y.shape[0]):
        x[n] = 0
        for a in range(y.shape[1]):
            top, first, end = window(a, kernel[0], stride[0], corner[0], height)
            for b in range(y.shape[2]):
                left, first_j, end_j = window(b, kernel[1], stride[1], corner[1], width)
                given = y[n, a, b]
                for i in range(first, end):
                    for j in range(first_j, end_j):
                        seen = x[n, top + i, left + j]
                        for c in range(maps):
                            seen[c] += given[c]


@kept
def image_to_tiles(x: Array, tiles: Array, stride: Pair, corner: Pair) -> None:
    height, maps = x.shape[1], x.shape[3]
    th, tw, sh, run = tiles.shape[2:]
    line = x.shape[2] * maps
    lines = x.reshape(x.shape[0], height, line)
    left = corner[1] * maps
    length = (2 * tw + 1) * run
    seen = min(line, length - left)
    padded = np.zeros(((2 * th + 1) * sh, length), x.dtype)
    e = np.empty(length, x.dtype)
    for n in range(x.shape[0]):
        for h in range(min(height, padded.shape[0] - corner[0])):
            inside, given = padded[h + corner[0], left : left + seen], lines[n, h, :seen]
            for k in range(seen):
                inside[k] = given[k]
        for t in range(th):
            for p in range(sh):
                for i in range(3):
                    even = padded[(2 * t + (i // 2) * 2) * sh + p]
                    odd = padded[(2 * t + 1) * sh + p]
                    if i == 1:
                        for k in range(length):
                            e[k] = odd[k]
                    else:
                        for k in range(length):
                            e[k] = even[k] - odd[k]
                    for u in range(tw):
                        d0 = e[2 * u * run : (2 * u + 1) * run]
                        d1 = e[(2 * u + 1) * run : (2 * u + 2) * run]
                        d2 = e[(2 * u + 2) * run : (2 * u + 3) * run]
                        v0 = tiles[3 * i, n, t, u, p]
                        v1 = tiles[3 * i + 1, n, t, u, p]
                        v2 = tiles[3 * i + 2, n, t, u, p]
                        for k in range(run):
                            v0[k] = d0[k] - d1[k]
                        for k in range(run):
                            v1[k] = d1[k]
                        for k in range(run):
                            v2[k] = d2[k] - d1[k]


@kept
def tiles_to_image(tiles: Array, x: Array, stride: Pair, corner: Pair) -> None:
    height, maps = x.shape[1], x.shape[3]
    th, tw, sh, run = tiles.shape[2:]
    line = x.shape[2] * maps
    lines = x.reshape(x.shape[0], height, line)
    left = corner[1] * maps
    length = (2 * tw + 1) * run
    seen = min(line, length - left)
    padded = np.zeros(((2 * th + 1) * sh, length), x.dtype)
    e = np.empty(length, x.dtype)
    for n in range(x.shape[0]):
        padded[:] = 0
        for t in range(th):
            for p in range(sh):
                for i in range(3):
                    e[:run] = 0
                    for u in range(tw):
                        d0 = e[2 * u * run : (2 * u + 1) * run]
                        d1 = e[(2 * u + 1) * run : (2 * u + 2) * run]
                        d2 = e[(2 * u + 2) * run : (2 * u + 3) * run]
                        v0 = tiles[3 * i, n, t, u, p]
                        v1 = tiles[3 * i + 1, n, t, u, p]
                        v2 = tiles[3 * i + 2, n, t, u, p]
                        for k in range(run):
                            d0[k] += v0[k]
                            d1[k] = v1[k] - v0[k] - v2[k]
                            d2[k] = v2[k]
                    even = padded[(2 * t + (i // 2) * 2) * sh + p]
                    odd = padded[(2 * t + 1) * sh + p]
                    if i == 1:
                        for k in range(length):
                            odd[k] += e[k]
                    else:
                        for k in range(length):
                            even[k] += e[k]
                            odd[k] -= e[k]
        for h in range(height):
            if h >= padded.shape[0] - corner[0]:
                lines[n, h] = 0
                continue
            inside, given = padded[h + corner[0], left : left + seen], lines[n, h]
            for k in range(seen):
                given[k] = inside[k]
            given[seen:] = 0


@kept
def expand(y: Array, tiles: Array) -> None:
    rows, columns, run = y.shape[1:]
    nothing = np.zeros(run, y.dtype)
    for n in range(y.shape[0]):
        for t in range(tiles.shape[2]):
            for u in range(tiles.shape[3]):
                wide, high = 2 * u + 1 < columns, 2 * t + 1 < rows
                y00 = y[n, 2 * t, 2 * u]
                y01 = y[n, 2 * t, 2 * u + 1] if wide else nothing
                y10 = y[n, 2 * t + 1, 2 * u] if high else nothing
                y11 = y[n, 2 * t + 1, 2 * u + 1] if wide and high else nothing
                for i in range(3):
                    v0 = tiles[3 * i, n, t, u]
                    v1 = tiles[3 * i + 1, n, t, u]
                    v2 = tiles[3 * i + 2, n, t, u]
                    if i == 1:
                        for k in range(run):
                            left, right = y00[k] + y10[k], y01[k] + y11[k]
                            v0[k] = left
                            v1[k] = left + right
                            v2[k] = right
                    else:
                        left_one, right_one = (y00, y01) if i == 0 else (y10, y11)
                        for k in range(run):
                            v0[k] = left_one[k]
                            v1[k] = left_one[k] + right_one[k]
                            v2[k] = right_one[k]


@kept
def contract(tiles: Array, y: Array) -> None:
    rows, columns, run = y.shape[1:]
    for n in range(y.shape[0]):
        for t in range(tiles.shape[2]):
            for u in range(tiles.shape[3]):
                for e in range(min(2, rows - 2 * t)):
                    for f in range(min(2, columns - 2 * u)):
                        a, b = tiles[3 * e + f, n, t, u], tiles[3 * e + f + 1, n, t, u]
                        c, d = tiles[3 * e + f + 3, n, t, u], tiles[3 * e + f + 4, n, t, u]
                        found = y[n, 2 * t + e, 2 * u + f]
                        for k in range(run):
                            found[k] = (a[k] + b[k]) + (c[k] + d[k])
