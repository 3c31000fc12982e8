"""One restrained look for every figure: colours that survive colour blindness, text that stays legible, equal bytes.

Leaves out pyplot: figures are plain objects, so nobody's current figure or global settings are ever touched.
"""

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure, SubFigure
from matplotlib.rcsetup import cycler

from visual.files import write_atomic

# Okabe and Ito's palette without its yellow, which white paper swallows; the strongest contrasts lead.
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
INK, MUTED, FAINT, PAPER = "#1f2328", "#6b7280", "#e3e6ea", "#ffffff"

WIDE, HALF, SQUARE = (7.2, 4.0), (4.8, 3.9), (5.2, 4.6)  # inches; a page shows WIDE at full text width
SMALL, TEXT, TITLE = 8.5, 10.0, 11.5  # points
DPI = 160

_RC: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # ships with Matplotlib: the same glyphs on every machine
    "font.size": TEXT,
    "text.color": INK,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": TEXT,
    "axes.titlesize": TITLE,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=PALETTE),
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "lines.linewidth": 2,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "hatch.linewidth": 0.6,
    "axes.unicode_minus": True,
}


@contextmanager
def style() -> Iterator[None]:
    """Apply the look inside a `with` block (or as a decorator) and give the caller's settings back after it.

    >>> before = matplotlib.rcParams["font.size"]
    >>> with style():
    ...     inside = matplotlib.rcParams["font.size"]
    >>> inside, matplotlib.rcParams["font.size"] == before
    (10.0, True)
    """
    with matplotlib.rc_context(_RC):
        yield


@style()
def panels(
    rows: int = 1,
    columns: int = 1,
    size: tuple[float, float] | None = None,
    projection: str | None = None,
    **share: Any,
) -> tuple[Figure, np.ndarray]:
    """Make a figure outside pyplot with a (rows, columns) array of styled axes.

    `size` is in inches (default: WIDE); `projection` may be "3d"; `share` takes `sharex` and `sharey`.

    >>> figure, axes = panels(1, 2)
    >>> axes.shape
    (1, 2)
    """
    figure = Figure(figsize=size or WIDE, layout="constrained", dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, subplot_kw={"projection": projection}, **share)
    return figure, axes


def axes_or_new(ax: Axes | None, size: tuple[float, float] = WIDE, projection: str | None = None) -> Axes:
    """Return `ax`, or the only axes of a new figure of `size` inches.

    >>> axes_or_new(None, HALF).figure.get_size_inches().tolist()
    [4.8, 3.9]
    """
    if ax is not None:
        return ax
    _, axes = panels(size=size, projection=projection)
    return axes[0, 0]  # type: ignore[no-any-return]


def depth_colours(count: int) -> list[str]:
    """Return `count` hex colours, dark for the first layer and light for the last, ordered also without hue.

    >>> depth_colours(2)
    ['#440154', '#5ec962']
    """
    return [to_hex(colormaps["viridis"](position)) for position in np.linspace(0, 0.75, max(count, 1))[:count]]


def colours_for(names: Iterable[str], chosen: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return name → colour, from `chosen` where it has the name, else the palette in order.

    Give several figures one `chosen`, and a name keeps its colour through all of them.

    >>> colours_for(["float", "SR"], {"SR": "#000000"})
    {'float': '#0072B2', 'SR': '#000000'}
    """
    return {name: (chosen or {}).get(name, PALETTE[number % len(PALETTE)]) for number, name in enumerate(names)}


def finite(values: Any) -> np.ndarray:
    """Return `values` as float64 with every infinity turned into NaN, which Matplotlib draws as a gap.

    >>> finite([1, float("inf")]).tolist()
    [1.0, nan]
    """
    array = np.array(values, dtype=np.float64)
    array[~np.isfinite(array)] = np.nan
    return array


def save(figure: Figure | SubFigure, path: str | os.PathLike[str]) -> Path:
    """Save `figure` as PNG, atomically, with fixed metadata: equal figures give equal bytes.

    >>> import tempfile
    >>> figure, _ = panels()
    >>> save(figure, os.path.join(tempfile.mkdtemp(), "empty.png")).name
    'empty.png'
    """
    buffer = io.BytesIO()
    with style():
        root = figure.get_figure(root=True) if isinstance(figure, SubFigure) else figure
        root.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return write_atomic(path, buffer.getvalue())
