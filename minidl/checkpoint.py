"""Arrays and a JSON record in one file, written so that it is whole or not there at all, and networks as such files.

The file is an uncompressed .npz that `numpy.load` reads too; a SHA-256 of all that precedes it is its last 64 bytes, so
a flipped byte anywhere is found.  Nothing is pickled, and nothing is allocated that the file is too short to fill.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np

from minidl.nn.module import Module
from minidl.nn.saving import describe, rebuild
from minidl.types import Array

StrPath: TypeAlias = str | os.PathLike[str]

HEAD = "minidl.json"  # the first member: format and record
FORMAT = 1
DIGEST = 64  # bytes of the SHA-256 in hexadecimal, which end the file as the zip's comment
CHUNK = 1 << 20


class CheckpointError(RuntimeError):
    """A checkpoint is missing, foreign, damaged or of something else, or it could not be written."""


def save(path: StrPath, model: Module) -> None:
    """Write a network, of whatever widths, to a file from which `load` builds it again.

    Examples
    --------
    >>> import tempfile, minidl
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     minidl.save(folder + "/net.npz", minidl.nn.Linear(3, 2))
    ...     minidl.load(folder + "/net.npz").weight.shape
    (2, 3)
    """
    if not isinstance(model, Module):
        raise TypeError(f"save got a {type(model).__name__}, expected a network: save(path, model)")
    tree, arrays = describe(model)
    write(path, prefixed("model", arrays), {"model": tree})


def load(path: StrPath) -> Module:
    """Build the network that `save` or a training run wrote; the file says what it is, no class of yours is run.

    Raises
    ------
    CheckpointError
        If the file is missing, foreign, damaged, holds no network, or one of a class that is not defined here.

    Examples
    --------
    >>> import tempfile, minidl
    >>> net = minidl.nn.Linear(3, 2, rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     minidl.save(folder + "/net.npz", net)
    ...     bool((minidl.load(folder + "/net.npz").weight.numpy() == net.weight.numpy()).all())
    True
    """
    arrays, meta = read(path)
    if "model" not in meta:
        raise CheckpointError(f"{path} holds no network, expected a file written by minidl.save or by a training run")
    try:
        return rebuild(meta["model"], without_prefix("model", arrays))
    except ValueError as error:
        raise CheckpointError(f"{path} does not fit this program: {error}") from None


def prefixed(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Name the same arrays "PREFIX/NAME"."""
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def without_prefix(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Pick the arrays whose names begin with "PREFIX/", by the rest of their names."""
    return {name.removeprefix(f"{prefix}/"): a for name, a in arrays.items() if name.startswith(f"{prefix}/")}


# -- writing ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def replacing(path: StrPath) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of `path` when the block ends well; before that, or on an error, the old stays.

    Raises
    ------
    CheckpointError
        If the disk is full or the folder cannot be written to.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.part")  # one name, so that a killed writer leaves at most one file behind
    try:
        try:
            with part.open("w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
            _sync_folder(path.parent)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CheckpointError(
            f"{path} could not be written ({error.strerror or error}), expected room and a folder to write to: free "
            "some space or choose another folder; what was there before is unchanged"
        ) from error


def write(path: StrPath, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> None:
    """Write arrays of numbers or bools and a JSON record to `path`, replacing what is there in one step.

    The same content gives the same bytes.
    """
    head = json.dumps({"format": FORMAT, "meta": meta}, allow_nan=False)
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{name} is an array of {array.dtype}, expected numbers or bools: convert it first")
    with replacing(path) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(zipfile.ZipInfo(HEAD), head)  # a ZipInfo of its own carries no date of today
            for name, array in arrays.items():
                info = zipfile.ZipInfo(f"{name}.npy")
                info.file_size = array.nbytes  # tells zipfile whether it needs 64-bit sizes
                with archive.open(info, "w") as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
            archive.comment = b"0" * DIGEST
        digest = _digest(file)
        file.seek(-DIGEST, os.SEEK_END)
        file.write(digest)


def _digest(file: IO[bytes]) -> bytes:
    """SHA-256 of all but the last `DIGEST` bytes."""
    left = file.seek(0, os.SEEK_END) - DIGEST
    file.seek(0)
    sha = hashlib.sha256()
    while left > 0 and (chunk := file.read(min(CHUNK, left))):
        sha.update(chunk)
        left -= len(chunk)
    return sha.hexdigest().encode()


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut, where folders can be synced (not on Windows)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


# -- reading ---------------------------------------------------------------------------------------------------


def read(path: StrPath) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays and the record that `write` put into `path`.

    Raises
    ------
    CheckpointError
        If the file is missing, was written by something else, or is truncated or damaged.
    """
    try:
        with open(path, "rb") as file:
            _check_whole(path, file)
            return _read(path, file)
    except OSError as error:
        raise CheckpointError(f"{path} could not be read ({error.strerror or error}), expected a checkpoint") from None
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, EOFError, RecursionError) as error:
        # a valid digest around nonsense
        raise CheckpointError(f"{path} is malformed ({error}), expected a checkpoint written by minidl") from None


def _check_whole(path: StrPath, file: IO[bytes]) -> None:
    start = file.read(30 + len(HEAD))  # a zip member begins with 30 bytes of header, then its name
    if not (start.startswith(b"PK") and start.endswith(HEAD.encode())):
        raise CheckpointError(f"{path} is no checkpoint of minidl, expected a file that minidl.save or a run wrote")
    digest = _digest(file)
    if file.read(DIGEST) != digest:
        raise CheckpointError(f"{path} is truncated or damaged, its checksum does not match: use another copy of it")


def _read(path: StrPath, file: IO[bytes]) -> tuple[dict[str, Array], dict[str, Any]]:
    arrays: dict[str, Array] = {}
    size = os.fstat(file.fileno()).st_size
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.compress_type != zipfile.ZIP_STORED or info.file_size > size:
                raise ValueError(f"{info.filename} unpacks to {info.file_size} bytes")
        head = json.loads(archive.read(HEAD))
        if head["format"] != FORMAT:
            raise CheckpointError(f"{path} has format {head['format']}, expected {FORMAT}: is it of a newer minidl?")
        if not isinstance(head["meta"], dict):
            raise ValueError(f"its record is a {type(head['meta']).__name__}")
        for info in archive.infolist():
            if info.filename != HEAD:
                with archive.open(info) as member:
                    arrays[info.filename.removesuffix(".npy")] = _read_array(member, info.file_size)
    return arrays, head["meta"]


def _read_array(member: IO[bytes], size: int) -> Array:
    """Read one .npy of `size` bytes; its header may not promise more than there is."""
    if np.lib.format.read_magic(member) != (1, 0):
        raise ValueError("an array has an unknown version")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(member)
    if dtype.kind not in "biuf" or math.prod(shape) * dtype.itemsize != size - member.tell():
        raise ValueError(f"an array of {dtype} {shape} does not fit its {size} bytes")
    array = np.empty(shape, dtype, order="F" if fortran_order else "C")
    flat = array.reshape(-1, order="A").view(np.uint8)  # the same memory as bytes, whatever its order
    member.readinto(flat)  # type: ignore[attr-defined]
    return array
