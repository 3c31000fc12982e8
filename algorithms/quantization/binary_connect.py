"""BinaryConnect: sum small steps in a float copy w_r of every quantized weight, and compute with Q(w_r).

    w_r ← clip(w_r - step(g(Q(w_r))))

What the grid is too coarse for is kept in w_r, so that the search can become greedy as the rate falls; `rules.py` is
the same without the copy.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from algorithms.quantization.grid import Format
from algorithms.quantization.rules import Rule, Which, draw_key, is_conv_weight
from algorithms.quantization.storage import CodeStore
from minidl.nn import Parameter
from minidl.optim import Optimizer
from minidl.types import Array, Shape


class BinaryConnect(Rule):
    """BC: take the gradient at Q(w_r), apply it to w_r.

    Parameters
    ----------
    stochastic : draw the quantized weights anew each step (Q_s); by default they are the nearest (Q_d)
    clip : keep w_r within the ends of the grid ("grid"), within [-clip, clip], or nowhere (None)
    seed : decides the draws of stochastic quantization
    which : which weights are quantized
    scale_steps : multiply each weight's whole step, after the optimizer, by 1/√(1.5/(fan_in + fan_out)), as the
        authors' code did: weights of ±1 stand for much smaller ones, so that steps must be larger by as much
    accumulator : keep w_r on this grid, as codes, rounded stochastically after each step; by default as floats

    Notes
    -----
    The network's own weights are Q(w_r) at all times outside `real_weights`; with `stochastic=True` that is the draw
    of the last step, so measure inside `quantized_weights()` (nearest) or `real_weights()`.

    Examples
    --------
    >>> from algorithms.quantization import Binary
    >>> from minidl import nn, optim
    >>> conv = nn.Conv2d(1, 2, 3, rng=0)
    >>> rule = BinaryConnect(optim.SGD(conv.named_parameters(), lr=0.1), Binary())
    >>> with rule.real_weights():
    ...     len(np.unique(conv.weight.numpy()))
    18
    >>> len(np.unique(conv.weight.numpy()))
    2
    """

    def __init__(
        self,
        optimizer: Optimizer,
        quantizer: Format,
        stochastic: bool = False,
        clip: float | Literal["grid"] | None = "grid",
        seed: int = 0,
        which: Which = is_conv_weight,
        scale_steps: bool = False,
        accumulator: Format | None = None,
    ) -> None:
        super().__init__(optimizer, quantizer, which)
        self.stochastic, self.clip, self.seed = stochastic, clip, seed
        self.scale_steps, self.accumulator = scale_steps, accumulator
        self.ends = self._ends()
        self._real: dict[str, Parameter] = {}
        for name, p in self.quantized.items():
            self._real[name] = Parameter(p.data.copy())
            self.keep(name, self._real[name].data)

    @property
    def real(self) -> dict[str, Array]:
        """The real-valued copies w_r by name; to read."""
        return {name: copy.data for name, copy in self._real.items()}

    def move(self, name: str, grad: Array) -> None:
        former = self._real[name].data
        real = former.copy()  # so that a failed step leaves the copy as it was
        self.optimizer.update(name, real, grad)
        if self.scale_steps:
            real -= former
            real *= step_scale(real.shape)
            real += former
        beyond = 0
        if self.ends is not None:
            lowest, highest = self.ends
            beyond = int(((real < lowest) | (real > highest)).sum())
            np.clip(real, lowest, highest, out=real)
        self.keep(name, real)
        self.saturated[name] += beyond

    def keep(self, name: str, real: Array) -> None:
        """Set the weight to Q(w_r), the same draws for the same step, and keep w_r."""
        kept: Array | CodeStore = real
        if self.accumulator is not None:
            fine = self.accumulator.fit(real)
            encoded = fine.encode_stochastic(real, draw_key(self.seed, f"{name}/real", self.steps))
            kept = CodeStore(fine, encoded.codes, real.dtype)
            real = kept.read()
        format = self.quantizer.fit(real)
        key = draw_key(self.seed, name, self.steps)
        self.write(name, format, format.encode_stochastic(real, key) if self.stochastic else format.encode(real))
        self._real[name].held = kept

    @contextlib.contextmanager
    def real_weights(self) -> Iterator[None]:
        """Put the float copies into the network for a block; nothing may be trained in it."""
        with self._restored():
            for name, parameter in self.quantized.items():
                parameter.data = self._real[name].data.copy()
            yield

    @contextlib.contextmanager
    def quantized_weights(self) -> Iterator[None]:
        """Put the nearest grid values Q_d(w_r) into the network for a block; nothing may be trained in it."""
        with self._restored():
            for name, parameter in self.quantized.items():
                parameter.data = self.quantizer.round_nearest(self._real[name].data)
            yield

    def own_state(self) -> dict[str, Array]:
        return {f"real/{name}": real for name, real in self.real.items()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        super().load_state_dict(state)
        for name in self._real:
            self.keep(name, state[f"real/{name}"].copy())

    def __repr__(self) -> str:
        own = ("stochastic", "clip", "seed", "scale_steps", "accumulator")
        return f"{super().__repr__()[:-1]}, {', '.join(f'{name}={getattr(self, name)!r}' for name in own)})"

    def _ends(self) -> tuple[float, float] | None:
        if self.clip is None:
            return None
        if self.clip == "grid":
            try:
                return self.quantizer.ends
            except ValueError:
                raise ValueError(
                    f"BinaryConnect got clip='grid' and {self.quantizer}, whose grid follows the weights, expected a "
                    "number or None: pass clip=1.0"
                ) from None
        if not self.clip > 0:
            raise ValueError(f"BinaryConnect got clip={self.clip}, expected above 0, 'grid' or None")
        return -self.clip, self.clip

    @contextlib.contextmanager
    def _restored(self) -> Iterator[None]:
        former = {name: parameter.held for name, parameter in self.quantized.items()}
        try:
            yield
        finally:
            for name, parameter in self.quantized.items():
                parameter.held = former[name]


def step_scale(shape: Shape) -> float:
    """Return 1/√(1.5/(fan_in + fan_out)) of a weight (O, KH, KW, I) or (O, I).

    Examples
    --------
    >>> step_scale((16, 3, 3, 8))
    12.0
    """
    window = math.prod(shape[1:-1])
    return math.sqrt(window * (shape[0] + shape[-1]) / 1.5)
