"""Three pictures for the page on fast convolution: a register tile, the traffic of blocked loops, Winograd's patches.

Leaves out measurements (see performance.py): nothing here depends on a machine.
"""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from visual.labels import note
from visual.style import BLUE, FAINT, GREEN, INK, MUTED, ORANGE, PAPER, SKY, VERMILLION, WIDE, axes_or_new, style

_SUM, _PIXEL, _WEIGHT = "#d5efe6", "#d6e8f5", "#fde3cf"


@style()
def draw_tile(pixels: int = 8, filters: int = 16, ax: Axes | None = None) -> Axes:
    """Draw how a tile of sums grows: one number of each pixel at its left, one weight of each filter above it.

    >>> ax = draw_tile(8, 16)
    >>> [text.get_text() for text in ax.texts][-1]
    '128 multiply-adds from 24 numbers'
    """
    ax = axes_or_new(ax, (7.2, 3.9))
    _grid(ax, (0, 0), pixels, filters, _SUM)
    _grid(ax, (-2.5, 0), pixels, 1, _PIXEL)
    _grid(ax, (0, -2.5), 1, filters, _WEIGHT)
    row, column = min(2, pixels - 1), min(10, filters - 1)
    for corner in ((column, row), (-2.5, row), (column, -2.5)):
        ax.add_patch(Rectangle(corner, 1, 1, fill=False, ec=VERMILLION, lw=2.2))
    for start in ((-1.4, row + 0.5), (column + 0.5, -1.4)):
        ax.annotate(
            "", (column + 0.5, row + 0.5), start, arrowprops={"arrowstyle": "->", "color": VERMILLION, "lw": 1.2}
        )
    centred: Any = {"ha": "center", "va": "center"}
    note(ax, f"x[p, k]: one number of each of {pixels} pixels", (-3.1, pixels / 2), rotation=90, color=BLUE, **centred)
    note(ax, f"w[k, f]: one weight of each of {filters} filters", (filters / 2, -3.2), color=ORANGE, **centred)
    note(ax, "tile[p, f] += x[p, k] · w[k, f], and then the next k", (filters / 2, pixels + 0.7), color=INK, **centred)
    total = f"{pixels * filters} multiply-adds from {pixels + filters} numbers"
    note(ax, total, (filters / 2, pixels + 1.6), color=GREEN, weight="bold", **centred)
    return _bare(ax, (-4.2, filters + 0.4), (-3.8, pixels + 2.2))


@style()
def draw_traffic(misses: Mapping[int, int], side: int, size: int, ax: Axes | None = None) -> Axes:
    """Draw how often blocks are fetched in a product of side × side blocks, grouped into squares of b × b.

    Parameters
    ----------
    misses : b → counted fetches.
    side, size : of the matrices, and of the cache, in blocks; squares with 3 b² > size do not fit.

    >>> draw_traffic({1: 2000, 2: 1000, 4: 500}, side=10, size=48).get_xlabel()
    'side b of a square, in blocks'
    """
    ax = axes_or_new(ax, WIDE)
    sides = sorted(misses)
    ax.axvspan((size / 3) ** 0.5, max(*sides, 2), color=FAINT, lw=0)
    law = [2 * side**3 / b for b in sides]
    ax.plot(sides, law, color=MUTED, ls="--", lw=1.2, label="2n³/b")
    ax.plot(sides, [misses[b] for b in sides], color=BLUE, marker="o", label="counted")
    ax.set(xscale="log", yscale="log", xlabel="side b of a square, in blocks", ylabel="fetches into the cache")
    ax.set_xticks(sides, [str(b) for b in sides])
    ax.minorticks_off()
    note(
        ax, "three squares\nno longer fit", ((size / 3) ** 0.5, 1), (6, -6), xycoords=ax.get_xaxis_transform(), va="top"
    )
    ax.legend(loc="lower left")
    return ax


@style()
def draw_patches(size: int = 12, ax: Axes | None = None) -> Axes:
    """Draw an image of size × size pixels in Winograd's patches: 6×6 inputs that overlap, 4×4 outputs that do not.

    >>> ax = draw_patches(8)
    >>> any("36 multiplications" in text.get_text() for text in ax.texts)
    True
    """
    ax = axes_or_new(ax, (7.2, 3.6))
    _grid(ax, (-1, -1), size + 2, size + 2, PAPER)
    _grid(ax, (0, 0), size, size, _PIXEL)
    for left, colour in ((0, VERMILLION), (4, GREEN)):
        ax.add_patch(Rectangle((left - 1, -1), 6, 6, fc=colour, ec=colour, alpha=0.18, lw=0))
        ax.add_patch(Rectangle((left - 1, -1), 6, 6, fill=False, ec=colour, lw=2.2))
    right = size + 4
    _grid(ax, (right, 0), size, size, _SUM)
    for left, colour in ((0, VERMILLION), (4, GREEN)):
        ax.add_patch(Rectangle((right + left, 0), 4, 4, fill=False, ec=colour, lw=2.2))
    ax.annotate("", (right - 0.3, 2), (size + 1.4, 2), arrowprops={"arrowstyle": "->", "color": INK, "lw": 1.4})
    centred: Any = {"ha": "center", "va": "center"}
    note(ax, "padded input: patches of 6×6, two pixels shared", (size / 2, size + 1.9), color=SKY, **centred)
    note(ax, "output: tiles of 4×4, none shared", (right + size / 2, size + 1.9), color=GREEN, **centred)
    note(
        ax,
        "36 multiplications instead of 144\nfor a patch, a channel and a filter",
        (right + size / 2, -1.9),
        **centred,
    )
    return _bare(ax, (-1.6, right + size + 0.6), (-3.2, size + 2.8))


def _grid(ax: Axes, corner: tuple[float, float], rows: int, columns: int, colour: str) -> None:
    """Cells of one colour, from the corner to the right and down."""
    left, top = corner
    ax.add_patch(Rectangle(corner, columns, rows, fc=colour, ec=MUTED, lw=0.8))
    for i in range(1, columns):
        ax.plot([left + i] * 2, [top, top + rows], color=MUTED, lw=0.4)
    for i in range(1, rows):
        ax.plot([left, left + columns], [top + i] * 2, color=MUTED, lw=0.4)


def _bare(ax: Axes, x: tuple[float, float], y: tuple[float, float]) -> Axes:
    """A picture, not a plot: no axes, square cells, rows downwards."""
    ax.set(xlim=x, ylim=(y[1], y[0]), aspect="equal")
    ax.axis("off")
    return ax
