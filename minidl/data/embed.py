"""Makes the embedded subset: the first 600 training and 100 test images of each class of Fashion-MNIST.
Run as ``python -m minidl.data.embed FOLDER`` with MINIDL_DATA set; the same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
from pathlib import Path

import numpy as np

from minidl.data.catalog import IDX_PARTS
from minidl.data.idx import idx_header
from minidl.data.reading import EMBEDDED, load
from minidl.types import Array

PER_CLASS = {"train": 600, "test": 100}


def first_of_each_class(labels: Array, n: int) -> Array:
    """Return, in ascending order, the indices of the first ``n`` samples of every class.

    Examples
    --------
    >>> first_of_each_class(np.array([0, 0, 1, 0, 1, 1]), 2)
    array([0, 1, 2, 4])
    """
    return np.sort(np.concatenate([np.flatnonzero(labels == k)[:n] for k in np.unique(labels)]))


def embedded_files(root: str | os.PathLike[str] | None = None) -> dict[str, bytes]:
    """Return the four idx files, unpacked, by name; ``root`` holds the whole Fashion-MNIST."""
    files = {}
    for split, n in PER_CLASS.items():
        dataset = load("fashion-mnist", split, root)
        chosen = first_of_each_class(dataset.labels, n)
        images, labels = dataset.images[chosen, :, :, 0], dataset.labels[chosen].astype(np.uint8)
        files[f"{IDX_PARTS[split]}-images-idx3-ubyte"] = idx_header(images.shape) + images.tobytes()
        files[f"{IDX_PARTS[split]}-labels-idx1-ubyte"] = idx_header(labels.shape) + labels.tobytes()
    return files


def compress(content: bytes) -> bytes:
    """Return a gzip file of ``content`` that carries neither a name nor a time."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(content)
    return buffer.getvalue()


def main() -> None:
    """Write the four files, gzipped without a time stamp, into the folder given (the package's own by default)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=EMBEDDED)
    folder = parser.parse_args().folder
    for name, content in embedded_files().items():
        (folder / f"{name}.gz").write_bytes(compress(content))


if __name__ == "__main__":
    main()
