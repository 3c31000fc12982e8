"""`load`: from a dataset's name to its images, whichever of the official files the folder holds.
It looks for files, dispatches to the format's reader, and checks that the set is the one that was asked for.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from minidl.data.catalog import CIFAR10_BATCHES, IDX_PARTS, Entry, entry
from minidl.data.cifar import read_binary, read_python
from minidl.data.dataset import Dataset
from minidl.data.files import DataError, data_root, find_file
from minidl.data.idx import read_idx
from minidl.types import Array

EMBEDDED = Path(__file__).parent / "embedded"


def load(name: str, split: str = "train", root: str | os.PathLike[str] | None = None) -> Dataset:
    """Load a dataset: images uint8 ``(N, H, W, C)`` and labels int64 ``(N,)``.

    Parameters
    ----------
    name : "fashion-mnist-mini" (ships with the package), "fashion-mnist", "mnist", "cifar10" or "cifar100"
    split : "train" or "test"
    root : the folder of the official files; else the environment's ``MINIDL_DATA``, else the user's cache

    Raises
    ------
    DataError
        When the name or split is unknown, or a file is missing, truncated, corrupt or of another set.

    Examples
    --------
    >>> dataset = load("fashion-mnist-mini", "test")
    >>> dataset.images.shape, dataset.classes[dataset.labels[0]]
    ((1000, 28, 28, 1), 'ankle boot')
    """
    item = entry(name)
    if split not in item.counts:
        raise DataError(f"there is no split {split!r}: choose one of {', '.join(item.counts)}")
    folders = _folders(item, root)
    images, labels = (_read_idx if item.kind == "idx" else _read_cifar)(item, split, folders)
    _check_identity(item, split, labels, folders)
    return Dataset(images, labels, item.classes, item.name, np.array(item.mean), np.array(item.std))


def _read_idx(item: Entry, split: str, folders: list[Path]) -> tuple[Array, Array]:
    height, width, _ = item.shape
    count, part = item.counts[split], IDX_PARTS[split]
    images = _require(item, folders, f"{part}-images-idx3-ubyte")
    labels = _require(item, folders, f"{part}-labels-idx1-ubyte")
    return read_idx(images, (count, height, width))[..., None], read_idx(labels, (count,))  # (N, H, W, 1), (N,)


def _read_cifar(item: Entry, split: str, folders: list[Path]) -> tuple[Array, Array]:
    """Read the binary version, or the Python version where only that is there."""
    stems, label_bytes, label_key = _cifar_files(item, split)
    count = item.counts[split] // len(stems)
    if find_file(folders, stems[0] + ".bin") or not find_file(folders, stems[0]):
        parts = [read_binary(_require(item, folders, stem + ".bin"), count, label_bytes) for stem in stems]
    else:
        parts = [read_python(_require(item, folders, stem), count, label_key) for stem in stems]
    images, labels = zip(*parts, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _cifar_files(item: Entry, split: str) -> tuple[list[str], int, bytes]:
    """Return the stems of the files, the label bytes of a binary record, and the labels' key in a Python batch."""
    if item.name == "cifar100":
        return [split], 2, b"fine_labels"
    *train, test = CIFAR10_BATCHES
    return (train if split == "train" else [test]), 1, b"labels"


def _folders(item: Entry, root: str | os.PathLike[str] | None) -> list[Path]:
    if item.embedded:
        return [EMBEDDED]
    base = data_root(root)
    return [*(base / folder for folder in item.folders), base]


def _require(item: Entry, folders: list[Path], stem: str) -> Path:
    if path := find_file(folders, stem):
        _check_digest(item, path)
        return path
    if item.embedded:
        raise DataError(f"{stem}.gz, which ships with minidl, is missing from {EMBEDDED}: install minidl again")
    raise DataError(
        f"{item.name} needs the file {stem} or {stem}.gz, found neither in {folders[-1]} nor in its sub-folder "
        f"{item.folders[0]}: run `minidl data fetch {item.name}`, or point MINIDL_DATA at the folder that has it"
    )


def _check_digest(item: Entry, path: Path) -> None:
    """Compare the SHA-256 of an embedded file; of files in the user's folder none is recorded."""
    expected = dict(item.embedded).get(path.name)
    if expected and (found := hashlib.sha256(path.read_bytes()).hexdigest()) != expected:
        raise DataError(f"{path} has SHA-256 {found}, expected {expected}: it was changed; install minidl again")


def _check_identity(item: Entry, split: str, labels: Array, folders: list[Path]) -> None:
    """Refuse labels that cannot be, and tell sets with the same names and sizes (MNIST, Fashion-MNIST) apart."""
    expected = item.first_labels[split]
    found = tuple(labels[: len(expected)].tolist())
    if found != expected or labels.max() >= len(item.classes):
        raise DataError(
            f"the {split} labels in {folders[-1]} begin with {found} and reach {labels.max()}, expected {expected} and "
            f"{len(item.classes) - 1} for {item.name}: these are files of another set; put the right ones there"
        )
