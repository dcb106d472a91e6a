"""What all pictures share: one style, light or dark, and figures that are written to files."""

from __future__ import annotations

import functools
import io
import os
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from salamandre.atomic import write_atomically
from salamandre.checks import one_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


#: The colour of each role in all pictures.
COLOURS = {
    "discriminator": "tab:blue",
    "generator": "tab:orange",
    "real": "tab:green",
    "fake": "tab:purple",
    "gradient": "tab:pink",
}


LETTER = 0.085  # inches: the width of a letter of a legend or caption, rather too wide
KEY = 0.42  # inches: the width of the sign beside a label of a legend, and of the space around
LINE = 13  # points: the height of a line of a legend
DOTS = 120  # an inch of a PNG file: letters are measured at it, too
WIDTH = 6.4  # inches of a picture: at 400 pixels, letters of 11 points are 9 pixels high
INK = {"light": ("#222222", "white"), "dark": ("#dddddd", "#131416")}  # letters and paper
_theme: ContextVar[str] = ContextVar("theme", default="light")
Plot = TypeVar("Plot", bound=Callable[..., Any])


@contextmanager
def theme(name: str) -> Iterator[None]:
    """Draw the pictures of a block ``"light"``, which is the default, or ``"dark"``."""
    token = _theme.set(one_of("theme", name, INK))
    try:
        yield
    finally:
        _theme.reset(token)


def styled(plot: Plot) -> Plot:
    """Let a function draw in the style of all pictures."""

    @functools.wraps(plot)
    def drawn(*args: Any, **options: Any) -> Any:
        from matplotlib import rc_context

        with rc_context(_style()):
            return plot(*args, **options)

    return drawn  # type: ignore[return-value]


def _style() -> Any:
    ink, paper = INK[_theme.get()]
    inked = ("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color")
    papered = ("figure.facecolor", "axes.facecolor", "savefig.facecolor", "legend.facecolor")
    return {
        **dict.fromkeys(inked, ink),
        **dict.fromkeys(papered, paper),
        "text.parse_math": False,  # a name may hold $
        "font.size": 11,
        "figure.titlesize": 11,
        "axes.titlesize": 10,
        "axes.labelsize": 11,
        "xtick.labelsize": 10,
        "ytick.labelsize": 10,
        "legend.fontsize": 10,
        "legend.frameon": False,
        "legend.handlelength": 1.2,
        "legend.handletextpad": 0.5,
        "legend.columnspacing": 1.2,
        "legend.labelspacing": 0.3,
        "legend.borderpad": 0,
        "legend.borderaxespad": 0.4,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "grid.color": ink,
        "grid.alpha": 0.15,
        "lines.linewidth": 1.5,
        "lines.markersize": 4,
    }


def columns_for(captions: Sequence[str], most: int = 5) -> int:
    """Return how many panels below such captions fit side by side."""
    longest = max(len(line) for caption in captions for line in caption.split("\n") or [""])
    return max(1, min(most, len(captions), int(WIDTH / (LETTER * (longest + 1)))))


def fitted(text: str, width: float) -> str:
    """Return a text in lines that fit into a width in inches, of at least one inch."""
    room = int(max(1, width) / LETTER)
    return "\n".join(textwrap.fill(line, room) for line in text.split("\n"))


def legend_columns(labels: Sequence[str], width: float) -> int:
    """Return how many columns of a legend fit into a width in inches."""
    for columns in range(len(labels), 1, -1):
        longest = [max(map(len, part)) for part in np.array_split(labels, columns)]
        if LETTER * sum(longest) + KEY * columns < width:
            return columns
    return 1


def panel_width(ax: Any) -> float:
    """Return the width of a panel in inches, about; its axes may not have their place yet."""
    spec = ax.get_subplotspec()
    return ax.figure.bbox.width / ax.figure.dpi / (spec.get_gridspec().ncols if spec else 1) - 0.45


def head(ax: Any, title: str = "", legend: bool = True) -> None:
    """Write the title of a panel above it, and between them its legend, which covers no curve."""
    handles, labels = ax.get_legend_handles_labels()
    lines = 0
    if legend and labels:
        columns = legend_columns(labels, panel_width(ax))
        lines = -(-len(labels) // columns)
        ax.legend(handles, labels, loc="lower left", bbox_to_anchor=(0, 1), ncols=columns)
    ax.set_title(title, loc="left", pad=6 + lines * LINE)


def heads(figure: Any, axes: Sequence[Any], titles: Sequence[str]) -> None:
    """Write titles of panels and their legends: one above all panels where they are the same."""
    keys = [ax.get_legend_handles_labels() for ax in axes]
    shared = len(axes) > 1 and all(labels == keys[0][1] for _, labels in keys)
    if shared and keys[0][1]:
        columns = legend_columns(keys[0][1], WIDTH)
        figure.legend(*keys[0], loc="outside upper left", ncols=columns)
    for ax, title in zip(axes, titles, strict=True):
        head(ax, title, legend=not shared)


def name_ticks(axis: Any, names: Sequence[str], width: float) -> None:
    """Write names at 0, 1, ... of an axis: in lines, or turned if words are too long for that.

    Args:
        axis: of a panel.
        names: at the marks.
        width: of the panel in inches.
    """
    room = int(width / len(names) / LETTER) - 1
    lines = [textwrap.fill(name, max(1, room), break_long_words=False) for name in names]
    if max(len(line) for name in lines for line in name.split("\n")) <= room:
        axis.set_ticks(range(len(names)), lines)
    else:
        turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
        axis.set_ticks(range(len(names)), names, **turned)


def plain_ticks(axis: Any) -> None:
    """Write 0.6 instead of 6 × 10⁻¹ at the marks of a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = sorted(axis.get_view_interval())
    if high < 100 * low:  # else a mark for each power of ten is enough
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def new_figure(
    width: float, height: float, count: int = 1, columns: int = 1, axes: Any = None
) -> tuple[Any, Any]:
    """Return a figure of panels in rows, each of a size in inches, and the axes of ``count``.

    Args:
        width: of a panel.
        height: of a panel.
        count: of panels.
        columns: panels in a row. Default 1.
        axes: to draw into, one for each panel, in any arrangement. Default: those of a new figure.
    """
    if axes is not None:
        given = np.ravel(axes)
        if len(given) != count:
            raise ValueError(f"the picture has {count} panels: give as many axes, not {len(given)}")
        return given[0].figure, given
    rows = -(-count // columns)
    figure = bare_figure(width * columns, height * rows)
    axes = figure.subplots(rows, columns, squeeze=False).flat
    for ax in axes[count:]:
        ax.axis("off")
    return figure, axes[:count]


def bare_figure(width: float, height: float) -> Figure:
    """Return a figure without axes, which a notebook shows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DOTS, layout="constrained")
    # Notebooks show what has such a method. Those of pyplot would be kept until they are closed.
    figure._repr_png_ = functools.partial(_png, figure, _style())  # type: ignore[attr-defined]
    return figure


def key(name: str) -> str:
    """Return a name as a legend shows it: matplotlib leaves out those that begin with _."""
    return f" {name}" if name.startswith("_") else name


def plot_means(ax: Any, x: Any, y: Any, **style: Any) -> None:
    """Draw means over windows of 1% of the points of a curve, each at the end of its window."""
    window = max(1, len(y) // 100)
    means = np.convolve(y, np.full(window, 1 / window), mode="valid")
    ax.plot(x[window - 1 :], means, lw=1, **style)


def save_figure(figure: Figure, path: str | os.PathLike[str] | None) -> Figure:
    """Return a figure; with a path, write it as PNG at 120 dots an inch, wholly or not at all."""
    if path is not None:
        write_atomically(path, figure._repr_png_())  # type: ignore[attr-defined]
    return figure


def _png(figure: Figure, style: Any) -> bytes:
    from matplotlib import rc_context

    data = io.BytesIO()
    with rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a frame is drawn in its place
        if engine := figure.get_layout_engine():  # once: a second layout would differ a little
            engine.execute(figure)
            if any(ax.get_aspect() != "auto" for ax in figure.axes):
                engine.execute(figure)  # the first was computed before pictures were square
            figure.set_layout_engine(None)  # not "none", with which all is drawn twice
        figure.savefig(data, format="png", dpi=DOTS)
    return data.getvalue()
