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
    """One point: `group` (named by its first layer) pruned alone by `ratio`."""

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
        text = path.read_text() if path.exists() else ""
        if not text.startswith(head):
            if text and not head.startswith(text):
                raise ValueError(f"{path} has points of another network, dataset or criterion: choose another file")
            self._rewrite(head)
            return
        whole = text[: text.rindex("\n") + 1]
        if whole != text:
            self._rewrite(whole)
        for group, ratio, loss, accuracy in csv.reader(whole[len(head) :].splitlines()):
            self.known[group, float(ratio)] = Sensitivity(group, float(ratio), float(loss), float(accuracy))

    def _rewrite(self, text: str) -> None:
        with replacing(self.path) as file:
            file.write(text.encode())

    def add(self, point: Sensitivity) -> None:
        """Append a point, to be read again by whoever resumes."""
        with self.path.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(dataclasses.astuple(point))


def identity(model: Module, dataset: Dataset, criterion: Criterion, combine: str) -> str:
    """What the points depend on, as one line."""
    crc = 0
    for array in arrays_of(model).values():
        crc = zlib.crc32(np.ascontiguousarray(array).data, crc)
    if not isinstance(criterion, str):
        scores = zlib.crc32(np.concatenate([np.asarray(s, np.float64) for s in criterion.values()]).tobytes())
        criterion = f"scores {scores:08x}"
    images = zlib.crc32(dataset.images.data, zlib.crc32(dataset.labels.data))
    return f"network {crc:08x}, {len(dataset)} images {images:08x}, {criterion}, {combine}"
