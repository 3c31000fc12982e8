"""Batches of normalised images, in an order and with an augmentation that depend on (seed, epoch, index) alone.
Epochs, steps and progress belong to `minidl.training`; this is one pass over one dataset.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

import numpy as np

from minidl.data.dataset import Dataset
from minidl.data.files import DataError
from minidl.kernels.random import permutation, stream_key
from minidl.types import Array

T = TypeVar("T")


class Augmentation(Protocol):
    """Changes images ``(N, H, W, C)`` uint8, given their indices in the dataset; see `minidl.data.CropFlip`."""

    def __call__(self, images: Array, index: Array, *, seed: int, epoch: int) -> Array:
        """Return the augmented images, a pure function of the arguments."""
        ...


def batches(
    dataset: Dataset,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    augment: Augmentation | None = None,
    shuffle: bool = True,
    start: int = 0,
    drop_last: bool = False,
) -> Iterator[tuple[Array, Array]]:
    """Yield ``(x, y)``: x float32 ``(n, H, W, C)`` normalised per channel, y int64 ``(n,)``; the last may be shorter.

    Parameters
    ----------
    dataset : where the images come from
    batch_size : images a batch
    seed, epoch : with the index of an image they decide its place and its augmentation
    augment : for example ``CropFlip()``; None leaves images as they are
    shuffle : a fresh order each epoch, or the dataset's own
    start : how many batches to skip; a run stopped after k batches goes on with ``start=k`` to the same bits
    drop_last : leave out a last batch that is not full

    Raises
    ------
    DataError
        When ``batch_size`` or ``start`` is out of range.

    Examples
    --------
    >>> from minidl.data import load
    >>> x, y = next(batches(load("fashion-mnist-mini"), 32, seed=0, epoch=0))
    >>> x.shape, x.dtype, y.shape
    ((32, 28, 28, 1), dtype('float32'), (32,))
    """
    if batch_size < 1 or start < 0:
        raise DataError(f"found batch_size {batch_size} and start {start}, expected at least 1 and 0")
    order = epoch_order(len(dataset), seed, epoch) if shuffle else np.arange(len(dataset))
    stop = len(order) - len(order) % batch_size if drop_last else len(order)
    return _batches(dataset, order[:stop], batch_size, seed, epoch, augment, start)


def _batches(
    dataset: Dataset, order: Array, batch_size: int, seed: int, epoch: int, augment: Augmentation | None, start: int
) -> Iterator[tuple[Array, Array]]:
    for first in range(start * batch_size, len(order), batch_size):
        index = order[first : first + batch_size]
        images = dataset.images[index]
        if augment is not None:
            images = augment(images, index, seed=seed, epoch=epoch)
        yield normalize(images, dataset.mean, dataset.std), dataset.labels[index]


def epoch_order(n: int, seed: int, epoch: int) -> Array:
    """Return the order in which an epoch visits ``n`` images, int64 ``(n,)``."""
    return permutation(n, stream_key(seed, "shuffle", epoch))


def normalize(images: Array, mean: Array, std: Array) -> Array:
    """Return ``(images / 255 - mean) / std`` as float32, for uint8 images ``(..., W, C)``.

    Examples
    --------
    >>> normalize(np.array([[0], [255]], np.uint8), np.array([0.5]), np.array([0.25])).ravel()
    array([-2.,  2.], dtype=float32)
    """
    width, channels = images.shape[-2:]
    scale = np.tile(1 / (255 * std), width).astype(np.float32)  # (W C,): long rows, which NumPy is fast on
    shift = np.tile(-mean / std, width).astype(np.float32)
    x: Array = images.reshape(-1, width * channels) * scale
    x += shift
    return x.reshape(images.shape)


def ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """Yield the same items, while a background thread prepares the next one.

    An exception comes out where its item would have; closing the generator stops the thread.

    Examples
    --------
    >>> list(ahead(iter("abc")))
    ['a', 'b', 'c']
    """
    end = object()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="minidl-data") as pool:
        future = pool.submit(next, items, end)
        while (item := future.result()) is not end:
            future = pool.submit(next, items, end)
            yield item  # type: ignore[misc]
