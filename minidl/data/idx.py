"""The idx format of MNIST and Fashion-MNIST: a big-endian header of 32-bit integers, then unsigned bytes.
Only the two forms these sets use are read (images of rank 3, labels of rank 1); other element types are refused.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from minidl.data.files import DataError, read_exact
from minidl.types import Array, Shape

UINT8_TYPE = 0x08


def read_idx(path: Path, shape: Shape) -> Array:
    """Read a file of unsigned bytes that must have exactly this shape; the result is read-only."""
    header = idx_header(shape)
    content = read_exact(path, len(header) + int(np.prod(shape)))
    if not content.startswith(header):
        raise DataError(
            f"{path} starts with the bytes {content[: len(header)].hex(' ', 4)}, expected the idx header "
            f"{header.hex(' ', 4)} of {shape} unsigned bytes: put the official file there or fetch it again"
        )
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)


def idx_header(shape: Shape) -> bytes:
    """Return the header: the number 0x08 (unsigned byte) << 8 | rank, then each extent."""
    return struct.pack(f">{1 + len(shape)}I", UINT8_TYPE << 8 | len(shape), *shape)
