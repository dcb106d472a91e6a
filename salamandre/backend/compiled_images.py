"""The kernels over images as compiled loops (Numba); :mod:`images` says what each one does."""

from __future__ import annotations

import numpy as np

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
                            larger = found[c] > best[c] or found[c] != found[c]  # NaN stays
                            place[c] = index if larger else place[c]
                            best[c] = found[c] if larger else best[c]


@kept
def add_chosen(y: Array, x: Array, chosen: Array, kernel: Pair, stride: Pair, corner: Pair) -> None:
    height, width, maps = x.shape[1:]
    for n in range(y.shape[0]):
        x[n] = 0
        for a in range(y.shape[1]):
            for b in range(y.shape[2]):
                given, place = y[n, a, b], chosen[n, a, b]
                for i in range(kernel[0]):
                    h = a * stride[0] - corner[0] + i
                    if h < 0 or h >= height:
                        continue
                    for j in range(kernel[1]):
                        w = b * stride[1] - corner[1] + j
                        if w < 0 or w >= width:
                            continue
                        seen = x[n, h, w]
                        index = place.dtype.type(i * kernel[1] + j)
                        for c in range(maps):
                            seen[c] += given[c] if place[c] == index else 0


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
