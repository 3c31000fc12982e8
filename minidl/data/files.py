"""Reading dataset files of a known size, plain or gzipped, and the one error that bad data raises.
Nothing here knows a format: the readers ask for exact byte counts, and get them or one sentence.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterable
from pathlib import Path

GZIP_MAGIC = b"\x1f\x8b"


class DataError(ValueError):
    """A dataset is missing, truncated, corrupt or foreign; the message is one sentence with the remedy."""


def is_gzip(path: Path) -> bool:
    """Tell by the first two bytes, not by the name, whether a file is gzip-compressed."""
    with path.open("rb") as file:
        return file.read(2) == GZIP_MAGIC


def read_exact(path: Path, size: int) -> bytes:
    """Read a file that holds exactly ``size`` bytes once unpacked; never read more than one byte beyond.

    A plain file's size is compared before anything is allocated.  A gzip file is unpacked up to ``size + 1``
    bytes, so that a bomb costs no more than the file it pretends to be; reaching its end checks its CRC.
    """
    if not is_gzip(path):
        check_size(path, path.stat().st_size, size)
        return path.read_bytes()
    content = read_at_most(path, size)
    check_size(path, len(content), size)
    return content


def read_at_most(path: Path, limit: int) -> bytes:
    """Unpack at most ``limit + 1`` bytes of a plain or gzipped file: one too many shows that it is too long."""
    try:
        with gzip.open(path) if is_gzip(path) else path.open("rb") as file:
            return file.read(limit + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{path} is a damaged gzip file ({error}), expected {limit} unpacked bytes: delete it and fetch it again"
        ) from None


def check_size(path: Path, found: int, expected: int) -> None:
    """Raise `DataError` unless the unpacked file has the size its format prescribes."""
    if found == expected:
        return
    trouble = "is truncated" if found < expected else "is longer than it should be"
    count = f"{found}" if found <= expected else f"more than {expected}"
    raise DataError(
        f"{path} {trouble}: found {count} unpacked bytes, expected exactly {expected}: delete it and fetch it again"
    )


def find_file(folders: Iterable[Path], stem: str) -> Path | None:
    """Return the first of ``folder/stem`` and ``folder/stem.gz`` that is a file, or None."""
    candidates = (folder / (stem + suffix) for folder in folders for suffix in ("", ".gz"))
    return next((path for path in candidates if path.is_file()), None)


def data_root(root: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder that holds the datasets: ``root``, else ``MINIDL_DATA``, else the user's cache."""
    if root is not None:
        return Path(root).expanduser()
    if folder := os.environ.get("MINIDL_DATA"):
        return Path(folder).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "minidl"
