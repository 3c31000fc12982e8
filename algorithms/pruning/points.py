"""Points of a sensitivity measurement, and the CSV file that keeps them while it goes on.

The file tells what it was measured on, so that points of two networks never meet.
"""

from __future__ import annotations

import csv
import dataclasses
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from algorithms.pruning.scores import Criterion
from algorithms.pruning.surgery import arrays_of
from minidl.checkpoint import replacing
from minidl.data import Dataset
from minidl.nn import Module


@dataclass(frozen=True)
class Sensitivity:
    """One point: `group` (named by its first layer) pruned alone by `ratio`, without retraining.

    Attributes
    ----------
    ratio, accuracy : fractions
    loss : in nats

    Examples
    --------
    >>> point = Sensitivity("conv1", ratio=0.5, loss=0.9, accuracy=0.75)
    >>> f"{point.group} without {point.ratio:.0%} of its filters: {point.accuracy:.0%} right"
    'conv1 without 50% of its filters: 75% right'
    """

    group: str
    ratio: float
    loss: float
    accuracy: float


class PointsFile:
    """A CSV file of points; its last line may be torn, since the writer may have been killed."""

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self.known: dict[tuple[str, float], Sensitivity] = {}
        head = f"# {identity}\n" + ",".join(field.name for field in dataclasses.fields(Sensitivity)) + "\n"
        text = path.read_text(errors="replace") if path.exists() else ""  # a line of other bytes is told below
        if not text.startswith(head):
            if text and not head.startswith(text):
                raise ValueError(
                    f"{path} has points of another network, dataset, criterion or seed: choose another file"
                )
            self._rewrite(head)
            return
        whole = text[: text.rindex("\n") + 1]
        if whole != text:
            self._rewrite(whole)
        for number, line in enumerate(whole.splitlines()[2:], 3):
            point = self._read(number, line)
            self.known[point.group, point.ratio] = point

    def _read(self, number: int, line: str) -> Sensitivity:
        try:
            group, *numbers = next(csv.reader([line]))
            ratio, loss, accuracy = map(float, numbers)
        except (ValueError, csv.Error):
            raise ValueError(
                f"line {number} of {self.path} is {line!r}, expected group,ratio,loss,accuracy: remove the line, and "
                "its point is measured again"
            ) from None
        return Sensitivity(group, ratio, loss, accuracy)

    def _rewrite(self, text: str) -> None:
        with replacing(self.path) as file:
            file.write(text.encode())

    def add(self, point: Sensitivity) -> None:
        """Append a point, to be read again by whoever resumes."""
        with self.path.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(dataclasses.astuple(point))


def identity(model: Module, dataset: Dataset, criterion: Criterion, combine: str, seed: int) -> str:
    """What the points depend on, as one line; the seed only where filters are drawn by it."""
    crc = 0
    for array in arrays_of(model).values():
        crc = zlib.crc32(np.ascontiguousarray(array).data, crc)
    if not isinstance(criterion, str):
        scores = zlib.crc32(np.concatenate([np.asarray(s, np.float64) for s in criterion.values()]).tobytes())
        criterion = f"scores {scores:08x}"
    elif criterion == "random":
        criterion = f"random {seed}"
    images = zlib.crc32(dataset.images.data, zlib.crc32(dataset.labels.data))
    return f"network {crc:08x}, {len(dataset)} images {images:08x}, {criterion}, {combine}"
