"""Which weights change their value while training: flips, flips back, and the share that differs from the start.

A recorder of codes only, so it serves every rule, and the float one too (whose code is the sign).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from algorithms.quantization.grid import Format
from minidl.nn import Module, Parameter
from minidl.types import Array


class WeightChange:
    """Count changed codes of some weights after every step; pass it to `train(on_step=…)`, or put it into `Watched`.

    Parameters
    ----------
    parameters : the weights to watch by name, such as `rule.quantized`; their values now are the start
    quantizer : the format whose codes are compared; for `Binary` that is the sign

    Attributes
    ----------
    names : list of str, the L layers
    sizes : (L,) weights of each layer
    flips : (T, L) codes that changed in each step
    oscillations : (T, L) those of them that moved against their own last move
    changed : (T, L) codes that differ from the start after each step

    Examples
    --------
    >>> from algorithms.quantization import Binary
    >>> weight = Parameter([1.0, -1.0, 1.0, 1.0])
    >>> recorder = WeightChange({"weight": weight}, Binary())
    >>> weight.data = np.array([-1.0, -1.0, 1.0, 1.0], np.float32)
    >>> recorder()
    >>> weight.data = np.array([1.0, -1.0, 1.0, -1.0], np.float32)
    >>> recorder()
    >>> recorder.flips.tolist(), recorder.oscillations.tolist(), recorder.share.tolist()
    ([[1], [2]], [[0], [1]], [0.25, 0.25])
    """

    def __init__(self, parameters: Mapping[str, Parameter], quantizer: Format) -> None:
        self.parameters, self.quantizer = dict(parameters), quantizer
        self.names = list(self.parameters)
        self.start = self._codes()
        self.sizes = np.array([codes.size for codes in self.start.values()])
        self._last = self.start
        self._moves = {name: np.zeros(codes.shape, np.int8) for name, codes in self.start.items()}  # the last: -1, 1
        self._rows: list[Array] = []  # (3, L) for each step

    def __call__(self, step: int = 0, model: Module | None = None) -> None:
        """Record the weights as they are after a step."""
        now = self._codes()
        self._rows.append(np.array([self._record(name, codes) for name, codes in now.items()], np.int64).T)
        self._last = now

    @property
    def flips(self) -> Array:
        return self._table[:, 0]

    @property
    def oscillations(self) -> Array:
        return self._table[:, 1]

    @property
    def changed(self) -> Array:
        return self._table[:, 2]

    @property
    def share(self) -> Array:
        """Share of all watched weights that differ from the start, after each step: (T,)."""
        return np.asarray(self.changed.sum(axis=1) / self.sizes.sum())

    def state_dict(self) -> dict[str, Array]:
        """Return all that was recorded, and what the next record depends on beside the weights."""
        start = {f"start/{name}": codes.copy() for name, codes in self.start.items()}
        return {"rows": self._table, **start, **{f"moves/{name}": m.copy() for name, m in self._moves.items()}}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take a `state_dict` in, after the network's own."""
        self._rows = list(state["rows"])
        self.start = {name: state[f"start/{name}"] for name in self.names}
        self._moves = {name: state[f"moves/{name}"].copy() for name in self.names}
        self._last = self._codes()

    @property
    def _table(self) -> Array:
        return np.array(self._rows, np.int64).reshape(-1, 3, len(self.names))

    def _record(self, name: str, codes: Array) -> tuple[int, int, int]:
        """Count what moved, what moved back, and what differs from the start."""
        move = np.sign(codes.astype(np.int32) - self._last[name]).astype(np.int8)
        former = self._moves[name]
        back = np.count_nonzero(move * former < 0)
        np.copyto(former, move, where=move != 0)
        return int(np.count_nonzero(move)), int(back), int(np.count_nonzero(codes != self.start[name]))

    def _codes(self) -> dict[str, Array]:
        weights = {name: parameter.data for name, parameter in self.parameters.items()}
        return {name: self.quantizer.fit(weight).encode(weight).codes for name, weight in weights.items()}
