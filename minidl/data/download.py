"""`fetch`: brings a dataset's official files into its folder, resuming what a broken connection left.
Every file is checked against its size and SHA-256 under a temporary name, and only then takes its own.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import tarfile
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from minidl.data.catalog import Remote, entry
from minidl.data.files import DataError, data_root
from minidl.data.reading import EMBEDDED

CHUNK = 1 << 16
ATTEMPTS = 4  # connections that may break before we give up
TIMEOUT = 30.0  # seconds without a byte

Report = Callable[[int], object]  # is told how many more bytes have arrived


class ConnectionLostError(Exception):
    """A connection failed or ended early; the next attempt goes on from there."""


def fetch(name: str, root: str | os.PathLike[str] | None = None, progress: bool = True) -> Path:
    """Download a dataset, unless its files are there already, and return their folder.

    Parameters
    ----------
    name : as for `minidl.data.load`
    root : where the dataset's folder goes; else ``MINIDL_DATA``, else the user's cache
    progress : whether to draw a progress bar

    Raises
    ------
    DataError
        When the publisher cannot be reached, or sends something else than it should.

    Examples
    --------
    >>> fetch("fashion-mnist-mini").name  # ships with the package: nothing to do
    'embedded'
    """
    item = entry(name)
    if item.embedded:
        return EMBEDDED
    folder = data_root(root) / item.folders[0]
    folder.mkdir(parents=True, exist_ok=True)
    for remote in item.remotes:
        if remote.members:
            _fetch_members(remote, folder, progress)
        else:
            _fetch_file(remote, folder / remote.filename, progress)
    return folder


def _fetch_file(remote: Remote, target: Path, progress: bool) -> None:
    if _size(target) != remote.size or _sha256(target) != remote.sha256:
        download(remote, target, progress)


def _fetch_members(remote: Remote, folder: Path, progress: bool) -> None:
    """Download an archive, take its members out, and delete it."""
    wanted = {name: size for name, size in remote.members if _size(folder / Path(name).name) != size}
    if not wanted:
        return
    archive = folder / remote.filename
    _fetch_file(remote, archive, progress)
    extract(archive, wanted, folder)
    archive.unlink()


def download(remote: Remote, target: Path, progress: bool = True) -> None:
    """Download one file to ``target``, going on from ``target.part`` where an earlier attempt left one."""
    from tqdm import tqdm

    part = target.with_name(target.name + ".part")
    if _size(part) > remote.size:
        part.unlink()
    with tqdm(
        total=remote.size, initial=_size(part), unit="B", unit_scale=True, desc=target.name, disable=not progress
    ) as bar:
        _receive_all(remote, part, bar.update)
    if _sha256(part) != remote.sha256:
        part.unlink()
        raise DataError(
            f"{remote.url} sent a file whose SHA-256 is not the expected {remote.sha256}: it was deleted; try again "
            f"later, or put the official file into {target.parent} by hand"
        )
    os.replace(part, target)


def _receive_all(remote: Remote, part: Path, report: Report) -> None:
    """Connect again, from where the last connection broke, until the file is whole."""
    trouble = "the connection ended early"
    for _ in range(ATTEMPTS):
        if _size(part) == remote.size:
            return
        try:
            _receive(remote, part, report)
        except ConnectionLostError as error:
            trouble = str(error)
    if _size(part) != remote.size:
        raise DataError(
            f"{remote.url} gave {_size(part)} of {remote.size} bytes ({trouble}): check the network and run the "
            "command again, it goes on from there"
        )


def _receive(remote: Remote, part: Path, report: Report) -> None:
    """Append what one connection delivers; a server that ignores the range sends the whole file again."""
    with part.open("ab") as file, _connect(remote.url, have := file.tell()) as response:
        if have and response.status != http.client.PARTIAL_CONTENT:
            file.truncate(0)
            report(-have)
            have = 0
        for chunk in _chunks(response):
            have += len(chunk)
            if have > remote.size:
                raise DataError(f"{remote.url} sends more than the expected {remote.size} bytes: try again later")
            file.write(chunk)
            report(len(chunk))
        file.flush()
        os.fsync(file.fileno())


def _connect(url: str, have: int) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)
    except (OSError, http.client.HTTPException) as error:  # URLError and HTTPError are OSErrors
        raise ConnectionLostError(str(error)) from None
    return response


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield what arrives; only errors of the network become `ConnectionLostError`, a full disk stays what it is."""
    while True:
        try:
            chunk = response.read(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionLostError(str(error)) from None
        if not chunk:
            return
        yield chunk


def extract(archive: Path, wanted: dict[str, int], folder: Path) -> None:
    """Copy the members ``wanted`` (full name in the archive, bytes) into ``folder`` under their last name.

    Nothing else in the archive is looked at: no links, no paths, no owner or mode is taken from it.
    """
    missing = dict(wanted)
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar:
                if missing.get(member.name) == member.size and (source := tar.extractfile(member)):
                    _write(source, folder / Path(member.name).name)
                    del missing[member.name]
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(f"{archive} is a damaged archive ({error}): delete it and fetch it again") from None
    if missing:
        raise DataError(f"{archive} does not hold {', '.join(missing)} as expected: delete it and fetch it again")


def _write(source: IO[bytes], target: Path) -> None:
    part = target.with_name(target.name + ".part")
    with part.open("wb") as file:
        shutil.copyfileobj(source, file, CHUNK)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, target)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
