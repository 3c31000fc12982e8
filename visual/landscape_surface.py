"""A loss surface in three dimensions, with its lines of equal loss on the floor.

Leaves out interaction: this is one still picture from one side, clipped where its scale ends.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from visual.landscape import UNIT, check_grid
from visual.scale import Scale, contour_levels, shared_scale, surface_map
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
        raise ValueError(f"draw_surface needs 3-D axes, found {ax.name!r}; make them with panels(projection='3d')")
    scale = scale or shared_scale(loss)
    height = np.log10 if scale.log else np.asarray
    low, high = float(height(scale.low)), float(height(scale.high))
    floor = low - 0.25 * (high - low)
    z = height(np.clip(loss, scale.low, scale.high))  # (Y, X)
    levels = contour_levels(scale, 4)
    if min(loss.shape) > 1:
        _draw_sheet(ax, xs, ys, z, Normalize(low, high), height(contour_levels(scale)), floor)
    else:
        ax.plot(*(part.ravel() for part in np.broadcast_arrays(xs, ys[:, None], z)), "o")
    _dress(ax, f"{label}, clipped at {scale.high:.3g}" if scale.clips(loss) else label, (floor, high))
    ax.set_zticks(height(levels), [f"{level:g}" for level in levels])  # type: ignore[attr-defined]
    ax.view_init(elevation, azimuth)  # type: ignore[attr-defined]
    return ax


def _draw_sheet(
    ax: Any, xs: np.ndarray, ys: np.ndarray, z: np.ndarray, norm: Normalize, levels: np.ndarray, floor: float
) -> None:
    grid = np.meshgrid(xs, ys)
    colours = {"cmap": surface_map(), "norm": norm}
    ax.plot_surface(*grid, z, rcount=101, ccount=101, linewidth=0.2, edgecolor=(0, 0, 0, 0.18), **colours)
    ax.contour(*grid, z, levels, zdir="z", offset=floor, linewidths=0.9, **colours)


def _dress(ax: Any, label: str, limits: tuple[float, float]) -> None:
    ax.set(xlabel="first direction", ylabel="second direction", zlabel=label, zlim=limits)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.pane.set_visible(False)
        axis.set_tick_params(labelsize=8, pad=1)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    ax.set_box_aspect((1, 1, 0.75), zoom=0.95)
