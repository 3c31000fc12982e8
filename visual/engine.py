"""Two pictures of arrays: how broadcasting stretches and its adjoint sums, and which pixel meets which weight.

Leaves out the computation graph (see graph.py) and anything with more than two dimensions.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from visual.style import GREEN, INK, MUTED, PAPER, SMALL, VERMILLION, axes_or_new, finite, style

_COPY, _CELL, _MET, _GRAD = "#eef1f4", "#d6e8f5", "#fde3cf", "#d5efe6"
_INCH = 0.5  # size of a cell


@style()
def draw_broadcast(a: Any, b: Any, ax: Axes | None = None, *, grad_y: Any = None) -> Axes:
    """Draw a + b with the stretched copies ghosted, and below it the gradients: what was stretched is summed.

    `a` and `b` have at most two dimensions and broadcast together; `grad_y` has the result's shape (default: ones).

    >>> ax = draw_broadcast([[0], [10]], [1, 2, 3])
    >>> [text.get_text() for text in ax.texts if "sum" in text.get_text()]
    ['sum over columns', 'sum over rows']
    """
    a, b = np.atleast_2d(finite(a)), np.atleast_2d(finite(b))
    y = a + b  # (R, C)
    grad_y = np.ones_like(y) if grad_y is None else np.broadcast_to(finite(grad_y), y.shape)
    step, drop = max(y.shape[1], 2) + 1.4, y.shape[0] + 1.5
    size = (3 * step - 1.4, drop + y.shape[0] + 0.6)
    ax = axes_or_new(ax, (_INCH * (size[0] + 0.6), _INCH * (size[1] + 1)))
    for column, (array, name) in enumerate([(a, "a"), (b, "b"), (y, "y = a + b")]):
        corner = (column * step, 0.0)
        _draw_grid(ax, np.broadcast_to(array, y.shape), corner, name, colour=_CELL, real=array.shape)
        summed = [axis for axis in (0, 1) if array.shape[axis] == 1 < y.shape[axis]]
        gradient = grad_y.sum(axis=tuple(summed), keepdims=True)
        note = "sum over " + " and ".join(("rows", "columns")[axis] for axis in summed) if summed else ""
        _draw_grid(ax, gradient, (corner[0], drop), f"grad_{name[0]}", colour=_GRAD, note=note)
    for column, sign in ((1, "+"), (2, "=")):
        _draw_sign(ax, sign, (column * step - 0.7, y.shape[0] / 2))
    _draw_sign(ax, "←", (2 * step - 0.7, drop + y.shape[0] / 2))
    _frame(ax, *size)
    return ax


@style()
def draw_convolution(
    x: Any, weight: Any, ax: Axes | None = None, *, at: tuple[int, int] = (0, 0), stride: int = 1, padding: int = 0
) -> Axes:
    """Draw one step of a convolution: the window of the input, the weight each of its pixels meets, and the output.

    Parameters
    ----------
    x : (H, W); weight : (KH, KW).
    at : row and column of the output pixel being computed. Output pixels after it are left empty.
    stride, padding : as in `conv2d`; the padding's zeros are drawn pale.

    >>> ax = draw_convolution(np.arange(9).reshape(3, 3), [[1, 0], [0, -1]], at=(1, 0))
    >>> [text.get_text() for text in ax.texts][-1]
    'y[1, 0] = 3·1 + 4·0 + 6·0 + 7·(−1) = −4'
    """
    x, weight = finite(x), finite(weight)
    padded = np.pad(x, padding)
    y = _correlate(padded, weight, stride)  # (OH, OW)
    if not (0 <= at[0] < y.shape[0] and 0 <= at[1] < y.shape[1]):
        raise ValueError(f"at={at} lies outside the output of shape {y.shape}; choose a pixel inside it")
    done = np.arange(y.size).reshape(y.shape) <= at[0] * y.shape[1] + at[1]
    height = max(padded.shape[0], weight.shape[0], y.shape[0])
    lefts = np.cumsum([0, padded.shape[1] + 1.5, weight.shape[1] + 1.5])
    tops = [(height - array.shape[0]) / 2 for array in (padded, weight, y)]
    size = (lefts[2] + y.shape[1], height + 1.1)
    ax = axes_or_new(ax, (_INCH * (size[0] + 0.6), _INCH * (size[1] + 1)))
    _draw_grid(ax, padded, (0, tops[0]), "input x", colour=_CELL, real=x.shape, border=padding)
    window = padded[at[0] * stride :, at[1] * stride :][: weight.shape[0], : weight.shape[1]]
    _draw_window(ax, window, weight, (at[1] * stride, tops[0] + at[0] * stride))
    _draw_grid(ax, weight, (lefts[1], tops[1]), "weight", colour=_MET)
    _draw_grid(ax, np.where(done, y, np.nan), (lefts[2], tops[2]), "output y", colour=_GRAD)
    ax.add_patch(Rectangle((lefts[2] + at[1], tops[2] + at[0]), 1, 1, fill=False, ec=VERMILLION, lw=2.2))
    for left, sign in zip(lefts[1:], "∗=", strict=True):
        _draw_sign(ax, sign, (left - 0.75, height / 2))
    ax.text(0, height + 0.7, _equation(window, weight, at, y[at]), fontsize=SMALL, color=INK, va="center")
    _frame(ax, *size)
    return ax


def _correlate(padded: np.ndarray, weight: np.ndarray, stride: int) -> np.ndarray:
    if any(size < kernel for size, kernel in zip(padded.shape, weight.shape, strict=True)):
        raise ValueError(f"weight of shape {weight.shape} is larger than the padded input {padded.shape}; pad more")
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape)[::stride, ::stride]  # (OH, OW, KH, KW)
    return np.asarray(np.einsum("yxij,ij->yx", windows, weight))


def _equation(window: np.ndarray, weight: np.ndarray, at: tuple[int, int], result: float) -> str:
    factors = (f"({_number(w)})" if w < 0 else _number(w) for w in weight.flat)
    terms = " + ".join(f"{_number(pixel)}·{factor}" for pixel, factor in zip(window.flat, factors, strict=True))
    return f"y[{at[0]}, {at[1]}] = {terms} = {_number(result)}"


def _draw_window(ax: Axes, window: np.ndarray, weight: np.ndarray, corner: tuple[float, float]) -> None:
    """Cover the window's cells with "pixel × weight" and outline it."""
    for (row, column), pixel in np.ndenumerate(window):
        left, top = corner[0] + column, corner[1] + row
        ax.add_patch(Rectangle((left, top), 1, 1, facecolor=_MET, edgecolor=PAPER, lw=1.5, zorder=4))
        middle: Any = {"ha": "center", "va": "center", "zorder": 5}
        ax.text(left + 0.5, top + 0.34, _number(pixel), fontsize=9, color=INK, **middle)
        ax.text(left + 0.5, top + 0.73, f"× {_number(weight[row, column])}", fontsize=7.5, color=VERMILLION, **middle)
    outline: Any = {"fill": False, "ec": VERMILLION, "lw": 2.2, "zorder": 6}
    ax.add_patch(Rectangle(corner, window.shape[1], window.shape[0], **outline))


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
    """Draw numbers in cells; those outside `real` (shifted by `border`) are pale: copies, or padding. NaN is empty."""
    rows, columns = real or array.shape
    for (row, column), value in np.ndenumerate(array):
        inside = 0 <= row - border < rows and 0 <= column - border < columns
        left, top = corner[0] + column, corner[1] + row
        ax.add_patch(Rectangle((left, top), 1, 1, facecolor=colour if inside else _COPY, edgecolor=PAPER, lw=1.5))
        text, ink = "" if np.isnan(value) else _number(value), INK if inside else MUTED
        ax.text(left + 0.5, top + 0.5, text, ha="center", va="center", fontsize=9, color=ink, zorder=3)
    ax.text(corner[0], corner[1] - 0.35, name, fontsize=9.5, fontweight="bold", va="center", color=INK)
    ax.text(corner[0], corner[1] + array.shape[0] + 0.35, note, fontsize=SMALL, va="center", color=GREEN)


def _draw_sign(ax: Axes, sign: str, place: tuple[float, float]) -> None:
    ax.text(*place, sign, ha="center", va="center", fontsize=15, color=MUTED)


def _number(value: Any) -> str:
    return f"{value:.3g}".replace("-", "−")


def _frame(ax: Axes, width: float, height: float) -> None:
    ax.set(xlim=(-0.1, width + 0.1), ylim=(height, -0.8), aspect="equal")
    ax.axis("off")
