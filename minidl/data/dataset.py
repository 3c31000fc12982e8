"""A set of labelled images in memory, with what is needed to normalise them.
It is read-only; batches, shuffling and augmentation live in `minidl.data.loader`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from minidl.data.files import DataError
from minidl.types import Array


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images ``(N, H, W, C)`` uint8 and labels ``(N,)`` int64, read-only.

    Arrays that already have these types are shared with the caller, not copied (CIFAR-10 alone is 180 MB): whoever
    changes the originals changes the set, so leave them alone or pass a copy.

    Parameters
    ----------
    images : uint8 array (N, H, W, C)
    labels : integer array or list (N,), each below ``len(classes)``
    classes : names of the classes; numbered from the labels when not given
    name : what to call the set in messages and records
    mean, std : per channel ``(C,)``, of the training set, on the 0..1 scale; measured here when neither is given

    Raises
    ------
    DataError
        On a wrong shape or type, on counts that differ, on a label outside the classes, on no images at all,
        on images without pixels, on a mean or std that is not one finite number a channel.

    Examples
    --------
    >>> import numpy as np
    >>> dataset = Dataset(np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 1, 2, 1]))
    >>> len(dataset), dataset.classes, dataset.subset(2).labels
    (4, ('0', '1', '2'), array([0, 1]))
    """

    images: Array
    labels: Array
    classes: tuple[str, ...] = ()
    name: str = "images"
    mean: Array = field(default_factory=lambda: np.empty(0))
    std: Array = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        images, labels, mean, std = (np.asarray(a) for a in (self.images, self.labels, self.mean, self.std))
        _check_arrays(images, labels)
        classes = tuple(self.classes) or tuple(str(k) for k in range(int(labels.max()) + 1))
        _check_labels(labels, len(classes))
        if not (mean.size or std.size):
            mean, std = channel_statistics(images)
        _check_statistics(mean, std, images.shape[3])
        values = {
            "images": _frozen(images, np.uint8),
            "labels": _frozen(labels, np.int64),
            "classes": classes,
            "mean": _frozen(mean, np.float64),
            "std": _frozen(std, np.float64),
        }
        for key, value in values.items():
            object.__setattr__(self, key, value)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Dataset({self.name}: {len(self)} images {self.images.shape[1:]}, {len(self.classes)} classes)"

    def subset(self, which: int | Sequence[int] | Array) -> Dataset:
        """Return the first ``which`` images, or those at the given indices, with the same classes and statistics."""
        if isinstance(which, (int, np.integer)):
            if not 0 < which <= len(self):
                raise DataError(f"cannot take {which} of {len(self)} images: ask for 1 to {len(self)}")
            index: slice | Array = slice(0, int(which))
        else:
            index = np.asarray(which)
            if not (index.any() if index.dtype == bool else index.size):
                raise DataError(f"cannot take 0 of {len(self)} images: ask for 1 to {len(self)}")
        images, labels = self.images[index], self.labels[index]
        return Dataset(images, labels, self.classes, self.name, self.mean, self.std)

    def split(self, n: int, seed: int) -> tuple[Dataset, Dataset]:
        """Set ``n`` images, drawn without replacement, aside for validation: return (the rest, those n).

        Both keep the original order; the draw depends on ``seed`` and ``len(self)`` alone.
        """
        from minidl.kernels.random import permutation, stream_key

        if not 0 < n < len(self):
            raise DataError(f"cannot set {n} of {len(self)} images aside: ask for 1 to {len(self) - 1}")
        drawn = permutation(len(self), stream_key(seed, "split", 0))
        return self.subset(np.sort(drawn[n:])), self.subset(np.sort(drawn[:n]))


def channel_statistics(images: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation per channel on the 0..1 scale, exactly summed by histogram.

    A channel that never varies gets the deviation 1, so that it can be divided by.

    Examples
    --------
    >>> channel_statistics(np.array([0, 255], np.uint8).reshape(1, 1, 2, 1))
    (array([0.5]), array([0.5]))
    """
    channels = [np.bincount(images[..., c].ravel(), minlength=256) for c in range(images.shape[3])]
    counts = np.stack(channels)  # (C, 256)
    level = np.arange(256) / 255
    total = counts.sum(axis=1)
    mean = counts @ level / total
    variance = (counts * (level - mean[:, None]) ** 2).sum(axis=1) / total
    return mean, np.sqrt(np.where(variance > 0, variance, 1))


def _check_arrays(images: Array, labels: Array) -> None:
    if images.ndim != 4 or images.dtype != np.uint8:
        raise DataError(
            f"images are {images.dtype} of shape {images.shape}, expected uint8 of shape (N, H, W, C): "
            "convert and reshape them"
        )
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(
            f"labels are {labels.dtype} of shape {labels.shape}, expected integers of shape (N,): convert them"
        )
    if not len(images) == len(labels) > 0:
        raise DataError(f"found {len(images)} images and {len(labels)} labels, expected the same number, at least 1")
    if not images.size:
        raise DataError(f"images have shape {images.shape}, expected at least one pixel and channel: check their axes")


def _check_labels(labels: Array, classes: int) -> None:
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise DataError(f"labels run from {low} to {high}, expected 0 to {classes - 1}: check labels and classes")


def _check_statistics(mean: Array, std: Array, channels: int) -> None:
    fits = mean.shape == std.shape == (channels,) and mean.dtype.kind in "fiu" and std.dtype.kind in "fiu"
    if not (fits and np.isfinite([mean, std]).all() and (std > 0).all()):
        raise DataError(
            f"mean is {mean.tolist()} and std {std.tolist()}, expected {channels} numbers each, finite and std above "
            "0: pass one value a channel, on the 0..1 scale"
        )


def _frozen(array: Array, dtype: type) -> Array:
    view: Array = np.ascontiguousarray(array, dtype=dtype).view()
    view.flags.writeable = False
    return view
