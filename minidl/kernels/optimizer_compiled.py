"""The compiled twins of the steps of `minidl.kernels.optimizer`: the same operations in the same order.

Each element of the parameter, its gradient and its state is read once and written once.
"""

from __future__ import annotations

import numpy as np

from .jit import jit


@jit
def sgd_step(start, stop, p, grad, buffer, lr, momentum, weight_decay, nesterov):  # type: ignore[no-untyped-def]
    """Do stochastic gradient descent on the elements [start, stop); the buffer may be None."""
    p, grad = p[start:stop], grad[start:stop]
    if buffer is not None:
        state = buffer[start:stop]
    for i in range(p.size):
        g = grad[i] + weight_decay * p[i]
        if buffer is not None:
            state[i] = momentum * state[i] + g
            g = g + momentum * state[i] if nesterov else state[i]
        p[i] -= lr * g


@jit
def adam_step(start, stop, p, grad, mean, square, rate, gain1, beta2, gain2, unbias, eps, weight_decay):  # type: ignore[no-untyped-def]
    """Do Adam on the elements [start, stop)."""
    p, grad, mean, square = p[start:stop], grad[start:stop], mean[start:stop], square[start:stop]
    for i in range(p.size):
        g = grad[i] + weight_decay * p[i]
        mean[i] += gain1 * (g - mean[i])
        square[i] = beta2 * square[i] + gain2 * g * g
        p[i] -= rate * mean[i] / (np.sqrt(square[i]) * unbias + eps)
