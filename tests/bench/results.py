"""The results on disk: written after every row, so that a run that is stopped goes on where it was.

A file of another machine, other versions, other settings or other sources of minidl is begun anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any


class Results:
    """What has been found, by the rows' keys, in a `.partial` file beside `path` until `finish`."""

    def __init__(self, path: Path, conditions: dict[str, Any]) -> None:
        self.path, self.partial = path, path.with_name(path.name + ".partial")
        self.data: dict[str, Any] = {"conditions": conditions, "rows": {}}
        if self.partial.exists():
            earlier = json.loads(self.partial.read_text())
            if earlier["conditions"] == json.loads(json.dumps(conditions)):
                self.data = earlier

    def __contains__(self, key: str) -> bool:
        return key in self.data["rows"]

    def add(self, key: str, row: dict[str, Any]) -> None:
        self.data["rows"][key] = row
        write(self.partial, self.data)

    def finish(self) -> None:
        write(self.path, self.data)
        self.partial.unlink(missing_ok=True)


def write(path: Path, data: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    os.replace(temporary, path)


def source_digest(*folders: Path) -> str:
    """Of every Python file in these folders: results of two digests are not mixed."""
    digest = hashlib.sha256()
    for file in sorted(file for folder in folders for file in folder.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
