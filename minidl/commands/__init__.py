"""Subcommands of `minidl`, one per file: `configure(parser)` adds the options, `run(args)` returns an `Output`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Output:
    """What a command says: `text` for a person, `data` for --json."""

    text: str
    data: Any
