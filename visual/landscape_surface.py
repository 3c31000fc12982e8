"""A loss surface in three dimensions, with its lines of equal loss on the floor.

Leaves out interaction: this is one still picture from one side, clipped where its scale ends.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from visual.landscape import UNIT, Scale, check_grid, contour_levels, shared_scale
from visual.landscape import _surface_map as surface_map
from visual.style import SQUARE, axes_or_new, finite, style


@style()
def draw_surface(
    xs: Any,
    ys: Any,
    loss: Any,
    ax: Axes | None = None,
    *,
    scale: Scale | None = None,
    label: str = UNIT,
    elevation: float = 32,
    azimuth: float = -58,
) -> Axes:
    """Draw a 3-D surface over the plane; values above the scale are cut off flat, values that are not finite are holes.

    Parameters
    ----------
    xs, ys : (X,), (Y,) coordinates; loss : (Y, X).
    ax : axes with projection "3d".
    scale : as for `draw_contour`; on a log scale heights are log10 of the loss, ticks are losses.
    elevation, azimuth : of the eye, in degrees.

    >>> ax = draw_surface([-1, 0, 1], [-1, 0, 1], [[2, 1, 2], [1, 0, 1], [2, 1, 2]])
    >>> ax.name, ax.get_zlabel()
    ('3d', 'loss (nats per image)')
    """
    xs, ys, loss = finite(xs), finite(ys), finite(loss)
    check_grid(xs, ys, loss)
    ax = axes_or_new(ax, SQUARE, "3d")
    if ax.name != "3d":
        raise ValueError(
            f"draw_surface needs axes with projection '3d', found {ax.name!r}; make them with panels(projection='3d')"
        )
    scale = scale or shared_scale(loss)
    height = np.log10 if scale.log else np.asarray
    low, high = float(height(scale.low)), float(height(scale.high))
    z = height(np.clip(loss, scale.low, scale.high))  # (Y, X)
    floor = low - 0.25 * (high - low)
    if min(loss.shape) > 1:
        _draw_sheet(ax, xs, ys, z, Normalize(low, high), floor)
    else:
        ax.scatter(*np.broadcast_arrays(xs, ys[:, None]), z)
    _dress(ax, scale, (floor, high), label)
    ax.view_init(elevation, azimuth)
    return ax


def _draw_sheet(ax: Any, xs: np.ndarray, ys: np.ndarray, z: np.ndarray, norm: Normalize, floor: float) -> None:
    grid = np.meshgrid(xs, ys)
    sheet = {"rcount": 101, "ccount": 101, "linewidth": 0.15, "edgecolor": (1, 1, 1, 0.35), "antialiased": True}
    ax.plot_surface(*grid, z, cmap=surface_map(), norm=norm, **sheet)
    ax.contour(*grid, z, 10, zdir="z", offset=floor, cmap=surface_map(), norm=norm, linewidths=0.9)


def _dress(ax: Any, scale: Scale, limits: tuple[float, float], label: str) -> None:
    levels = contour_levels(scale, 5)
    ax.set_zticks(np.log10(levels) if scale.log else levels, [f"{level:g}" for level in levels])
    ax.set(xlabel="first direction", ylabel="second direction", zlabel=label, zlim=limits)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.pane.set_visible(False)
        axis.set_tick_params(labelsize=8)
    ax.set_box_aspect((1, 1, 0.75), zoom=0.92)
