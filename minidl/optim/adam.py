"""Adam: each weight moves by its mean gradient over the root of its mean squared gradient (Kingma and Ba 2015)."""

from __future__ import annotations

import math
from collections.abc import Iterable

from minidl.kernels import optimizer as kernel
from minidl.nn.module import Parameter
from minidl.optim.optimizer import Optimizer
from minidl.types import Array


class Adam(Optimizer):
    """Adam with bias correction (Algorithm 1; t counts a parameter's updates).

    g = grad + weight_decay·weight;  mean ← β₁·mean + (1-β₁)·g;  square ← β₂·square + (1-β₂)·g²;
    weight ← weight - lr·m̂ / (√ŝ + eps)  with  m̂ = mean/(1-β₁ᵗ), ŝ = square/(1-β₂ᵗ).

    Parameters
    ----------
    named_parameters : (name, parameter) pairs, such as `model.named_parameters()`
    lr : the rate, about the size of every weight's step
    betas : decay of the means of the gradient and of its square
    eps : added to the root, so that a gradient of 0 divides by something
    weight_decay : times the weight, added to the gradient (not decoupled)

    Examples
    --------
    >>> import minidl
    >>> w = minidl.nn.Parameter([1.0, -2.0])
    >>> optimizer = Adam([("w", w)], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.numpy().round(4)
    array([ 0.9, -1.9], dtype=float32)
    """

    slots = ("mean", "square")

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, Parameter]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        if not (all(0 <= beta < 1 for beta in betas) and 0 <= eps < math.inf and 0 <= weight_decay < math.inf):
            raise ValueError(
                f"Adam got betas={betas}, eps={eps}, weight_decay={weight_decay}, expected betas in [0, 1), "
                "the others finite and >= 0"
            )
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay
        super().__init__(named_parameters, lr)

    def move(self, weight: Array, grad: Array, *state: Array, steps: int) -> None:
        mean, square = state
        kernel.adam(weight, grad, mean, square, steps, self.lr, self.betas, self.eps, self.weight_decay)

    def __repr__(self) -> str:
        return f"Adam(lr={self.lr}, betas={self.betas}, eps={self.eps}, weight_decay={self.weight_decay})"
