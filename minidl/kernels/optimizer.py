"""One step of an optimizer on the array of one parameter, in place, in one pass over memory.

The formulas are PyTorch's, in NumPy here; the compiled twins, for 32-bit floats, are in ``optimizer_compiled.py``.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backend import compiled
from .parallel import parallel_for

Array = NDArray[Any]

GRAIN = 1 << 16  # elements in a range; smaller parameters run in place


def sgd(
    p: Array,
    grad: Array,
    momentum_buffer: Array | None,
    lr: float,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> None:
    """Move `p` down its gradient, updating `momentum_buffer` (zeros before the first step; None without momentum).

    g = grad + weight_decay · p,   buffer = momentum · buffer + g,
    p -= lr · (g + momentum · buffer  with Nesterov's momentum,  buffer  with ordinary,  g  with none)

    Examples
    --------
    >>> p, buffer = np.array([1.0]), np.array([0.0])
    >>> sgd(p, np.array([2.0]), buffer, lr=0.1, momentum=0.9)
    >>> p, buffer
    (array([0.8]), array([2.]))
    """
    if momentum_buffer is None and momentum != 0:
        raise ValueError(f"sgd got momentum {momentum} and no momentum_buffer; pass an array of zeros like p.")
    buffer = None if momentum == 0 else momentum_buffer
    _run("sgd_step", (p, grad, buffer), (lr, momentum, weight_decay), nesterov)


def adam(
    p: Array,
    grad: Array,
    mean: Array,
    square: Array,
    step: int,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> None:
    """Move `p` by Adam (Kingma and Ba, 2015), updating `mean` and `square`, zeros before step 1.

    g = grad + weight_decay · p,   mean += (1 - β₁)(g - mean),   square = β₂ · square + (1 - β₂) g²,
    p -= lr/(1 - β₁ᵗ) · mean / (√square / √(1 - β₂ᵗ) + eps)

    Examples
    --------
    >>> p, mean, square = np.array([1.0]), np.array([0.0]), np.array([0.0])
    >>> adam(p, np.array([5.0]), mean, square, step=1, lr=0.25)
    >>> p.round(6)
    array([0.75])
    """
    beta1, beta2 = betas
    rate = lr / (1 - beta1**step)
    unbias = 1 / math.sqrt(1 - beta2**step)
    _run("adam_step", (p, grad, mean, square), (rate, 1 - beta1, beta2, 1 - beta2, unbias, eps, weight_decay))


def sgd_step(
    start: int, stop: int, p: Array, grad: Array, buffer: Array | None,
    lr: Any, momentum: Any, weight_decay: Any, nesterov: bool,
) -> None:  # fmt: skip
    """Do `sgd` on the elements [start, stop) of flat arrays; the numbers are of the arrays' type."""
    p, g = p[start:stop], grad[start:stop] + weight_decay * p[start:stop]
    if buffer is not None:
        buffer = buffer[start:stop]
        buffer *= momentum
        buffer += g
        g = g + momentum * buffer if nesterov else buffer
    p -= lr * g


def adam_step(
    start: int, stop: int, p: Array, grad: Array, mean: Array, square: Array,
    rate: Any, gain1: Any, beta2: Any, gain2: Any, unbias: Any, eps: Any, weight_decay: Any,
) -> None:  # fmt: skip
    """Do `adam` on the elements [start, stop) of flat arrays; the numbers are of the arrays' type."""
    p, mean, square = p[start:stop], mean[start:stop], square[start:stop]
    g = grad[start:stop] + weight_decay * p
    mean += gain1 * (g - mean)
    square *= beta2
    square += gain2 * g * g
    p -= rate * mean / (np.sqrt(square) * unbias + eps)


def _run(step: str, arrays: tuple[Array | None, ...], numbers: tuple[float, ...], *options: bool) -> None:
    """Run the compiled step of this name, or its twin above, over all elements of a parameter and its state."""
    loop = getattr(sys.modules[__name__], step)
    given = [array for array in arrays if array is not None]
    p = given[0]
    typed = [p.dtype.type(number) for number in numbers]
    if not all(array.flags.c_contiguous for array in given):
        loop(0, len(p), *arrays, *typed, *options)
        return
    flat = [None if array is None else array.reshape(-1) for array in arrays]
    if compiled() and all(array.dtype == np.float32 for array in given):
        from . import optimizer_compiled

        loop = getattr(optimizer_compiled, step)
    parallel_for(loop, p.size, GRAIN, *flat, *typed, *options)
