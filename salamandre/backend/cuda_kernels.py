"""The kernels over images and rows as CUDA code for CuPy, one thread for each element written.

Every element gathers what belongs to it: nothing is added from two threads, so results do not
depend on their order. What each kernel does is said by the reference. ``i`` is the element's place
in its array, ``raw`` arrays are read anywhere. An optimizer's rule is written as CUDA code by
running it once on what stands for its numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from salamandre.backend.base import Rule


class Kernel(NamedTuple):
    """The arguments of a ``cupy.ElementwiseKernel``."""

    inputs: str
    outputs: str
    body: str


# Where windows stand in an image, as the kernels are told it.
_WINDOW = ", ".join(
    f"int32 {name}"
    for name in (
        *("height", "width", "maps", "rows", "columns"),
        *("kh", "kw", "sh", "sw", "top", "left"),
    )
)
# The place of an element of an image (N, H, W, C), and of what windows give (N, Ho, Wo, C).
_PIXEL = """
    const int c = i % maps, w = i / maps % width, h = i / maps / width % height;
    const int image = i / maps / width / height;
"""
_PLACE = """
    const int c = i % maps, b = i / maps % columns, a = i / maps / columns % rows;
    const int image = i / maps / columns / rows;
"""
# All pixels that a window sees, and all windows that see a pixel.
_SEEN = """
    for (int p = 0; p < kh; ++p) {
        for (int q = 0; q < kw; ++q) {
            const int h = a * sh + p - top, w = b * sw + q - left;
            if (h < 0 || h >= height || w < 0 || w >= width) continue;
            const ptrdiff_t pixel = (((ptrdiff_t)image * height + h) * width + w) * maps + c;
"""
_SEEING = """
    for (int p = 0; p < kh; ++p) {
        for (int q = 0; q < kw; ++q) {
            const int y_at = h + top - p, x_at = w + left - q;
            if (y_at < 0 || x_at < 0 || y_at % sh || x_at % sw) continue;
            const int a = y_at / sh, b = x_at / sw;
            if (a >= rows || b >= columns) continue;
            const ptrdiff_t place = ((ptrdiff_t)image * rows + a) * columns + b;
"""
_END = """
        }
    }
"""
# Winograd's tiles: their sizes, and which of three pixels a row of Bᵀ takes, with which sign.
_TILES = (
    "int32 height, int32 width, int32 maps, int32 images, int32 th, int32 tw, int32 sh, int32 sw"
)
_SIGN = """
    const auto sign = [](int row, int pixel) {
        return row == pixel ? 1 : (pixel == 1 && row != 1 ? -1 : 0);
    };
"""
_GRID = "int32 rows, int32 columns, int32 run, int32 images, int32 th, int32 tw"

KERNELS = {
    "im2col": Kernel(
        f"raw T x, {_WINDOW}",
        "T seen",
        """
        const int c = i % maps, q = i / maps % kw, p = i / maps / kw % kh;
        const ptrdiff_t place = i / maps / kw / kh;
        const int h = place / columns % rows * sh + p - top, w = place % columns * sw + q - left;
        const ptrdiff_t image = place / columns / rows;
        const bool inside = h >= 0 && h < height && w >= 0 && w < width;
        seen = inside ? x[((image * height + h) * width + w) * maps + c] : T(0);
        """,
    ),
    "col2im": Kernel(
        f"raw T seen, {_WINDOW}",
        "T x",
        f"{_PIXEL} T sum = 0; {_SEEING} sum += seen[((place * kh + p) * kw + q) * maps + c]; {_END}"
        "x = sum;",
    ),
    "sum_pool": Kernel(
        f"raw T x, {_WINDOW}",
        "T y",
        f"{_PLACE} T sum = 0; {_SEEN} sum += x[pixel]; {_END} y = sum;",
    ),
    "spread_pool": Kernel(
        f"raw T y, {_WINDOW}",
        "T x",
        f"{_PIXEL} T sum = 0; {_SEEING} sum += y[place * maps + c]; {_END} x = sum;",
    ),
    "max_pool": Kernel(
        f"raw T x, {_WINDOW}",
        "T y, U chosen",
        f"""{_PLACE}
        T best = log(T(0));
        int first = 0;
        {_SEEN}
            const T value = x[pixel];
            if (value > best) first = p * kw + q;
            if (best == best && !(value <= best)) best = value;  // NaN stays
        {_END}
        y = best;
        chosen = first;
        """,
    ),
    "take_chosen": Kernel(
        f"raw T x, U chosen, {_WINDOW}",
        "T y",
        f"""{_PLACE}
        T value = 0;
        {_SEEN} if (int(chosen) == p * kw + q) value = x[pixel]; {_END}
        y = value;
        """,
    ),
    "add_chosen": Kernel(
        f"raw T y, raw U chosen, {_WINDOW}",
        "T x",
        f"""{_PIXEL}
        T sum = 0;
        {_SEEING}
            if (int(chosen[place * maps + c]) == p * kw + q) sum += y[place * maps + c];
        {_END}
        x = sum;
        """,
    ),
    "image_to_tiles": Kernel(
        f"raw T x, {_TILES}, int32 top, int32 left",
        "T tile",
        f"""{_SIGN}
        const int run = sw * maps, place = i % run, p = i / run % sh;
        const int u = i / run / sh % tw, t = i / run / sh / tw % th;
        const ptrdiff_t index = i / run / sh / tw / th;
        const int image = index % images, row = index / images / 3, column = index / images % 3;
        T sum = 0;
        for (int r = 0; r < 3; ++r) {{
            for (int s = 0; s < 3; ++s) {{
                const int h = (2 * t + r) * sh + p - top;
                const int w = (2 * u + s) * sw + place / maps - left;
                const int factor = sign(row, r) * sign(column, s);
                if (!factor || h < 0 || h >= height || w < 0 || w >= width) continue;
                const ptrdiff_t pixel = ((ptrdiff_t)image * height + h) * width + w;
                sum += factor * x[pixel * maps + place % maps];
            }}
        }}
        tile = sum;
        """,
    ),
    "tiles_to_image": Kernel(
        f"raw T tiles, {_TILES}, int32 top, int32 left",
        "T x",
        f"""{_SIGN} {_PIXEL}
        const int down = h + top, along = w + left;
        const ptrdiff_t place = (ptrdiff_t)(down % sh) * sw * maps + along % sw * maps + c;
        T sum = 0;
        for (int r = 0; r < 3; ++r) {{
            for (int s = 0; s < 3; ++s) {{
                const int t = (down / sh - r) / 2, u = (along / sw - s) / 2;
                if (down / sh - 2 * t != r || along / sw - 2 * u != s) continue;
                if (t < 0 || t >= th || u < 0 || u >= tw) continue;
                for (int k = 0; k < 9; ++k) {{
                    const int factor = sign(k / 3, r) * sign(k % 3, s);
                    if (!factor) continue;
                    const ptrdiff_t tile = (((ptrdiff_t)k * images + image) * th + t) * tw + u;
                    sum += factor * tiles[tile * sh * sw * maps + place];
                }}
            }}
        }}
        x = sum;
        """,
    ),
    "expand": Kernel(
        f"raw T y, {_GRID}",
        "T tile",
        """
        const int place = i % run, u = i / run % tw, t = i / run / tw % th;
        const ptrdiff_t index = i / run / tw / th;
        const int image = index % images, row = index / images / 3, column = index / images % 3;
        T sum = 0;
        for (int e = row / 2; e <= (row + 1) / 2; ++e) {
            for (int f = column / 2; f <= (column + 1) / 2; ++f) {
                const int a = 2 * t + e, b = 2 * u + f;
                if (a < rows && b < columns) {
                    sum += y[(((ptrdiff_t)image * rows + a) * columns + b) * run + place];
                }
            }
        }
        tile = sum;
        """,
    ),
    "contract": Kernel(
        f"raw T tiles, {_GRID}",
        "T y",
        """
        const int place = i % run, b = i / run % columns, a = i / run / columns % rows;
        const int image = i / run / columns / rows;
        T sum = 0;
        for (int row = a % 2; row <= a % 2 + 1; ++row) {
            for (int column = b % 2; column <= b % 2 + 1; ++column) {
                const ptrdiff_t tile = (ptrdiff_t)(3 * row + column) * images + image;
                sum += tiles[((tile * th + a / 2) * tw + b / 2) * run + place];
            }
        }
        y = sum;
        """,
    ),
    "rectify": Kernel(
        "T x, T slope", "T out", "out = x > 0 || x != x ? x : slope ? slope * x : T(0);"
    ),
    "rectify_gradient": Kernel("T dy, T y, T slope", "T out", "out = y > 0 ? dy : slope * dy;"),
    "add_bias": Kernel(
        "T bias, T slope",
        "T z",
        """
        const T sum = z + bias;
        z = sum > 0 || sum != sum || slope == 1 ? sum : slope ? slope * sum : T(0);
        """,
    ),
    "normalise": Kernel(
        "T x, T mean, T inverse_std, T gamma, T beta",
        "T out",
        "out = (x - mean) * (gamma * inverse_std) + beta;",
    ),
    "normalise_gradient": Kernel(
        "T dy, T x, T mean, T scale, T slope, T shift",
        "T out",
        "out = scale * dy + slope * (x - mean) + shift;",
    ),
}

# NumPy's ufuncs in CUDA; NaN stays in maximum and minimum, as in NumPy.
_UFUNCS = {
    "positive": "{}",
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "negative": "-{}",
    "square": "{0} * {0}",
    "sqrt": "sqrt({})",
    "absolute": "fabs({})",
    "sign": "{0} != {0} ? {0} : T(({0} > 0) - ({0} < 0))",
    "exp": "exp({})",
    "log": "log({})",
    "power": "pow({}, {})",
    "maximum": "{0} > {1} || {0} != {0} ? {0} : {1}",
    "minimum": "{0} < {1} || {0} != {0} ? {0} : {1}",
}


class _Number(NDArrayOperatorsMixin):
    """Stands for a number in CUDA code: what is done with it becomes a line of the code.

    It is of an ``array``, which is changed in place, or a scalar, which is not.
    """

    def __init__(self, name: str, lines: list[str], array: bool = True) -> None:
        self.name, self.lines, self.array = name, lines, array

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Write the line; TypeError for what CUDA code is not known for."""
        changed = options.pop("out", (None,))[0]
        if method != "__call__" or options or ufunc.__name__ not in _UFUNCS:
            return NotImplemented
        if not all(isinstance(x, _Number) or np.isfinite(x) for x in inputs):
            return NotImplemented
        name = f"t{len(self.lines)}"
        terms = (x.name if isinstance(x, _Number) else f"T({float(x)!r})" for x in inputs)
        self.lines.append(f"const T {name} = {_UFUNCS[ufunc.__name__].format(*terms)};")
        if changed is None or not changed.array:
            array = any(isinstance(x, _Number) and x.array for x in inputs)
            return _Number(name, self.lines, array)
        changed.name = name
        return changed

    def __bool__(self) -> bool:
        raise TypeError("the value is not known yet")


def update(rule: Rule, slots: int, scalars: int) -> Kernel | None:
    """Return an optimizer's rule as a kernel, or None if it does what cannot be written so.

    The kernel takes gradients and scalars, and changes parameters and ``slots`` vectors.
    """
    lines: list[str] = []
    written = [_Number(f"x{k}", lines) for k in range(1 + slots)]
    given = [_Number(f"scalar{k}", lines, array=False) for k in range(scalars)]
    names = [number.name for number in written]
    try:
        results = rule(written[0], _Number("g", lines), *written[1:], *given)
        ends = [np.positive(result).name for result in results]
    except (TypeError, ValueError, AttributeError):
        return None
    lines += [f"{name} = {end};" for name, end in zip(names, ends, strict=True)]
    inputs = ["T g", *(f"T {scalar.name}" for scalar in given)]
    return Kernel(", ".join(inputs), ", ".join(f"T {name}" for name in names), "\n".join(lines))
