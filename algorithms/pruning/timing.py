"""How much time a smaller network takes, measured beside the whole one, on this CPU and with the threads set.

In all, or layer by layer, where it shows whether the time goes with the arithmetic: a count is a promise, not a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np

from minidl.graph import cost, trace
from minidl.nn import Module
from minidl.runtime import Timing, compile, interleaved
from minidl.types import Array, Shape

PARTED = 0.8  # time saved below this share of the arithmetic saved is flagged


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
    x = _images(input_shape, batch)
    whole, small = compile(model, input_shape), compile(smaller, input_shape)
    found = interleaved({"whole": lambda: whole(x), "small": lambda: small(x)}, repeats=repeats, budget=budget)
    return found["whole"], found["small"]


def time_share(input_shape: Shape, batch: int = 32) -> Callable[[Module, Module], float]:
    """Return a measure for `plan_to`: the median time of the smaller network over that of the whole one."""

    def share(model: Module, smaller: Module) -> float:
        whole, small = time_both(model, smaller, input_shape, batch)
        return small.median / whole.median

    return share


@dataclass(frozen=True)
class Spread:
    """Milliseconds of several repetitions: the median, and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Spread:
        """Summarise repetitions given in seconds."""
        low, median, high = np.percentile(1e3 * np.asarray(seconds), (25, 50, 75))
        return cls(float(median), float(low), float(high))


@dataclass(frozen=True)
class LayerTime:
    """One step of both networks: its time for a batch, and its multiply-accumulates for one image."""

    name: str
    whole: Spread
    small: Spread
    macs: tuple[int, int]

    @property
    def predicted(self) -> float:
        """Milliseconds of the smaller network if time went with the arithmetic; what has none is taken as it was."""
        return self.whole.median * (1 - self.macs_saved)

    @property
    def saved(self) -> float:
        """Share of the time that is saved."""
        return 1 - self.small.median / self.whole.median

    @property
    def macs_saved(self) -> float:
        """Share of the arithmetic that is saved, 0 where there is none."""
        return 1 - self.macs[1] / self.macs[0] if self.macs[0] else 0.0

    @property
    def parted(self) -> bool:
        """Whether arithmetic is saved, and time has not gone with it."""
        return self.macs_saved > 0 and self.saved < PARTED * self.macs_saved


@dataclass(frozen=True)
class Times:
    """Both networks in all, and layer by layer in the order in which they run."""

    batch: int
    repeats: int
    total: LayerTime
    layers: tuple[LayerTime, ...]

    @property
    def predicted(self) -> float:
        """Milliseconds of the smaller network if the time of each layer went with its arithmetic."""
        return sum(row.predicted for row in self.layers)

    def record(self) -> dict[str, Any]:
        """Return plain numbers, ready for JSON."""
        return {**asdict(self), "predicted": self.predicted}

    def __str__(self) -> str:
        head = f"{'ms for ' + str(self.batch) + ' images':34} {'whole':>18} {'pruned':>18}  saved   MACs"
        return "\n".join([head, *map(_line, (*self.layers, self.total)), self.verdict()])

    def verdict(self) -> str:
        """Say what was predicted and what was measured, and where time and arithmetic part."""
        total, apart = self.total, [row.name.rpartition(" ")[2] for row in self.layers if row.parted]
        more = f" and {len(apart) - 3} more" if len(apart) > 3 else ""
        text = (
            f"predicted from the arithmetic of each layer {self.predicted:.2f} ms, measured {total.small.median:.2f}; "
            f"{total.saved:.1%} of the time saved beside {total.macs_saved:.1%} of the MACs"
        )
        return f"{text}\nthey part in {', '.join(apart[:3])}{more}" if apart else text


def time_layers(
    model: Module, smaller: Module, input_shape: Shape, batch: int = 32, repeats: int = 25, budget: float = 3.0
) -> Times:
    """Time every step of two networks' inference plans, the networks in turn.

    Parameters
    ----------
    smaller : what pruning made of `model`
    repeats, budget : of so many rounds, none begins after `budget` seconds; at least one is timed

    Examples
    --------
    >>> from algorithms.pruning import plan
    >>> from minidl import nn
    >>> net = nn.models.resnet(8, rng=0)
    >>> times = time_layers(net, plan(net, (32, 32, 3), 0.5).apply(net), (32, 32, 3), batch=2, repeats=3)
    >>> times.repeats, times.layers[1].name.endswith("stages.0.0.conv1"), times.layers[1].macs_saved >= 0.5
    (3, True, True)
    """
    x = _images(input_shape, batch)
    plans = [compile(net, input_shape) for net in (model, smaller)]
    for plan in 2 * plans:  # kernels compile and caches fill
        plan.profile(x)
    rounds: list[list[dict[str, float]]] = []
    end = perf_counter() + budget
    while len(rounds) < repeats and not (rounds and perf_counter() > end):
        rounds.append([_by_name(plan.profile(x)) for plan in plans])
    macs = [{row.name: row.macs for row in cost(trace(net, input_shape)).rows} for net in (model, smaller)]

    def layer(name: str) -> LayerTime:
        spreads = [Spread.of([each[i].get(name, 0.0) for each in rounds]) for i in (0, 1)]
        counts = [of.get(name.rpartition(" ")[2], 0) for of in macs]
        return LayerTime(name, spreads[0], spreads[1], (counts[0], counts[1]))

    totals = [Spread.of([sum(each[i].values()) for each in rounds]) for i in (0, 1)]
    total = LayerTime("all", totals[0], totals[1], (sum(macs[0].values()), sum(macs[1].values())))
    return Times(batch, len(rounds), total, tuple(map(layer, rounds[0][0])))


def _images(input_shape: Shape, batch: int) -> Array:
    return np.random.default_rng(0).standard_normal((batch, *input_shape)).astype(np.float32)


def _by_name(profile: list[tuple[str, float]]) -> dict[str, float]:
    """Steps of one name, such as the pads of all shortcuts, count together."""
    total: dict[str, float] = {}
    for name, seconds in profile:
        total[name] = total.get(name, 0.0) + seconds
    return total


def _line(row: LayerTime) -> str:
    times = (f"{s.median:.2f} ({s.low:.2f} to {s.high:.2f})" for s in (row.whole, row.small))
    whole, small = times
    arithmetic = f"{row.macs_saved:6.1%}" if row.macs[0] else ""
    return f"{row.name:34} {whole:>18} {small:>18} {row.saved:6.1%} {arithmetic}{'  parted' * row.parted}"
