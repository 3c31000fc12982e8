"""How much time a smaller network takes, measured beside the whole one, on this CPU and with the threads set."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minidl.nn import Module
from minidl.runtime import Timing, compile, interleaved
from minidl.types import Shape


def time_both(
    model: Module, smaller: Module, input_shape: Shape, batch: int = 32, repeats: int = 15, budget: float = 3.0
) -> tuple[Timing, Timing]:
    """Time the inference plans of two networks in turn: (of `model`, of `smaller`), for a batch.

    Examples
    --------
    >>> from minidl import nn
    >>> wide, narrow = nn.Linear(2000, 2000, rng=0), nn.Linear(2000, 20, rng=0)
    >>> whole, small = time_both(wide, narrow, (2000,), repeats=3)
    >>> small.minimum < whole.minimum
    True
    """
    x = np.random.default_rng(0).standard_normal((batch, *input_shape)).astype(np.float32)
    whole, small = compile(model, input_shape), compile(smaller, input_shape)
    found = interleaved({"whole": lambda: whole(x), "small": lambda: small(x)}, repeats=repeats, budget=budget)
    return found["whole"], found["small"]


def time_share(input_shape: Shape, batch: int = 32) -> Callable[[Module, Module], float]:
    """Return a measure for `plan_to`: the median time of the smaller network over that of the whole one."""

    def share(model: Module, smaller: Module) -> float:
        whole, small = time_both(model, smaller, input_shape, batch)
        return small.median / whole.median

    return share
