"""A bar with the time left over the whole run, or nothing where nobody looks."""

from __future__ import annotations

import sys
from typing import Any, Protocol


class Bar(Protocol):
    """What training asks of a bar; `tqdm` is one."""

    def update(self, n: int) -> Any: ...
    def set_postfix_str(self, s: str, refresh: bool = True) -> Any: ...
    def close(self) -> Any: ...


class Silent:
    """A bar that shows nothing."""

    def update(self, n: int) -> None: ...
    def set_postfix_str(self, s: str, refresh: bool = True) -> None: ...
    def close(self) -> None: ...


def bar(total: int, done: int, show: bool | None) -> Bar:
    """Return a bar over `total` steps of which `done` are done; None shows it where stderr is a terminal."""
    if show or (show is None and sys.stderr.isatty()):
        from tqdm import tqdm  # loaded when first shown, so that importing minidl stays quick

        shown: Bar = tqdm(total=total, initial=done, unit="step", dynamic_ncols=True)
        return shown
    return Silent()
