"""The loss at many points around a network: θ(c) = θ* + Σ_i c_i · direction_i, for many coefficient vectors c.

Images are the outer loop and points the inner one, so that after the first chunk of images the whole picture exists
with a known uncertainty, and every further chunk sharpens it.  All sums are in float64 and in a fixed order, whoever
computes them, so a scan gives the same bits with any workers, and after any interruption.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np

import minidl
from algorithms.landscape.slice import BatchNormMode, Slice
from algorithms.landscape.tally import Scan, Tally, checksum, identity_of
from minidl.checkpoint import StrPath
from minidl.data import Dataset, batches
from minidl.nn import Module
from minidl.types import Array

TILE = 32  # points that a worker evaluates on one chunk of images
SAVE_EVERY = 2.0  # seconds


class ScanOptions(TypedDict, total=False):
    """The keywords of `scan`, which `line`, `plane` and others hand through."""

    chunk: int
    bn: BatchNormMode
    calibration: Dataset | None
    fast: bool
    cap: float | None
    file: StrPath | None
    executor: Executor | None


def scan(
    model: Module,
    dataset: Dataset,
    points: Array,
    directions: Sequence[Mapping[str, Array]],
    *,
    chunk: int = 250,
    bn: BatchNormMode = "frozen",
    calibration: Dataset | None = None,
    fast: bool = False,
    cap: float | None = None,
    file: StrPath | None = None,
    executor: Executor | None = None,
) -> Iterator[Scan]:
    """Yield what is known of all points, again and again; the last time it is over the whole dataset.

    Stop it whenever the picture is good enough, or the time is up: from the first chunk of images on there is one.

    Parameters
    ----------
    model : the centre; it is copied, never touched
    dataset : images to evaluate on, without augmentation, in evaluation mode
    points : (K, D) coefficients of the D directions
    directions : D dicts of arrays by the names of parameters or buffers
    chunk : images that all points are evaluated on before any sees the next
    bn, fast : see `Slice`
    calibration : images for bn="recalibrated"; by default the first `chunk` of `dataset`.  Every point measures its
        statistics again for every chunk, so take large ones
    cap : a point is left as it is once its loss is surely above (mean - 3 standard errors), or is not a number
    file : where to keep what is measured; if it exists, nothing in it is measured again
    executor : any `concurrent.futures.Executor` to share the work, see `workers`; by default it is done here

    Raises
    ------
    ValueError
        If directions or points do not fit, or the file is of another scan.

    Examples
    --------
    >>> from algorithms.landscape import two_pixels
    >>> net, images, apart, _ = two_pixels()
    >>> for known in scan(net, images, np.array([[0.0], [1.0]]), [apart], chunk=1):
    ...     print(known.loss.round(2).tolist(), "after", known.count.tolist(), "images")
    [0.69, 0.13] after [1, 1] images
    [0.69, 0.13] after [2, 2] images
    [0.69, 0.13] after [2, 2] images
    """
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != len(directions) or not len(points):
        raise ValueError(f"points have shape {points.shape}, expected (K, {len(directions)}): one column a direction")
    images = dataset if calibration is None else calibration
    x, _ = next(batches(images, chunk if calibration is None else len(images), seed=0, epoch=0, shuffle=False))
    moving = Slice(model, directions, bn, x if bn == "recalibrated" else None, fast, dataset.images.shape[1:])
    measured_on = None if calibration is None else checksum(calibration)
    settings = {"chunk": chunk, "bn": bn, "calibration": measured_on, "fast": fast, "minidl": minidl.__version__}
    identity = identity_of(model, directions, dataset, settings)
    known = file is not None and Path(file).exists()
    tally = Tally.load(file, identity, dataset) if known else Tally(len(directions))  # type: ignore[arg-type]
    work = _Work(moving, dataset, chunk, cap, tally, tally.rows(points), executor)
    return _kept(work, file, identity)


def _kept(work: _Work, file: StrPath | None, identity: Mapping[str, object]) -> Iterator[Scan]:
    """Run the work and write its tally from time to time, and at its end, however that comes."""
    saved = time.monotonic()
    try:
        for known in work.run():
            if file is not None and time.monotonic() - saved > SAVE_EVERY:
                work.tally.save(file, identity)
                saved = time.monotonic()
            yield known
    except BrokenExecutor as error:
        kept = f"run it again to go on from {file}" if file is not None else "give `file` to keep what is measured"
        raise RuntimeError(f"a worker was killed ({error}), expected it to answer: {kept}") from None
    finally:
        if file is not None:
            work.tally.save(file, identity)


@dataclass(frozen=True)
class _Work:
    """The loops: chunks of images outside, tiles of points inside."""

    moving: Slice
    dataset: Dataset
    chunk: int
    cap: float | None
    tally: Tally
    rows: Array
    executor: Executor | None

    def run(self) -> Iterator[Scan]:
        """Yield after every tile, and once at the end."""
        chunks = batches(self.dataset, self.chunk, seed=0, epoch=0, shuffle=False)
        for number, (x, labels) in enumerate(chunks):
            waiting = self._waiting(number * self.chunk)
            waiting = waiting[self.moving.order(self.tally.points[waiting])]
            tiles = [waiting[i : i + TILE] for i in range(0, len(waiting), TILE)]
            results = self._measure(tiles, x, labels)
            for tile, sums in zip(tiles, results, strict=True):
                self.tally.add(tile, sums, len(labels))
                yield self.tally.summary(self.rows, self._done())
        yield self.tally.summary(self.rows, 1.0)

    def _waiting(self, seen: int) -> Array:
        """Rows whose next images are those after the first `seen`, without those that are surely above the cap."""
        rows = np.unique(self.rows)
        rows = np.compress(self.tally.count[rows] == seen, rows)
        if self.cap is None or seen == 0:
            return rows
        known = self.tally.summary(rows, 0.0)
        with np.errstate(invalid="ignore"):
            below = known.loss - 3 * known.std_error <= self.cap  # False for NaN: it will not become a number
        return np.compress(below, rows)

    def _measure(self, tiles: list[Array], x: Array, labels: Array) -> Iterator[Array]:
        if self.executor is None:
            yield from (self.moving.measure(self.tally.points[tile], x, labels) for tile in tiles)
            return
        futures = [self.executor.submit(_measure, self.moving, self.tally.points[tile], x, labels) for tile in tiles]
        try:
            yield from (future.result() for future in futures)
        finally:
            for future in futures:
                future.cancel()

    def _done(self) -> float:
        return float(self.tally.count[self.rows].mean()) / len(self.dataset)


def _measure(moving: Slice, points: Array, x: Array, labels: Array) -> Array:
    """One tile, by a worker; on a copy, since workers may be threads of one process."""
    return copy.deepcopy(moving).measure(points, x, labels)
