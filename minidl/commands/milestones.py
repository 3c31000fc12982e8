"""The bar of a command that does many different things: it moves when something is finished, and says what."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def milestones(total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar with the time left; it gives a function to call `total` times, with what has just been finished."""
    from tqdm import tqdm

    with tqdm(total=total, unit="step", file=sys.stderr, disable=None) as bar:

        def advance(what: str) -> None:
            bar.set_postfix_str(what)
            bar.update()

        yield advance
