"""How a run's settings are written down, so that another process can tell whether it is asked for the same training."""

from __future__ import annotations

import zlib
from typing import Any

from minidl.data import Dataset


def identity(dataset: Dataset) -> dict[str, Any]:
    """Return what tells one dataset from another, as JSON; the checksum is of all its images and labels."""
    return {
        "name": dataset.name,
        "images": len(dataset),
        "crc32": zlib.crc32(dataset.labels.data, zlib.crc32(dataset.images.data)),
        "mean": dataset.mean.tolist(),
        "std": dataset.std.tolist(),
    }


def label(setting: object) -> str:
    """Return an object's repr if it has one of its own, else its name: an address would differ in every process.

    Examples
    --------
    >>> from minidl.optim import Cosine
    >>> label(Cosine(0.1, epochs=10)), label(lambda epoch: 0.1)
    ('Cosine(lr=0.1, epochs=10, final=0.0)', '<lambda>')
    """
    text = repr(setting)
    if " at 0x" not in text:
        return text
    return str(getattr(setting, "__qualname__", type(setting).__qualname__))
