"""Measurements that are made once: a JSON file says what was asked and what was found, and is read when asked again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from minidl.checkpoint import replacing


def kept(file: Path, asked: Mapping[str, Any], measure: Callable[[], Any]) -> Any:
    """Return what `measure` finds, as it reads from JSON; from the file if the same was `asked` before.

    Parameters
    ----------
    asked : what decides the result beside the trained networks

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "width.json"
    >>> kept(file, {"images": 3}, lambda: (1, 2)), kept(file, {"images": 3}, lambda: "not asked again")
    ([1, 2], [1, 2])
    >>> kept(file, {"images": 4}, lambda: (3, 4))
    [3, 4]
    """
    wanted = json.loads(json.dumps(asked))  # as it will be read back
    known = json.loads(file.read_text()) if file.exists() else {}
    if known.get("asked") != wanted:
        text = json.dumps({"asked": wanted, "found": measure()})
        with replacing(file) as out:
            out.write(text.encode())
        known = json.loads(text)
    return known["found"]
