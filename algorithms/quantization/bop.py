"""Bop: binary weights that flip when the mean of their gradient has pushed them long enough (Helwegen et al. 2019).

    m ← m + γ(g - m);   w ← -w where m has the sign of w and |m| > τ

There is no real-valued weight and no rounding, only the mean of the gradient, whose size decides.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from algorithms.quantization.formats import Binary
from algorithms.quantization.grid import Encoded, Format
from algorithms.quantization.rules import Rule, Which, is_conv_weight
from minidl.optim import Optimizer
from minidl.types import Array


class Bop(Rule):
    """Flip a binary weight against the mean of its gradient.

    Parameters
    ----------
    optimizer : moves all other parameters; its schedule also lowers γ, by the same factor
    quantizer : a `Binary` of fixed Δ
    gamma : γ, how fast the mean follows; the weights remember about 1/γ steps
    threshold : τ, what the mean must exceed
    which : which weights are binary

    Examples
    --------
    >>> from minidl import Tensor, nn, optim
    >>> weight = nn.Parameter(np.array([[[[1.0, 1.0, -1.0]]]], np.float32))
    >>> rule = Bop(optim.SGD([("weight", weight)], lr=0.1), gamma=0.5, threshold=0.4)
    >>> weight.grad = Tensor(np.array([[[[1.0, 0.1, 1.0]]]], np.float32))
    >>> rule.step()
    >>> weight.numpy()
    array([[[[-1.,  1., -1.]]]], dtype=float32)
    """

    def __init__(
        self,
        optimizer: Optimizer,
        quantizer: Format | None = None,
        gamma: float = 1e-3,
        threshold: float = 1e-6,
        which: Which = is_conv_weight,
    ) -> None:
        quantizer = Binary() if quantizer is None else quantizer
        if not isinstance(quantizer, Binary) or quantizer.per_filter:
            raise ValueError(f"Bop got {quantizer!r}, expected Binary(delta): it flips between two fixed values")
        if not 0 < gamma <= 1 or not threshold >= 0 or not optimizer.lr > 0:
            raise ValueError(
                f"Bop got gamma={gamma}, threshold={threshold} and a rate of {optimizer.lr}, expected a gamma in "
                "(0, 1], a threshold of 0 or more and a rate above 0"
            )
        super().__init__(optimizer, quantizer, which)
        self.gamma, self.threshold, self.first_rate = gamma, threshold, optimizer.lr
        self.mean = {name: np.zeros_like(p.data) for name, p in self.quantized.items()}
        for name, p in self.quantized.items():
            self.write(name, quantizer, quantizer.encode(p.data))
        # the inner optimizer never moves these weights, so it need not remember anything about them
        for key in [key for key in optimizer.state if key.partition("/")[2] in self.quantized]:
            del optimizer.state[key]

    def move(self, name: str, grad: Array) -> None:
        mean, weight = self.mean[name], self.quantized[name].data
        if not np.isfinite(grad).all():
            raise ValueError("its gradient holds infinities or NaN, expected numbers: lower the rate or clip gradients")
        mean += self.gamma * self.lr / self.first_rate * (grad - mean)
        flipped = (mean * weight > 0) & (np.abs(mean) > self.threshold)
        self.write(name, self.quantizer, Encoded(((weight > 0) ^ flipped).astype(np.int8), 0))

    def own_state(self) -> dict[str, Array]:
        return {f"mean/{name}": mean for name, mean in self.mean.items()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        super().load_state_dict(state)
        for name, mean in self.mean.items():
            mean[...] = state[f"mean/{name}"]
            self.write(name, self.quantizer, self.quantizer.encode(self.quantized[name].data))

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, gamma={self.gamma}, threshold={self.threshold})"
