"""Datasets: `load` reads one, `fetch` downloads one, `batches` walks over one."""

from __future__ import annotations

from minidl.data.augment import CropFlip
from minidl.data.dataset import Dataset
from minidl.data.download import fetch
from minidl.data.files import DataError
from minidl.data.loader import ahead, batches, normalize
from minidl.data.reading import load

__all__ = ["CropFlip", "DataError", "Dataset", "ahead", "batches", "fetch", "load", "normalize"]
