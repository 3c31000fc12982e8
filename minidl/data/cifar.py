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

RECONSTRUCT = ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct")
ALLOWED = (*RECONSTRUCT, "numpy ndarray", "numpy dtype", "_codecs encode")


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
    data, labels = _plain_bytes(_array_state(batch[b"data"], path, count), path, count), batch[label_key]
    if not isinstance(labels, list) or len(labels) != count or not all(type(k) is int for k in labels):
        raise DataError(f"{path} holds no list of {count} integer labels: use the official file")
    return planes_to_nhwc(np.frombuffer(data, np.uint8).reshape(count, PIXELS)), np.array(labels)


def planes_to_nhwc(rows: Array) -> Array:
    """Turn rows of red, green and blue planes into images."""
    planes = rows.reshape(-1, 3, 32, 32)  # (N, C, H, W)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))  # (N, H, W, C)


def _array_state(value: Any, path: Path, count: int) -> Any:
    """Return the raw bytes of a pickled uint8 array in C order, once its recorded state says exactly that.

    The state of an ndarray is ``(version, shape, dtype, is_fortran, bytes)``.
    """
    if isinstance(value, Call) and value.name in RECONSTRUCT:
        match value.state:
            case (1, shape, Call("numpy dtype", ("u1" | b"u1", *_)), False, raw) if shape == (count, PIXELS):
                return raw
    raise DataError(f"{path} holds no uint8 array of shape ({count}, {PIXELS}) under b'data': use the official file")


def _plain_bytes(value: Any, path: Path, count: int) -> bytes:
    """Accept the bytes themselves, or the way Python 3 writes them in protocol 2: text encoded as latin-1."""
    match value:
        case Call("_codecs encode", (str(text), "latin1")):
            value = text.encode("latin-1")
    if not isinstance(value, bytes) or len(value) != count * PIXELS:
        raise DataError(f"{path} does not hold {count * PIXELS} bytes of pixels: use the official file")
    return value
