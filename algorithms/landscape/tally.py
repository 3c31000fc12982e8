"""What has been measured of the points of a slice: sums over images that only grow, point by point, and their file.

A file is a store of points: what was measured once is never measured again, also when the grid, the range or the images
are extended later.  Who measures is `scan.py`.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidl.checkpoint import StrPath, read, write
from minidl.data import Dataset
from minidl.nn import Module
from minidl.types import Array


@dataclass(frozen=True)
class Scan:
    """What is known of K points so far; NaN where nothing is yet.

    Attributes
    ----------
    loss, accuracy : (K,)
        Mean loss in nats and share of right answers, over the images seen.
    std_error : (K,)
        Standard error of the loss, over the images.
    difference_error : (K,)
        Standard error of the loss minus the loss at the centre on the same images: much smaller near the centre, so it
        tells whether two heights of the picture really differ.
    count : (K,)
        Images seen by each point.
    done : share of the work, in [0, 1]

    See `scan` for an example.
    """

    loss: Array
    accuracy: Array
    std_error: Array
    difference_error: Array
    count: Array
    done: float


SUMS = 5  # of loss, loss², right answers, and of loss minus loss at the centre and its square


class Tally:
    """Sums for points (K, D), in the order in which they were first asked for."""

    def __init__(self, dimensions: int) -> None:
        self.points = np.zeros((0, dimensions))
        self.sums = np.zeros((SUMS, 0))
        self.count = np.zeros(0, np.int64)
        self._rows: dict[bytes, int] = {}

    def rows(self, points: Array) -> Array:
        """Where each of `points` (K, D) is in the tally, (K,); new ones are added with nothing measured."""
        new = []
        for point in points:
            if (key := _key(point)) not in self._rows:
                self._rows[key] = len(self._rows)
                new.append(point)
        if new:
            self.points = np.concatenate([self.points, new])
            self.sums = np.concatenate([self.sums, np.zeros((SUMS, len(new)))], axis=1)
            self.count = np.concatenate([self.count, np.zeros(len(new), np.int64)])
        return np.array([self._rows[_key(point)] for point in points])

    def add(self, rows: Array, sums: Array, images: int) -> None:
        """Add the sums (5, R) over `images` more images for some rows."""
        self.sums[:, rows] += sums
        self.count[rows] += images

    def summary(self, rows: Array, done: float) -> Scan:
        """Means and standard errors of some rows."""
        count = self.count[rows]
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            loss, square, accuracy, away, away_square = self.sums[:, rows] / count
            std_error = np.sqrt(np.maximum(square - loss**2, 0) / count)
            difference_error = np.sqrt(np.maximum(away_square - away**2, 0) / count)
        return Scan(loss, accuracy, std_error, difference_error, count, done)

    def save(self, path: StrPath, identity: Mapping[str, Any]) -> None:
        """Write everything, replacing the file in one step."""
        write(path, {"points": self.points, "sums": self.sums, "count": self.count}, {"scan": dict(identity)})

    @classmethod
    def load(cls, path: StrPath, identity: Mapping[str, Any], dataset: Dataset) -> Tally:
        """Read what `save` wrote, if it is of the same slice, evaluated on the same images or on the first of them.

        Raises
        ------
        ValueError
            If it is of something else, saying what.
        CheckpointError
            If the file is damaged.
        """
        arrays, meta = read(path)
        found = meta.get("scan")
        if found is not None and _is_beginning(found, dataset):
            found = {**found, "images": len(dataset), "crc32": identity["crc32"]}
        check_same(path, "scan", found, identity)
        tally = cls(arrays["points"].shape[1])
        tally.rows(arrays["points"])
        tally.sums, tally.count = arrays["sums"], arrays["count"]
        return tally


def identity_of(
    model: Module, directions: Sequence[Mapping[str, Array]], dataset: Dataset, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Name all that decides the bits of a scan, as JSON: checksums of network, directions and images, and settings."""
    return {
        "model": _sha256(model.state_dict()),
        "directions": [_sha256(direction) for direction in directions],
        "images": len(dataset),
        "crc32": checksum(dataset),
        "normalization": [dataset.mean.tolist(), dataset.std.tolist()],
        **settings,
    }


def check_same(path: StrPath, kind: str, found: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> None:
    """Raise one clear sentence unless a file's identity is the one wanted."""
    if found is None:
        raise ValueError(f"{path} holds no {kind}, expected a file that one wrote: choose another name")
    differing = [key for key in wanted if found.get(key) != wanted[key]]
    if differing:
        raise ValueError(
            f"{path} is of a {kind} with another {' and '.join(differing)}, expected the same, to go on with it: "
            "choose another file or repeat its settings"
        )


def _is_beginning(found: Mapping[str, Any], dataset: Dataset) -> bool:
    """Tell whether a scan saw whole chunks of the first of these images."""
    seen = found["images"]
    whole = seen < len(dataset) and seen % found["chunk"] == 0
    return bool(whole and found["crc32"] == checksum(dataset.subset(seen)))


def _key(point: Array) -> bytes:
    """Points that differ by rounding only, as those of two grids may, are one."""
    return bytes((np.round(np.asarray(point, np.float64), 12) + 0.0).data)  # + 0.0 makes one zero of two


def checksum(dataset: Dataset) -> int:
    """Return a CRC-32 of all labels and images."""
    return zlib.crc32(np.ascontiguousarray(dataset.labels).data, zlib.crc32(np.ascontiguousarray(dataset.images).data))


def _sha256(arrays: Mapping[str, Array]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.shape} {array.dtype} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
