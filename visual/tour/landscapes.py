"""Chapter 3 of the page: the loss along lines and over planes, and the path of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from visual.landscape import draw_contour
from visual.landscape_line import draw_line
from visual.landscape_surface import draw_surface
from visual.report import Figure, Section
from visual.scale import shared_scale
from visual.style import HALF, panels, save, style
from visual.tour.words import percent
from visual.trajectory import draw_trajectory

IDEA = """\
A network with thousands of weights is a point in a space of as many dimensions. Draw a random direction, walk along it,
and the loss becomes a curve. One trick makes the picture honest: every filter of the direction gets the **norm of the
filter it disturbs**, since a network can scale its filters without changing what it does."""

PATH = """\
And where did training come from? Two random directions would show almost nothing of its path; its two principal
components show most of it:"""


def landscape_section(folder: Path, r: Any) -> Section:
    """Draw the chapter's figures and write its words."""
    save(draw_line(r.alphas, r.lines, log=True).figure, folder / "lines.png")
    _draw_planes(folder, r)
    s = r.path_plane
    ax = draw_contour(s.xs, s.ys, s.loss, scale=shared_scale(s.loss))
    save(draw_trajectory(r.path, ax, explained=r.explained).figure, folder / "trajectory.png")
    reached = " and ".join(f"{percent(accuracy)} {name}" for name, accuracy in r.accuracy.items())
    return Section(
        "What the loss looks like",
        [
            IDEA,
            Figure(
                "lines.png",
                "Loss along random directions for a net with and one without shortcuts",
                "Mean over random directions, and the band between the lowest and the highest.",
            ),
            f"Two directions make a plane. Both networks have the same {r.depth} layers and reached {reached} on the "
            "test images; they differ in their shortcuts alone. At this depth the paper, too, sees little difference: "
            "chaos comes without shortcuts when networks are several times as deep.",
            Figure("contours.png", "Contours of the loss around both networks", "Lines of equal loss, on one scale."),
            Figure("surfaces.png", "The same surfaces in three dimensions", "The same, from the side."),
            PATH,
            Figure(
                "trajectory.png",
                "Path of training over the contours of its principal plane",
                "One dot per epoch. The loss is with the final network's batch-norm statistics, so the start looks "
                f"worse than it was. A random walk of as many steps has {percent(r.baseline[0])} and "
                f"{percent(r.baseline[1])} of its variance on the two axes: compare before you wonder.",
            ),
        ],
        "What does the loss surface look like, and what does it say about generalization?",
    )


def _draw_planes(folder: Path, r: Any) -> None:
    """Both planes side by side on one scale, as contours and in three dimensions."""
    scale = shared_scale(*[surface.loss for surface in r.planes.values()], cap=20.0)
    with style():
        for name, draw, projection in (("contours", draw_contour, None), ("surfaces", draw_surface, "3d")):
            figure, axes = panels(1, 2, size=(2 * HALF[0], HALF[1]), projection=projection)
            for ax, (title, s) in zip(axes.flat, r.planes.items(), strict=True):
                draw(s.xs, s.ys, s.loss, ax, scale=scale)
                ax.set_title(title)
            save(figure, folder / f"{name}.png")
