"""The pictures that `minidl landscape` makes: random lines, a plane, a line to another net, a plane through three."""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidl.commands import Output
from minidl.commands.landscape_files import make_files
from minidl.commands.network import load_network
from minidl.commands.plain import plain

if TYPE_CHECKING:
    import numpy as np

    from algorithms.landscape import Surface
    from algorithms.landscape.surface import Options
    from minidl.data import Dataset
    from minidl.nn import Module

Step = dict[str, Any]  # a direction: arrays by the names of parameters


@dataclass(frozen=True)
class View:
    """What is looked at, and how."""

    args: argparse.Namespace
    model: Module
    dataset: Dataset
    folder: Path
    options: Options

    def about(self) -> dict[str, Any]:
        """Say what a reader of the numbers needs."""
        args = self.args
        settings = {"network": str(args.target), "split": args.split, "norm": args.norm, "seed": args.seed}
        return {**settings, "dataset": self.dataset.name, "images": len(self.dataset), "bn": self.options["bn"]}


def random(args: argparse.Namespace, model: Module, number: int) -> Step:
    """Draw a direction as the options say."""
    from algorithms.landscape import random_direction

    norm = None if args.norm == "none" else args.norm
    return random_direction(model, args.seed + number, norm, ignore_1d=not args.move_1d)


def lines(view: View) -> Output:
    """Draw random lines with their spread, and say how sharp the loss is along them."""
    import numpy as np

    from algorithms.landscape import expected_sharpness
    from algorithms.landscape import lines as measure

    directions = [random(view.args, view.model, i) for i in range(view.args.directions)]
    xs = _axis(view, view.args.x, directions, 51)
    found = measure(view.model, view.dataset, directions, xs, **view.options)
    loss, accuracy = (np.stack([getattr(s, name) for s in found]) for name in ("loss", "accuracy"))
    _draw_line(view, "line", xs, loss, accuracy, {})
    quiet: Options = {"chunk": view.options["chunk"], "bn": view.options["bn"], "fast": view.options["fast"]}
    sharp = expected_sharpness(view.model, view.dataset, seed=view.args.seed, **quiet)
    data = {**view.about(), "x": xs.tolist(), "loss": plain(loss), "accuracy": plain(accuracy)}
    data["sharpness"] = {"radius": 0.5, "mean": sharp.mean, "low": sharp.low, "high": sharp.high, "level": sharp.level}
    text = f"sharpness {sharp.mean:.4g} nats at half a filter norm, {sharp.low:.4g} to {sharp.high:.4g} (95 %)"
    return Output(f"{text}\n{_half_widths(found, data)}{view.folder}/line.png", data)


def _half_widths(found: list[Surface], data: dict[str, Any]) -> str:
    """Say how wide the valley is, and put it into `data`, if the lines reach so far."""
    import numpy as np

    from algorithms.landscape import half_width

    if np.abs(found[0].xs).min() > 1e-9:
        return ""
    widths = np.array([half_width(surface, delta=0.5) for surface in found])
    data["half_width"] = plain(widths)  # null: wider than the line
    known = widths[np.isfinite(widths)]
    if not len(known):
        return ""
    return (
        f"half-width at + 0.5 nats: {known.min():.3g} to {known.max():.3g} filter norms over {len(known)} directions\n"
    )


def plane(view: View) -> Output:
    """Draw the plane of two random directions."""
    dx, dy = (random(view.args, view.model, i) for i in (0, 1))
    xs, ys = (_axis(view, given, [dx, dy], 25) for given in (view.args.x, view.args.y))
    return _draw_plane(view, measure_plane(view, dx, dy, xs, ys))


def between(view: View) -> Output:
    """Draw the line to another network."""
    from algorithms.landscape import barrier, interpolate

    args = view.args
    if isinstance(args.x, str):
        raise ValueError("landscape got --x=auto with --other, expected MIN:MAX:N: the networks lie at 0 and 1")
    a, b = view.model.state_dict(), load_network(args.other).state_dict()
    surface = interpolate(a, b, view.model, view.dataset, args.x, **view.options)
    surface.save(view.folder / "between.npz")
    files = [str(path) for path in make_files(args, surface)]
    marks = {str(args.target): 0.0, str(args.other): 1.0}
    xlabel = "from one network (0) to the other (1)"
    _draw_line(view, "between", surface.xs, surface.loss, surface.accuracy, {"xlabel": xlabel, "marks": marks})
    data = {**view.about(), "x": surface.xs.tolist(), "loss": plain(surface.loss), "accuracy": plain(surface.accuracy)}
    text = f"{view.folder}/between.png"
    if {0.0, 1.0} <= {round(float(x), 9) for x in surface.xs}:
        data["barrier"] = barrier(surface)
        text = f"barrier between the networks: {data['barrier']:.4g} nats\n{text}"
    return Output("\n".join([text, *files]), data | ({"files": files} if files else {}))


def through(view: View) -> Output:
    """Draw the plane through three networks."""
    import numpy as np

    from algorithms.landscape import through as span_through

    if view.args.other is None:
        raise ValueError("landscape got --third without --other, expected both: a plane needs three networks")
    others = [load_network(path) for path in (view.args.other, view.args.third)]
    span = span_through(view.model, *(net.state_dict() for net in (view.model, *others)))
    output = _draw_plane(view, measure_plane(view, span.dx, span.dy, *axes_around(span.corners)))
    spots = ", ".join(f"({x:.3g}, {y:.3g})" for x, y in np.round(span.corners, 9))
    return Output(f"the networks lie at {spots}\n{output.text}", {**output.data, "corners": span.corners.tolist()})


def _axis(view: View, given: Any, directions: list[Step], nodes: int) -> np.ndarray:
    """Take what was given, [-1, 1] if nothing was, and for "auto" as much as some images' loss stays below the cap."""
    import numpy as np

    from algorithms.landscape import reach

    if given is not None and not isinstance(given, str):
        return np.asarray(given)
    few: Options = {"bn": view.options["bn"], "fast": view.options["fast"]}
    some = view.dataset.subset(min(view.options["chunk"], len(view.dataset)))
    end = 1.0 if given is None else reach(view.model, some, directions, view.args.cap, **few)
    return np.linspace(-end, end, nodes)


def axes_around(points: np.ndarray, nodes: int = 25) -> list[np.ndarray]:
    """Two axes that hold points (T, 2), with a margin."""
    import numpy as np

    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.25 * float((high - low).max())
    return [np.linspace(low[i] - margin, high[i] + margin, nodes) for i in (0, 1)]


def measure_plane(view: View, dx: Step, dy: Step, xs: np.ndarray, ys: np.ndarray) -> Surface:
    """Measure every node, or only those that are needed."""
    from algorithms.landscape import plane as full_plane
    from algorithms.landscape import refined_plane

    grid = view.model, view.dataset, dx, dy, xs, ys
    if view.args.full or min(len(xs), len(ys)) < 15:
        return full_plane(*grid, **view.options)
    return refined_plane(*grid, view.args.tolerance, **view.options)


def _draw_line(view: View, name: str, xs: Any, loss: Any, accuracy: Any, how: dict[str, Any]) -> None:
    from visual.landscape_line import draw_line
    from visual.style import save

    of = view.dataset.name
    ax = draw_line(xs, {of: loss}, accuracy={of: accuracy}, log=_spans(loss), **how)
    save(ax.figure, view.folder / f"{name}.png")


def _draw_plane(view: View, surface: Surface) -> Output:
    import numpy as np

    from algorithms.landscape import convex_share
    from visual.landscape import draw_contour, draw_filled
    from visual.landscape_surface import draw_surface
    from visual.scale import shared_scale
    from visual.style import save

    about = {**surface.about, **view.about()}
    surface = dataclasses.replace(surface, about=about)
    assert surface.ys is not None
    surface.save(view.folder / "plane.npz")
    files = [str(path) for path in make_files(view.args, surface)]
    scale = shared_scale(surface.loss, cap=view.options["cap"])
    for name, draw in (("contour", draw_contour), ("filled", draw_filled), ("surface", draw_surface)):
        ax = draw(surface.xs, surface.ys, surface.loss, scale=scale)
        save(ax.figure, view.folder / f"{name}.png")
    share, measured = convex_share(surface), float(surface.measured.mean())
    error = float(np.nanmax(surface.difference_error))
    low, high = np.nanmin(surface.loss), np.nanmax(surface.loss)
    text = (
        f"loss {low:.4g} to {high:.4g} nats, convex at {share:.0%} of the nodes\n"
        f"{measured:.0%} of the nodes were measured, the others interpolated; cosine of the directions "
        f"{surface.about['cosine']:.3f}\nlargest standard error against the centre {error:.2g} nats\n"
        f"{view.folder}/contour.png, filled.png, surface.png"
    )
    data = {**about, "convex_share": share, "measured_share": measured}
    data |= {"x": plain(surface.xs), "y": plain(surface.ys), "loss": plain(surface.loss)}
    return Output("\n".join([text, *files]), data | ({"files": files} if files else {}))


def _spans(loss: np.ndarray) -> bool:
    """Whether losses differ so much that only a log axis shows them all."""
    import numpy as np

    finite = loss[np.isfinite(loss)]
    return bool(len(finite) and finite.min() > 0 and finite.max() > 20 * finite.min())
