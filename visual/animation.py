"""Moving pictures as GIFs: a path walked over its surface, and a surface as it changes from one epoch to the next.

Drawn frame by frame with the figures of landscape.py and trajectory.py on one scale, so that nothing but the subject
moves; leaves out sound formats and players, since every browser and editor shows a GIF.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.animation import PillowWriter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from visual.files import write_atomic
from visual.landscape import draw_contour, draw_filled
from visual.landscape_surface import draw_surface
from visual.scale import Scale, shared_scale
from visual.style import BLUE, INK, MUTED, PAPER, SQUARE, VERMILLION, finite, panels, style
from visual.viewer.sheet import Sheet, check_sheet

DOTS = 96  # dots per inch: a GIF of a minute stays below some megabytes
HOLD = 1.5  # seconds on the last frame before the loop begins again


def animate_path(
    path: str | os.PathLike[str],
    sheet: Sheet,
    *,
    scale: Scale | None = None,
    fps: int = 5,
) -> Path:
    """Write a GIF of the sheet's path being walked over the lines of equal loss, and return its path.

    Below them the loss of every epoch so far is drawn, of the network itself and of the point below it in the plane.

    Parameters
    ----------
    sheet : with a `walk` and with values for "loss".
    scale : of the lines; by default that of the whole surface.
    fps : epochs a second.

    Raises ValueError for a sheet without a walk.
    """
    check_sheet(sheet)
    walk = sheet.walk
    if walk is None:
        raise ValueError(f"surface {sheet.name!r} has no path, expected one: only a trajectory can be walked")
    points = finite(walk.path).reshape(-1, 2)
    with style():
        figure, (map_axes, curve_axes) = _map_and_curve()
        loss = sheet.values["loss"]
        draw_contour(sheet.xs, sheet.ys, loss, map_axes, scale=scale or shared_scale(loss))
        map_axes.set(xlabel=sheet.axes[0], ylabel=sheet.axes[1])
        show_path = _prepare_path(map_axes, points, walk.drops)
        show_losses = _prepare_curves(curve_axes, walk, len(points))

        def show(epoch: int) -> None:
            show_path(epoch)
            show_losses(epoch)

        return _write(path, figure, [partial(show, epoch) for epoch in range(len(points))], fps)


def animate_surfaces(
    path: str | os.PathLike[str],
    sheets: Sequence[Sheet],
    *,
    scale: Scale | None = None,
    solid: bool = False,
    fps: int = 3,
) -> Path:
    """Write a GIF that shows surfaces one after the other, on one scale and one pair of axes, and return its path.

    Parameters
    ----------
    sheets : two or more, in order, such as one for each epoch; their names are the titles.
    scale : shared by all frames; by default the range of all the losses.
    solid : as a relief in three dimensions, instead of bands seen from above.
    fps : surfaces a second.
    """
    if len(sheets) < 2:
        raise ValueError(f"animate_surfaces got {len(sheets)} surfaces, expected at least 2: one alone does not move")
    for sheet in sheets:
        check_sheet(sheet)
    scale = scale or shared_scale(*(sheet.values["loss"] for sheet in sheets))
    limits = {"xlim": _limits([sheet.xs for sheet in sheets]), "ylim": _limits([sheet.ys for sheet in sheets])}
    with style():
        figure, ((ax,),) = panels(size=SQUARE, projection="3d" if solid else None)

        def show(sheet: Sheet, bar: bool = False) -> None:
            ax.clear()
            arrays = sheet.xs, sheet.ys, sheet.values["loss"], ax
            if solid:
                draw_surface(*arrays, scale=scale)
            else:
                draw_filled(*arrays, scale=scale, bar=bar)
            ax.set(**limits, title=sheet.name, xlabel=sheet.axes[0], ylabel=sheet.axes[1])

        clipped = (sheet for sheet in sheets if scale.clips(finite(sheet.values["loss"])))
        show(next(clipped, sheets[0]), bar=True)  # one bar for all frames, with its end marked if any is clipped
        return _write(path, figure, [partial(show, sheet) for sheet in sheets], fps)


def _map_and_curve() -> tuple[Figure, Any]:
    figure, _ = panels(size=(SQUARE[0], SQUARE[1] + 1.6))
    figure.clear()
    return figure, figure.subplots(2, 1, height_ratios=[3.2, 1])


def _prepare_path(ax: Any, points: np.ndarray, drops: Sequence[int]) -> Callable[[int], None]:
    """Draw the whole path faintly, and return what draws it up to an epoch."""
    ax.plot(*points.T, color=MUTED, lw=0.8, alpha=0.6, zorder=3)
    ax.set(xlim=ax.get_xlim(), ylim=ax.get_ylim())
    halo = ax.plot([], [], color=PAPER, lw=3.2, zorder=4)[0]
    line = ax.plot([], [], color=BLUE, lw=1.6, marker="o", ms=3.5, mec=PAPER, mew=0.5, zorder=5)[0]
    fallen = ax.plot([], [], "o", color=VERMILLION, ms=7, mec=PAPER, mew=0.8, zorder=6)[0]
    now = ax.plot([], [], "o", color=PAPER, ms=9, mec=INK, mew=2, zorder=7)[0]

    def show(epoch: int) -> None:
        for artist in (halo, line):
            artist.set_data(*points[: epoch + 1].T)
        fallen.set_data(*points[[row for row in drops if row <= epoch]].T)
        now.set_data(*points[[epoch]].T)

    return show


def _prepare_curves(ax: Any, walk: Any, epochs: int) -> Callable[[int], None]:
    """Set up the axes for both losses, and return what draws them up to an epoch."""
    known = {"the network": (walk.loss, BLUE, "-"), "below it in the plane": (walk.in_plane, MUTED, "--")}
    curves = {name: finite(values) for name, (values, *_) in known.items() if values is not None}
    lines = {}
    for name in curves:
        _, colour, ls = known[name]
        lines[name] = ax.plot([], [], ls, color=colour, label=name, marker="o", ms=4, markevery=[-1])[0]
    ends = np.concatenate([np.zeros(0), *curves.values()])
    ends = ends[~np.isnan(ends)]
    log = bool(len(ends)) and ends.min() > 0 and ends.max() >= 20 * ends.min()
    if len(ends):
        ax.set(yscale="log" if log else "linear", ylim=(ends.min() / 1.2 if log else 0, ends.max() * 1.1))
        ax.legend(fontsize=8.5, loc="upper right")
    numbers = np.arange(walk.first, walk.first + epochs)
    margin = 0.02 * epochs
    ax.set(xlim=(numbers[0] - margin, numbers[-1] + margin), xlabel="epoch", ylabel="loss (nats)")

    ax.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10], integer=True))

    def show(epoch: int) -> None:
        for name, line in lines.items():
            line.set_data(numbers[: epoch + 1], curves[name][: epoch + 1])
        ax.set_title(f"epoch {numbers[epoch]}", fontsize=10)

    return show


def _limits(axes: Iterable[Any]) -> tuple[float, float]:
    ends = [(float(axis[0]), float(axis[-1])) for axis in axes]
    return min(low for low, _ in ends), max(high for _, high in ends)


def _write(path: str | os.PathLike[str], figure: Figure, frames: Sequence[Callable[[], None]], fps: int) -> Path:
    """Show and keep frame after frame, hold the last one, and move the finished file to its place."""
    frames[0]()
    figure.set_dpi(DOTS)
    figure.canvas.draw()
    figure.set_layout_engine("none")  # measured once: what is measured anew for every frame would tremble
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "part.gif"
        writer = PillowWriter(fps=fps)
        with writer.saving(figure, str(part), DOTS):
            for show in frames:
                show()
                writer.grab_frame()
            for _ in range(round(HOLD * fps)):
                writer.grab_frame()
        return write_atomic(path, part.read_bytes())
