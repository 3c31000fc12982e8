"""How the real-valued weights behind the quantized ones are spread, and how often the ends of a grid cut something off.

Distances and histograms at chosen steps; which codes change is `statistics.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from algorithms.quantization.binary_connect import BinaryConnect
from algorithms.quantization.rules import Rule
from minidl.nn import Module
from minidl.types import Array


class LatentWeights:
    """Record, every so many steps, how a rule's real-valued weights w_r are spread and how far the quantized ones are.

    Rules without w_r are recorded too: the weights themselves are their w_r, and what saturates still tells.

    Parameters
    ----------
    rule : the rule to watch
    edges : (B + 1,) rising edges of the histograms' bins, in the units of the weights
    every : steps between records

    Attributes
    ----------
    steps : (K,) the steps after which a record was made
    histograms : (K, L, B) weights in each bin; those outside of all bins are left out
    gap : (K, L) mean distance of w_b and w_r
    saturated : (K, L) share of weights that the last step would have taken beyond the ends of the grid

    Examples
    --------
    >>> from algorithms.quantization import Binary
    >>> from minidl import nn, optim
    >>> conv = nn.Conv2d(1, 2, 3, rng=0)
    >>> recorder = LatentWeights(BinaryConnect(optim.SGD(conv.named_parameters(), lr=0.1), Binary()))
    >>> recorder()
    >>> int(recorder.histograms.sum()), bool(0 < recorder.gap[0, 0] < 1)
    (18, True)
    """

    def __init__(self, rule: Rule, edges: Sequence[float] | Array | None = None, every: int = 1) -> None:
        self.rule, self.every = rule, every
        self.edges = np.linspace(-1.5, 1.5, 61) if edges is None else np.asarray(edges, float)
        self.seen = 0
        self._records: list[tuple[int, Array, Array, Array]] = []

    def __call__(self, step: int = 0, model: Module | None = None) -> None:
        """Record, if it is time."""
        self.seen += 1
        if self.seen % self.every:
            return
        pairs = [(name, self._real(name), parameter.data) for name, parameter in self.rule.quantized.items()]
        bins = np.array([np.histogram(real, self.edges)[0] for _, real, _ in pairs])
        gap = np.array([np.abs(weight - real).mean() for _, real, weight in pairs])
        saturated = np.array([self.rule.saturated[name] / weight.size for name, _, weight in pairs])
        self._records.append((self.seen, bins, gap, saturated))

    @property
    def steps(self) -> Array:
        return np.array([record[0] for record in self._records], np.int64)

    @property
    def histograms(self) -> Array:
        return self._stacked(1, len(self.edges) - 1)

    @property
    def gap(self) -> Array:
        return self._stacked(2)

    @property
    def saturated(self) -> Array:
        return self._stacked(3)

    def state_dict(self) -> dict[str, Array]:
        """Return all that was recorded."""
        arrays = {"histograms": self.histograms, "gap": self.gap, "saturated": self.saturated}
        return {"seen": np.array(self.seen), "steps": self.steps, **arrays}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take a `state_dict` in."""
        self.seen = int(state["seen"])
        rows = zip(*(state[name] for name in ("steps", "histograms", "gap", "saturated")), strict=True)
        self._records = [(int(step), bins, gap, saturated) for step, bins, gap, saturated in rows]

    def _real(self, name: str) -> Array:
        return self.rule.real[name] if isinstance(self.rule, BinaryConnect) else self.rule.quantized[name].data

    def _stacked(self, column: int, *shape: int) -> Array:
        return np.array([r[column] for r in self._records]).reshape(-1, len(self.rule.quantized), *shape)
