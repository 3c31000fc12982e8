"""Timing that can be trusted: the candidates take turns, so that a slow moment of the machine hits all alike.

What takes less than 10 ms is called for so long before it is timed: it shall find the caches as it left them
itself, as in a program that runs it over and over, and not full of what another candidate reads.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

SETTLED = 0.01  # seconds; the weights of a network then lie in the caches, if they fit


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: the fastest and the median of several, and how many there were.

    Examples
    --------
    >>> f"{1 / Timing(minimum=0.002, median=0.0025, repeats=15).median:.0f} calls a second"
    '400 calls a second'
    """

    minimum: float
    median: float
    repeats: int


def interleaved(
    candidates: Mapping[str, Callable[[], object]], repeats: int = 15, warmup: int = 2, budget: float | None = None
) -> dict[str, Timing]:
    """Time every candidate `repeats` times, in turn: A B C A B C ..., short ones once they have settled.

    Parameters
    ----------
    candidates : name -> a call to time
    warmup : untimed rounds first, in which kernels compile and caches fill
    budget : seconds after which no further round begins; at least one round is timed

    Examples
    --------
    >>> result = interleaved({"short": lambda: sum(range(10)), "long": lambda: sum(range(100_000))}, repeats=3)
    >>> result["short"].minimum < result["long"].minimum
    True
    """
    for _ in range(warmup):
        for call in candidates.values():
            call()
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    end = None if budget is None else time.perf_counter() + budget
    for _ in range(repeats):
        for name, call in candidates.items():
            seconds[name].append(_turn(call))
        if end is not None and time.perf_counter() > end:
            break
    return {name: Timing(min(values), statistics.median(values), len(values)) for name, values in seconds.items()}


def _turn(call: Callable[[], object]) -> float:
    """Return the seconds of a call: of the first, unless it was so short that others follow, then of one after them."""
    seconds = spent = _timed(call)
    if spent < SETTLED:
        while spent < SETTLED:
            spent += _timed(call)
        seconds = _timed(call)
    return seconds


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
