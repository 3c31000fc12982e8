"""The two official forms of CIFAR-10 and CIFAR-100: fixed-size binary records, and Python batches.
Both give the same images, turned from channel planes to NHWC; Python batches are read without unpickling objects.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from minidl.data.files import DataError, read_at_most, read_exact
from minidl.data.pickles import Call, read_pickle
from minidl.types import Array

PIXELS = 3 * 32 * 32
PYTHON_LIMIT = 1 << 28  # an unpacked official batch has 31 MB (CIFAR-10) or 156 MB (CIFAR-100)

RECONSTRUCT, DTYPE = "numpy.core.multiarray _reconstruct", "numpy dtype"
ALLOWED = (RECONSTRUCT, DTYPE, "numpy ndarray")


def read_binary(path: Path, count: int, label_bytes: int) -> tuple[Array, Array]:
    """Read ``count`` records of ``label_bytes`` (the last one counts) and 3072 pixels; return images and labels."""
    record = label_bytes + PIXELS
    table = np.frombuffer(read_exact(path, count * record), np.uint8).reshape(count, record)
    return planes_to_nhwc(table[:, label_bytes:]), table[:, label_bytes - 1]


def read_python(path: Path, count: int, label_key: bytes) -> tuple[Array, Array]:
    """Read a batch of the "python version": a dict with b"data" ``(count, 3072)`` and a list of labels."""
    content = read_at_most(path, PYTHON_LIMIT)
    if len(content) > PYTHON_LIMIT:
        raise DataError(f"{path} holds more than {PYTHON_LIMIT} unpacked bytes, expected an official batch: fetch it")
    batch = read_pickle(content, ALLOWED, str(path))
    keys = {b"data", label_key}
    if not isinstance(batch, dict) or not keys <= batch.keys():
        raise DataError(f"{path} is no CIFAR batch, expected a dict with {sorted(keys)}: use the official file")
    labels = batch[label_key]
    if not isinstance(labels, list) or len(labels) != count or not all(type(k) is int for k in labels):
        raise DataError(f"{path} holds no list of {count} integer labels: use the official file")
    return planes_to_nhwc(_pixel_rows(batch[b"data"], path, count)), np.array(labels)


def planes_to_nhwc(rows: Array) -> Array:
    """Turn rows of red, green and blue planes into images."""
    planes = rows.reshape(-1, 3, 32, 32)  # (N, C, H, W)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))  # (N, H, W, C)


def _pixel_rows(value: Any, path: Path, count: int) -> Array:
    """Rebuild the uint8 array ``(count, 3072)`` that a pickle describes, once it describes exactly that.

    The state of an ndarray is ``(version, shape, dtype, is_fortran, bytes)``.
    """
    shape = (count, PIXELS)
    match value:
        case Call(name, _, (1, found, Call(inner, (b"u1" | "u1", *_)), bool(fortran), bytes(data))):
            if (name, inner, found, len(data)) == (RECONSTRUCT, DTYPE, shape, count * PIXELS):
                return np.frombuffer(data, np.uint8).reshape(shape, order="F" if fortran else "C")
    raise DataError(f"{path} holds no uint8 array of shape {shape} under b'data': use the official file")
