"""Numbers as the page writes them."""

from __future__ import annotations

import math


def saved(pair: tuple[float, float]) -> float:
    """Share of the first that the second saves.

    >>> saved((200.0, 150.0))
    0.25
    """
    return 1 - pair[1] / pair[0]


def percent(share: float) -> str:
    """A fraction in per cent.

    >>> percent(0.2512)
    '25.1 %'
    """
    return f"{100 * share:.1f} %" if math.isfinite(share) else "not finite"
