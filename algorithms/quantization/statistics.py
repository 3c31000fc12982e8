"""Which weights change their value while training: flips from step to step, and the share that differs from the start.

A recorder looks at codes only, so it serves every rule, and the float one too (whose code is the sign).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from algorithms.quantization.grid import Format
from minidl.nn import Module, Parameter
from minidl.types import Array


class WeightChange:
    """Count changed codes of some weights after every step; pass it to `minidl.training.train(on_step=…)`.

    Parameters
    ----------
    parameters : the weights to watch by name, such as `rule.quantized`; their values now are the start
    quantizer : the format whose codes are compared; for `Binary` that is the sign

    Attributes
    ----------
    names : list of str, the L layers
    sizes : (L,) weights of each layer

    Examples
    --------
    >>> from algorithms.quantization import Binary
    >>> weight = Parameter([1.0, -1.0, 1.0, 1.0])
    >>> recorder = WeightChange({"weight": weight}, Binary())
    >>> weight.data = np.array([-1.0, -1.0, 1.0, 1.0], np.float32)
    >>> recorder()
    >>> weight.data = np.array([1.0, -1.0, 1.0, -1.0], np.float32)
    >>> recorder()
    >>> recorder.flips.tolist(), recorder.changed.tolist(), recorder.share.tolist()
    ([[1], [2]], [[1], [1]], [0.25, 0.25])
    """

    def __init__(self, parameters: Mapping[str, Parameter], quantizer: Format) -> None:
        self.parameters, self.quantizer = dict(parameters), quantizer
        self.names = list(self.parameters)
        self.start = self._codes()
        self.sizes = np.array([codes.size for codes in self.start])
        self._last = self.start
        self._flips: list[list[int]] = []
        self._changed: list[list[int]] = []

    def __call__(self, step: int = 0, model: Module | None = None) -> None:
        """Record the weights as they are after a step."""
        now = self._codes()
        self._flips.append(_differing(now, self._last))
        self._changed.append(_differing(now, self.start))
        self._last = now

    @property
    def flips(self) -> Array:
        """Codes that changed in each step: integers (T, L)."""
        return np.array(self._flips, np.int64).reshape(-1, len(self.names))

    @property
    def changed(self) -> Array:
        """Codes that differ from the start after each step: integers (T, L)."""
        return np.array(self._changed, np.int64).reshape(-1, len(self.names))

    @property
    def share(self) -> Array:
        """Share of all watched weights that differ from the start, after each step: (T,)."""
        return np.asarray(self.changed.sum(axis=1) / self.sizes.sum())

    def _codes(self) -> list[Array]:
        weights = [parameter.data for parameter in self.parameters.values()]
        return [self.quantizer.fit(weight).encode(weight).codes for weight in weights]


def _differing(now: list[Array], then: list[Array]) -> list[int]:
    return [int(np.count_nonzero(a != b)) for a, b in zip(now, then, strict=True)]
