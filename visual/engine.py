"""Two pictures of arrays: how broadcasting stretches and its adjoint sums, and which pixel a convolution's weight meets.

Leaves out the computation graph (see graph.py) and anything with more than two dimensions.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from visual.style import BLUE, GREEN, INK, MUTED, PAPER, SMALL, VERMILLION, axes_or_new, finite, style

_COPY, _CELL, _MET, _GRAD = "#eef1f4", "#d6e8f5", "#fde3cf", "#d5efe6"


@style()
def draw_broadcast(a: Any, b: Any, ax: Axes | None = None, *, grad_y: Any = None) -> Axes:
    """Draw a + b with the stretched copies ghosted and, with `grad_y`, the gradients: stretched axes are summed.

    `a` and `b` have at most two dimensions and broadcast together; `grad_y` has the shape of the result (default: ones).

    >>> ax = draw_broadcast([[0], [10]], [1, 2, 3])
    >>> [text.get_text() for text in ax.texts if "summed" in text.get_text()]
    ['summed over the columns', 'summed over the rows']
    """
    a, b = np.atleast_2d(finite(a)), np.atleast_2d(finite(b))
    y = a + b  # (R, C)
    grad_y = np.ones_like(y) if grad_y is None else np.broadcast_to(finite(grad_y), y.shape)
    ax = axes_or_new(ax, (0.62 * (3 * y.shape[1] + 4), 0.62 * (2 * y.shape[0] + 4.6)))
    step, drop = y.shape[1] + 1.6, y.shape[0] + 2.2
    for column, (array, name, sign) in enumerate([(a, "a", ""), (b, "b", "+"), (y, "y = a + b", "=")]):
        _draw_grid(ax, np.broadcast_to(array, y.shape), (column * step, 0), name, real=array.shape, colour=_CELL)
        ax.text(column * step - 0.8, y.shape[0] / 2, sign, ha="center", va="center", fontsize=16, color=MUTED)
    for column, (array, name) in enumerate([(a, "grad_a"), (b, "grad_b"), (y, "grad_y")]):
        axes = tuple(axis for axis in (0, 1) if array.shape[axis] == 1 and y.shape[axis] > 1)
        gradient = grad_y.sum(axis=axes, keepdims=True)
        note = "summed over the " + " and ".join(("rows", "columns")[axis] for axis in axes) if axes else ""
        _draw_grid(ax, gradient, (column * step, drop), name, note=note, colour=_GRAD)
    _frame(ax, 3 * step - 1.6, drop + y.shape[0] + 0.5)
    return ax


@style()
def draw_convolution(
    x: Any, weight: Any, ax: Axes | None = None, *, at: tuple[int, int] = (0, 0), stride: int = 1, padding: int = 0
) -> Axes:
    """Draw one step of a convolution: the window of the input, each of its pixels times the weight it meets, the output.

    Parameters
    ----------
    x : (H, W); weight : (KH, KW).
    at : row and column of the output pixel being computed. Output pixels after it are left empty.
    stride, padding : as in `conv2d`; the padding's zeros are drawn pale.

    >>> ax = draw_convolution(np.arange(9).reshape(3, 3), [[1, 0], [0, -1]], at=(1, 0))
    >>> [text.get_text() for text in ax.texts][-1]
    'y[1, 0] = 3·1 + 4·0 + 6·0 + 7·−1 = −4'
    """
    x, weight = finite(x), finite(weight)
    padded = np.pad(x, padding)
    y = _correlate(padded, weight, stride)  # (OH, OW)
    if not (0 <= at[0] < y.shape[0] and 0 <= at[1] < y.shape[1]):
        raise ValueError(f"at={at} lies outside the output of shape {y.shape}; choose a pixel inside it")
    top, left = at[0] * stride, at[1] * stride
    window = padded[top : top + weight.shape[0], left : left + weight.shape[1]]
    widths = [padded.shape[1], weight.shape[1], y.shape[1]]
    height = max(padded.shape[0], weight.shape[0], y.shape[0])
    ax = axes_or_new(ax, (0.66 * (sum(widths) + 5), 0.66 * (height + 2.4)))
    starts = np.cumsum([0, widths[0] + 1.8, widths[1] + 1.8])
    rows = [(height - array.shape[0]) / 2 for array in (padded, weight, y)]
    _draw_grid(ax, padded, (0, rows[0]), "input x", real=x.shape, border=padding, colour=_CELL)
    _draw_window(ax, window, weight, (left, rows[0] + top))
    _draw_grid(ax, weight, (starts[1], rows[1]), "weight", colour=_MET)
    done = np.arange(y.size).reshape(y.shape) <= at[0] * y.shape[1] + at[1]
    _draw_grid(ax, np.where(done, y, np.nan), (starts[2], rows[2]), "output y", colour=_GRAD)
    ax.add_patch(Rectangle((starts[2] + at[1], rows[2] + at[0]), 1, 1, fill=False, ec=VERMILLION, lw=2.2))
    for start, sign in zip(starts[1:], "∗=", strict=True):
        ax.text(start - 0.9, height / 2, sign, ha="center", va="center", fontsize=16, color=MUTED)
    terms = " + ".join(f"{_number(p)}·{_number(w)}" for p, w in zip(window.flat, weight.flat, strict=True))
    ax.text(
        0, height + 0.7, f"y[{at[0]}, {at[1]}] = {terms} = {_number(y[at])}", fontsize=SMALL, color=INK, va="center"
    )
    _frame(ax, starts[2] + widths[2], height + 1)
    return ax


def _correlate(padded: np.ndarray, weight: np.ndarray, stride: int) -> np.ndarray:
    if any(size < kernel for size, kernel in zip(padded.shape, weight.shape, strict=True)):
        raise ValueError(f"weight of shape {weight.shape} is larger than the padded input {padded.shape}; pad more")
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape)[::stride, ::stride]  # (OH, OW, KH, KW)
    return np.einsum("yxij,ij->yx", windows, weight)


def _draw_window(ax: Axes, window: np.ndarray, weight: np.ndarray, corner: tuple[float, float]) -> None:
    """Cover the window's cells with "pixel × weight" and outline it."""
    for (row, column), pixel in np.ndenumerate(window):
        place = (corner[0] + column, corner[1] + row)
        ax.add_patch(Rectangle(place, 1, 1, facecolor=_MET, edgecolor=PAPER, lw=1.5))
        ax.text(place[0] + 0.5, place[1] + 0.36, _number(pixel), ha="center", va="center", fontsize=9, color=INK)
        ax.text(
            place[0] + 0.5,
            place[1] + 0.74,
            f"× {_number(weight[row, column])}",
            ha="center",
            va="center",
            fontsize=7,
            color=VERMILLION,
        )
    ax.add_patch(Rectangle(corner, window.shape[1], window.shape[0], fill=False, ec=VERMILLION, lw=2.2))


def _draw_grid(
    ax: Axes,
    array: np.ndarray,
    corner: tuple[float, float],
    name: str,
    *,
    colour: str,
    real: tuple[int, ...] | None = None,
    border: int = 0,
    note: str = "",
) -> None:
    """Draw numbers in cells. Cells outside `real` (shifted by `border`) are pale: copies, or padding. NaN is left empty."""
    real = array.shape if real is None else real
    for (row, column), value in np.ndenumerate(array):
        inside = 0 <= row - border < real[0] and 0 <= column - border < real[1]
        place = (corner[0] + column, corner[1] + row)
        ax.add_patch(Rectangle(place, 1, 1, facecolor=colour if inside else _COPY, edgecolor=PAPER, lw=1.5))
        if not np.isnan(value):
            ax.text(
                place[0] + 0.5,
                place[1] + 0.5,
                _number(value),
                ha="center",
                va="center",
                fontsize=9,
                color=INK if inside else MUTED,
            )
    ax.text(corner[0], corner[1] - 0.3, name, fontsize=9.5, fontweight="bold", va="center", color=INK)
    if note:
        ax.text(corner[0], corner[1] + array.shape[0] + 0.3, note, fontsize=SMALL, va="center", color=GREEN)


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _frame(ax: Axes, width: float, height: float) -> None:
    ax.set(xlim=(-0.2, width + 0.2), ylim=(height, -0.7), aspect="equal")
    ax.axis("off")
