"""Stochastic gradient descent with momentum, Nesterov's variant and weight decay."""

from __future__ import annotations

import math
from collections.abc import Iterable

from minidl.kernels import optimizer as kernel
from minidl.nn.module import Parameter
from minidl.optim.optimizer import Optimizer
from minidl.types import Array


class SGD(Optimizer):
    """Stochastic gradient descent.

    d = grad + weight_decay·weight;  velocity ← momentum·velocity + d;  weight ← weight - lr·velocity,
    or, with Nesterov, weight ← weight - lr·(d + momentum·velocity).

    Parameters
    ----------
    named_parameters : (name, parameter) pairs, such as `model.named_parameters()`
    lr : the rate
    momentum : share of the velocity that survives a step, 0 <= momentum < 1
    nesterov : look one step of momentum ahead
    weight_decay : gradient of the penalty weight_decay/2·‖weight‖², added before the momentum

    Examples
    --------
    >>> import minidl
    >>> w = minidl.nn.Parameter([1.0, -2.0])
    >>> optimizer = SGD([("w", w)], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.numpy()
    array([ 0.8, -1.6], dtype=float32)
    """

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, Parameter]],
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        if not 0 <= momentum < 1 or not 0 <= weight_decay < math.inf:
            raise ValueError(
                f"SGD got momentum={momentum} and weight_decay={weight_decay}, expected [0, 1) and a finite number >= 0"
            )
        if nesterov and not momentum:
            raise ValueError("SGD got nesterov=True with momentum=0, expected a momentum above 0 to look ahead with")
        self.momentum, self.nesterov, self.weight_decay = momentum, nesterov, weight_decay
        self.slots = ("momentum",) if momentum else ()
        super().__init__(named_parameters, lr)

    def move(self, weight: Array, grad: Array, *state: Array, steps: int) -> None:
        velocity = state[0] if state else None
        kernel.sgd(weight, grad, velocity, self.lr, self.momentum, self.nesterov, self.weight_decay)

    def __repr__(self) -> str:
        settings = f"momentum={self.momentum}, nesterov={self.nesterov}, weight_decay={self.weight_decay}"
        return f"SGD(lr={self.lr}, {settings})"
