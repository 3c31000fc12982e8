"""Folders for results: made when they are missing, with one clear sentence when they cannot be."""

from __future__ import annotations

import os
from pathlib import Path


def make_folder(folder: Path, what: str) -> Path:
    """Make the folder for `what` and those above it, unless they exist.

    Raises
    ------
    ValueError
        If it cannot be made: a file is in its place or above it, or the system refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        # os.path and not Path: it answers False where a Path raises, as for folders that may not be looked into
        files = [path for path in (folder, *folder.parents) if os.path.lexists(path) and not os.path.isdir(path)]
        if files:
            raise ValueError(f"{files[-1]} is a file, expected a folder for {what}: choose another") from None
        reason = error.strerror or type(error).__name__
        raise ValueError(
            f"{folder} cannot be made ({reason}), expected a folder for {what}: choose one that you may write to"
        ) from None
    return folder
