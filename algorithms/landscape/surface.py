"""Lines and planes through a network: `line`, `plane` and `interpolate`, each returning a `Surface` to draw."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Unpack

import numpy as np

from algorithms.landscape.directions import Direction, between, cosine
from algorithms.landscape.scan import ScanOptions, scan
from algorithms.landscape.tally import Scan
from minidl.checkpoint import StrPath, read, write
from minidl.data import Dataset
from minidl.nn import Module
from minidl.types import Array

Progress = Callable[[Scan], object]


class Options(ScanOptions, total=False):
    """Keywords of `line`, `plane` and `interpolate`: those of `scan`, and two of their own.

    progress : called with what is known, after every few points
    budget : seconds after which to stop, once all points have seen the first chunk of images
    """

    progress: Progress | None
    budget: float | None


@dataclass(frozen=True)
class Surface:
    """Loss and accuracy over a line (ys is None) or a grid.

    Attributes
    ----------
    xs, ys : (X,), (Y,) or None
        Coefficients of the directions; 0 is the network itself.
    loss, accuracy, std_error, difference_error, count : (X,) or (Y, X)
        See `Scan`: loss in nats and its standard errors over the images, alone and against the centre; accuracy as a
        fraction; images that each node was evaluated on.
    measured : bool, of the same shape
        False where the values were interpolated from other nodes.
    about : how it was made: seeds, angle between the directions, batch-norm mode; anything that JSON can hold

    Examples
    --------
    >>> from algorithms.landscape import two_pixels
    >>> net, images, apart, _ = two_pixels()
    >>> surface = line(net, images, apart, np.linspace(-2, 2, 5))
    >>> float(surface.xs[surface.loss.argmin()]), surface.accuracy.tolist(), surface.about["images"]
    (2.0, [0.0, 0.0, 0.5, 1.0, 1.0], 2)
    """

    xs: Array
    ys: Array | None
    loss: Array
    accuracy: Array
    std_error: Array
    difference_error: Array
    count: Array
    measured: Array
    about: dict[str, Any] = field(default_factory=dict)

    def save(self, path: StrPath) -> None:
        """Write it to an .npz, whole or not at all."""
        arrays = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        write(path, arrays, {"surface": self.about})

    @classmethod
    def load(cls, path: StrPath) -> Surface:
        """Read what `save` wrote; ValueError if the file holds something else, CheckpointError if it is damaged."""
        arrays, meta = read(path)
        if "surface" not in meta:
            raise ValueError(f"{path} holds no surface, expected a file that Surface.save wrote")
        missing = {f.name for f in fields(cls)} - {*arrays, "ys", "about"}
        if missing:
            raise ValueError(
                f"{path} is a surface without {', '.join(sorted(missing))}, expected a file of this version"
            )
        arrays.setdefault("ys", None)  # type: ignore[arg-type]  # a line has none
        return cls(**arrays, about=meta["surface"])


def line(model: Module, dataset: Dataset, direction: Direction, alphas: Array, **options: Unpack[Options]) -> Surface:
    """Evaluate the loss at θ* + α · direction for every α, in nats.

    Examples
    --------
    >>> import minidl
    >>> images = minidl.data.load("fashion-mnist-mini", "test").subset(50)
    >>> net = minidl.nn.Sequential(minidl.nn.Flatten(), minidl.nn.Linear(784, 10, rng=0))
    >>> from algorithms.landscape import random_direction
    >>> line(net, images, random_direction(net, rng=0), np.linspace(-1, 1, 3)).loss.shape
    (3,)
    """
    xs = axis("alphas", alphas)
    return _surface(xs, None, *known_at(model, dataset, xs[:, None], [direction], options))


def lines(
    model: Module, dataset: Dataset, directions: Sequence[Direction], alphas: Array, **options: Unpack[Options]
) -> list[Surface]:
    """Evaluate a line along each of several directions, in one scan: how much does the picture depend on the draw?

    Raises ValueError unless `alphas` are finite and rising and every direction moves something.

    Examples
    --------
    >>> from algorithms.landscape import two_pixels
    >>> net, images, apart, alike = two_pixels()
    >>> [found.loss.round(2).tolist() for found in lines(net, images, [apart, alike], np.array([-1, 0, 1]))]
    [[2.13, 0.69, 0.13], [0.69, 0.69, 0.69]]
    """
    xs = axis("alphas", alphas)
    points = np.einsum("a,de->dae", xs, np.eye(len(directions))).reshape(-1, len(directions))  # (D A, D)
    known, about = known_at(model, dataset, points, list(directions), options)
    rows = [np.arange(i * len(xs), (i + 1) * len(xs)) for i in range(len(directions))]
    return [_surface(xs, None, known, about, row) for row in rows]


def plane(
    model: Module,
    dataset: Dataset,
    dx: Direction,
    dy: Direction,
    xs: Array,
    ys: Array,
    **options: Unpack[Options],
) -> Surface:
    """Evaluate the loss at θ* + x · dx + y · dy for every node of the grid: arrays (Y, X), loss in nats.

    Raises ValueError unless both axes are finite and rising and every direction moves something.

    Examples
    --------
    >>> from algorithms.landscape import two_pixels
    >>> net, images, apart, alike = two_pixels()
    >>> plane(net, images, apart, alike, np.array([-1, 0, 1]), np.array([0, 1])).loss.round(2).tolist()
    [[2.13, 0.69, 0.13], [2.13, 0.69, 0.13]]
    """
    xs, ys = axis("xs", xs), axis("ys", ys)
    known, about = known_at(model, dataset, grid(xs, ys), [dx, dy], options)
    return _surface(xs, ys, known, about | {"cosine": cosine(dx, dy)})


def interpolate(
    state_a: Mapping[str, Array],
    state_b: Mapping[str, Array],
    model: Module,
    dataset: Dataset,
    alphas: Array | None = None,
    **options: Unpack[Options],
) -> Surface:
    """Evaluate the loss on the straight line (1 - α) A + α B through two trained states, running statistics included.

    `model` lends its architecture; by default α runs over 401 points of [-0.5, 1.5] and bn is "interpolated".
    Differences in weight scale show up as differences in width here, so width alone says little about generalization.
    Beyond the ends a variance may fall below 0, and the loss there is NaN: there is no such network.
    Raises ValueError if the states are of different networks.

    Examples
    --------
    >>> from minidl import nn
    >>> images = Dataset(np.array([[[[0]]], [[[255]]]], np.uint8), [0, 1])  # a black and a white pixel, as -1 and 1
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False))
    >>> wrong, right = ({"layers.1.weight": np.array([[-w], [w]], np.float32)} for w in (-1, 1))
    >>> interpolate(wrong, right, net, images, np.array([0, 0.5, 1])).loss.round(2).tolist()
    [2.13, 0.69, 0.13]
    """
    start = copy.deepcopy(model)
    start.load_state_dict(state_a)
    alphas = np.linspace(-0.5, 1.5, 401) if alphas is None else alphas
    how: Options = {"bn": "interpolated", **options}
    return line(start, dataset, between(state_a, state_b), alphas, **how)


def axis(name: str, values: Array) -> Array:
    """`values` as the float64 coordinates of an axis, if they are some."""
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or len(array) < 2 or not np.isfinite(array).all() or not (np.diff(array) > 0).all():
        raise ValueError(
            f"{name} has shape {array.shape} and runs from {array.flat[0] if array.size else None} to "
            f"{array.flat[-1] if array.size else None}, expected at least two finite numbers in increasing order: give "
            "the range a width and at least two points"
        )
    return array


def grid(xs: Array, ys: Array) -> Array:
    """List the nodes of a grid: (Y X, 2), x fastest."""
    return np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)


def last(scans: Iterable[Scan], progress: Progress | None = None, budget: float | None = None) -> Scan:
    """Run a scan to its end, or until `budget` seconds are over and there is a picture."""
    started = time.monotonic()
    for known in scans:
        if progress is not None:
            progress(known)
        if budget is not None and time.monotonic() - started > budget and known.count.all():
            break
    return known


def known_at(
    model: Module, dataset: Dataset, points: Array, directions: list[Direction], options: Options
) -> tuple[Scan, dict[str, Any]]:
    """Run a scan by the options of `line` and `plane`, and say how it was made."""
    how: Any = dict(options)
    progress, budget = how.pop("progress", None), how.pop("budget", None)
    known = last(scan(model, dataset, points, directions, **how), progress, budget)
    return known, {"dataset": dataset.name, "images": len(dataset), "bn": how.get("bn", "frozen")}


def _surface(
    xs: Array, ys: Array | None, known: Scan, about: dict[str, Any], rows: Array | slice = slice(None)
) -> Surface:
    shape = (len(xs),) if ys is None else (len(ys), len(xs))
    names = ("loss", "accuracy", "std_error", "difference_error", "count")
    values = {name: getattr(known, name)[rows].reshape(shape) for name in names}
    return Surface(xs, ys, **values, measured=np.ones(shape, bool), about=about)
